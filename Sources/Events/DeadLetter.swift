public import Database
public import Kernel

/// An event that a consumer could not take, with what it said the last time.
public struct DeadLetter: Sendable {
    /// Ascending in time: the cursor of a list, and the name for replaying.
    public let number: Int64
    public let consumer: String
    public let event: Event
    /// At most 1,000 characters.
    public let error: String
    public let diedAt: Timestamp
}

extension Outbox {
    static let maxErrorCharacters = 1_000
    public static let deadLettersLimit = 200

    /// Dead letters in the order in which they died, after the number given; at most 200.
    public static func deadLetters(
        in transaction: Transaction, after number: Int64 = 0, limit: Int = deadLettersLimit
    ) throws -> [DeadLetter] {
        try transaction.rows(
            """
            SELECT id, type, subject, time, data, trace, number, consumer, error, died_at FROM dead_letters
            WHERE number > $1 ORDER BY number LIMIT $2
            """, number, min(limit, deadLettersLimit)
        ).map { row in
            DeadLetter(
                number: try row.int64(6), consumer: try row.text(7), event: try event(row), error: try row.text(8),
                diedAt: try row.timestamp(9))
        }
    }

    /// Appends the event once more, for the consumer that could not take it and for no other, and forgets the dead
    /// letter. Gives false where there is none of that number. After the commit, wake the bus.
    public static func replay(_ number: Int64, in transaction: Transaction) throws -> Bool {
        let row = try transaction.row(
            "SELECT id, type, subject, time, data, trace, consumer FROM dead_letters WHERE number = $1", number)
        guard let row else { return false }
        try append(try event(row), for: try row.text(6), in: transaction)
        try transaction.execute("DELETE FROM dead_letters WHERE number = $1", number)
        return true
    }

    static func bury(_ burial: Burial, of consumer: String, in transaction: Transaction) throws {
        let event = burial.event
        try transaction.execute(
            """
            INSERT INTO dead_letters (consumer, id, type, subject, time, data, trace, error, died_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (consumer, id) DO UPDATE SET error = excluded.error, died_at = excluded.died_at
            """,
            consumer, event.id, event.type, event.subject, event.time, event.data, event.trace?.traceparent,
            String(burial.reason.prefix(maxErrorCharacters)), burial.time)
    }
}
