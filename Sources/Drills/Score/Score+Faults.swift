extension Score {
    /// What may break, by the experiments' tags, and an experiment that tries it.
    private static let kinds = [
        ("process", "processes are killed", "fleet-kill-half"), ("back end", "a back end is away", "fleet-drop-redis"),
        ("network", "the network is cut or slow", "fleet-slow-payments"),
        ("zone", "an availability zone is away", "fleet-zone-away"),
    ]

    /// Each kind of fault is worth the same, however many experiments tried it. An experiment is of the first kind that
    /// its tags name; one of another kind can only lose: by its audit, or if the shop does not come back.
    static func faults(_ facts: [FaultFacts]) -> [Grade] {
        kinds.flatMap { tag, what, example in
            let tried = facts.filter { fault in kinds.first { fault.tags.contains($0.0) }?.0 == tag }
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
        let felt = fault.felt
        let verdict = fault.verdict.map { ": \($0)" } ?? ""
        // What nobody felt proves little.
        let proof = fault.hasDeviated ? 0 : felt?.bit == false ? 0.5 : 1.0
        let unfelt = felt?.bit == false ? ", and nobody felt the fault" : ""
        let again = felt?.bit == false ? " Run it with more shoppers (--shoppers), so that the fault is felt." : ""
        return [
            Grade(
                "\(fault.name).errors", "Shoppers' errors while \(what)", weight * 0.5, expected: allowance(fault),
                remedy: "See what failed in the report; are there two replicas, does the balancer look at /ready, do "
                    + "clients try again with their key?" + again,
                felt.map {
                    (
                        errors($0, fault) * proof,
                        "\($0.errorsMeanwhile.asPercent) failed for good meanwhile, \($0.errorsOtherwise.asPercent) "
                            + "otherwise\(unfelt)"
                    )
                } ?? (0, "nothing was measured\(verdict)"), fault.source),
            Grade(
                "\(fault.name).recovery", "Steady again when \(what)", weight * 0.5,
                expected: "within \(fault.allowedSeconds.asSeconds)",
                remedy: "See in the report what came back late; docs/runbook.md has a section for each." + again,
                felt.map {
                    (
                        ($0.recoveredAfter?.share(full: fault.allowedSeconds, none: 2 * fault.allowedSeconds) ?? 0)
                            * proof,
                        ($0.recoveredAfter.map { "after \($0.asSeconds)" } ?? "not steady again")
                            + (fault.hasDeviated ? ", the experiment deviated" : unfelt)
                    )
                } ?? (0, "nothing was measured\(verdict)"), fault.source),
        ]
    }

    private static func allowance(_ fault: FaultFacts) -> String {
        let (always, meanwhile) = (fault.allowedErrors, fault.allowedErrorsMeanwhile)
        return meanwhile > always
            ? "fewer than \(always.asPercent), and \(meanwhile.asPercent) while it lasts"
            : "fewer than \(always.asPercent)"
    }

    /// The worse of the two: an experiment may allow more while its fault lasts.
    private static func errors(_ felt: Felt, _ fault: FaultFacts) -> Double {
        func share(_ rate: Double, _ allowed: Double) -> Double {
            rate <= allowed ? 1 : rate.share(full: allowed, none: 10 * allowed)
        }
        return min(
            share(felt.errorsMeanwhile, fault.allowedErrorsMeanwhile), share(felt.errorsOtherwise, fault.allowedErrors))
    }
}
