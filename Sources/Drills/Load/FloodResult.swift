public import Kernel

/// What a flood found: how much the shop can do at the most, what it did with many times as many visitors, and how soon
/// all was as before. The JSON that `souk load --flood --json` writes.
public struct FloodResult: Codable, Sendable {
    /// Of all the shop's processes that were asked, together; bytes.
    public struct Memory: Codable, Sendable, Equatable {
        public var processes: Int
        public var before: Int
        public var peak: Int
        public var after: Int

        public init(processes: Int, before: Int) {
            self.processes = processes
            self.before = before
            peak = before
            after = before
        }

        /// - Parameter bytes: what it is now.
        public mutating func note(_ bytes: Int) {
            peak = max(peak, bytes)
            after = bytes
        }
    }

    public var drill = "flood"
    public var at: Timestamp
    /// So many times as many visitors as the shop can serve.
    public var times: Double
    /// As many visitors as there are connections, each coming again when it was served.
    public var capacity: LoadResult
    public var flood: LoadResult
    /// Half as many visitors as the shop can serve, from the moment when the flood stopped coming.
    public var after: LoadResult
    public var memory: Memory?
    /// Good answers a second while the flood came, of those at the most.
    public var goodput_ratio: Double
    /// The same of orders that were placed; nil if there were none. To be sold out is a good answer, but no sale: it
    /// costs less, and a shop that has sold everything would seem to hold.
    public var orders_ratio: Double?
    /// Milliseconds, from when each was meant to be sent.
    public var checkout_p99: Double?
    public var refused_without_retry_after: Int
    /// Seconds from the flood's end to the last second that was not normal; nil if that was the last of all.
    public var back_after_seconds: Double?
    public var thresholds: [LoadResult.Verdict]

    public var passed: Bool { thresholds.allSatisfy(\.passed) }

    static let leastGoodput = 0.9
    /// Milliseconds.
    static let checkoutP99 = 500.0
    /// Of what is usual: visits differ by chance, and with them seconds, by a tenth and more.
    static let aboutAsMuch = 0.75
    /// Of a second's requests.
    static let hardlyAny = 0.01
    /// Seconds.
    static let soon = 5.0

    /// - Parameters:
    ///   - flood: it came for `length`; what waited then was served afterwards, while `after` had begun.
    ///   - length: seconds.
    public init(
        times: Double, capacity: LoadResult, flood: LoadResult, for length: Double, after: LoadResult, memory: Memory?,
        at: Timestamp
    ) {
        self.at = at
        self.times = times
        self.capacity = capacity
        self.flood = flood
        self.after = after
        self.memory = memory
        let came = flood.series.filter { $0.at <= length + 0.5 }
        let seconds = came.reduce(0) { $0 + $1.span }
        let goodput = Double(came.reduce(0) { $0 + $1.good }) / max(seconds, 0.001)
        goodput_ratio = (goodput / max(capacity.total.goodput, 0.001)).rounded(to: 3)
        let most = Self.orders(capacity)
        orders_ratio = most > 0 ? (Self.orders(flood) / most).rounded(to: 3) : nil
        checkout_p99 = Self.checkouts(flood)?.latency?.p99
        refused_without_retry_after = flood.total.refused_without_retry_after
        back_after_seconds = Self.back(after.series)
        thresholds = []
        thresholds = judged(goodput)
    }

    private static func checkouts(_ result: LoadResult) -> LoadResult.Measures? {
        result.steps.first { $0.step == JourneyStep.checkout.rawValue }?.measures
    }

    /// Placed a second.
    private static func orders(_ result: LoadResult) -> Double {
        Double(checkouts(result)?.statuses["201"] ?? 0) / max(result.seconds, 0.001)
    }

