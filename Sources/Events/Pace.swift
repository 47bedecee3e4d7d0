import Kernel

/// How a consumer goes on after a batch: a pure machine, one for each consumer and source.
///
/// A batch that fails is tried once more, then in halves, until the event that fails stands alone; that one is tried 8
/// times, with growing delays. Each success doubles the batch again.
struct Pace {
    static let largestBatch = 500
    static let attempts = 8
    static let firstDelay = Duration.milliseconds(200)
    static let longestDelay = Duration.seconds(30)

    enum Step: Equatable {
        case retry(after: Duration)
        /// The event goes to the dead letters, and the consumer on to the next.
        case bury
    }

    private(set) var batch = largestBatch
    /// In a row, at this size.
    private var failures = 0
    /// In a row, that were not the events' fault.
    private var outages = 0

    mutating func succeeded() {
        batch = min(Self.largestBatch, batch * 2)
        failures = 0
        outages = 0
    }

    /// A batch of `count` events failed; `jitter` is from 0 to 1.
    mutating func failed(_ count: Int, isOutage: Bool, jitter: Double) -> Step {
        if isOutage {
            outages += 1
            return .retry(after: Self.delay(outages, jitter))
        }
        outages = 0
        failures += 1
        if count > 1 {
            // The delay is short while it halves: that is the search for the event that fails, not waiting for better
            // times.
            if failures > 1 { batch = count / 2 }
            if batch == 1 { failures = 0 }
            return .retry(after: Self.delay(1, jitter))
        }
        guard failures < Self.attempts else {
            failures = 0
            return .bury
        }
        return .retry(after: Self.delay(failures, jitter))
    }

    /// Doubles with each failure, between half of it and all.
    private static func delay(_ failures: Int, _ jitter: Double) -> Duration {
        let whole = min(longestDelay, firstDelay * (1 << min(failures - 1, 16)))
        return whole * (0.5 + jitter / 2)
    }

    /// Whether another part is away or the disk is full: that says nothing about the event, and burying it would lose
    /// it.
    static func isOutage(_ error: any Error) -> Bool {
        switch error {
        case let problem as Problem: problem.type.status == 503 || problem.type.status == 504
        case let error as any OutageError: error.isOutage
        case is OutcomeUnknown, is CancellationError: true
        default: false
        }
    }
}
