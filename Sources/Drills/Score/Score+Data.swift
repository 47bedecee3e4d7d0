extension Score {
    /// The audit's check of what is acknowledged: see `souk audit`.
    public static let durabilityCheck = "commits.reach-the-disk"
    static let acknowledgedCheck = "orders.acknowledged"

    static func data(_ evidence: Evidence) -> [Grade] {
        let audit = evidence.audit
        let run = "Run `souk audit --acknowledged told.jsonl --json > audit.json` after the load."
        var grades = [
            Grade(
                "audit", "The stored data hold every promise", 10, expected: "no check fails",
                remedy: audit == nil ? run : "Stop selling, and look at docs/runbook.md: what is stored is wrong.",
                audit.map { audit in
                    // What the server does with a commit is asked below.
                    let broken = audit.broken.filter { $0.name != durabilityCheck }
                    let found =
                        broken.isEmpty
                        ? "\(audit.checks.count) checks hold"
                        : "\(named(broken.map(\.name))) of \(audit.checks.count) failed"
                    return (broken.isEmpty ? 1 : 0, found)
                }, audit?.source),
            Grade(
                "acknowledged", "What clients were told is there", 5, expected: "every acknowledged order exists",
                remedy: run,
                audit?.check(acknowledgedCheck).map { check in
                    let isEmpty = check.checked == 0
                    return (
                        check.violations == 0 && !isEmpty ? 1 : 0,
                        isEmpty
                            ? "no order was acknowledged"
                            : "\((check.checked - check.violations).grouped) of \(check.checked.grouped) do"
                    )
                }, audit?.source),
        ]
        // Of SQLite there is nothing to ask: its durability is a setting of Souk's own connections.
        if audit == nil || audit?.check(durabilityCheck) != nil {
            grades.append(
                Grade(
                    "durable", "What is acknowledged is on the disk", 5,
                    expected: "fsync, synchronous_commit and full_page_writes are on",
                    remedy: audit == nil ? run : "Turn them on in PostgreSQL's settings, and restart it.",
                    audit?.check(durabilityCheck).map { check in
                        (
                            check.violations == 0 ? 1 : 0,
                            check.violations == 0 ? "they are" : check.first ?? "they are not"
                        )
                    }, audit?.source))
        }
        return grades + [afterDrills(evidence)]
    }

    /// The audits that drills end with.
    private static func afterDrills(_ evidence: Evidence) -> Grade {
        let recoveries = evidence.recoveries.sorted { $0.key < $1.key }.map(\.value.audit)
        let region = evidence.region.flatMap(\.audit)
        let all = evidence.faults.map(\.audit) + recoveries + (region.map { [$0] } ?? [])
        let audits = all.compactMap { $0 }
        let clean = audits.filter(\.broken.isEmpty).count
        // The first that failed, or the oldest: that one decides whether it counts half.
        let source =
            audits.first { !$0.broken.isEmpty }?.source
            ?? audits.map(\.source).min { ($0.at?.microseconds ?? 0) < ($1.at?.microseconds ?? 0) }
        return Grade(
            "drills", "The audit is clean after each drill", 5, expected: "an audit after each, and none that fails",
            remedy: audits.isEmpty
                ? "Run the drills: each ends with the audit."
                : "Look at the audit in the drill's file, and docs/runbook.md.",
            audits.isEmpty
                ? nil : (Double(clean) / Double(all.count), "\(clean) of \(all.count) drills have a clean one"), source)
    }

    static func drills(_ evidence: Evidence) -> [RecoveryFacts] {
        evidence.recoveries.sorted { $0.key < $1.key }.map(\.value) + [evidence.region].compactMap { $0 }
    }

    /// `a, b, c and 2 more`
    static func named(_ names: [String]) -> String {
        let shown = names.prefix(3).joined(separator: ", ")
        return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
    }
}
