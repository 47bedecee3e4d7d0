import Kernel

/// What shoppers felt of a fault: a pure function of their seconds and of when the fault was there.
public struct Impact: Codable, Sendable, Equatable {
    /// Seconds from the shoppers' beginning.
    public struct Fault: Sendable, Equatable {
        public var began: Double
        public var ended: Double

        public init(began: Double, ended: Double) {
            self.began = began
            self.ended = ended
        }
    }

    /// What a second must be like to count as steady, by those before the fault.
    public struct Steady: Codable, Sendable, Equatable {
        /// Good answers a second: their mean before, and what is enough of it.
        public var goodput_before: Double
        public var goodput_at_least: Double
        /// Milliseconds: the worst second before, and what is still well.
        public var p99_before: Double
        public var p99_at_most: Double
    }

    public var steady: Steady
    /// From the fault's beginning or its end, as the experiment says, until the last second that was not steady. Nil if
    /// that was the last of all.
    public var recovered_after_seconds: Double?
    /// Steps that failed for good, and visits that could not begin, of all steps, 0 to 1: of the whole run, from the
    /// fault's beginning until the shop has to be steady again, and at other times.
    public var error_rate: Double
    public var error_rate_meanwhile: Double
    public var error_rate_otherwise: Double
    /// Whether the fault was felt at all, and by what.
    public var bit: Bool
    public var felt: [String]
    /// What the experiment expected and did not come.
    public var unmet: [String]

    /// Seconds after the beginning that say little: connections are opened, caches are cold.
    static let warmUp = 2.0
    /// Steady seconds that are needed before the fault.
    static let leastBefore = 3
    static let enoughGoodput = 0.9
    /// In a shop of a few visitors the seconds differ by chance: as good as the worst before is steady, down to this.
    static let leastGoodput = 0.5
    /// Milliseconds. What the shop promises for any request is steady, whatever it was before.
    static let promisedP99 = 1_000.0

    /// Milliseconds that nobody calls a rise.
    static let barelySeen = 20.0

    /// - Parameters:
    ///   - end: seconds from the beginning until shoppers stopped coming.
    /// - Throws: `DrillError` if there are too few seconds before the fault to compare with.
    public init(
        _ series: [LoadResult.Second], fault: Fault, until end: Double, expecting expected: Expectations
    ) throws {
        let seconds = series.filter { $0.span >= 0.5 && $0.at <= end }
        let before = seconds.filter { $0.start >= Self.warmUp && $0.at <= fault.began }
        guard before.count >= Self.leastBefore else {
            throw DrillError(
                "shoppers came for \(before.count) seconds before the fault, expected \(Self.leastBefore) at least")
        }
        steady = Steady(before)
        let due = (expected.steadyAgain == .atOnce ? fault.began : max(fault.began, fault.ended)) + expected.within
        let isMeanwhile = { (second: LoadResult.Second) in second.at > fault.began && second.start < due }
        let meanwhile = seconds.filter(isMeanwhile)
        // Of all seconds: who came at last may have failed after the end.
        error_rate = Self.errors(series)
        error_rate_meanwhile = Self.errors(series.filter(isMeanwhile))
        error_rate_otherwise = Self.errors(series.filter { !isMeanwhile($0) })
        felt = Self.felt(meanwhile, before, steady)
        bit = !felt.isEmpty
        recovered_after_seconds = Self.recovery(seconds, fault, steady, expected.steadyAgain, until: end)
        unmet = []
        unmet = reasons(expected)
    }

    private static func errors(_ seconds: [LoadResult.Second]) -> Double {
        let bad = seconds.reduce(0) { $0 + $1.failed + $1.dropped }
        let all = bad + seconds.reduce(0) { $0 + $1.good }
        return all == 0 ? 0 : (Double(bad) / Double(all)).rounded(to: 6)
    }

