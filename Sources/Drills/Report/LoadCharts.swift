/// What a load run was like from second to second, drawn over one axis of time.
struct LoadCharts {
    let points: [Span]
    /// How long all of it took.
    let seconds: Double
    /// Times that are shaded, and moments that are marked.
    var band: Chart.Band?
    var marks: [Chart.Mark] = []

    /// Charts have so many points at the most; each stands for as many seconds as it takes.
    static let mostPoints = 240

    init(_ result: LoadResult) {
        points = Span.group(result.series, into: Self.mostPoints)
        seconds = result.seconds
    }

    private var time: Axis { .span(seconds, steps: 5) { $0 == 0 ? "0 s" : "\($0.short) s" } }

    var latency: String {
        let values = points.flatMap { [$0.p50, $0.p90, $0.p99, $0.p999].compactMap { $0 } }
        guard !values.isEmpty else { return Chart.empty("Latency", "Nothing was answered.", isWide: true) }
        let worst = points.max { ($0.p99 ?? 0) < ($1.p99 ?? 0) }
        let summary = worst.map { "p99 is \($0.p99?.asTime ?? "none") at its worst, \($0.from.short) s in." } ?? ""
        var chart = Chart(
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
        mark(&chart)
        return chart.lines(
            series.map { name, style, value in
                Chart.Line(name: name, style: style, points: points.map { ($0.middle, $0[keyPath: value]) })
            }
        ).wide
    }

    var rate: String {
        let asked = points.map { Double($0.requests) / $0.length }
        let served = points.map { Double($0.good) / $0.length }
        var chart = Chart(
            title: "Rate", summary: "Requests a second, and good answers among them.", x: time,
            y: .linear(upTo: asked + served) { $0.readable },
            hints: points.enumerated().map { index, point in
                let text = "\(asked[index].readable) asked, \(served[index].readable) good a second"
                return (point.from, point.to, "\(point.from.short) to \(point.to.short) s: \(text)")
            })
        mark(&chart)
        return chart.lines([
            Chart.Line(name: "asked", style: "asked", points: zip(points, asked).map { ($0.middle, $1) }),
            Chart.Line(name: "good", style: "served", points: zip(points, served).map { ($0.middle, $1) }),
        ])
    }

    var errors: String {
        let kinds: [(String, String, (Span) -> Int)] =
            [("refused", "refused", \.refused), ("server errors", "server", \.serverErrors)]
            + Failing.allCases.map { failing in (failing.name, failing.name, { $0.failures[failing.name] ?? 0 }) }
            + [("dropped", "dropped", \.dropped)]
        let layers = kinds.map { name, style, count in
            Chart.Layer(name: name, style: style, values: points.map { Double(count($0)) / $0.length })
        }.filter { layer in layer.values.contains { $0 > 0 } }
        guard !layers.isEmpty else {
            return Chart.empty("Errors by kind", "Nothing failed, nobody was refused or dropped.")
        }
        let sums = points.indices.map { index in layers.reduce(0) { $0 + $1.values[index] } }
        var chart = Chart(
            title: "Errors by kind", summary: "A second, stacked.", x: time, y: .linear(upTo: sums) { $0.readable },
            hints: points.enumerated().map { index, point in
                let text = layers.map { "\($0.name) \($0.values[index].readable)" }.joined(separator: ", ")
                return (point.from, point.to, "\(point.from.short) to \(point.to.short) s: \(text) a second")
            })
        mark(&chart)
        return chart.bars(layers, at: points.map { ($0.from, $0.to) })
    }

    private func mark(_ chart: inout Chart) {
        chart.band = band
        chart.marks = marks
    }
}
