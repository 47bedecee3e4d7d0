/// Stops asking a peer that is away, so that those who ask fail at once instead of after a timeout each.
///
/// Closed, all calls go through. After `failures` calls in a row that did not reach the peer it opens: calls fail at
/// once. After a pause, which doubles with each opening, one call tries; if it gets an answer the breaker closes.
struct CircuitBreaker {
    static let failures = 5
    static let firstPause = Duration.milliseconds(500)
    static let longestPause = Duration.seconds(15)

    private var failuresInARow = 0
    private var openings = 0
    private var opensAgain: ContinuousClock.Instant?

    /// Whether a call may go out. The one that tries again holds the others back for another pause.
    mutating func allows(at now: ContinuousClock.Instant) -> Bool {
        guard let opensAgain else { return true }
        guard now >= opensAgain else { return false }
        self.opensAgain = now + pause
        return true
    }

    var isClosed: Bool { opensAgain == nil }

    /// The peer answered, whatever it said.
    mutating func answered() {
        failuresInARow = 0
        openings = 0
        opensAgain = nil
    }

    /// A call was given up before anything was known: if it was the one that tries, another one may.
    mutating func abandoned(at now: ContinuousClock.Instant) {
        if opensAgain != nil { opensAgain = now }
    }

    mutating func failed(at now: ContinuousClock.Instant) {
        failuresInARow += 1
        guard failuresInARow >= Self.failures else { return }
        openings += 1
        opensAgain = now + pause
    }

    private var pause: Duration { min(Self.longestPause, Self.firstPause * (1 << min(max(openings - 1, 0), 10))) }
}
