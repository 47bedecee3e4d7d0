import Kernel
import Testing

@testable import Drills

@Suite("The score says what the evidence says") struct ScoreTests {
    private func spoilt(_ spoil: (inout Recorded) -> Void) throws -> ScoreReport {
        var recorded = Recorded()
        spoil(&recorded)
        return try recorded.score()
    }

    @Test("a shop without a flaw has all points, and nothing was lost") func flawless() throws {
        let report = try Recorded().score()
        #expect(report.score == 100 && report.caps.isEmpty && report.losses.isEmpty)
        #expect(report.criteria.allSatisfy { $0.state == .met && $0.evidence != nil && $0.remedy == nil })
        #expect(Set(report.criteria.map(\.name)).count == report.criteria.count)
        #expect(abs(report.parts.reduce(0) { $0 + $1.points } - 100) < 1e-9)
    }

    @Test("without evidence there is no point, and each criterion says what to do") func nothing() throws {
        let report = Score.report(Evidence(), now: Recorded.now)
        #expect(report.score == 0 && report.criteria.allSatisfy { $0.state == .not_run && $0.remedy != nil })
        #expect(report.caps.map(\.at_most) == [60, 60])
        #expect(abs(report.losses.reduce(0) { $0 + $1.points } - 100) < 0.5)
    }

    @Test("every point is either there or among the losses, the largest first", arguments: 0..<8)
    func accounts(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var recorded = Recorded()
        for name in recorded.files.keys.sorted() where Bool.random(using: &random) { recorded.files[name] = nil }
        if Bool.random(using: &random) { recorded.chart = [] }
        let report = try recorded.score()
        #expect(abs(report.uncapped + report.losses.reduce(0) { $0 + $1.points } - 100) < 0.3)
        #expect(report.losses.map(\.points) == report.losses.map(\.points).sorted(by: >))
        #expect(report.score <= report.uncapped && report.caps.allSatisfy { report.score <= $0.at_most })
    }

    // MARK: Caps

    @Test(
        "lost data make it nothing, whatever else was found",
        arguments: [
            ("audit.json", "1.violationCount", JSON(1), "orders.paid-once"),
            ("audit.json", "3.violationCount", 1, "orders.acknowledged"),
            ("audit.json", "2.violationCount", 1, "need not be on the disk"),
            ("chaos-fleet-kill-half.json", "audit.0.violationCount", 2, "stock.never-below-zero"),
            ("recover-postgres.json", "lost_before_last_cut", 1, "not in the copy"),
        ])
    func dataLoss(_ file: String, _ path: String, _ value: JSON, _ why: String) throws {
        let report = try spoilt { $0.set(file, path, value) }
        #expect(report.score == 0 && report.uncapped > 80)
        #expect(report.caps.first?.why.contains(why) == true && report.caps.first?.evidence == file)
    }

    @Test("what a disaster took within the target costs no cap, and what it took beyond it all") func lostInDisaster()
        throws
    {
        let within = try spoilt { $0.set("region.json", "lost", 12) }
        #expect(within.score == 100 && within.caps.isEmpty)
        let beyond = try spoilt {
            $0.set("region.json", "lost", 12)
            $0.set("region.json", "rpo_seconds", 5.1)
        }
        #expect(beyond.score == 0)
    }

    @Test("without a restore drill it is 60 at the most, and without an audit") func notProved() throws {
        let untried = try spoilt {
            $0.files["recover-sqlite.json"] = nil
            $0.files["recover-postgres.json"] = nil
        }
        #expect(untried.score == 60 && untried.uncapped > 80)
        #expect(try spoilt { $0.files["audit.json"] = nil }.score <= 60)
        #expect(try spoilt { $0.files["recover-sqlite.json"] = nil }.score > 90)
    }

    // MARK: Weaknesses, one at a time

