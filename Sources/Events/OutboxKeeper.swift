import Database
import Kernel
import Metrics

/// Measures one outbox, and trims what all its consumers have finished.
struct OutboxKeeper: Sendable {
    static let trimmedAtOnce = 500
    static let trimsAtOnce = 100

    let source: String
    let database: any Database
    let clock: any WallClock
    private let lags: [String: Gauge]
    private let age: Gauge

    init(source: String, consumers: [String], database: any Database, clock: any WallClock) {
        self.source = source
        self.database = database
        self.clock = clock
        lags = Dictionary(
            consumers.map { consumer in
                (consumer, Gauge(label: "souk_outbox_lag", dimensions: [("source", source), ("consumer", consumer)]))
            }, uniquingKeysWith: { first, _ in first })
        age = Gauge(label: "souk_outbox_oldest_age_seconds", dimensions: [("source", source)])
    }

    @discardableResult
    func measure() async throws -> Outbox.Standing {
        let standing = try await database.read { try Outbox.standing(in: $0) }
        for (consumer, lag) in lags { lag.record(max(0, standing.latest - (standing.positions[consumer] ?? 0))) }
        age.record(standing.oldestUndelivered.map { max(0, (clock.now() - $0).inSeconds) } ?? 0)
        return standing
    }

    @discardableResult
    func look(while isRunning: () -> Bool) async throws -> Outbox.Standing {
        let standing = try await measure()
        guard standing.isTrimmable else { return standing }
        for _ in 0..<Self.trimsAtOnce where isRunning() {
            let trimmed = try await database.write { try Outbox.trim(limit: Self.trimmedAtOnce, in: $0) }
            if trimmed < Self.trimmedAtOnce { break }
        }
        return standing
    }
}
