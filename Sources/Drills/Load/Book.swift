import Kernel

/// What was counted so far, second by second.
struct Book {
    /// Of a second: what charts show. Milliseconds, nil where nothing was answered.
    struct Second: Sendable {
        /// Seconds from the start to its end.
        var end: Double
        var span: Double
        var begun: Int
        var dropped: Int
        var requests: Int
        var good: Int
        var bad: Int
        var refused: Int
        var serverErrors: Int
        /// By `Failing`.
        var failures: [Int]
        var p50: Double?
        var p90: Double?
        var p99: Double?
        var p999: Double?
        var max: Double?

        init(_ tally: Tally, end: Double, span: Double) {
            let whole = tally.whole
            self.end = end
            self.span = span
            begun = tally.visits.begun
            dropped = tally.visits.dropped
            requests = whole.requests
            good = whole.good
            bad = whole.bad
            refused = whole.refused
            serverErrors = (500...599).reduce(0) { $0 + whole.count($1) } - whole.count(503)
            failures = whole.failures
            p50 = whole.latency?.milliseconds(at: 50)
            p90 = whole.latency?.milliseconds(at: 90)
            p99 = whole.latency?.milliseconds(at: 99)
            p999 = whole.latency?.milliseconds(at: 99.9)
            max = whole.latency?.milliseconds(at: 100)
        }
    }

    private(set) var began = Timestamp(seconds: 0)
    private(set) var total: Tally
    private(set) var seconds: [Second] = []
    var isInterrupted = false
    /// The threshold that ended the run before its time.
    private(set) var crossed: Threshold?
    private let thresholds: [Threshold]
    private let steps: [String]
    private var start: Int64 = 0
    private var last: Int64 = 0
    /// For how many seconds in a row each threshold has been crossed.
    private var crossedFor: [Int]

    var elapsed: Double { Double(last - start) / 1e9 }
    var isCrossedForGood: Bool { crossed != nil }

    init(_ plan: LoadPlan, steps count: Int) {
        thresholds = plan.thresholds
        steps = plan.steps
        total = Tally(steps: count)
        crossedFor = [Int](repeating: 0, count: plan.thresholds.count)
    }

    mutating func begin(_ time: Timestamp, at start: Int64) {
        began = time
        self.start = start
        last = start
    }

    mutating func add(_ tally: Tally, at now: Int64) -> LoadProgress {
        let span = Double(now - last) / 1e9
        last = now
        total.add(tally)
        seconds.append(Second(tally, end: elapsed, span: span))
        for (index, threshold) in thresholds.enumerated() {
            guard let value = threshold.value(in: total, steps, seconds: elapsed) else { continue }
            crossedFor[index] = threshold.holds(value) ? 0 : crossedFor[index] + 1
            if threshold.isCrossedForGood(value, for: crossedFor[index]), crossed == nil { crossed = threshold }
        }
        return LoadProgress(
            elapsed: .nanoseconds(last - start), last: tally, span: .microseconds(Int64(span * 1e6)), total: total)
    }
}
