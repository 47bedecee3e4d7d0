/// What all reports are made of: HTML that needs nothing else, not even script.
enum Page {
    /// - Parameter main: HTML.
    static func document(title: String, _ main: String) -> String {
        """
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
        \(main)
        </main>
        </body>
        </html>

        """
    }

    /// - Parameter tiles: a name, a value and a small line below it each; text.
    static func tiles(_ tiles: [(String, String, String)]) -> String {
        "<dl class=\"tiles\">"
            + tiles.map {
                "<div><dt>\($0.0.escaped)</dt><dd>\($0.1.escaped)<small>\($0.2.escaped)</small></dd></div>"
            }.joined() + "</dl>"
    }

    /// Where it is wider than the page it scrolls, by keyboard too.
    static func table(_ name: String, _ head: [String], _ rows: [String], style: String = "") -> String {
        "<div class=\"scroll\(style)\" role=\"region\" aria-label=\"\(name)\" tabindex=\"0\"><table><thead><tr>"
            + head.map { "<th scope=\"col\">\($0)</th>" }.joined()
            + "</tr></thead><tbody>" + rows.joined() + "</tbody></table></div>"
    }

    static func row(_ cells: [String], style: String = "") -> String {
        "<tr\(style)>" + cells.map { "<td>\($0.escaped)</td>" }.joined() + "</tr>"
    }
}

extension LoadResult {
    /// What was asked for, a row a step.
    var stepsTable: String {
        let all = steps.map { ($0.step, $0.measures, "") }
        let whole = steps.count > 1 ? [("all", total, " class=\"total\"")] : []
        let rows = (all + whole).map { name, measures, style in
            let latency = measures.latency
            let times = [latency?.p50, latency?.p90, latency?.p99, latency?.p99_9, latency?.max]
            return Page.row(
                [name, measures.requests.grouped, measures.goodput.readable] + times.map { $0?.asTime ?? "–" }
                    + [measures.errorsInWords, measures.refused.grouped, measures.retries.grouped],
                style: style)
        }
        return Page.table(
            "By step",
            ["Step", "Requests", "Good/s", "p50", "p90", "p99", "p99.9", "Max", "Errors", "Refused", "Retries"], rows)
    }
}
