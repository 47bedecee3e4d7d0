import Kernel
import Testing

@testable import Drills

@Suite("The score's reports say what it says") struct ScoreReportTests {
    private func hostile() throws -> ScoreReport {
        var recorded = Recorded()
        recorded.set("audit.json", "1.violationCount", 1)
        recorded.set("audit.json", "1.violations", ["<script>alert(\"1\")</script> & more"])
        recorded.files["region.json"] = nil
        return try recorded.score()
    }

    @Test("what comes from outside is text in the page, never markup, and evidence is linked") func page() throws {
        let page = ScorePage(try hostile(), link: { "../e/" + $0 }) { $0 == "load.json" ? "../e/load.html" : nil }.html
        #expect(!page.contains("<script") && page.contains("&lt;script&gt;") && page.hasSuffix("</html>\n"))
        for file in ["audit.json", "load.json", "chart.yaml", "chaos-fleet-kill-half.json"] {
            #expect(page.contains("<a href=\"../e/\(file)\">\(file)</a>"))
        }
        #expect(page.contains("<a href=\"../e/load.html\">report</a>"))
        #expect(page.contains("At most 0: ") && page.contains("Nothing is lost"))
    }

    @Test("JUnit has a case for each criterion, each cap, and the least score") func junit() throws {
        let report = try hostile()
        let xml = report.junit(least: 90)
        let cases = xml.split(separator: "<testcase ").count - 1
        #expect(cases == report.criteria.count + report.caps.count + 1)
        let lost = report.criteria.filter { $0.lost > 0.005 }.count
        #expect(xml.split(separator: "<failure ").count - 1 == lost + report.caps.count + 1)
        #expect(xml.contains("the score is 0, expected at least 90") && !xml.contains("<script"))
        #expect(try !Recorded().score().junit(least: 90).contains("<failure"))
    }

    @Test("the badge says the score", arguments: [(100.0, "#14804a"), (89.9, "#5d7f0d"), (0, "#c22f2f")])
    func badge(_ score: Double, _ colour: String) throws {
        var report = try Recorded().score()
        report.score = score
        #expect(report.badge.contains(">\(score.short)</text>") && report.badge.contains(colour))
    }

    @Test("the terminal is told the score, what holds it down, and what was lost") func text() throws {
        let lines = try hostile().summary.split(separator: "\n")
        #expect(lines.first?.hasPrefix("score 0 of 100, ") == true)
        #expect(lines.contains { $0.hasPrefix("at most 0: the audit's orders.paid-once fails") })
        #expect(
            lines.contains {
                $0.hasSuffix("Orders kept by another region: not run, expected at most 5 s of them missing")
            })
    }
}
