public import Database
import Kernel

/// What the bus does with the tables.
extension Outbox {
    /// One row of the outbox.
    struct Entry: Sendable {
        let sequence: Int64
        let event: Event
        /// For this consumer alone: a replay.
        let consumer: String?
    }

    /// Where an outbox stands.
    struct Standing: Sendable {
        /// The latest sequence that has not been trimmed; 0 if the table is empty.
        let latest: Int64
        let positions: [String: Int64]
        let oldestUndelivered: Timestamp?
        let isTrimmable: Bool
    }

    /// The first six columns of a row.
    static func event(_ row: Row) throws -> Event {
        Event(
            id: try row.id(0), type: try row.text(1), subject: try row.text(2), time: try row.timestamp(3),
            data: try row.blob(4), trace: try row.optionalText(5).flatMap { TraceContext(traceparent: $0) })
    }

    /// Gives the consumer's position. A new one starts at what is left of the log, and from then on nothing is trimmed
    /// that it has not seen.
    static func register(_ consumer: String, in transaction: Transaction) throws -> Int64 {
        try transaction.execute(
            "INSERT INTO outbox_positions (consumer, position) VALUES ($1, 0) ON CONFLICT (consumer) DO NOTHING",
            consumer)
        return try position(of: consumer, in: transaction)
    }

    static func entries(after position: Int64, limit: Int, in transaction: Transaction) throws -> [Entry] {
        try transaction.rows(
            """
            SELECT id, type, subject, time, data, trace, sequence, consumer FROM outbox
            WHERE sequence > $1 ORDER BY sequence LIMIT $2
            """, position, limit
        ).map { Entry(sequence: try $0.int64(6), event: try event($0), consumer: try $0.optionalText(7)) }
    }

    /// Never backwards.
    static func move(_ consumer: String, to position: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE outbox_positions SET position = $2 WHERE consumer = $1 AND position < $2", consumer, position)
    }

    /// Forgets a consumer that is no more: its position would hold the log back for ever.
    public static func forget(_ consumer: String, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM outbox_positions WHERE consumer = $1", consumer)
    }

    /// The highest sequence that was ever given, whether its row is still there or not.
    static func latestIssued(in transaction: Transaction) throws -> Int64 {
        let sql =
            switch transaction.dialect {
            case .sqlite: "SELECT max(seq) FROM sqlite_sequence WHERE name = 'outbox'"
            case .postgres: "SELECT pg_sequence_last_value(pg_get_serial_sequence('outbox', 'sequence')::regclass)"
            }
        return try transaction.row(sql)?.optionalInt64(0) ?? 0
    }

    static func standing(in transaction: Transaction) throws -> Standing {
        var positions: [String: Int64] = [:]
        for row in try transaction.rows("SELECT consumer, position FROM outbox_positions") {
            positions[try row.text(0)] = try row.int64(1)
        }
        let behind = positions.values.min() ?? 0
        let ends = try transaction.row("SELECT min(sequence), max(sequence) FROM outbox")
        let oldest = try transaction.row(
            "SELECT time FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT 1", behind)
        return Standing(
            latest: try ends?.optionalInt64(1) ?? 0, positions: positions, oldestUndelivered: try oldest?.timestamp(0),
            isTrimmable: try ends?.optionalInt64(0).map { $0 <= behind } ?? false)
    }

    /// Deletes at most `limit` rows that every consumer has finished; gives how many.
    static func trim(limit: Int, in transaction: Transaction) throws -> Int {
        try transaction.execute(
            """
            DELETE FROM outbox WHERE sequence <= (SELECT min(position) FROM outbox_positions)
            AND sequence < (SELECT min(sequence) FROM outbox) + $1
            """, limit)
    }
}
