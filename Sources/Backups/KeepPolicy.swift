import Kernel

/// Which backups are kept, grandfather, father and son: `7d,4w,12m` is the latest of each of seven days, of four weeks
/// and of twelve months. Days without a backup do not count, so that a shop that stood still loses none.
public struct KeepPolicy: Sendable, Equatable, CustomStringConvertible {
    enum Period: Character, CaseIterable, Sendable {
        case day = "d"
        case week = "w"
        case month = "m"
        case year = "y"

        /// The same for moments of one period, in UTC; weeks begin on Monday.
        func number(of time: Timestamp) -> Int64 {
            let day = time.seconds / 86_400
            let civil = time.civil
            switch self {
            case .day: return day
            case .week: return (day + 3) / 7
            case .month: return Int64(civil.year * 12 + civil.month)
            case .year: return Int64(civil.year)
            }
        }
    }

    struct Rule: Sendable, Equatable {
        let count: Int
        let period: Period
    }

    static let most = 10_000
    let rules: [Rule]

    /// - Throws: `BackupError.invalidPolicy`.
    public init(_ text: String) throws(BackupError) {
        var rules: [Rule] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let letter = part.last, let period = Period(rawValue: letter), let count = Int(part.dropLast()),
                (1...Self.most).contains(count), !rules.contains(where: { $0.period == period })
            else { throw .invalidPolicy(text) }
            rules.append(Rule(count: count, period: period))
        }
        self.rules = rules
    }

    public var description: String { rules.map { "\($0.count)\($0.period.rawValue)" }.joined(separator: ",") }

    /// Those of the complete backups that are kept. The latest always is.
    public func kept(of backups: [BackupID]) -> Set<BackupID> {
        let newestFirst = backups.sorted(by: >)
        var kept = Set(newestFirst.prefix(1))
        for rule in rules {
            var periods: Set<Int64> = []
            for backup in newestFirst where periods.count < rule.count {
                if periods.insert(rule.period.number(of: backup.time)).inserted { kept.insert(backup) }
            }
        }
        return kept
    }
}
