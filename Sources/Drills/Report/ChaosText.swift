import Kernel

/// What came of an experiment, for a terminal.
extension ChaosResult {
    /// The verdict, and a line for each thing that shoppers have to say to it.
    public var summary: String {
        (["\(file): \(verdict)"]
            + facts.map { name, text in
                "  " + name + String(repeating: " ", count: max(1, 14 - name.count)) + text
            }).joined(separator: "\n")
    }

    /// The verdict's reasons.
    var facts: [(name: String, text: String)] {
        guard let shoppers, let impact = shoppers.impact else { return [] }
        let total = shoppers.load.total
        let steps = "\((total.good + total.failed).grouped) steps, \(total.failed.grouped) failed for good"
        let shares = "\(impact.error_rate.asShare) in all, \(impact.error_rate_meanwhile.asShare) meanwhile"
        let steady = impact.steady
        let measure = "good answers ≥ \(steady.goodput_at_least.readable)/s, p99 ≤ \(steady.p99_at_most.asTime)"
        let again = impact.recovered_after_seconds.map { "after \($0.short) s" } ?? "not when it was last looked at"
        let limit = "\(expectations.within.short) s allowed, \(expectations.steadyAgain.rawValue)"
        var facts = [
            ("shoppers", "\(steps), \(total.retries.grouped) attempts again"),
            ("errors", "\(shares); less than \(allowed) allowed"),
            ("steady again", "\(again); \(limit) (\(measure))"),
            ("felt", impact.felt.isEmpty ? "nothing" : impact.felt.joined(separator: ", ")),
        ]
        if let audit {
            let told = "\(shoppers.acknowledged.grouped) orders that shoppers were told of"
            let clean = "clean: \(audit.checks.count) promises hold, with \(told)"
            facts.append(("audit", audit.passed ? clean : "it found something"))
        } else {
            facts.append(("audit", "none: the experiment names none"))
        }
        return facts
    }

    private var allowed: String {
        expectations.errors.asShare + (expectations.errorsMeanwhile.map { ", and meanwhile \($0.asShare)," } ?? "")
    }
}
