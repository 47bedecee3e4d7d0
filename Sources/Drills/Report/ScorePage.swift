/// The score as a page that needs nothing else, not even script; its evidence is a link away.
public struct ScorePage: Sendable {
    private let report: ScoreReport
    private let link: @Sendable (String) -> String
    private let page: @Sendable (String) -> String?

    /// - Parameters:
    ///   - link: where a file of the evidence is, seen from the page.
    ///   - page: the same of a report for people that lies beside it; nil if none does.
    public init(
        _ report: ScoreReport, link: @escaping @Sendable (String) -> String,
        page: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.report = report
        self.link = link
        self.page = page
    }

    public var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Score \(report.score.short) of 100</title>
        <style>\(String(decoding: PackageResources.report_css, as: UTF8.self))\
        \(String(decoding: PackageResources.score_css, as: UTF8.self))</style>
        </head>
        <body>
        <main>
        <header><h1>How resilient is this shop?</h1>
        <p>\(report.at.escaped), \(report.criteria.count) criteria, \(sources.count) files of evidence</p></header>
        <div class="glance">
        <div class="card gauge \(Self.style(report.score / 100))">\(gauge)</div>
        <div class="card"><ul class="bars">\(report.parts.map(bar).joined())</ul></div>
        </div>
        \(caps)
        \(losses)
        \(report.parts.map(criteria).joined())
        \(evidence)
        <footer>
        <p>What was not run counts nothing, and what was measured more than 30 days ago counts half. What loses data \
        brings the score to 0, whatever else was found.</p>
        <p>Made by <code>souk score</code>.</p>
        </footer>
        </main>
        </body>
        </html>

        """
    }

    private static func style(_ share: Double) -> String { share >= 0.9 ? "met" : share >= 0.6 ? "partly" : "unmet" }

    /// Half a circle of radius 80, as long as the score is high.
    private var gauge: String {
        let arc = "M20 100A80 80 0 0 1 180 100"
        let length = (report.score / 100 * Double.pi * 80).short
        let value =
            report.score > 0 ? "<path class=\"value\" d=\"\(arc)\" stroke-dasharray=\"\(length) 999\"/>" : ""
        let without = report.score < report.uncapped ? "<p>\(report.uncapped.short) without what holds it down</p>" : ""
        return """
            <svg viewBox="0 0 200 116" role="img" aria-label="\(report.score.short) of 100">\
            <path class="track" d="\(arc)"/>\(value)\
            <text class="number" x="100" y="90" text-anchor="middle">\(report.score.short)</text>\
            <text class="of" x="100" y="112" text-anchor="middle">of 100</text></svg>\(without)
            """
    }

    private func bar(_ part: ScoreReport.Part) -> String {
        let share = part.points > 0 ? part.earned / part.points : 0
        return """
            <li class="\(Self.style(share))"><a href="#\(part.name.escaped)"><span style="color:var(--ink)">\
            \(part.title.escaped)</span>\(Self.points(part.earned, part.points))</a>\
            <span class="track-bar"><i style="width:\((share * 100).short)%"></i></span></li>
            """
    }

    private static func points(_ earned: Double, _ points: Double) -> String {
        "<span class=\"points\">\(earned.rounded(to: 1).short) of \(points.rounded(to: 1).short)</span>"
    }

    private var caps: String {
        guard !report.caps.isEmpty else { return "" }
        let items = report.caps.map { cap in
            "<li class=\"card\"><strong>At most \(cap.at_most.short): \(cap.why.escaped)</strong>"
                + "<p>\(cap.remedy.asText)\(cap.evidence.map { " " + anchor($0) } ?? "")</p></li>"
        }
        return "<h2>What holds it down</h2><ul class=\"caps\">\(items.joined())</ul>"
    }

    private var losses: String {
        let lost = report.losses.filter { $0.points > 0 }
        guard !lost.isEmpty else {
            return "<h2>Where the points went</h2><p class=\"card\">Nothing was lost.</p>"
        }
        let items = lost.map { loss in
            "<li><span class=\"mark unmet\">−</span><span>\(loss.why.escaped)</span>"
                + "<span class=\"points\">−\(loss.points.rounded(to: 1).short)</span><p>\(loss.remedy.asText)</p></li>"
        }
        return "<h2>Where the points went</h2><ul class=\"criteria\">\(items.joined())</ul>"
    }

    private func criteria(_ part: ScoreReport.Part) -> String {
        let items = part.criteria.map { criterion in
            let mark = criterion.state == .met ? "✓" : criterion.state == .partly ? "≈" : "✗"
            let words = ["met": "met", "partly": "partly met", "unmet": "not met", "not_run": "not run"]
            let state = criterion.state.rawValue
            let age = criterion.stale ? " <span class=\"badge\">older than 30 days</span>" : ""
            return
                "<li><span class=\"mark \(state)\" role=\"img\" aria-label=\"\(words[state] ?? state)\">\(mark)</span>"
                + "<span>\(criterion.title.escaped)\(age)</span>"
                + Self.points(criterion.earned, criterion.points)
                + "<p>\(criterion.found.escaped); expected \(criterion.expected.escaped)."
                + "\(criterion.evidence.map { " " + anchor($0) } ?? "")</p></li>"
        }
        return "<h2 id=\"\(part.name.escaped)\">\(part.title.escaped)\(Self.points(part.earned, part.points))</h2>"
            + "<ul class=\"criteria\">\(items.joined())</ul>"
    }

    /// Each file of the evidence once, with when it was measured.
    private var sources: [(file: String, at: String?)] {
        var seen: [(file: String, at: String?)] = []
        for criterion in report.criteria {
            guard let file = criterion.evidence, !seen.contains(where: { $0.file == file }) else { continue }
            seen.append((file, criterion.measured_at))
        }
        return seen
    }

    private var evidence: String {
        guard !sources.isEmpty else { return "" }
        let rows = sources.map { source in
            "<tr><td>\(anchor(source.file))</td><td>\((source.at ?? "–").escaped)</td></tr>"
        }
        return "<h2>Evidence</h2><div class=\"scroll plain\" role=\"region\" aria-label=\"Evidence\" tabindex=\"0\">"
            + "<table><thead><tr><th scope=\"col\">File</th><th scope=\"col\">Measured</th></tr></thead>"
            + "<tbody>\(rows.joined())</tbody></table></div>"
    }

    private func anchor(_ file: String) -> String {
        let report = page(file).map { ", <a href=\"\($0.escaped)\">report</a>" } ?? ""
        return "<a href=\"\(link(file).escaped)\">\(file.escaped)</a>\(report)"
    }
}

extension String {
    /// What stands between backticks is code.
    fileprivate var asText: String {
        split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, piece in
            index % 2 == 1 ? "<code>\(String(piece).escaped)</code>" : String(piece).escaped
        }.joined()
    }
}
