public import Kernel

/// A backup's name: the moment that it shows, `2026-11-21T02-43-00.123Z`, so that they sort by age; in UTC, and without
/// colons, which no object's key has.
public struct BackupID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let description: String
    /// In milliseconds.
    public let time: Timestamp

    public init(at time: Timestamp) {
        self.time = Timestamp(microseconds: time.microseconds / 1_000 * 1_000)
        let milliseconds = self.time.microseconds / 1_000 % 1_000
        let fraction = String(repeating: "0", count: 3 - String(milliseconds).count) + String(milliseconds)
        let whole = Timestamp(seconds: self.time.seconds).rfc3339
        description = whole.replacing(":", with: "-").dropLast() + "." + fraction + "Z"
    }

    public init?(_ text: String) {
        let parts = text.split(separator: "T", omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Timestamp(rfc3339: "\(parts[0])T\(parts[1].replacing("-", with: ":"))")
        else { return nil }
        self.init(at: time)
        guard description == text else { return nil }
    }

    public static func < (left: BackupID, right: BackupID) -> Bool { left.time < right.time }

    /// Pictures that are new in this week are kept together with those that are still the same: what is deleted by its
    /// age alone is then never part of a backup that is more than a week younger. Named by the week's Monday.
    var week: String {
        let day = max(0, time.seconds) / 86_400
        // 1970 began on a Thursday.
        let monday = day - (day + 3) % 7
        return String(Timestamp(seconds: monday * 86_400).rfc3339.prefix(10))
    }
}
