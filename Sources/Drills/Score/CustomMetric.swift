/// One of the user's own: `conversion=0.031>=0.03:5`, a value, what it must be, and how much that counts.
public struct CustomMetric: Sendable, Equatable {
    public static let mostMetrics = 50
    /// Beside the 100 of everything else.
    static let heaviest = 100.0
    private static let longestName = 60
    private static let form = "NAME=VALUE>=TARGET:WEIGHT with <, <=, ==, >= or >, as in conversion=0.031>=0.03:5"

    let name: String
    let value: Double
    let comparison: Threshold.Comparison
    let target: Double
    let weight: Double

    /// - Throws: `DrillError` that names the metric and what was expected.
    public init(_ text: String) throws {
        func wrong(_ why: String) -> DrillError { DrillError("--metric '\(text)' \(why), expected \(Self.form)") }
        guard let equals = text.firstIndex(of: "=") else { throw wrong("has no value") }
        name = String(text[..<equals])
        let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
        guard isName, (1...Self.longestName).contains(name.count) else {
            throw wrong("has the name '\(name)', where letters, digits, '-', '_' and '.' may be, 60 at the most")
        }
        let rest = text[text.index(after: equals)...]
        guard let comparison = Threshold.Comparison.allCases.first(where: { rest.contains($0.rawValue) }),
            let place = rest.firstRange(of: comparison.rawValue)
        else { throw wrong("compares nothing") }
        self.comparison = comparison
        let bounds = rest[place.upperBound...].split(separator: ":", omittingEmptySubsequences: false)
        guard bounds.count == 2 else { throw wrong("has no weight") }
        func number(_ text: Substring, _ what: String) throws -> Double {
            guard let number = Double(text), number.isFinite else { throw wrong("has the \(what) '\(text)'") }
            return number
        }
        value = try number(rest[..<place.lowerBound], "value")
        target = try number(bounds[0], "target")
        weight = try number(bounds[1], "weight")
        guard weight > 0, weight <= Self.heaviest else { throw wrong("has the weight \(bounds[1]), not in 0 to 100") }
    }

    var grade: Grade {
        let holds = comparison.holds(value, target)
        return Grade(
            name, name, weight, expected: "\(comparison.rawValue) \(target)",
            remedy: "It is yours: --metric said what it must be.", (holds ? 1 : 0, "\(value)"),
            Evidence.Source(file: nil, at: nil))
    }
}
