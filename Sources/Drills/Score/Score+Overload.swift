extension Score {
    /// In MiB: the limit that the chart gives each pod.
    private static let memoryLimit = 512.0

    static func overload(_ facts: FloodFacts?) -> [Grade] {
        let source = facts?.source
        let run = "Run `souk load --flood 5 --clients many --json flood.json` against the shop."
        func grade(
            _ name: String, _ title: String, _ weight: Double, expected: String, remedy: String,
            _ result: (share: Double, found: String)?
        ) -> Grade {
            Grade(
                name, title, weight, expected: expected, remedy: facts == nil ? run : remedy, result, source)
        }
        return [
            grade(
                "goodput", "Goodput under a flood", 3, expected: "at least 90 % of the peak, and of its orders",
                remedy: "What is beyond the capacity must be refused early: look at admission in docs/runbook.md.",
                facts.map { facts in
                    let orders = facts.ordersRatio
                    return (
                        min(facts.goodputRatio, orders ?? .infinity).share(full: 0.9, none: 0.5),
                        "\(facts.goodputRatio.asPercent) of \(facts.mostGoodput.readable)/s"
                            + (orders.map { ", \($0.asPercent) of the orders" } ?? "")
                    )
                }),
            grade(
                "checkout", "Checkout under a flood", 3, expected: "p99 at most 500 ms",
                remedy: "Checkout goes first: look at the queues by priority in docs/runbook.md, AdmissionShedding.",
                facts?.flood.p99["checkout"].map {
                    ($0 <= 500 ? 1 : $0.share(full: 500, none: 1_000), "p99 \($0.asTime)")
                }),
            grade(
                "retry-after", "Who is refused is told when to come again", 2, expected: "Retry-After on each refusal",
                remedy: "Find who answers 429 or 503 without Retry-After: the shop always says it, so look before it.",
                facts.map { facts in
                    let without = facts.flood.refusedWithoutRetryAfter
                    let share = facts.flood.refused > 0 ? 1 - without / facts.flood.refused : 1
                    return (share, "\(Int(without).grouped) of \(Int(facts.flood.refused).grouped) refusals without")
                }),
            grade(
                "normal", "Back to normal after a flood", 1, expected: "within 5 s",
                remedy: "Something waits in a queue without an end: look at the report of the flood.",
                facts.map {
                    ($0.secondsToNormal?.share(full: 5, none: 10) ?? 0, $0.secondsToNormal?.asSeconds ?? "not at all")
                }),
            grade(
                "memory", "Memory is bounded under a flood", 1, expected: "at most 512 MiB a process",
                remedy: "Something is kept for each request that waits: lower the limits of admission.",
                facts?.memory.map { bytes in
                    let mebibytes = bytes / 1_048_576
                    let share = mebibytes.share(full: memoryLimit, none: 2 * memoryLimit)
                    return (share, "\(mebibytes.readable) MiB at most")
                }),
        ]
    }
}
