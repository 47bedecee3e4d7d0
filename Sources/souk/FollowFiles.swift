import Backups
import Kernel

/// `souk backup follow` of a shop on SQLite.
struct FollowFiles {
    let settings: Settings
    let options: SQLiteCopy.Options
    let report: FollowReport

    /// Until SIGTERM or Ctrl-C: then after a last cut.
    func run(_ url: String, _ isUnencrypted: Bool) async throws {
        let files = try await files()
        let (options, report) = (options, report)
        try await BackupPlace.using(url, "--to", settings, isUnencrypted: isUnencrypted) { place in
            let copy = SQLiteCopy(
                LogRepository(place.repository), of: files, release: Souk.version, clock: SystemClock(),
                options: options
            ) { event in
                switch event {
                case .base(let generation, let moment, let bytes): report.base(generation, at: moment, bytes: bytes)
                case .cut(let until, let bytes, let held): report.cut(until: until, bytes: bytes, held: held)
                case .removed(let generations): report.removed(generations)
                case .trouble(let text): report.trouble(text)
                }
            }
            try await StopFlag.watching { stop in try await copy.run { stop.isSet } }
        }
    }

    /// Orders first: they are written to most.
    private func files() async throws -> [(name: String, path: String)] {
        let stores = Store.existing(settings)
        // Whether they are there, and not half restored, is told as for a backup.
        await (try Databases.open(stores, for: .looking, settings)).close()
        let others = Store.allCases.filter { $0 != .orders && stores.contains($0) }
        return ([.orders] + others).map { ($0.rawValue, $0.path(settings)) }
    }
}
