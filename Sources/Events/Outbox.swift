public import Database
public import Kernel

/// The events of one service, in a table of its own database: appended in the transaction that makes them true, so that
/// neither is there without the other.
public enum Outbox {
    /// The tables, as that number among the service's migrations.
    public static func migration(_ number: Int) -> Migration {
        Migration(
            number, "outbox",
            sqlite: """
                CREATE TABLE outbox (
                    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                    id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, time INTEGER NOT NULL,
                    data BLOB NOT NULL, trace TEXT, consumer TEXT
                ) STRICT;
                CREATE TABLE outbox_positions (
                    consumer TEXT PRIMARY KEY, position INTEGER NOT NULL CHECK (position >= 0)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE dead_letters (
                    number INTEGER PRIMARY KEY AUTOINCREMENT,
                    consumer TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
                    time INTEGER NOT NULL, data BLOB NOT NULL, trace TEXT,
                    error TEXT NOT NULL, died_at INTEGER NOT NULL,
                    UNIQUE (consumer, id)
                ) STRICT;
                """,
            postgres: """
                CREATE TABLE outbox (
                    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, time BIGINT NOT NULL,
                    data BYTEA NOT NULL, trace TEXT, consumer TEXT
                );
                CREATE TABLE outbox_positions (
                    consumer TEXT PRIMARY KEY, position BIGINT NOT NULL CHECK (position >= 0)
                );
                CREATE TABLE dead_letters (
                    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    consumer TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
                    time BIGINT NOT NULL, data BYTEA NOT NULL, trace TEXT,
                    error TEXT NOT NULL, died_at BIGINT NOT NULL,
                    UNIQUE (consumer, id)
                );
                """)
    }

    /// Appends in the publisher's own transaction. After its commit, wake the bus.
    public static func append(_ event: Event, in transaction: Transaction) throws {
        try append(event, for: nil, in: transaction)
    }

    static func append(_ event: Event, for consumer: String?, in transaction: Transaction) throws {
        // Writers take turns, so that numbers become visible in their order: no reader goes past one that comes later.
        try transaction.post(
            """
            INSERT INTO outbox (id, type, subject, time, data, trace, consumer) VALUES ($1, $2, $3, $4, $5, $6, $7)
            """, event.id, event.type, event.subject, event.time, event.data, event.trace?.traceparent, consumer)
    }

    /// When the oldest event was appended that one of these consumers has not finished yet: for the audit.
    public static func oldestUndelivered(in transaction: Transaction, consumers: [String]) throws -> Timestamp? {
        let finished = try consumers.map { try position(of: $0, in: transaction) }.min() ?? 0
        return try transaction.row(
            "SELECT time FROM outbox WHERE sequence > $1 ORDER BY sequence LIMIT 1", finished)?.timestamp(0)
    }

    static func position(of consumer: String, in transaction: Transaction) throws -> Int64 {
        try transaction.row("SELECT position FROM outbox_positions WHERE consumer = $1", consumer)?.int64(0) ?? 0
    }
}
