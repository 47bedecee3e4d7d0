public import Kernel

/// What can go wrong between Souk and a database. Pattern match on the cases; the description is for people and logs.
public enum DatabaseError: OutageError, Sendable, Equatable {
    public enum Constraint: String, Sendable {
        /// A unique index or a primary key.
        case unique
        case check
        case foreignKey
        case notNull
        /// A trigger raised it.
        case trigger
        /// A value of another type in a STRICT table.
        case dataType
        case other
    }

    /// A constraint refused the statement; `detail` is what the engine names: `orders.number`, or a check's name.
    case constraint(kind: Constraint, detail: String)
    /// The disk (or the database's size limit) is full; nothing was kept.
    case full(database: String)
    /// Another process held the database for longer than the busy timeout.
    case busy(database: String)
    /// The server does not answer, or accepts no connection; nothing was kept.
    case unavailable(database: String, reason: String)
    /// A statement took longer than the limit; nothing of its closure was kept.
    case timedOut(database: String, sql: String)
    /// The file's content is damaged.
    case corrupt(database: String, detail: String)
    /// The disk failed to read or write. What was being committed was reported as failed.
    case inputOutput(database: String, detail: String)
    case notADatabase(path: String)
    case cannotOpen(path: String, reason: String)
    /// It was opened for reading, or the closure was given to `read`.
    case readOnly(database: String)
    /// It was closed, or is closing.
    case closed(database: String)
    /// More closures wait than the bound allows.
    case overloaded(database: String, limit: Int)
    /// Another process uses the data folder.
    case locked(folder: String, by: Int32?)
    /// A newer release of Souk has changed the schema.
    case newerSchema(database: String, found: Int, known: Int)
    /// The migrations given are not numbered 1, 2, 3…
    case migrationNumbers(expected: Int, found: Int)
    /// A migration that was applied reads differently now.
    case migrationChanged(database: String, number: Int, name: String)
    case migrationFailed(database: String, number: Int, name: String, reason: String)
    /// A column was read as another type than it holds.
    case column(index: Int, expected: String, found: String, sql: String)
    /// A statement that the engine does not accept, or that a closure must not use.
    case statement(reason: String, sql: String)
    case alreadyExists(path: String)
    case backupFailed(path: String, reason: String)
}

extension DatabaseError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .constraint(let kind, let detail): "a \(kind.rawValue) constraint refused it: \(detail)"
        case .full(let database): "no space is left for the database \(database): free some, then try again"
        case .busy(let database): "the database \(database) is held by another process: try again later"
        case .unavailable(let database, let reason): "the database \(database) is not available: \(reason)"
        case .timedOut(let database, let sql): "the database \(database) took too long: \(sql)"
        case .corrupt(let database, let detail):
            "the database \(database) is damaged (\(detail)): restore it from a backup"
        case .inputOutput(let database, let detail): "the disk of the database \(database) failed: \(detail)"
        case .notADatabase(let path): "\(path) is not a SQLite database"
        case .cannotOpen(let path, let reason): "the database \(path) cannot be opened: \(reason)"
        case .readOnly(let database): "the database \(database) can only be read here"
        case .closed(let database): "the database \(database) is closed"
        case .overloaded(let database, let limit): "\(limit) closures wait for the database \(database) already"
        case .locked(let folder, let pid):
            "the data folder \(folder) is in use by \(pid.map { "the process \($0)" } ?? "another process"): "
                + "stop it, or choose another folder"
        case .newerSchema(let database, let found, let known):
            "the database \(database) was written by a newer release (schema \(found), this release knows \(known)): "
                + "run that release, or restore a backup from before it"
        case .migrationNumbers(let expected, let found):
            "migrations are numbered 1, 2, 3 without gaps: expected \(expected), found \(found)"
        case .migrationChanged(let database, let number, let name):
            "the migration \(number) (\(name)) of the database \(database) reads differently from the one that was "
                + "applied: a migration is never edited, add a new one"
        case .migrationFailed(let database, let number, let name, let reason):
            "the migration \(number) (\(name)) of the database \(database) failed, nothing of it was kept: \(reason)"
        case .column(let index, let expected, let found, let sql):
            "column \(index): expected \(expected), found \(found), in: \(sql)"
        case .statement(let reason, let sql): "\(reason), in: \(sql)"
        case .alreadyExists(let path): "\(path) exists already: name a file that does not"
        case .backupFailed(let path, let reason): "the backup to \(path) failed: \(reason)"
        }
    }
}

extension DatabaseError {
    public var isOutage: Bool {
        switch self {
        case .full, .busy, .unavailable, .timedOut, .inputOutput, .closed, .overloaded: true
        default: false
        }
    }
}
