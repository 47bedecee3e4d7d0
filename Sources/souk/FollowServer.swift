import Backups
import Kernel

/// `souk backup follow` of a shop on PostgreSQL.
struct FollowServer {
    let url: String
    let slot: String
    let interval: Duration
    let report: FollowReport

    /// Until SIGTERM or Ctrl-C: then after a last cut.
    func run(_ place: BackupPlace) async throws {
        var options = PostgresFollower.Options()
        options.interval = interval
        options.slot = slot
        let report = report
        let follower = PostgresFollower(
            LogRepository(place.repository), url: url, release: Souk.version, clock: SystemClock(), options: options
        ) { event in
            switch event {
            case .base(let generation, let time, let bytes): report.base(generation, at: time, bytes: bytes)
            case .resumed(let generation): report.resumed(generation)
            case .cut(let until, let bytes): report.cut(until: until, bytes: bytes)
            case .trouble(let text): report.trouble(text)
            }
        }
        try await StopFlag.watching { stop in try await follower.run { stop.isSet } }
    }
}
