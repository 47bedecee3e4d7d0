extension Score {
    /// Each is a thing without which the rest says little. The lowest first.
    static func caps(_ evidence: Evidence) -> [ScoreReport.Cap] {
        (losses(evidence) + notProved(evidence) + weakest(evidence))
            .enumerated().sorted { ($0.element.at_most, $0.offset) < ($1.element.at_most, $1.offset) }.map(\.element)
    }

    /// What is lost makes everything else worthless.
    private static func losses(_ evidence: Evidence) -> [ScoreReport.Cap] {
        let stop = "Stop selling, keep the data as they are, and find out what happened: docs/runbook.md."
        var caps: [ScoreReport.Cap] = []
        func add(_ why: String, _ remedy: String, _ source: Evidence.Source) {
            caps.append(ScoreReport.Cap(at_most: 0, why: why, remedy: remedy, evidence: source.file))
        }
        let audits = [evidence.audit] + evidence.faults.map(\.audit) + drills(evidence).map(\.audit)
        for audit in audits.compactMap({ $0 }) {
            for check in audit.broken {
                let what = check.first.map { ": \($0)" } ?? ""
                let isSetting = check.name == durabilityCheck
                add(
                    isSetting
                        ? "what is acknowledged need not be on the disk\(what)"
                        : "the audit's \(check.name) fails\(what)",
                    isSetting ? "Turn it on in PostgreSQL's settings, and restart it." : stop, audit.source)
            }
        }
        for drill in drills(evidence) {
            if drill.lostBeforeLastCut > 0 {
                add(
                    "\(drill.lostBeforeLastCut.grouped) acknowledged orders are not in the copy that must have them",
                    "Nothing that was copied may be missing: keep the copy, and find out why.", drill.source)
            }
            if drill.lost > 0, drill.rpo > drill.rpoTarget {
                add(
                    "\(drill.lost.grouped) acknowledged orders are lost, further back than "
                        + "\(drill.rpoTarget.asSeconds)",
                    "Copy more often, and look how far the copy lags.", drill.source)
            }
        }
        return caps
    }

    private static func notProved(_ evidence: Evidence) -> [ScoreReport.Cap] {
        var caps: [ScoreReport.Cap] = []
        if evidence.audit == nil {
            caps.append(
                ScoreReport.Cap(
                    at_most: 60, why: "the stored data were not audited",
                    remedy: "Run `souk audit --acknowledged told.jsonl --json > audit.json`."))
        }
        if evidence.recoveries.isEmpty {
            caps.append(
                ScoreReport.Cap(
                    at_most: 60, why: "no restore was tried: a backup that nobody restored is none",
                    remedy: "Run `souk recover --engine sqlite --json recover-sqlite.json`, and the same for postgres.")
            )
        }
        return caps
    }

    /// One of these is an outage that only waits for its day.
    private static func weakest(_ evidence: Evidence) -> [ScoreReport.Cap] {
        var caps = evidence.faults.filter(\.hasDeviated).map { fault in
            ScoreReport.Cap(
                at_most: 75, why: "the shop did not come back from \(fault.name)",
                remedy: "See the steady state in its journal.", evidence: fault.source.file)
        }
        if let chart = evidence.chart {
            let workloads = Workload.all(in: chart.objects)
            let single = workloads.filter { $0.replicas < 2 }.map(\.name)
            let blind = workloads.filter { !$0.probe("readinessProbe") }.map(\.name)
            if !single.isEmpty {
                caps.append(
                    cap("one replica alone of \(named(single))", "Raise replicas or minReplicas.", chart.source))
            }
            if !blind.isEmpty {
                caps.append(
                    cap("nobody asks if \(named(blind)) is ready", "Add a readinessProbe: /ready.", chart.source))
            }
        }
        if let fleet = evidence.fleet {
            let single = alone(in: fleet)
            if !single.isEmpty {
                caps.append(cap("one replica alone of \(named(single))", "Start it with --replicas 2.", fleet.source))
            }
            if !fleet.asksReadiness {
                caps.append(
                    cap("the balancer does not ask who is ready", "Have HAProxy check its servers.", fleet.source))
            }
        }
        return caps
    }

    private static func cap(_ why: String, _ remedy: String, _ source: Evidence.Source) -> ScoreReport.Cap {
        ScoreReport.Cap(at_most: 80, why: why, remedy: remedy, evidence: source.file)
    }
}
