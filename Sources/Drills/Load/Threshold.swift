/// What a run must keep: `p99<500ms`, `errors<0.1%`, `http_5xx==0`, `checkout.p99<500ms`, `goodput>=300`.
public struct Threshold: Sendable, Equatable {
    enum Metric: Sendable, Equatable {
        /// Of the latency, in milliseconds.
        case percentile(Double)
        case mean
        /// Steps that did not end as they should.
        case errors
        /// Answers from one status to another.
        case statuses(ClosedRange<Int>)
        case failures(Failing)
        case refused
        case unannounced
        case dropped
        case retries
        /// A second.
        case rate
        case goodput
    }

    enum Comparison: String, Sendable, CaseIterable {
        // The longer first: they are looked for in this order.
        case atMost = "<="
        case atLeast = ">="
        case equal = "=="
        case below = "<"
        case above = ">"

        func holds(_ value: Double, _ limit: Double) -> Bool {
            switch self {
            case .atMost: value <= limit
            case .atLeast: value >= limit
            case .equal: value == limit
            case .below: value < limit
            case .above: value > limit
            }
        }
    }

    /// As it was given.
    public let text: String
    let step: String?
    let metric: Metric
    let comparison: Comparison
    /// Milliseconds, percent, a number, or a number a second.
    let limit: Double
    let isShare: Bool

    /// A percentile or a share may come right again: it is crossed for good after so many seconds in a row.
    static let patience = 10

    private static let named: [String: Metric] = [
        "mean": .mean, "max": .percentile(100), "errors": .errors, "refused": .refused,
        "refused_without_retry_after": .unannounced, "dropped": .dropped, "retries": .retries, "rate": .rate,
        "goodput": .goodput, "http_4xx": .statuses(400...499), "http_5xx": .statuses(500...599),
        "connect": .failures(.connect), "timeout": .failures(.timeout), "reset": .failures(.reset),
        "malformed": .failures(.malformed),
    ]

    /// - Parameter steps: the names that may stand before the metric.
    /// - Throws: `DrillError` that names the threshold and what was expected.
    public init(_ text: String, steps: [String]) throws {
        func wrong(_ why: String) -> DrillError { DrillError("--threshold '\(text)' \(why)") }
        let plain = text.filter { $0 != " " }
        guard let comparison = Comparison.allCases.first(where: { plain.contains($0.rawValue) }),
            let place = plain.firstRange(of: comparison.rawValue)
        else { throw wrong("compares nothing, expected METRIC<LIMIT with <, <=, ==, >= or >, as in p99<500ms") }
        var name = String(plain[..<place.lowerBound])
        let bound = plain[place.upperBound...]
        var step: String?
        if let prefix = steps.first(where: { name.hasPrefix($0 + ".") }) {
            step = prefix
            name.removeFirst(prefix.count + 1)
        }
        guard let metric = Self.named[name] ?? Self.percentile(name) ?? Self.status(name) else {
            throw wrong(
                "asks for '\(name)', expected p50 to p99.99, http_NNN or one of "
                    + Self.named.keys.sorted().joined(separator: ", ")
                    + "; for one step \(steps.map { $0 + "." }.joined(separator: " or ")) before it")
        }
        if step != nil, metric == .dropped { throw wrong("asks for a step, but whole visits are dropped") }
        self.text = text
        self.step = step
        self.metric = metric
        self.comparison = comparison
        (limit, isShare) = try Self.limit(of: metric, bound, wrong)
    }

    private static func percentile(_ name: String) -> Metric? {
        guard name.hasPrefix("p"), let number = Double(plain: name.dropFirst()), number > 0, number <= 100 else {
            return nil
        }
        return .percentile(number)
    }

    private static func status(_ name: String) -> Metric? {
        guard name.hasPrefix("http_"), let status = Int(name.dropFirst(5)), (100...599).contains(status) else {
            return nil
        }
        return .statuses(status...status)
    }

    private static func limit(
        of metric: Metric, _ bound: Substring, _ wrong: (String) -> DrillError
    ) throws -> (Double, Bool) {
        switch metric {
        case .percentile, .mean:
            guard let time = try? Duration(span: String(bound), of: "") else {
                throw wrong("has the limit '\(bound)', expected a time such as 500ms or 1.5s")
            }
            return (Double(time.microseconds) / 1_000, false)
        case .rate, .goodput:
            guard let number = Double(plain: bound.hasSuffix("/s") ? bound.dropLast(2) : bound) else {
                throw wrong("has the limit '\(bound)', expected a number a second such as 300")
            }
            return (number, false)
        default:
            let isShare = bound.hasSuffix("%")
            guard let number = Double(plain: isShare ? bound.dropLast() : bound) else {
                throw wrong("has the limit '\(bound)', expected a number such as 0, or a share such as 0.1%")
            }
            return (number, isShare)
        }
    }

    /// What it is about, in the limit's unit; nil while there is nothing to measure.
    func value(in tally: Tally, _ steps: [String], seconds: Double) -> Double? {
        let part = step.flatMap(steps.firstIndex(of:)).map { tally.steps[$0] } ?? tally.whole
        func counted(_ count: Int, of all: Int) -> Double? {
            guard isShare else { return Double(count) }
            if all == 0 { return part.requests > 0 ? 0 : nil }
            return Double(count) / Double(all) * 100
        }
        switch metric {
        case .percentile(let percentile): return part.latency?.milliseconds(at: percentile)
        case .mean: return part.latency.map { $0.mean / 1_000 }
        case .errors: return counted(part.bad, of: part.good + part.bad)
        case .statuses(let range): return counted(range.reduce(0) { $0 + part.count($1) }, of: part.requests)
        case .failures(let failing): return counted(part.count(failing), of: part.requests)
        case .refused: return counted(part.refused, of: part.requests)
        case .unannounced: return counted(part.unannounced, of: part.refused)
        case .dropped: return counted(tally.visits.dropped, of: tally.visits.begun)
        case .retries: return counted(part.retries, of: part.requests)
        case .rate: return seconds > 0 ? Double(part.requests) / seconds : nil
        case .goodput: return seconds > 0 ? Double(part.good) / seconds : nil
        }
    }

    /// At the end nothing measured keeps no threshold.
    func holds(_ value: Double?) -> Bool { value.map { comparison.holds($0, limit) } ?? false }

    /// Whether nothing can mend it any more, or nothing has for long enough. What is to be reached may yet be reached.
    ///
    /// - Parameter seconds: for how many in a row it has not held.
    func isCrossedForGood(_ value: Double, for seconds: Int) -> Bool {
        guard seconds > 0 else { return false }
        return switch comparison {
        case .above, .atLeast: false
        case .equal: isCount && value > limit
        case .below, .atMost: isCount || seconds >= Self.patience
        }
    }

    /// It only ever grows.
    private var isCount: Bool {
        switch metric {
        case .percentile, .mean, .rate, .goodput: false
        default: !isShare
        }
    }

    /// `12.3 ms`, `0.05 %`, `3`
    func inWords(_ value: Double) -> String {
        switch metric {
        case .percentile, .mean: "\(value.short) ms"
        case .rate, .goodput: "\(value.rounded(to: 1).short) a second"
        default: isShare ? "\(value.rounded(to: 4) == 0 ? "0" : "\(value.rounded(to: 4))") %" : "\(Int(value))"
        }
    }
}
