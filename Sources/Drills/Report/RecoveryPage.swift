import Kernel

/// The report of a recovery: one page that needs nothing else, not even script.
public struct RecoveryPage: Sendable {
    private let result: RecoveryResult
    private static let styles = ["p50", "p90", "p99", "p999", "asked", "served"]

    public init(_ result: RecoveryResult) { self.result = result }

    public var html: String {
        let title = "Recovery of a shop on \(result.engine == "postgres" ? "PostgreSQL" : "SQLite")"
        let verdict = result.passed ? "✓ recovered within the targets" : "✗ not recovered as it should be"
        return Page.document(
            title: title,
            """
            <header><h1>\(title)</h1>
            <p>\(result.at.rfc3339), \(result.orders.grouped) orders in the shop</p>
            <p class="verdict \(result.passed ? "held" : "crossed")">\(verdict)</p></header>
            \(tiles)
            <h2>How it went</h2>
            <div class="charts">\(before.wide)\(after.wide)</div>
            <h2>Audit</h2>
            \(audit)
            <footer>
            <p>Everything was killed and deleted at second 0. RPO is the time from the first acknowledged order that \
            is lost until then, RTO that until the restored shop took an order. Times are this machine's own.</p>
            <p>Made by <code>souk recover</code>.</p>
            </footer>
            """)
    }

    private var tiles: String {
        let broken = result.audit.count { !$0.holds }
        return Page.tiles([
            ("RPO", "\(result.rpo_seconds.readable) s", "at most \(result.targets.rpo_seconds.readable) s"),
            ("RTO", "\(result.rto_seconds.readable) s", "at most \(result.targets.rto_seconds.readable) s"),
            ("Lost", result.lost.grouped, "of \(result.acknowledged.grouped) acknowledged orders"),
            ("Lost from the copy", result.lost_before_last_cut.grouped, "none may be"),
            ("Copy", "\(result.copy_age_seconds.readable) s", "old when everything was destroyed"),
            ("Audit", broken == 0 ? "clean" : "\(broken) broken", "\(result.audit.count) promises, from stored data"),
        ])
    }

    private var before: String {
        let seconds = result.seconds
        let length = Double(seconds.first?.before ?? 1)
        var chart = Chart(
            title: "Before: orders acknowledged a second",
            summary: "\(result.lost.grouped) of the last ones are lost: the copy had not got them yet.",
            x: .span(length, steps: 5) { "−\((length - $0).short) s" },
            y: .linear(upTo: seconds.map { Double($0.acknowledged) }) { $0.readable },
            hints: seconds.map { second in
                let from = length - Double(second.before)
                return (from, from + 1, "\(second.before) s before: \(second.acknowledged) orders")
            })
        chart.band = Chart.Band(
            name: "not in the copy yet", from: max(0, length - result.copy_age_seconds), to: length)
        let layer = Chart.Layer(name: "orders", style: "served", values: seconds.map { Double($0.acknowledged) })
        return chart.bars([layer], at: seconds.map { (length - Double($0.before), length - Double($0.before) + 1) })
    }

    private var after: String {
        var spans: [(from: Double, to: Double)] = []
        for phase in result.phases {
            let from = spans.last?.to ?? 0
            spans.append((from, from + phase.seconds))
        }
        let layers = result.phases.enumerated().map { index, phase in
            Chart.Layer(
                name: "\(phase.phase), \(phase.seconds.readable) s", style: Self.styles[index % Self.styles.count],
                values: spans.indices.map { $0 == index ? 1 : 0 })
        }
        let chart = Chart(
            title: "After: what the time went to",
            summary: "The restored shop took an order after \(result.rto_seconds.readable) s.",
            x: .span(result.rto_seconds, steps: 5) { "\($0.short) s" }, y: .linear(upTo: [1], steps: 1) { _ in "" },
            hints: zip(result.phases, spans).map { ($1.from, $1.to, "\($0.phase): \($0.seconds.readable) s") })
        return chart.bars(layers, at: spans)
    }

    private var audit: String {
        let rows = result.audit.map { check in
            let mark = check.holds ? "<b class=\"held\">✓ holds</b>" : "<b class=\"crossed\">✗ broken</b>"
            let cells = [check.promise, check.checked.grouped, check.violations.first ?? ""]
            return "<tr><td>\(mark)</td>" + cells.map { "<td>\($0.escaped)</td>" }.joined() + "</tr>"
        }
        return Page.table("Audit", ["", "Promise", "Checked", "Broken by"], rows, style: " texts")
    }
}
