extension Score {
    static func recovery(_ evidence: Evidence) -> [Grade] {
        grades(
            "sqlite", "SQLite", evidence.recoveries["sqlite"],
            "Run `souk recover --engine sqlite --json recover-sqlite.json`.")
            + grades(
                "postgres", "PostgreSQL", evidence.recoveries["postgres"],
                "Run `souk recover --engine postgres --json recover-postgres.json`.")
            + grades("region", "another region", evidence.region, "Run `fleet drill region --json region.json`.")
    }

    private static func grades(_ name: String, _ what: String, _ facts: RecoveryFacts?, _ run: String) -> [Grade] {
        let rpoTarget = facts?.rpoTarget ?? RecoveryFacts.usualRPO
        let rtoTarget = facts?.rtoTarget ?? RecoveryFacts.usualRTO
        let isLocal = name != "region"
        return [
            Grade(
                "\(name).rpo", isLocal ? "Orders restored on \(what)" : "Orders kept by \(what)", 2,
                expected: "at most \(rpoTarget.asSeconds) of them missing",
                remedy: facts == nil
                    ? run : "Copy more often (`souk backup follow --interval`), and look how far the copy lags.",
                facts.map {
                    (
                        $0.rpo <= rpoTarget ? 1 : $0.rpo.share(full: rpoTarget, none: 2 * rpoTarget),
                        "the last \($0.rpo.asSeconds) missing, \($0.lost.grouped) orders"
                    )
                }, facts?.source),
            Grade(
                "\(name).rto", isLocal ? "Time to sell again on \(what)" : "Time to sell again from \(what)", 2,
                expected: "at most \(rtoTarget.asSeconds)",
                remedy: facts == nil ? run : "See which step took longest; a younger base means less log to replay.",
                facts.map {
                    // It fails for other reasons than being late, too: nothing sold, or a broken audit.
                    let isUnclear = !$0.hasPassed && $0.rto <= rtoTarget && $0.rpo <= rpoTarget
                    return (
                        $0.rto <= rtoTarget ? (isUnclear ? 0 : 1) : $0.rto.share(full: rtoTarget, none: 2 * rtoTarget),
                        $0.rto.asSeconds + ($0.orders.map { " for \($0.grouped) orders" } ?? "")
                            + (isUnclear ? ", but the drill failed" : "")
                    )
                }, facts?.source),
        ]
    }
}
