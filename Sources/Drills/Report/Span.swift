/// Some seconds of a run, as one point of a chart: counts add up, and of percentiles the worst stands for all.
struct Span: Sendable, Equatable {
    /// Seconds from the start.
    var from: Double
    var to: Double
    var requests = 0
    var good = 0
    var failed = 0
    var refused = 0
    var dropped = 0
    var serverErrors = 0
    var failures: [String: Int] = [:]
    var p50: Double?
    var p90: Double?
    var p99: Double?
    var p999: Double?
    var max: Double?

    var middle: Double { (from + to) / 2 }
    var length: Double { Swift.max(to - from, 0.001) }

    /// A last piece of a second says little of rates: it joins the one before it.
    private static let shortest = 0.5

    static func group(_ series: [LoadResult.Second], into most: Int) -> [Span] {
        let size = Swift.max(1, (series.count + most - 1) / most)
        var spans: [Span] = []
        for (index, second) in series.enumerated() {
            let isShort = second.span < shortest && !spans.isEmpty
            if index % size == 0, !isShort {
                spans.append(Span(from: second.at - second.span, to: second.at))
            }
            spans[spans.count - 1].add(second)
        }
        return spans
    }

    private mutating func add(_ second: LoadResult.Second) {
        to = second.at
        requests += second.requests
        good += second.good
        failed += second.failed
        refused += second.refused
        dropped += second.dropped
        serverErrors += second.server_errors
        failures.merge(second.failures, uniquingKeysWith: +)
        p50 = Self.worse(p50, second.p50)
        p90 = Self.worse(p90, second.p90)
        p99 = Self.worse(p99, second.p99)
        p999 = Self.worse(p999, second.p99_9)
        max = Self.worse(max, second.max)
    }

    private static func worse(_ one: Double?, _ other: Double?) -> Double? {
        guard let one, let other else { return one ?? other }
        return Swift.max(one, other)
    }
}
