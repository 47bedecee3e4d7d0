extension Score {
    /// Of which something is known only when that many have asked: one in a thousand is the objective.
    private static let leastRequests = 1_000.0
    /// Steps of a journey that ask for pages. The others ask the HTTP interface, or both, and are held to its
    /// objective.
    private static let pages: Set = ["search", "product"]

    /// The objectives are those that `deploy/observability/rules/slo.yaml` watches in production.
    static func load(_ facts: LoadFacts?) -> [Grade] {
        let traffic = facts?.traffic
        let source = facts?.source
        let isEnough = min(1, (traffic?.requests ?? 0) / leastRequests)
        let few = isEnough < 1 ? ", too few to tell" : ""
        let steady = "Run `souk load --journey standard --rate 100 --duration 2m --json load.json` against the shop."
        let grades = [
            Grade(
                "availability", "Available under steady load", 7, expected: "at least 99.9 % of the attempts answered",
                remedy: source == nil
                    ? steady
                    : "Look at the statuses and failures in the load report, then docs/runbook.md, SLO: availability.",
                traffic.flatMap { traffic in
                    traffic.availability.map {
                        (
                            $0.share(full: 0.999, none: 0.99) * isEnough,
                            "\($0.asPercent) of \(Int(traffic.requests).grouped)\(few)"
                        )
                    }
                }, source),
            Grade(
                "errors", "Shoppers get what they came for", 4, expected: "fewer than 0.1 % of the steps fail for good",
                remedy: source == nil
                    ? steady
                    : "Shoppers try again with the same key (--attempts); look at docs/runbook.md, SLO: errors.",
                traffic.map {
                    ($0.errorRate.share(full: 0.001, none: 0.01) * isEnough, "\($0.errorRate.asPercent) failed\(few)")
                }, source),
        ]
        return grades + [
            latency(
                "api", "The HTTP interface is fast", 6, bound: 1_000, traffic, source, steady
            ) { !pages.contains($0) },
            latency("pages", "Pages are fast", 3, bound: 5_000, traffic, source, steady) { pages.contains($0) },
        ]
    }

    /// The slowest step's p99. Closed arrivals ask a stalled shop less, and so count half.
    private static func latency(
        _ name: String, _ title: String, _ weight: Double, bound: Double, _ traffic: Traffic?,
        _ source: Evidence.Source?, _ steady: String, _ isMeant: (String) -> Bool
    ) -> Grade {
        let slowest = traffic?.p99.filter { isMeant($0.key) }.max { ($0.value, $0.key) < ($1.value, $1.key) }
        let isOpen = traffic?.isOpen ?? true
        let remedy =
            slowest == nil
            ? steady
            : isOpen
                ? "Look at the latency by step in the load report, then docs/runbook.md, SLO: latency."
                : "Measure with open arrivals (--rate), which show a stall; closed ones count half."
        return Grade(
            name, title, weight, expected: "p99 below \(bound.asTime)", remedy: remedy,
            slowest.map {
                (
                    $0.value.share(full: bound, none: 2 * bound) * (isOpen ? 1 : 0.5),
                    "p99 \($0.value.asTime) at \($0.key)\(isOpen ? "" : ", with closed arrivals")"
                )
            }, source)
    }
}
