import Kernel

/// The report of a load run: one page that needs nothing else, not even script.
public struct LoadPage: Sendable {
    private let result: LoadResult
    private let points: [Span]

    /// Charts have so many points at the most; each stands for as many seconds as it takes.
    static let mostPoints = 240

    public init(_ result: LoadResult) {
        self.result = result
        points = Span.group(result.series, into: Self.mostPoints)
    }

    public var html: String {
        let title = "Load on \(result.target)"
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title.escaped)</title>
            <style>\(String(decoding: PackageResources.report_css, as: UTF8.self))</style>
            </head>
            <body>
            <main>
            <header><h1>Load on \(result.target.escaped)</h1>
            <p>\(about.escaped)</p>\(verdict)</header>
            \(tiles)
            \(thresholds)
            <h2>How it went</h2>
            <div class="charts">\(latencyOverTime)\(rateOverTime)\(errorsOverTime)\(curve)</div>
            <h2>By step</h2>
            \(steps)
            <h2>What came back</h2>
            \(answers)
            \(seconds)
            <footer>
            <p>\(explanation.escaped)</p>
            <p>Made by <code>souk load</code>. Times are this machine's own.</p>
            </footer>
            </main>
            </body>
            </html>

            """
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
        return "<dl class=\"tiles\">"
            + tiles.map { "<div><dt>\($0.0)</dt><dd>\($0.1)<small>\($0.2)</small></dd></div>" }.joined() + "</dl>"
    }

    private var thresholds: String {
        guard !result.thresholds.isEmpty else { return "" }
        let rows = result.thresholds.map { verdict in
            let mark = verdict.passed ? "<b class=\"held\">✓ held</b>" : "<b class=\"crossed\">✗ crossed</b>"
            let end = verdict.aborted ? ", which ended the run" : ""
            return "<tr><td>\(mark) <code>\(verdict.threshold.escaped)</code></td>"
                + "<td>\((verdict.value + end).escaped)</td></tr>"
        }
        return "<h2>Thresholds</h2>" + Self.table("Thresholds", ["What must hold", "What was measured"], rows)
    }

    /// Where it is wider than the page it scrolls, by keyboard too.
    private static func table(_ name: String, _ head: [String], _ rows: [String]) -> String {
        "<div class=\"scroll\" role=\"region\" aria-label=\"\(name)\" tabindex=\"0\"><table><thead><tr>"
            + head.map { "<th scope=\"col\">\($0)</th>" }.joined()
            + "</tr></thead><tbody>" + rows.joined() + "</tbody></table></div>"
    }

    private static func row(_ cells: [String], style: String = "") -> String {
        "<tr\(style)>" + cells.map { "<td>\($0.escaped)</td>" }.joined() + "</tr>"
    }

    private var steps: String {
        let all = result.steps.map { ($0.step, $0.measures, "") }
        let total = result.steps.count > 1 ? [("all", result.total, " class=\"total\"")] : []
        let rows = (all + total).map { name, measures, style in
            let latency = measures.latency
            let times = [latency?.p50, latency?.p90, latency?.p99, latency?.p99_9, latency?.max]
            return Self.row(
                [name, measures.requests.grouped, measures.goodput.readable] + times.map { $0?.asTime ?? "–" }
                    + [measures.errorsInWords, measures.refused.grouped, measures.retries.grouped],
                style: style)
        }
        return Self.table(
            "By step",
            ["Step", "Requests", "Good/s", "p50", "p90", "p99", "p99.9", "Max", "Errors", "Refused", "Retries"], rows)
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
        return Self.table(
            "What came back", ["What", "How often"],
            (statuses + failures + without + ends).map { Self.row([$0.0, $0.1.grouped]) })
    }

    /// The charts' numbers, for those who read them as a table.
    private var seconds: String {
        let rows = points.map { point in
            Self.row([
                "\(point.from.short)–\(point.to.short) s", point.requests.grouped, point.good.grouped,
                point.p50?.asTime ?? "–", point.p99?.asTime ?? "–", point.max?.asTime ?? "–", point.failed.grouped,
                point.refused.grouped, point.dropped.grouped,
            ])
        }
        return "<details><summary>The charts as a table</summary>"
            + Self.table(
                "By time", ["Time", "Requests", "Good", "p50", "p99", "Max", "Errors", "Refused", "Dropped"], rows)
            + "</details>"
    }
}

// MARK: - Charts

extension LoadPage {
    private var time: Axis { .span(result.seconds, steps: 5) { $0 == 0 ? "0 s" : "\($0.short) s" } }

    private var latencyOverTime: String {
        let values = points.flatMap { [$0.p50, $0.p90, $0.p99, $0.p999].compactMap { $0 } }
        guard !values.isEmpty else { return Self.empty("Latency", "Nothing was answered.", isWide: true) }
        let worst = points.max { ($0.p99 ?? 0) < ($1.p99 ?? 0) }
        let summary = worst.map { "p99 is \($0.p99?.asTime ?? "none") at its worst, \($0.from.short) s in." } ?? ""
        let chart = Chart(
            title: "Latency", summary: summary + " The scale is logarithmic.", x: time,
            y: .logarithmic(around: values) { $0.asTime },
            hints: points.map { point in
                let times = [("p50", point.p50), ("p90", point.p90), ("p99", point.p99), ("p99.9", point.p999)]
                let text = times.map { "\($0.0) \($0.1?.asTime ?? "none")" }.joined(separator: ", ")
                return (point.from, point.to, "\(point.from.short) to \(point.to.short) s: \(text)")
            })
        let series: [(String, String, KeyPath<Span, Double?>)] = [
            ("p50", "p50", \.p50), ("p90", "p90", \.p90), ("p99", "p99", \.p99), ("p99.9", "p999", \.p999),
        ]
        return chart.lines(
            series.map { name, style, value in
                Chart.Line(name: name, style: style, points: points.map { ($0.middle, $0[keyPath: value]) })
            }
        ).wide
    }

    private var rateOverTime: String {
        let asked = points.map { Double($0.requests) / $0.length }
        let served = points.map { Double($0.good) / $0.length }
        let chart = Chart(
            title: "Rate", summary: "Requests a second, and good answers among them.", x: time,
            y: .linear(upTo: asked + served) { $0.readable },
            hints: points.enumerated().map { index, point in
                let text = "\(asked[index].readable) asked, \(served[index].readable) good a second"
                return (point.from, point.to, "\(point.from.short) to \(point.to.short) s: \(text)")
            })
        return chart.lines([
            Chart.Line(name: "asked", style: "asked", points: zip(points, asked).map { ($0.middle, $1) }),
            Chart.Line(name: "good", style: "served", points: zip(points, served).map { ($0.middle, $1) }),
        ])
    }

    private var errorsOverTime: String {
        let kinds: [(String, String, (Span) -> Int)] =
            [("refused", "refused", \.refused), ("server errors", "server", \.serverErrors)]
            + Failing.allCases.map { failing in (failing.name, failing.name, { $0.failures[failing.name] ?? 0 }) }
            + [("dropped", "dropped", \.dropped)]
        let layers = kinds.map { name, style, count in
            Chart.Layer(name: name, style: style, values: points.map { Double(count($0)) / $0.length })
        }.filter { layer in layer.values.contains { $0 > 0 } }
        guard !layers.isEmpty else {
            return Self.empty("Errors by kind", "Nothing failed, nobody was refused or dropped.")
        }
        let sums = points.indices.map { index in layers.reduce(0) { $0 + $1.values[index] } }
        let chart = Chart(
            title: "Errors by kind", summary: "A second, stacked.", x: time, y: .linear(upTo: sums) { $0.readable },
            hints: points.enumerated().map { index, point in
                let text = layers.map { "\($0.name) \($0.values[index].readable)" }.joined(separator: ", ")
                return (point.from, point.to, "\(point.from.short) to \(point.to.short) s: \(text) a second")
            })
        return chart.bars(layers, at: points.map { ($0.from, $0.to) })
    }

    private var curve: String {
        let points = result.curve.filter { $0.percentile < 100 }
        guard let last = points.last, let latency = result.total.latency else {
            return Self.empty("Latency by percentile", "Nothing was answered.", isWide: true)
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

    private static func empty(_ title: String, _ text: String, isWide: Bool = false) -> String {
        let figure = "<figure><figcaption><h3>\(title)</h3></figcaption><p class=\"none\">\(text)</p></figure>"
        return isWide ? figure.wide : figure
    }
}

extension String {
    /// Over both columns.
    fileprivate var wide: String { "<figure class=\"wide\">" + dropFirst("<figure>".count) }
}