    /// The longest of the times that it took; 0 if no second was out of order.
    private static func recovery(
        _ seconds: [LoadResult.Second], _ fault: Fault, _ steady: Steady, _ again: Expectations.SteadyAgain,
        until end: Double
    ) -> Double? {
        let blows: [(from: Double, to: Double)] =
            switch again {
            case .atOnce: [(fault.began, end)]
            case .meanwhile: [(fault.began, fault.ended), (fault.ended, end)]
            case .afterwards: [(fault.ended, end)]
            }
        var longest = 0.0
        for (from, to) in blows {
            guard let last = seconds.last(where: { $0.at > from && $0.start < to && !steady.holds($0) }) else {
                continue
            }
            guard let next = seconds.first(where: { $0.at > last.at && steady.holds($0) }) else { return nil }
            longest = max(longest, next.start - from)
        }
        return longest.rounded(to: 1)
    }

    private static func felt(
        _ meanwhile: [LoadResult.Second], _ before: [LoadResult.Second], _ steady: Steady
    ) -> [String] {
        var felt: [String] = []
        let kinds: [(String, (LoadResult.Second) -> Int)] =
            [("refused", \.refused), ("server error", \.server_errors), ("dropped", \.dropped)]
            + Failing.allCases.map { failing in (failing.name, { $0.failures[failing.name] ?? 0 }) }
        for (name, count) in kinds {
            let counts = (before.reduce(0) { $0 + count($1) }, meanwhile.reduce(0) { $0 + count($1) })
            let usual = Double(counts.0) / Double(before.count) * Double(meanwhile.count)
            if counts.1 > 0, Double(counts.1) > 2 * usual { felt.append("\(name) × \(counts.1.grouped)") }
        }
        let usual = steady.p99_before
        if let worst = meanwhile.compactMap(\.p99).max(), worst > 2 * usual, worst > usual + Self.barelySeen {
            felt.append("p99 rose from \(usual.asTime) to \(worst.asTime)")
        }
        if let least = meanwhile.map(\.goodput).min(), least < steady.goodput_at_least {
            felt.append("good answers fell from \(steady.goodput_before.readable) to \(least.readable) a second")
        }
        return felt
    }

    private func reasons(_ expected: Expectations) -> [String] {
        func isTooMuch(_ rate: Double, _ limit: Double) -> Bool { rate > 0 && rate >= limit }
        var reasons: [String] = []
        if let limit = expected.errorsMeanwhile {
            if isTooMuch(error_rate_meanwhile, limit) {
                reasons.append(
                    "\(error_rate_meanwhile.asShare) of shoppers' steps failed meanwhile, allowed \(limit.asShare)")
            }
            if isTooMuch(error_rate_otherwise, expected.errors) {
                reasons.append(
                    "\(error_rate_otherwise.asShare) of shoppers' steps failed, allowed \(expected.errors.asShare)")
            }
        } else if isTooMuch(error_rate, expected.errors) {
            reasons.append("\(error_rate.asShare) of shoppers' steps failed, allowed \(expected.errors.asShare)")
        }
        if let seconds = recovered_after_seconds {
            if seconds > expected.within {
                reasons.append("steady again after \(seconds.short) s, allowed \(expected.within.short) s")
            }
        } else {
            reasons.append("not steady again when it was last looked at")
        }
        return reasons
    }
}

extension Impact.Steady {
    init(_ before: [LoadResult.Second]) {
        let rates = before.map(\.goodput)
        let mean = rates.reduce(0, +) / Double(max(1, rates.count))
        goodput_before = mean.rounded(to: 1)
        goodput_at_least = min(
            Impact.enoughGoodput * mean, max(rates.min() ?? 0, Impact.leastGoodput * mean)
        ).rounded(to: 1)
        p99_before = before.compactMap(\.p99).max() ?? 0
        p99_at_most = max(Impact.promisedP99, 2 * p99_before)
    }

    func holds(_ second: LoadResult.Second) -> Bool {
        second.goodput >= goodput_at_least && (second.p99 ?? 0) <= p99_at_most
    }
}

extension LoadResult.Second {
    /// Seconds from the run's beginning.
    var start: Double { at - span }
    /// Good answers a second.
    var goodput: Double { Double(good) / Swift.max(span, 0.001) }
}

extension Double {
    /// Of 0 to 1: `0.04 %`
    var asShare: String {
        let percent = (self * 100).rounded(to: 3)
        return (percent == percent.rounded() ? "\(Int(percent))" : "\(percent)") + " %"
    }
}
