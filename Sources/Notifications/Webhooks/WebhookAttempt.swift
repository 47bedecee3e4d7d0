import Contracts
import Kernel

/// What becomes of a delivery after an attempt: a pure function, after Standard Webhooks.
struct WebhookAttempt: Sendable, Equatable {
    /// Between an attempt that failed and the next; the first attempt is made at once.
    static let delays: [Duration] = [
        .seconds(5), .seconds(5 * 60), .seconds(30 * 60), .seconds(2 * 3_600), .seconds(5 * 3_600),
        .seconds(10 * 3_600), .seconds(14 * 3_600), .seconds(20 * 3_600), .seconds(24 * 3_600),
    ]
    /// A delay is longer by up to this part of it, so that a server that comes back is not met by all at once.
    static let jitter = 0.1

    enum Outcome: Sendable, Equatable {
        case delivered
        case retry(after: Duration)
        case failed
        /// The server wants no more: the webhook is disabled.
        case gone
    }

    /// Nil: there was no answer.
    var status: Int?
    /// Nil: it went well.
    var error: String?
    var outcome: Outcome

    /// - Parameters:
    ///   - attempts: made before this one.
    ///   - jitter: from 0 to 1.
    init(status: Int, after attempts: Int, jitter: Double) {
        self.status = status
        switch status {
        case 200..<300: outcome = .delivered
        case 410: (error, outcome) = ("the server says that it is gone (410)", .gone)
        default:
            (error, outcome) = ("the server answered \(status)", Self.next(attempts, jitter))
        }
    }

    init(noAnswer reason: String, after attempts: Int, jitter: Double) {
        error = String(reason.unicodeScalars.prefix(500))
        outcome = Self.next(attempts, jitter)
    }

    private static func next(_ attempts: Int, _ jitter: Double) -> Outcome {
        guard attempts < delays.count else { return .failed }
        return .retry(after: delays[attempts] * (1 + jitter * Self.jitter))
    }
}