    @Test(
        "a chart with a weakness scores less, and the report says why",
        arguments: [
            ("spec.template.spec.containers.0.readinessProbe", "chart.readiness", 80.0),
            ("spec.replicas", "chart.replicas", 80),
            ("spec.template.spec.containers.0.livenessProbe", "chart.liveness", 100),
            ("spec.template.spec.containers.0.resources", "chart.resources", 100),
            ("spec.template.spec.containers.0.securityContext", "chart.security", 100),
            ("spec.template.spec.topologySpreadConstraints", "chart.spread", 100),
            ("spec.template.spec.containers.0.image", "chart.image", 100),
        ])
    func weakChart(_ path: String, _ criterion: String, _ most: Double) throws {
        let report = try spoilt { $0.setInChart(path, nil) }
        #expect(report.score < 100 && report.score <= most)
        let loss = report.losses.first { $0.criterion == "posture.\(criterion)" }
        #expect(loss?.why.contains("souk-storefront") == true && loss?.points ?? 0 > 0)
        #expect((report.caps.first?.at_most ?? 100) == most)
    }

    @Test("an autoscaler's least number counts, not what is started with") func autoscaler() throws {
        func report(_ least: JSON) throws -> ScoreReport {
            try spoilt { recorded in
                recorded.setInChart("spec.replicas", nil)
                recorded.chart += Recorded.roles.map { role in
                    [
                        "kind": "HorizontalPodAutoscaler", "metadata": ["name": "x", "namespace": "souk"],
                        "spec": [
                            "scaleTargetRef": ["kind": "Deployment", "name": .string("souk-\(role)")],
                            "minReplicas": least,
                        ],
                    ]
                }
            }
        }
        #expect(try report(2).score == 100 && report(1).score == 80)
    }

    @Test(
        "a fleet with a weakness scores less, and the report says why",
        arguments: [
            ("fleet.json", "readiness_checks", JSON(false), "posture.fleet.readiness"),
            ("fleet.json", "replicas.orders", 1, "posture.fleet.replicas"),
            ("fleet.json", "retries", 0, "posture.fleet.retries"),
            ("chaos-fleet-kill-half.json", "error_rate_meanwhile", 0.012, "faults.fleet-kill-half.errors"),
            ("chaos-fleet-kill-half.json", "recovered_after_seconds", 25, "faults.fleet-kill-half.recovery"),
            ("chaos-fleet-zone-away.json", "bit", false, "faults.fleet-zone-away.errors"),
            ("load.json", "total.statuses.500", 60, "load.availability"),
            ("load.json", "total.error_rate", 0.004, "load.errors"),
            ("load.json", "steps.4.measures.latency.p99", 1_400, "load.api"),
            ("load.json", "steps.1.measures.latency.p99", 6_000, "load.pages"),
            ("load.json", "arrivals", "closed", "load.api"),
            ("load.json", "total.requests", 100, "load.availability"),
            ("flood.json", "goodput_ratio", 0.7, "overload.goodput"),
            ("flood.json", "orders_ratio", 0.6, "overload.goodput"),
            ("flood.json", "flood.steps.4.measures.latency.p99", 900, "overload.checkout"),
            ("flood.json", "flood.total.refused_without_retry_after", 400, "overload.retry-after"),
            ("flood.json", "back_after_seconds", 9, "overload.normal"),
            ("flood.json", "memory.peak", 900_000_000, "overload.memory"),
            ("recover-sqlite.json", "rto_seconds", 90, "recovery.sqlite.rto"),
            ("recover-sqlite.json", "passed", false, "recovery.sqlite.rto"),
            ("region.json", "rpo_seconds", 8, "recovery.region.rpo"),
            ("audit.json", "3.checked", 0, "data.acknowledged"),
        ])
    func weakness(_ file: String, _ path: String, _ value: JSON, _ criterion: String) throws {
        let report = try spoilt { $0.set(file, path, value) }
        #expect(report.score < 100)
        let loss = report.losses.first { $0.criterion == criterion }
        #expect(loss != nil && loss?.points ?? 0 > 0 && loss?.remedy.isEmpty == false)
        #expect(report.criteria.first { $0.name == criterion }?.evidence == file)
    }

    @Test("a shop that does not come back from a fault has 75 at the most") func deviated() throws {
        let report = try spoilt { $0.set("chaos-fleet-drop-redis.json", "journal.deviated", true) }
        #expect(report.score == 75 && report.caps.first?.why.contains("fleet-drop-redis") == true)
    }

    @Test("an experiment may allow more while its fault lasts") func allowance() throws {
        let report = try spoilt {
            $0.set("chaos-fleet-drop-redis.json", "error_rate_meanwhile", 0.2)
            $0.set(
                "chaos-fleet-drop-redis.json", "journal.experiment.extensions",
                [["name": "souk", "errors_meanwhile": 0.25, "within": 30]])
            $0.set("chaos-fleet-drop-redis.json", "recovered_after_seconds", 22)
        }
        #expect(report.score == 100)
        let strict = try spoilt { $0.set("chaos-fleet-drop-redis.json", "error_rate_meanwhile", 0.2) }
        #expect(strict.score < 100)
    }

