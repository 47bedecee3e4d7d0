public import Kernel

/// From evidence to one number: pure, so that the same evidence always gives the same score. docs/score.md says what
/// counts, how much and why.
public enum Score {
    /// What is older counts half.
    static let longestAge = Duration.seconds(30 * 86_400)

    /// - Parameter metrics: the user's own, each with a weight beside the 100 of the rest.
    public static func report(_ evidence: Evidence, metrics: [CustomMetric] = [], now: Timestamp) -> ScoreReport {
        var parts = [
            GradedPart("data", "Nothing is lost", 25, data(evidence)),
            GradedPart("load", "Fast and available", 20, load(evidence.load)),
            GradedPart("faults", "Stands faults", 20, faults(evidence.faults)),
            GradedPart("recovery", "Comes back from a disaster", 15, recovery(evidence)),
            GradedPart("overload", "Degrades under a flood", 10, overload(evidence.flood)),
            GradedPart("posture", "Set up to stay up", 10, posture(evidence.chart, evidence.fleet)),
        ]
        if !metrics.isEmpty {
            parts.append(
                GradedPart("custom", "Your own", metrics.reduce(0) { $0 + $1.weight }, metrics.map(\.grade)))
        }
        let whole = parts.reduce(0) { $0 + $1.weight }
        let found = parts.map { $0.reported(points: $0.weight * 100 / whole, now: now) }
        let uncapped = found.reduce(0) { $0 + $1.earned }
        let caps = caps(evidence)
        return ScoreReport(
            at: now.rfc3339, score: min(uncapped, caps.first?.at_most ?? 100).roundedDown,
            uncapped: uncapped.roundedDown, parts: found, caps: caps, losses: losses(found))
    }

    private static func losses(_ parts: [ScoreReport.Part]) -> [ScoreReport.Loss] {
        let lost = parts.flatMap(\.criteria).filter { $0.state != .met || $0.stale }
        return lost.enumerated().sorted { ($1.element.lost, $0.offset) < ($0.element.lost, $1.offset) }
            .map { _, criterion in
                let age = criterion.stale ? "; measured more than 30 days ago, which counts half" : ""
                return ScoreReport.Loss(
                    criterion: criterion.name, points: criterion.lost.rounded(to: 2),
                    why: "\(criterion.title): \(criterion.found), expected \(criterion.expected)\(age)",
                    remedy: criterion.remedy ?? "Measure it again.")
            }
    }
}

/// One thing that is asked of the shop, before it is known how many points it is worth.
struct Grade {
    var name: String
    var title: String
    /// Beside the others of its part.
    var weight: Double
    /// How much of it there is, 0 to 1.
    var share: Double
    var expected: String
    var found: String
    var remedy: String
    /// Nil where nothing was measured.
    var source: Evidence.Source?

    init(
        _ name: String, _ title: String, _ weight: Double, expected: String, remedy: String,
        _ result: (share: Double, found: String)?, _ source: Evidence.Source?
    ) {
        self.name = name
        self.title = title
        self.weight = weight
        self.expected = expected
        self.remedy = remedy
        self.source = result == nil ? nil : source
        share = max(0, min(1, result?.share ?? 0))
        found = result?.found ?? "not run"
    }
}

struct GradedPart {
    var name: String
    var title: String
    var weight: Double
    var grades: [Grade]

    init(_ name: String, _ title: String, _ weight: Double, _ grades: [Grade]) {
        self.name = name
        self.title = title
        self.weight = weight
        self.grades = grades
    }

    func reported(points: Double, now: Timestamp) -> ScoreReport.Part {
        let whole = grades.reduce(0) { $0 + $1.weight }
        let criteria = grades.map { $0.reported(part: name, points: points * $0.weight / whole, now: now) }
        return ScoreReport.Part(
            name: name, title: title, points: points, earned: criteria.reduce(0) { $0 + $1.earned },
            criteria: criteria)
    }
}

extension Grade {
    fileprivate func reported(part: String, points: Double, now: Timestamp) -> ScoreReport.Criterion {
        let isStale = source?.at.map { now - $0 > Score.longestAge } ?? false
        let state: ScoreReport.State = source == nil ? .not_run : share >= 1 ? .met : share > 0 ? .partly : .unmet
        return ScoreReport.Criterion(
            name: "\(part).\(name)", title: title, state: state, points: points,
            earned: points * share * (isStale ? 0.5 : 1), expected: expected, found: found,
            remedy: state == .met ? (isStale ? "Measure it again." : nil) : remedy, stale: isStale,
            evidence: source?.file, measured_at: source?.at?.rfc3339)
    }
}

extension Double {
    /// With one digit behind the point: 89.97 is not 90.
    fileprivate var roundedDown: Double { (self * 10 + 1e-6).rounded(.down) / 10 }

    /// All up to `full`, nothing from `none` on, and evenly less between them; either may be the larger.
    func share(full: Double, none: Double) -> Double { max(0, min(1, (none - self) / (none - full))) }

    /// Of a share, 0 to 1: `99.95 %`.
    var asPercent: String { "\((self * 100).rounded(to: 3).plain) %" }

    /// `5 s`, `0.42 s`.
    var asSeconds: String { "\(readable) s" }

    /// Up to three digits behind the point.
    fileprivate var plain: String { self == rounded() ? String(Int(self)) : String(self) }
}