    /// Normal is a second that serves about as much as the last half of them do, no slower than checkouts may be, and
    /// turns away hardly anybody.
    private static func back(_ series: [LoadResult.Second]) -> Double? {
        let seconds = series.filter { $0.span >= 0.5 && $0.arrivals > 0 }
        let late = seconds.suffix(max(1, seconds.count / 2)).map(\.goodput).sorted()
        let usual = late.isEmpty ? 0 : late[late.count / 2]
        func isNormal(_ second: LoadResult.Second) -> Bool {
            second.goodput >= aboutAsMuch * usual && (second.p99 ?? .infinity) <= checkoutP99
                && Double(second.refused + second.failed + second.dropped) <= hardlyAny * Double(second.requests)
        }
        guard let last = seconds.last(where: { !isNormal($0) }) else { return 0 }
        return seconds.first { $0.at > last.at }?.start.rounded(to: 1)
    }

    private func judged(_ goodput: Double) -> [LoadResult.Verdict] {
        func verdict(_ text: String, _ value: String, _ passed: Bool) -> LoadResult.Verdict {
            LoadResult.Verdict(threshold: text, value: value, passed: passed, aborted: false)
        }
        var verdicts = [
            verdict(
                "goodput ≥ \(Self.leastGoodput) of the most",
                "\(goodput_ratio) (\(goodput.readable) of \(capacity.total.goodput.readable) a second)",
                goodput_ratio >= Self.leastGoodput)
        ]
        if let orders_ratio {
            verdicts.append(
                verdict(
                    "orders ≥ \(Self.leastGoodput) of the most",
                    "\(orders_ratio) (\(Self.orders(flood).readable) of \(Self.orders(capacity).readable) a second)",
                    orders_ratio >= Self.leastGoodput))
            verdicts.append(
                verdict(
                    "checkout p99 ≤ \(Self.checkoutP99.asTime)", checkout_p99?.asTime ?? "nothing was measured",
                    (checkout_p99 ?? .infinity) <= Self.checkoutP99))
        }
        verdicts.append(
            verdict(
                "refused without Retry-After = 0", "\(refused_without_retry_after.grouped)",
                refused_without_retry_after == 0))
        verdicts.append(
            verdict(
                "normal again within \(Self.soon.short) s",
                back_after_seconds.map { "\($0.short) s" } ?? "not when it was last looked at",
                (back_after_seconds ?? .infinity) <= Self.soon))
        return verdicts
    }
}

extension FloodResult {
    /// For a terminal: the three parts, and what was asked of them.
    public var summary: String {
        let parts = [("the most", capacity), ("the flood", flood), ("after it", after)]
        var lines = TextTable.lines(
            ["", "visits/s", "good/s", "refused/s", "p50", "p99", "orders/s", "checkout p99", "dropped", "errors"],
            parts.map { name, result in
                let (total, checkouts) = (result.total, Self.checkouts(result))
                return [
                    name, (Double(result.visits.begun) / max(result.seconds, 0.001)).readable, total.goodput.readable,
                    (Double(total.refused) / max(result.seconds, 0.001)).readable, total.latency?.p50.asTime ?? "",
                    total.latency?.p99.asTime ?? "", Self.orders(result).readable,
                    checkouts?.latency?.p99.asTime ?? "", result.visits.dropped.grouped, total.errorsInWords,
                ]
            })
        lines.append("")
        if let memory {
            lines.append(
                "memory     \(memory.before.mebibytes) before, \(memory.peak.mebibytes) at the most, "
                    + "\(memory.after.mebibytes) after (\(memory.processes) processes)")
        } else {
            lines.append("memory     the shop does not tell it at /metrics: --metrics names where its processes do")
        }
        if let lag = flood.generator.lag {
            lines.append(
                "generator  late by \(lag.p50.asTime) at p50, \(lag.p99.asTime) at p99: where that is much, "
                    + "this machine was measured, not the shop")
        }
        for verdict in thresholds {
            lines.append("\(verdict.passed ? "ok  " : "FAIL") \(verdict.threshold): \(verdict.value)")
        }
        return lines.joined(separator: "\n")
    }
}

extension Int {
    /// Of bytes.
    fileprivate var mebibytes: String { "\((Double(self) / 1_048_576).readable) MiB" }
}
