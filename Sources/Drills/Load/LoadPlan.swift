public import Contracts
public import Kernel

/// What a load run does. Built from a command line, run by `LoadRun`.
public struct LoadPlan: Sendable {
    public enum Arrivals: Sendable {
        /// Visits begin when the schedule says so.
        case open(Schedule)
        /// As many visits at a time as there are connections, one after the other, until so many were begun.
        case closed(visits: Int?)
    }

    public enum Errand: Sendable {
        /// The target's path, and nothing else.
        case page
        /// Shoppers' journeys over the target's products.
        case journeys(JourneyMix)
    }

    /// Told of every order that was acknowledged, on an event loop, right after the answer.
    public typealias Acknowledge = @Sendable (_ order: OrderID, _ total: Money?, _ key: String) throws -> Void

    public var target: Target
    /// For `https`: a PEM file of those who may sign the target's certificate; the system's list if nil.
    public var authorities: String?
    public var arrivals: Arrivals
    /// For closed arrivals; open ones end with their schedule.
    public var duration: Duration?
    public var errand: Errand
    /// `Name: value`, sent with every request.
    public var headers: [String] = []
    public var clients = Clients.one
    /// Open at a time, over all threads.
    public var connections = 100
    /// Visits that wait for a connection at a time, over all threads; more are dropped, and counted.
    public var queue = 10_000
    /// How often a step is asked for before its visitor gives up.
    public var attempts = 1
    /// For one attempt, from its being sent.
    public var timeout = Duration.seconds(10)
    public var threads = 1
    public var seed: UInt64 = 1
    public var thresholds: [Threshold] = []
    public var acknowledge: Acknowledge?

    public init(target: Target, arrivals: Arrivals, errand: Errand) {
        self.target = target
        self.arrivals = arrivals
        self.errand = errand
    }

    /// How long it takes, where it is not visits that end it.
    public var length: Duration? {
        guard case .open(let schedule) = arrivals else { return duration }
        return .milliseconds(Int64(schedule.seconds * 1_000))
    }

    /// The names that requests are counted under.
    public var steps: [String] {
        switch errand {
        case .page: ["get"]
        case .journeys: JourneyStep.allCases.map(\.rawValue)
        }
    }
}

/// How shoppers wait before they ask again.
enum Patience {
    /// What `Retry-After` may ask for; a shopper does not wait longer.
    static let longest: Int64 = 30_000_000_000
    static let shortest: Int64 = 100_000_000
    /// Where a refusal names no number of seconds.
    static let usual: Int64 = 1_000_000_000

    /// Nanoseconds until the next attempt, where nothing was said: twice as long each time, and scattered so that those
    /// who failed together do not come back together.
    ///
    /// - Parameter chance: 0 to 1.
    static func backOff(attempt: Int, chance: Double) -> Int64 {
        let base = min(shortest << min(attempt - 1, 10), longest / 4)
        return base / 2 + Int64(Double(base) * chance)
    }

    /// What a refusal asks for, and at the most a tenth more.
    static func wait(_ retryAfter: AnswerParser.RetryAfter, chance: Double) -> Int64? {
        switch retryAfter {
        case .absent: nil
        case .other: usual
        case .seconds(let seconds): min(Int64(seconds), 30) * 1_000_000_000 + Int64(chance * 1e8)
        }
    }
}