    @Test("an experiment that did not begin proves nothing, and says why") func notBegun() throws {
        let report = try spoilt {
            $0.set("chaos-fleet-drop-redis.json", "error_rate", nil)
            $0.set("chaos-fleet-drop-redis.json", "verdict", "not begun")
        }
        #expect(report.score == 95)
        #expect(report.losses.allSatisfy { $0.why.contains("nothing was measured: not begun") })
    }

    @Test("a kind of fault that nobody tried counts nothing, and many of one kind count as one") func kinds() throws {
        var recorded = Recorded()
        recorded.files["chaos-again.json"] = recorded.files["chaos-fleet-kill-half.json"]
        #expect(try recorded.score().score == 100)
        recorded.files["chaos-fleet-zone-away.json"] = nil
        #expect(try recorded.score().score == 95)
    }

    // MARK: Time

    @Test("what is older than 30 days counts half") func age() throws {
        let old = Recorded.now - .seconds(31 * 86_400)
        var recorded = Recorded(at: old)
        let report = try recorded.score()
        // The chart has no time.
        let chart = report.criteria.filter { $0.evidence == "chart.yaml" }.reduce(0) { $0 + $1.points }
        #expect(abs(report.uncapped - ((100 - chart) / 2 + chart)) < 0.2)
        #expect(report.losses.allSatisfy { $0.why.contains("30 days") })
        recorded = Recorded(at: Recorded.now - .seconds(29 * 86_400))
        #expect(try recorded.score().score == 100)
    }

    @Test(
        "evidence that cannot be is refused by file and field",
        arguments: [
            ("load.json", "began_at", JSON("2026-11-21T12:02:00Z"), "load.json: /began_at is 2026-11-21T12:02:00Z"),
            ("audit.json", "0.at", "yesterday", "audit.json: /0/at is \"yesterday\", expected a time"),
            ("load.json", "total.requests", "many", "load.json: /total/requests is \"many\", expected a number"),
            ("load.json", "total.requests", -1, "load.json: /total/requests is -1"),
            ("chaos-fleet-kill-half.json", "bit", nil as JSON?, "chaos-fleet-kill-half.json: /bit is not there"),
            ("recover-sqlite.json", "rpo_seconds", nil, "recover-sqlite.json: /rpo_seconds is not there"),
            ("audit.json", "", [], "audit.json: it has no checks"),
            ("audit.json", "0.violationCount", nil, "audit.json: /0/violationCount is not there"),
            ("flood.json", "goodput_ratio", nil, "flood.json: /goodput_ratio is not there"),
        ] as [(String, String, JSON?, String)])
    func unreadable(_ file: String, _ path: String, _ value: JSON?, _ expected: String) throws {
        var recorded = Recorded()
        recorded.set(file, path, value)
        do {
            _ = try recorded.evidence()
            Issue.record("\(file) was read")
        } catch let error as DrillError {
            #expect(error.description.hasPrefix(expected))
        }
    }

    @Test("other files in the folder are nobody's business") func others() throws {
        var evidence = Evidence()
        #expect(try !evidence.read("score.json", ["at": "2099-01-01T00:00:00Z"], now: Recorded.now))
    }

    // MARK: Metrics of one's own

    @Test("a metric of one's own counts beside the hundred") func metrics() throws {
        #expect(try Recorded().score(["conversion=0.031>=0.03:25"]).score == 100)
        let report = try Recorded().score(["conversion=0.029>=0.03:25"])
        #expect(report.score == 80 && report.losses.first?.criterion == "custom.conversion")
        #expect(report.losses.first?.points == 20)
    }

    @Test(
        "a metric that is none is refused by name",
        arguments: [
            "", "x", "x=1", "x=1>=2", "x=1>=2:0", "x=1>=2:101", "x=1>=y:1", "=1>=2:1", "a b=1<2:3", "x=1<2:3:4",
        ])
    func wrongMetrics(_ text: String) {
        #expect(throws: DrillError.self) { try CustomMetric(text) }
    }
}
