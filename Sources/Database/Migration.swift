public import Kernel

/// One step of a schema, forward only. Once released it is never edited: its checksum is remembered.
public struct Migration: Sendable {
    /// 1, 2, 3… without gaps.
    public let number: Int
    public let name: String
    private let sqlite: String
    private let postgres: String?

    /// Scripts of several statements; `sqlite` serves both dialects where `postgres` is nil.
    public init(_ number: Int, _ name: String, sqlite: String, postgres: String? = nil) {
        self.number = number
        self.name = name
        self.sqlite = sqlite
        self.postgres = postgres
    }

    func sql(_ dialect: Dialect) -> String {
        switch dialect {
        case .sqlite: sqlite
        case .postgres: postgres ?? sqlite
        }
    }

    /// FNV-1a, 64 bits: it tells an edit, it is no defence.
    func checksum(_ dialect: Dialect) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in sql(dialect).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    struct Applied: Sendable {
        let number: Int
        let checksum: String
    }

    /// Those still to be applied, or why none may be.
    static func pending(
        _ known: [Migration], applied: [Applied], dialect: Dialect, database: String
    ) throws -> ArraySlice<Migration> {
        for (index, migration) in known.enumerated() where migration.number != index + 1 {
            throw DatabaseError.migrationNumbers(expected: index + 1, found: migration.number)
        }
        if let newest = applied.last, newest.number > known.count {
            throw DatabaseError.newerSchema(database: database, found: newest.number, known: known.count)
        }
        for (index, entry) in applied.enumerated() {
            guard entry.number == index + 1 else {
                throw DatabaseError.corrupt(database: database, detail: "schema_migrations lacks number \(index + 1)")
            }
            let migration = known[index]
            if migration.checksum(dialect) != entry.checksum {
                throw DatabaseError.migrationChanged(
                    database: database, number: migration.number, name: migration.name)
            }
        }
        return known.dropFirst(applied.count)
    }

    /// Applies what is pending, each in a transaction of its own. The write lock orders processes that do so at once:
    /// the second finds the first one's work done.
    static func apply(_ known: [Migration], in session: any Session, database: String) throws {
        let dialect = session.dialect
        while true {
            guard try !pending(known, applied: applied(session), dialect: dialect, database: database).isEmpty else {
                return
            }
            try session.begin()
            do {
                try session.executeScript(table)
                let left = try pending(known, applied: applied(session), dialect: dialect, database: database)
                if let next = left.first { try next.run(in: session, database: database) }
                try session.commit()
            } catch {
                session.rollback()
                throw error
            }
        }
    }

    private func run(in session: any Session, database: String) throws {
        do {
            try session.executeScript(sql(session.dialect))
            // SQLite does not hold foreign keys while a migration runs.
            if session.dialect == .sqlite, let broken = try session.row("PRAGMA foreign_key_check", []) {
                throw DatabaseError.constraint(kind: .foreignKey, detail: "a row of \(try broken.text(0))")
            }
        } catch {
            throw DatabaseError.migrationFailed(database: database, number: number, name: name, reason: "\(error)")
        }
        _ = try session.execute(
            "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
            [.integer(Int64(number)), .text(name), .text(checksum(session.dialect)), SystemClock().now().value])
    }

    private static func isThere(_ dialect: Dialect) -> String {
        switch dialect {
        case .sqlite: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
        case .postgres: "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL"
        }
    }

    private static let table = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)
        """

    fileprivate static func applied(_ session: any Session) throws -> [Applied] {
        guard try session.row(isThere(session.dialect), []) != nil else { return [] }
        return try session.rows("SELECT number, checksum FROM schema_migrations ORDER BY number", [])
            .map { Applied(number: try $0.int(0), checksum: try $0.text(1)) }
    }
}

extension Migration {
    /// When the first one was applied: a database that was restored from a backup has another such moment.
    public static func began(in transaction: Transaction) throws -> Timestamp {
        try transaction.row("SELECT applied_at FROM schema_migrations WHERE number = 1")?.timestamp(0)
            ?? Timestamp(seconds: 0)
    }
}

extension Database {
    /// Those that were not applied yet. Of a newer release there may be more: each keeps the release before it running.
    public func missing(_ migrations: [Migration]) async throws -> [Migration] {
        try await read { transaction in
            let applied = try Migration.applied(transaction.session).count
            return Array(migrations.dropFirst(applied))
        }
    }
}
