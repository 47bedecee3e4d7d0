/// The score for those who do not read: pipelines, and READMEs.
extension ScoreReport {
    /// JUnit's XML: one case a criterion, one a cap, and one for the score itself where there is a least one.
    ///
    /// - Parameter least: what the score has to be at least.
    public func junit(least: Double?) -> String {
        var suites = parts.map { part in
            suite(
                part.name,
                part.criteria.map { criterion in
                    let lost = criterion.lost > 0.005
                    return TestCase(
                        suite: "score.\(part.name)", name: criterion.name,
                        message: lost ? "\(criterion.found), expected \(criterion.expected)" : nil,
                        detail: "\(criterion.title): \(criterion.earned.rounded(to: 2).short) of "
                            + "\(criterion.points.rounded(to: 2).short) points. \(criterion.remedy ?? "")")
                })
        }
        let held = caps.enumerated().map { index, cap in
            TestCase(
                suite: "score.caps", name: "cap.\(index + 1)", message: "at most \(cap.at_most.short): \(cap.why)",
                detail: cap.remedy)
        }
        if !held.isEmpty { suites.append(suite("caps", held)) }
        if let least {
            let why = score < least ? "the score is \(score.short), expected at least \(least.short)" : nil
            suites.append(suite("score", [TestCase(suite: "score", name: "score", message: why, detail: why ?? "")]))
        }
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"souk score\">\n"
            + suites.joined() + "</testsuites>\n"
    }

    private struct TestCase {
        var suite: String
        var name: String
        /// Why it failed; nil if it did not.
        var message: String?
        var detail: String
    }

    private func suite(_ name: String, _ cases: [TestCase]) -> String {
        let failures = cases.filter { $0.message != nil }.count
        let lines = cases.map { test in
            let head = "    <testcase classname=\"\(test.suite.escaped)\" name=\"\(test.name.escaped)\" time=\"0\""
            guard let message = test.message else { return head + "/>\n" }
            return head + ">\n      <failure message=\"\(message.escaped)\">\(test.detail.escaped)</failure>\n"
                + "    </testcase>\n"
        }
        return "  <testsuite name=\"\(name.escaped)\" tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"0\" "
            + "timestamp=\"\(at.escaped)\" time=\"0\">\n" + lines.joined() + "  </testsuite>\n"
    }

    /// An SVG for a README, in the size that such badges have.
    public var badge: String {
        let value = score.short
        let (left, right) = (76.0, 14.0 + 7.5 * Double(value.count))
        let width = (left + right).short
        func text(_ text: String, _ middle: Double, _ length: Double) -> String {
            [
                "<text x=\"\(middle.short)\" y=\"15\" fill=\"#010101\" fill-opacity=\".3\"",
                "<text x=\"\(middle.short)\" y=\"14\"",
            ]
            .map { "\($0) textLength=\"\(length.short)\">\(text)</text>" }.joined()
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="20" role="img" \
            aria-label="souk score: \(value) of 100"><title>souk score: \(value) of 100</title>\
            <clipPath id="r"><rect width="\(width)" height="20" rx="3"/></clipPath>\
            <g clip-path="url(#r)"><rect width="\(left.short)" height="20" fill="#4a4a4a"/>\
            <rect x="\(left.short)" width="\(right.short)" height="20" fill="\(colour)"/></g>\
            <g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">\
            \(text("souk score", left / 2, 62))\(text(value, left + right / 2, right - 14))</g></svg>

            """
    }

    /// White on it can be read.
    private var colour: String {
        switch score {
        case 90...: "#14804a"
        case 75..<90: "#5d7f0d"
        case 60..<75: "#9a6b00"
        default: "#c22f2f"
        }
    }
}
