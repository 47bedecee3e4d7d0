import Kernel

/// The report of a load run: one page that needs nothing else, not even script.
public struct LoadPage: Sendable {
    private let result: LoadResult
    private let charts: LoadCharts

    public init(_ result: LoadResult) {
        self.result = result
        charts = LoadCharts(result)
    }

    public var html: String {
        let title = "Load on \(result.target)"
        return Page.document(
            title: title,
            """
            <header><h1>\(title.escaped)</h1>
            <p>\(about.escaped)</p>\(verdict)</header>
            \(tiles)
            \(thresholds)
            <h2>How it went</h2>
            <div class="charts">\(charts.latency)\(charts.rate)\(charts.errors)\(curve)</div>
            <h2>By step</h2>
            \(result.stepsTable)
            <h2>What came back</h2>
            \(answers)
            \(seconds)
            <footer>
            <p>\(explanation.escaped)</p>
            <p>Made by <code>souk load</code>. Times are this machine's own.</p>
            </footer>
            """)
    }

    private var about: String {
        let time = Duration.milliseconds(Int64(result.seconds * 1_000)).inWords
        let manner = result.arrivals == "open" ? "open arrivals" : "\(result.generator.connections) connections"
        return "\(result.began_at), \(time), \(manner), seed \(result.seed)"
            + (result.interrupted ? ", interrupted" : "")
    }

    private var explanation: String {
        result.arrivals == "open"
            ? "Visitors arrived on time whether or not the shop kept up. Each latency counts from the moment when the "
                + "request was meant to be sent, so that waiting is part of it. Refusals (429, 503) are counted apart."
            : "Each connection asked again when it was answered: a shop that stalls is asked less, and waits that "
                + "other visitors would have had are not seen. Refusals (429, 503) are counted apart."
    }

    private var verdict: String {
        guard !result.thresholds.isEmpty else { return "" }
        let crossed = result.thresholds.filter { !$0.passed }.count
        return crossed == 0
            ? "<p class=\"verdict held\">✓ all thresholds held</p>"
            : "<p class=\"verdict crossed\">✗ \(crossed) of \(result.thresholds.count) thresholds crossed</p>"
    }

    private var tiles: String {
        let total = result.total
        let tiles: [(String, String, String)] = [
            ("Good answers", "\(total.goodput.readable)/s", "\(total.good.grouped) in all"),
            ("Median", total.latency?.p50.asTime ?? "none", "p90 \(total.latency?.p90.asTime ?? "none")"),
            ("p99", total.latency?.p99.asTime ?? "none", "p99.9 \(total.latency?.p99_9.asTime ?? "none")"),
            ("Slowest", total.latency?.max.asTime ?? "none", "of \((total.latency?.count ?? 0).grouped)"),
            ("Errors", "\((total.error_rate * 100).rounded(to: 3).short) %", "\(total.failed.grouped) steps failed"),
            (
                "Refused", total.refused.grouped,
                total.refused == 0 ? "nobody was turned away" : total.refusalsInWords
            ),
            ("Dropped", result.visits.dropped.grouped, "of \(result.visits.begun.grouped) visits"),
        ]
        return Page.tiles(tiles)
    }

    private var thresholds: String {
        guard !result.thresholds.isEmpty else { return "" }
        let rows = result.thresholds.map { verdict in
            let mark = verdict.passed ? "<b class=\"held\">✓ held</b>" : "<b class=\"crossed\">✗ crossed</b>"
            let end = verdict.aborted ? ", which ended the run" : ""
            return "<tr><td>\(mark) <code>\(verdict.threshold.escaped)</code></td>"
                + "<td>\((verdict.value + end).escaped)</td></tr>"
        }
        return "<h2>Thresholds</h2>" + Page.table("Thresholds", ["What must hold", "What was measured"], rows)
    }

    private var answers: String {
        let statuses = result.total.statuses.sorted { $0.key < $1.key }.map { ("status \($0.key)", $0.value) }
        let failures = result.total.failures.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let unannounced = result.total.refused_without_retry_after
        let without = unannounced > 0 ? [("429 or 503 without Retry-After", unannounced)] : []
        let visits = result.visits
        let ends = [
            ("visits finished", visits.finished), ("visits failed", visits.failed), ("visits dropped", visits.dropped),
            ("visits unfinished", visits.unfinished),
        ]
        return Page.table(
            "What came back", ["What", "How often"],
            (statuses + failures + without + ends).map { Page.row([$0.0, $0.1.grouped]) })
    }

    /// The charts' numbers, for those who read them as a table.
    private var seconds: String {
        let rows = charts.points.map { point in
            Page.row([
                "\(point.from.short)–\(point.to.short) s", point.requests.grouped, point.good.grouped,
                point.p50?.asTime ?? "–", point.p99?.asTime ?? "–", point.max?.asTime ?? "–", point.failed.grouped,
                point.refused.grouped, point.dropped.grouped,
            ])
        }
        return "<details><summary>The charts as a table</summary>"
            + Page.table(
                "By time", ["Time", "Requests", "Good", "p50", "p99", "Max", "Errors", "Refused", "Dropped"], rows)
            + "</details>"
    }
}

// MARK: - Charts

extension LoadPage {
    private var curve: String {
        let points = result.curve.filter { $0.percentile < 100 }
        guard let last = points.last, let latency = result.total.latency else {
            return Chart.empty("Latency by percentile", "Nothing was answered.", isWide: true)
        }
        // Each nine takes the same room: the tail is what is looked at.
        let axis = Axis.nines(upTo: last.percentile)
        let chart = Chart(
            title: "Latency by percentile",
            summary: "Half of all were answered within \(latency.p50.asTime), all but one in a thousand within "
                + "\(latency.p99_9.asTime).",
            x: axis, y: .logarithmic(around: points.map(\.milliseconds)) { $0.asTime },
            hints: zip(points, points.dropFirst()).map { left, right in
                (
                    Axis.nines(left.percentile), Axis.nines(right.percentile),
                    "\(left.percentile.rounded(to: 4)) %: \(left.milliseconds.asTime)"
                )
            })
        return chart.lines([
            Chart.Line(
                name: "all steps", style: "p99", points: points.map { (Axis.nines($0.percentile), $0.milliseconds) })
        ]).wide
    }
}
