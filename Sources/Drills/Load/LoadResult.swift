import Kernel

/// What a load run found: the JSON that `--json` writes, and what the report shows. Times in milliseconds.
public struct LoadResult: Codable, Sendable {
    /// Of what was asked for: one step, or all of them.
    public struct Measures: Codable, Sendable {
        /// Attempts: each got a status or a failure.
        public var requests = 0
        /// Steps that ended as they should, after any number of attempts.
        public var good = 0
        /// Steps that did not.
        public var failed = 0
        /// `failed` of all steps, 0 to 1.
        public var error_rate = 0.0
        /// Attempts a second.
        public var rate = 0.0
        /// Good ones a second.
        public var goodput = 0.0
        public var retries = 0
        /// Answers 429 and 503.
        public var refused = 0
        /// Those of them that did not say when to come again.
        public var refused_without_retry_after = 0
        /// Bytes of bodies, as transferred.
        public var bytes = 0
        /// Of answers other than refusals, and of timeouts, from when each was meant to be sent.
        public var latency: Percentiles?
        /// Of refusals.
        public var refusals: Percentiles?
        /// Of steps, from when the first attempt was meant to be sent until it was good.
        public var until_good: Percentiles?
        /// Answers by status.
        public var statuses: [String: Int] = [:]
        /// Requests without an answer, by kind: `connect`, `timeout`, `reset`, `malformed`.
        public var failures: [String: Int] = [:]
    }

    public struct Percentiles: Codable, Sendable {
        public var count: Int
        public var min: Double
        public var mean: Double
        public var p50: Double
        public var p90: Double
        public var p95: Double
        public var p99: Double
        public var p99_9: Double
        public var p99_99: Double
        public var max: Double
    }

    public struct Step: Codable, Sendable {
        public var step: String
        public var measures: Measures
    }

    /// Every visit that began is one of the others.
    public struct Visits: Codable, Sendable, Equatable {
        public var begun = 0
        public var finished = 0
        public var failed = 0
        public var dropped = 0
        public var unfinished = 0
    }

    public struct Second: Codable, Sendable {
        /// Seconds from the start to its end.
        public var at: Double
        /// How long it was, in seconds.
        public var span: Double
        public var arrivals: Int
        public var requests: Int
        public var good: Int
        public var failed: Int
        public var refused: Int
        public var dropped: Int
        /// Answers 5xx other than 503.
        public var server_errors: Int
        public var failures: [String: Int]
        public var p50: Double?
        public var p90: Double?
        public var p99: Double?
        public var p99_9: Double?
        public var max: Double?
    }

    public struct Verdict: Codable, Sendable {
        public var threshold: String
        public var value: String
        public var passed: Bool
        /// It was crossed for good, and ended the run.
        public var aborted: Bool
    }

    /// The generator's own part in what was measured.
    public struct Generator: Codable, Sendable {
        public var threads: Int
        public var connections: Int
        /// How late it was with arrivals; nil for closed ones.
        public var lag: Percentiles?
    }

    /// A point of the latency curve.
    public struct Point: Codable, Sendable {
        public var percentile: Double
        public var milliseconds: Double
    }

    public var target: String
    /// `open` or `closed`.
    public var arrivals: String
    public var clients: String
    public var seed: UInt64
    /// RFC 3339.
    public var began_at: String
    public var seconds: Double
    public var interrupted: Bool
    public var total: Measures
    public var steps: [Step]
    public var visits: Visits
    public var generator: Generator
    public var thresholds: [Verdict]
    public var curve: [Point]
    public var series: [Second]

    public var passed: Bool { thresholds.allSatisfy(\.passed) }
}

