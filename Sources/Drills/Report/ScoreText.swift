/// What the score is made of, for a terminal.
extension ScoreReport {
    private static let longestList = 15
    private static let barWidth = 20

    /// The score, what holds it down, the parts, and what was lost, the largest first.
    public var summary: String {
        var lines = ["score \(score.short) of 100" + (score < uncapped ? ", \(uncapped.short) without the caps" : "")]
        for cap in caps {
            lines.append("at most \(cap.at_most.short): \(cap.why). \(cap.remedy)")
        }
        lines.append("")
        let width = parts.map(\.title.count).max() ?? 0
        for part in parts {
            let title = part.title + String(repeating: " ", count: width - part.title.count)
            let share = part.points > 0 ? part.earned / part.points : 0
            let filled = Int((share * Double(Self.barWidth)).rounded(.down))
            let bar =
                String(repeating: "█", count: filled) + String(repeating: "·", count: Self.barWidth - filled)
            lines.append("\(title)  \(bar)  \(part.earned.rounded(to: 1).short) of \(part.points.rounded(to: 1).short)")
        }
        guard !losses.isEmpty else { return lines.joined(separator: "\n") }
        lines += ["", "lost"]
        for loss in losses.prefix(Self.longestList) {
            let points = loss.points.rounded(to: 1).short
            let blanks = String(repeating: " ", count: max(0, 5 - points.count))
            lines.append("\(blanks)\(points)  \(loss.why)")
            lines.append("       \(loss.remedy)")
        }
        if losses.count > Self.longestList {
            let rest = losses.dropFirst(Self.longestList).reduce(0) { $0 + $1.points }
            lines.append("       and \(rest.rounded(to: 1).short) points in \(losses.count - Self.longestList) more")
        }
        return lines.joined(separator: "\n")
    }
}
