import Kernel
import Testing

@testable import Backups

@Suite struct KeepPolicyTests {
    private static let start = Timestamp(year: 2025, month: 1, day: 1, hour: 2, minute: 43)

    private static func days(_ numbers: some Sequence<Int>) -> [BackupID] {
        numbers.map { BackupID(at: start + .seconds($0 * 86_400)) }
    }

    @Test func aYearOfNights() throws {
        let policy = try KeepPolicy("7d,4w,12m")
        let kept = policy.kept(of: Self.days(0..<365)).map { String($0.description.prefix(10)) }.sorted()
        #expect(
            kept == [
                "2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31", "2025-06-30", "2025-07-31",
                "2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30", "2025-12-14", "2025-12-21", "2025-12-25",
                "2025-12-26", "2025-12-27", "2025-12-28", "2025-12-29", "2025-12-30", "2025-12-31",
            ])
    }

    @Test func aPauseCostsNoBackup() throws {
        let old = Self.days(0..<7)
        let policy = try KeepPolicy("7d")
        #expect(policy.kept(of: old) == Set(old))
        #expect(policy.kept(of: old + Self.days([400])) == Set(old.dropFirst() + Self.days([400])))
    }

    @Test(arguments: ["", "7", "d", "0d", "-1d", "7d,", "7d 4w", "7d,7d", "7x", "99999d", "7D"])
    func whatSaysNotWhatToKeepIsRefused(_ text: String) {
        #expect(throws: BackupError.invalidPolicy(text)) { try KeepPolicy(text) }
    }

    /// Whatever backups there are: drawn at random, many to a day or none for months.
    @Test(arguments: 0..<200)
    func properties(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let backups = (0..<Int.random(in: 1...80, using: &generator)).map { _ in
            BackupID(at: Self.start + .milliseconds(Int64.random(in: 0...(700 * 86_400_000), using: &generator)))
        }
        let counts = (0..<4).map { _ in Int.random(in: 1...9, using: &generator) }
        let policy = try KeepPolicy("\(counts[0])d,\(counts[1])w,\(counts[2])m,\(counts[3])y")
        let kept = policy.kept(of: backups)
        let newest = try #require(backups.max())
        #expect(kept.contains(newest) && kept.isSubset(of: backups))
        #expect(kept.count <= counts.reduce(0, +))
        // What it has kept, it keeps; the order in which they are listed does not matter.
        #expect(policy.kept(of: Array(kept)) == kept)
        #expect(policy.kept(of: backups.shuffled(using: &generator)) == kept)
        // Who keeps more keeps these too.
        let larger = try KeepPolicy("\(counts[0] + 2)d,\(counts[1])w,\(counts[2] + 1)m,\(counts[3])y")
        #expect(kept.isSubset(of: larger.kept(of: backups)))
        // Of each of the newest periods the latest one is kept.
        for rule in policy.rules {
            let periods = Dictionary(grouping: backups) { rule.period.number(of: $0.time) }
            for period in periods.keys.sorted(by: >).prefix(rule.count) {
                let latest = try #require(periods[period]?.max())
                #expect(kept.contains(latest))
            }
        }
    }

    /// Thinned out every night, as it is used: nothing is gone that the policy over all of them would have kept.
    @Test func nightAfterNight() throws {
        let policy = try KeepPolicy("7d,4w,12m")
        var there: [BackupID] = []
        for night in Self.days(0..<500) { there = Array(policy.kept(of: there + [night])) }
        #expect(Set(there) == policy.kept(of: Self.days(0..<500)))
    }
}

@Suite struct BackupIDTests {
    @Test func itReadsAsItIsWritten() throws {
        let id = BackupID(at: Timestamp(microseconds: 1_764_000_000_012_999))
        #expect(id.description == "2025-11-24T16-00-00.012Z")
        #expect(BackupID(id.description) == id)
        #expect(id.week == "2025-11-24")
        #expect(BackupID(at: Timestamp(year: 2025, month: 11, day: 23, hour: 23)).week == "2025-11-17")
        for text in ["", "latest", "2025-11-24", "2025-11-24T16:00:00.012Z", "2025-11-24T16-00-00Z", "../x"] {
            #expect(BackupID(text) == nil)
        }
    }
}
