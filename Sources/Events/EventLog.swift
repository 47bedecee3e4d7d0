import Database
import Kernel

/// The events of one source as one consumer meets them: oldest first, from the first that it has not finished.
protocol EventLog: Sendable {
    /// At most 500, from the first unfinished one on; empty where nothing is to be done here at the moment.
    mutating func next() async throws -> [Outbox.Entry]

    /// The consumer is done with these: the first of those that `next` gave last, or those behind the ones finished
    /// before. `dead` among them become dead letters. It is durable when this returns.
    ///
    /// Gives false where what comes behind them is another process's from now on.
    mutating func finish(_ entries: ArraySlice<Outbox.Entry>, burying dead: [Burial]) async throws -> Bool

    /// The feed ends.
    func close() async
}

/// An event that a consumer could not take.
struct Burial: Sendable {
    let event: Event
    let reason: String
    let time: Timestamp
}

/// The outbox's own table, read in the process that has its database.
struct OutboxLog: EventLog {
    let consumer: String
    let database: any Database
    private var position: Int64?

    init(consumer: String, database: any Database) {
        self.consumer = consumer
        self.database = database
    }

    mutating func next() async throws -> [Outbox.Entry] {
        let (consumer, known) = (consumer, position)
        let reached: Int64
        if let known {
            reached = known
        } else {
            reached = try await database.write { try Outbox.register(consumer, in: $0) }
            position = reached
        }
        return try await database.read { try Outbox.entries(after: reached, limit: Pace.largestBatch, in: $0) }
    }

    mutating func finish(_ entries: ArraySlice<Outbox.Entry>, burying dead: [Burial]) async throws -> Bool {
        guard let reached = entries.last?.sequence else { return true }
        let consumer = consumer
        try await database.write { transaction in
            for burial in dead { try Outbox.bury(burial, of: consumer, in: transaction) }
            try Outbox.move(consumer, to: reached, in: transaction)
        }
        position = reached
        return true
    }

    func close() async {}
}
