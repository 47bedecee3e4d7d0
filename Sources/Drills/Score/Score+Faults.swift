extension Score {
    /// What may break, by the experiments' tags, and an experiment that tries it.
    private static let kinds = [
        ("process", "processes are killed", "fleet-kill-half"), ("back end", "a back end is away", "fleet-drop-redis"),
        ("network", "the network is cut or slow", "fleet-slow-payments"),
        ("zone", "an availability zone is away", "fleet-zone-away"),
    ]

    /// Each kind of fault is worth the same, however many experiments tried it.
    static func faults(_ facts: [FaultFacts]) -> [Grade] {
        kinds.flatMap { tag, what, example in
            let tried = facts.filter { $0.tags.contains(tag) }
            guard !tried.isEmpty else {
                let file = "deploy/chaos/\(example).json"
                let command = "souk chaos run \(file) --shoppers 100 --json chaos-\(example).json"
                return [
                    Grade(
                        tag.filter { $0 != " " }, "Sells while \(what)", 1, expected: "an experiment",
                        remedy: "Run `\(command)` on the fleet.", nil, nil)
                ]
            }
            return tried.flatMap { grades($0, what, weight: 1 / Double(tried.count)) }
        }
    }

    private static func grades(_ fault: FaultFacts, _ what: String, weight: Double) -> [Grade] {
        let allowed = fault.allowedErrorRate
        let after = fault.recoveredAfter
        let unfelt = fault.wasFelt ? "" : ", and nobody felt the fault"
        // What nobody felt proves little.
        let felt = fault.wasFelt ? 1.0 : 0.5
        let again = fault.wasFelt ? "" : " Run it with more shoppers (--shoppers), so that the fault is felt."
        let errors = fault.errorRate <= allowed ? 1 : fault.errorRate.share(full: allowed, none: 10 * allowed)
        return [
            Grade(
                "\(fault.name).errors", "Shoppers' errors while \(what)", weight * 0.5,
                expected: "at most \(allowed.asPercent) fail for good",
                remedy: "See what failed in the report; are there two replicas, does the balancer look at /ready, do "
                    + "clients try again with their key?" + again,
                (fault.hasDeviated ? 0 : errors * felt, "\(fault.errorRate.asPercent) failed\(unfelt)"), fault.source),
            Grade(
                "\(fault.name).recovery", "Steady again when \(what)", weight * 0.5,
                expected: "within \(fault.allowedSeconds.asSeconds)",
                remedy: "See in the report what came back late; docs/runbook.md has a section for each." + again,
                (
                    fault.hasDeviated
                        ? 0
                        : (after?.share(full: fault.allowedSeconds, none: 2 * fault.allowedSeconds) ?? 0) * felt,
                    (after.map { "after \($0.asSeconds)" } ?? "not steady again")
                        + (fault.hasDeviated ? ", the experiment deviated" : unfelt)
                ), fault.source),
        ]
    }
}