extension LoadResult {
    init(_ book: Book, _ plan: LoadPlan, steps names: [String]) {
        target = plan.target.url
        if case .open = plan.arrivals { arrivals = "open" } else { arrivals = "closed" }
        clients = plan.clients.rawValue
        seed = plan.seed
        began_at = book.began.rfc3339
        seconds = book.elapsed.rounded(to: 3)
        interrupted = book.isInterrupted
        let whole = book.total.whole
        total = Measures(whole, seconds: book.elapsed)
        steps = zip(names, book.total.steps).filter { $0.1.requests > 0 }.map { name, tally in
            Step(step: name, measures: Measures(tally, seconds: book.elapsed))
        }
        visits = Visits(book.total.visits)
        generator = Generator(
            threads: plan.threads, connections: plan.connections, lag: book.total.lag.map(Percentiles.init))
        thresholds = plan.thresholds.map { threshold in
            let value = threshold.value(in: book.total, plan.steps, seconds: book.elapsed)
            return Verdict(
                threshold: threshold.text, value: value.map(threshold.inWords) ?? "nothing was measured",
                passed: threshold.holds(value), aborted: threshold == book.crossed)
        }
        curve = whole.latency.map(Self.curve) ?? []
        series = book.seconds.map(Second.init)
    }

    /// Twice as dense with each halving of what is left up to 100 %, as HDR histograms are drawn.
    private static func curve(_ latency: Latencies) -> [Point] {
        var points: [Point] = []
        for value in latency.percentiles(ticksPerHalfDistance: 5) {
            let percentile = value.percentileLevelIteratedTo
            points.append(
                Point(
                    percentile: percentile.rounded(to: 5),
                    milliseconds: min(Double(value.value), Double(latency.max)) / 1_000))
        }
        return points
    }
}

extension LoadResult.Visits {
    fileprivate init(_ visits: Tally.Visits) {
        begun = visits.begun
        finished = visits.finished
        failed = visits.failed
        dropped = visits.dropped
        unfinished = visits.unfinished
    }
}

extension LoadResult.Percentiles {
    public init(_ latency: Latencies) {
        count = Int(latency.totalCount)
        min = Double(latency.min) / 1_000
        mean = (latency.mean / 1_000).rounded(to: 3)
        p50 = latency.milliseconds(at: 50)
        p90 = latency.milliseconds(at: 90)
        p95 = latency.milliseconds(at: 95)
        p99 = latency.milliseconds(at: 99)
        p99_9 = latency.milliseconds(at: 99.9)
        p99_99 = latency.milliseconds(at: 99.99)
        max = latency.milliseconds(at: 100)
    }
}

extension LoadResult.Measures {
    public init(_ tally: StepTally, seconds: Double) {
        requests = tally.requests
        good = tally.good
        failed = tally.bad
        let ended = tally.good + tally.bad
        error_rate = ended > 0 ? (Double(tally.bad) / Double(ended)).rounded(to: 6) : 0
        rate = seconds > 0 ? (Double(tally.requests) / seconds).rounded(to: 1) : 0
        goodput = seconds > 0 ? (Double(tally.good) / seconds).rounded(to: 1) : 0
        retries = tally.retries
        refused = tally.refused
        refused_without_retry_after = tally.unannounced
        bytes = tally.bytes
        latency = tally.latency.map(LoadResult.Percentiles.init)
        refusals = tally.refusing.map(LoadResult.Percentiles.init)
        until_good = tally.settling.map(LoadResult.Percentiles.init)
        for (status, count) in tally.byStatus { statuses[String(status)] = count }
        failures = LoadResult.named(tally.failures)
    }
}

extension LoadResult {
    static func named(_ failures: [Int]) -> [String: Int] {
        var named: [String: Int] = [:]
        for failing in Failing.allCases where failures[failing.rawValue] > 0 {
            named[failing.name] = failures[failing.rawValue]
        }
        return named
    }
}

extension LoadResult.Second {
    init(_ second: Book.Second) {
        at = second.end.rounded(to: 3)
        span = second.span.rounded(to: 3)
        arrivals = second.begun
        requests = second.requests
        good = second.good
        failed = second.bad
        refused = second.refused
        dropped = second.dropped
        server_errors = second.serverErrors
        failures = LoadResult.named(second.failures)
        p50 = second.p50
        p90 = second.p90
        p99 = second.p99
        p99_9 = second.p999
        max = second.max
    }
}
