import Database
import Kernel
import Metrics
import Synchronization

/// The time by which processes agree who works on an order: the database server's, whom all of them ask.
///
/// A lease that one process writes is read by others. If each took the time from its own clock, one that is ahead would
/// take over what the others work on, and one that dies would keep its orders from them for as long as it was ahead.
/// Between two answers the time is counted by a clock that nobody sets. A process that is alone needs its own only.
final class LeaseClock: Sendable {
    private let own: any WallClock
    private let heard = Mutex<(time: Timestamp, at: ContinuousClock.Instant)?>(nil)
    private let ahead = Gauge(label: "souk_clock_ahead_seconds")

    /// An answer that took longer says too little.
    private static let patience = Duration.seconds(1)

    init(_ own: any WallClock) { self.own = own }

    /// The own clock's time until the server's was heard.
    func now() -> Timestamp {
        guard let heard = heard.withLock({ $0 }) else { return own.now() }
        return heard.time + (ContinuousClock.now - heard.at)
    }

    func listen(to database: any Database) async throws {
        guard database.dialect == .postgres else { return }
        let asked = ContinuousClock.now
        let answer = try await database.read { transaction in
            try transaction.row("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")?.timestamp(0)
        }
        let answered = ContinuousClock.now
        guard let time = answer, answered - asked < Self.patience else { return }
        heard.withLock { $0 = (time, answered) }
        ahead.record((own.now() - time).inSeconds)
    }
}
