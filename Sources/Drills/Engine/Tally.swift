public import Histogram

/// Latencies in microseconds, to three digits, up to ten minutes.
public typealias Latencies = Histogram<UInt64>

extension Latencies {
    static let longest: UInt64 = 600_000_000

    static func empty() -> Latencies {
        Latencies(highestTrackableValue: longest, numberOfSignificantValueDigits: .three)
    }

    /// Milliseconds.
    public func milliseconds(at percentile: Double) -> Double {
        Double(Swift.min(valueAtPercentile(percentile), max)) / 1_000
    }
}

/// How a request ended that was not answered.
public enum Failing: Int, CaseIterable, Sendable {
    /// No connection could be made.
    case connect
    /// No whole answer came in time.
    case timeout
    /// The connection ended before the answer did.
    case reset
    /// What came was no HTTP answer.
    case malformed

    public var name: String { "\(self)" }
}

/// What became of the requests of one step.
public struct StepTally: Sendable {
    /// Attempts: each got a status or a failure.
    public internal(set) var requests = 0
    /// By status, up to 999; empty before the first.
    public internal(set) var statuses: [Int] = []
    /// By `Failing`.
    public internal(set) var failures = [Int](repeating: 0, count: Failing.allCases.count)
    /// Steps that ended as they should, after any number of attempts.
    public internal(set) var good = 0
    /// Steps that did not.
    public internal(set) var bad = 0
    /// Attempts after the first.
    public internal(set) var retries = 0
    /// Answers 429 and 503 without `Retry-After`.
    public internal(set) var unannounced = 0
    /// Of bodies, as transferred.
    public internal(set) var bytes = 0
    /// Of answers other than refusals, and of timeouts, each from when it was meant to be sent. Nil if there is none.
    public internal(set) var latency: Latencies?
    /// Of refusals (429 and 503).
    public internal(set) var refusing: Latencies?
    /// Of steps that ended as they should, from when the first attempt was meant. Nil unless something was repeated.
    public internal(set) var settling: Latencies?

    public var refused: Int { count(429) + count(503) }

    public func count(_ status: Int) -> Int { status < statuses.count ? statuses[status] : 0 }

    public func count(_ failing: Failing) -> Int { failures[failing.rawValue] }

    /// Statuses that occurred, with how often.
    public var byStatus: [(status: Int, count: Int)] {
        statuses.enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
    }

    @inline(__always)
    mutating func answered(_ answer: AnswerParser.Answer, microseconds: UInt64) {
        requests += 1
        bytes += answer.bytes
        if statuses.isEmpty { statuses = [Int](repeating: 0, count: 1_000) }
        statuses[answer.status] += 1
        if answer.status == 429 || answer.status == 503 {
            if answer.retryAfter == .absent { unannounced += 1 }
            Self.record(microseconds, in: &refusing)
        } else {
            Self.record(microseconds, in: &latency)
        }
    }

    mutating func failed(_ failing: Failing, microseconds: UInt64) {
        requests += 1
        failures[failing.rawValue] += 1
        if failing == .timeout { Self.record(microseconds, in: &latency) }
    }

    mutating func settled(microseconds: UInt64) { Self.record(microseconds, in: &settling) }

    @inline(__always)
    private static func record(_ microseconds: UInt64, in histogram: inout Latencies?) {
        if histogram == nil { histogram = .empty() }
        histogram?.record(Swift.min(microseconds, Latencies.longest))
    }

    mutating func add(_ other: StepTally) {
        requests += other.requests
        if statuses.isEmpty {
            statuses = other.statuses
        } else {
            for (status, count) in other.statuses.enumerated() where count > 0 { statuses[status] += count }
        }
        for (index, count) in other.failures.enumerated() { failures[index] += count }
        good += other.good
        bad += other.bad
        retries += other.retries
        unannounced += other.unannounced
        bytes += other.bytes
        latency.merge(other.latency)
        refusing.merge(other.refusing)
        settling.merge(other.settling)
    }
}

extension Latencies? {
    fileprivate mutating func merge(_ other: Latencies?) {
        guard let other else { return }
        if self == nil { self = other } else { self?.add(other) }
    }
}

/// What became of all that was sent, or was to be sent.
public struct Tally: Sendable {
    public internal(set) var steps: [StepTally]
    public internal(set) var visits = Visits()
    /// How late the generator itself was with an arrival: large, and what is measured is this machine.
    public internal(set) var lag: Latencies?

    public struct Visits: Sendable, Equatable {
        public internal(set) var begun = 0
        /// Came to their end.
        public internal(set) var finished = 0
        /// Left because a step did not end as it should.
        public internal(set) var failed = 0
        /// Never began: as many as the queue holds waited for a connection already.
        public internal(set) var dropped = 0
        /// Were still waiting or being served when the run ended.
        public internal(set) var unfinished = 0
    }

    init(steps: Int) { self.steps = [StepTally](repeating: StepTally(), count: steps) }

    /// All steps as one.
    public var whole: StepTally {
        var whole = StepTally()
        for step in steps { whole.add(step) }
        return whole
    }

    mutating func add(_ other: Tally) {
        for index in steps.indices { steps[index].add(other.steps[index]) }
        visits.begun += other.visits.begun
        visits.finished += other.visits.finished
        visits.failed += other.visits.failed
        visits.dropped += other.visits.dropped
        visits.unfinished += other.visits.unfinished
        lag.merge(other.lag)
    }

    mutating func late(microseconds: UInt64) {
        if lag == nil { lag = .empty() }
        lag?.record(min(microseconds, Latencies.longest))
    }
}
