import GRDBSQLite
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension SQLiteConnection {
    /// The statements around the closures, prepared once.
    struct Framing {
        let begin, commit, rollback, savepoint, release, rollbackTo: OpaquePointer

        init(_ connection: OpaquePointer, path: String, begin: String) throws {
            func prepare(_ sql: String) throws -> OpaquePointer {
                var statement: OpaquePointer?
                let code = sqlite3_prepare_v3(
                    connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
                guard code == SQLITE_OK, let statement else {
                    throw SQLiteConnection.failure(code, connection, path: path, sql: sql)
                }
                return statement
            }
            self.begin = try prepare(begin)
            commit = try prepare("COMMIT")
            rollback = try prepare("ROLLBACK")
            savepoint = try prepare("SAVEPOINT closure")
            release = try prepare("RELEASE closure")
            rollbackTo = try prepare("ROLLBACK TO closure")
        }

        func finalize() {
            for statement in [begin, commit, rollback, savepoint, release, rollbackTo] { sqlite3_finalize(statement) }
        }
    }
}

extension SQLiteConnection {
    static func configure(
        _ handle: OpaquePointer, path: String, role: Role, options: SQLiteDatabase.Options
    ) throws {
        func run(_ sql: String) throws {
            let code = sqlite3_exec(handle, sql, nil, nil, nil)
            guard code == SQLITE_OK else { throw failure(code, handle, path: path, sql: sql) }
        }
        sqlite3_busy_timeout(handle, Int32(clamping: options.busyTimeout.microseconds / 1_000))
        _disableDoubleQuotedStringLiterals(handle)
        if role == .writer, path != SQLiteDatabase.inMemory { try useWriteAheadLog(handle, path: path, options) }
        // The first look at the file: whether it is a database shows here.
        try run("SELECT count(*) FROM sqlite_schema")
        try run(
            """
            PRAGMA synchronous = \(options.synchronous == .full ? "FULL" : "NORMAL");
            PRAGMA foreign_keys = ON;
            PRAGMA temp_store = MEMORY;
            PRAGMA cache_size = -\((role == .writer ? options.writerCache : options.readerCache) / 1024);
            """)
        switch role {
        case .writer:
            // FAST: what is deleted is zeroed where that costs no further page. Debian's SQLite zeroes always.
            try run(
                """
                PRAGMA secure_delete = FAST;
                PRAGMA wal_autocheckpoint = \(options.checkpointPages);
                PRAGMA journal_size_limit = \(SQLiteDatabase.Options.keptLogSize);
                """)
            if let pages = options.maxPages { try run("PRAGMA max_page_count = \(pages)") }
        case .reader, .readOnlyFile: try run("PRAGMA query_only = ON")
        case .lock: try run("PRAGMA wal_autocheckpoint = 0")
        case .copy: break
        }
    }

    /// The change to the log needs the file alone for a moment, and SQLite does not wait for it by itself.
    private static func useWriteAheadLog(
        _ handle: OpaquePointer, path: String, _ options: SQLiteDatabase.Options
    ) throws {
        let deadline = ContinuousClock.now + options.busyTimeout
        while true {
            var mode = ""
            var statement: OpaquePointer?
            var code = sqlite3_prepare_v2(handle, "PRAGMA journal_mode = WAL", -1, &statement, nil)
            if code == SQLITE_OK { code = sqlite3_step(statement) }
            if code == SQLITE_ROW, let text = sqlite3_column_text(statement, 0) { mode = String(cString: text) }
            let error = failure(code, handle, path: path, sql: "PRAGMA journal_mode = WAL")
            sqlite3_finalize(statement)
            if code == SQLITE_ROW {
                if mode == "wal" { return }
                throw DatabaseError.cannotOpen(path: path, reason: "this file system does not allow a write-ahead log")
            }
            guard code & 0xFF == SQLITE_BUSY, ContinuousClock.now < deadline else { throw error }
            // On the connection's own thread, while another process opens the same file.
            usleep(5_000)
        }
    }

    static func failure(_ code: Int32, _ handle: OpaquePointer, path: String, sql: String) -> DatabaseError {
        let message = sqlite3_errmsg(handle).map { String(cString: $0) } ?? "code \(code)"
        switch code & 0xFF {
        case SQLITE_CONSTRAINT:
            // "UNIQUE constraint failed: orders.number": the name is what follows.
            let detail = message.firstRange(of: ": ").map { String(message[$0.upperBound...]) } ?? message
            return .constraint(kind: constraint(code), detail: detail)
        case SQLITE_FULL: return .full(database: path)
        case SQLITE_BUSY, SQLITE_LOCKED: return .busy(database: path)
        case SQLITE_CORRUPT: return .corrupt(database: path, detail: message)
        case SQLITE_NOTADB: return .notADatabase(path: path)
        case SQLITE_READONLY: return .readOnly(database: path)
        case SQLITE_IOERR: return .inputOutput(database: path, detail: "\(message), \(systemError(handle))")
        case SQLITE_CANTOPEN: return .cannotOpen(path: path, reason: systemError(handle))
        default: return .statement(reason: message, sql: sql)
        }
    }

    private static func systemError(_ handle: OpaquePointer) -> String {
        let code = sqlite3_system_errno(handle)
        return code == 0 ? "unable to open the file" : String(cString: strerror(code))
    }

    private static func constraint(_ code: Int32) -> DatabaseError.Constraint {
        // Extended codes are macros that Swift does not import: the number of the reason is in the second byte.
        switch code >> 8 {
        case 1: .check
        case 3: .foreignKey
        case 5: .notNull
        case 6, 8, 10: .unique  // primary key, unique, rowid
        case 7: .trigger
        case 12: .dataType
        default: .other
        }
    }
}
