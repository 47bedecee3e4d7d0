import GRDBSQLite
import Kernel

/// One SQLite connection, used by one thread: a thin layer over SQLite's C interface, because a statement costs SQLite
/// itself little more than a microsecond.
final class SQLiteConnection: Session {
    enum Role {
        case writer, reader
        /// Reads a file that is not to be touched.
        case readOnlyFile
        /// Receives a backup.
        case copy
        /// Keeps others from writing for a moment, and writes nothing itself.
        case lock
    }

    let dialect = Dialect.sqlite
    let path: String
    let handle: OpaquePointer
    private var cache = SQLiteStatementCache()
    private let framing: Framing
    private var expectsTransaction = false
    private var definitionRan = false
    private var changesBefore: Int64 = 0
    private var arguments = SQLiteArguments()

    init(path: String, role: Role, options: SQLiteDatabase.Options) throws {
        self.path = path
        let access =
            switch role {
            case .writer, .copy: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .reader, .lock: SQLITE_OPEN_READWRITE
            case .readOnlyFile: SQLITE_OPEN_READONLY
            }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX, nil)
        guard let opened else { throw DatabaseError.cannotOpen(path: path, reason: "out of memory") }
        handle = opened
        do {
            guard code == SQLITE_OK else { throw Self.failure(code, opened, path: path, sql: "") }
            sqlite3_extended_result_codes(opened, 1)
            try Self.configure(opened, path: path, role: role, options: options)
            let isLocking = role == .writer || role == .lock
            framing = try Framing(opened, path: path, begin: isLocking ? "BEGIN IMMEDIATE" : "BEGIN")
        } catch {
            sqlite3_close_v2(opened)
            throw error
        }
    }

    /// Finalizes what is prepared. Not in `deinit`, so that the thread that used it ends it.
    func close() {
        cache.removeAll()
        framing.finalize()
        sqlite3_close_v2(handle)
    }

    // MARK: Statements

    func execute(_ sql: String, _ arguments: [Value]) throws -> Int {
        let statement = try start(sql, arguments)
        defer { finish(statement) }
        var code = sqlite3_step(statement.handle)
        while code == SQLITE_ROW { code = sqlite3_step(statement.handle) }
        guard code == SQLITE_DONE else { throw failure(code, sql) }
        return statement.isReadOnly || statement.isDefinition ? 0 : Int(sqlite3_changes(handle))
    }

    func rows(_ sql: String, _ arguments: [Value]) throws -> [Row] {
        let statement = try start(sql, arguments)
        defer { finish(statement) }
        var values: [Value] = []
        var columns = 0
        while try step(statement) {
            if columns == 0 { columns = Int(sqlite3_column_count(statement.handle)) }
            Self.read(statement.handle, columns, into: &values)
        }
        return Row.split(values, columns: columns, sql: sql)
    }

    func row(_ sql: String, _ arguments: [Value]) throws -> Row? {
        let statement = try start(sql, arguments)
        defer { finish(statement) }
        guard try step(statement) else { return nil }
        let row = Self.row(of: statement)
        // A statement that writes is run to its end: only there are foreign keys checked.
        if !statement.isReadOnly { while try step(statement) {} }
        return row
    }

    func forEach(_ sql: String, _ arguments: [Value], _ body: (Row) throws -> Void) throws {
        let statement = try start(sql, arguments)
        defer { finish(statement) }
        while try step(statement) { try body(Self.row(of: statement)) }
    }

    func executeScript(_ sql: String) throws {
        definitionRan = true
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, sql) }
    }

    /// A statement with its arguments bound, reserved until `finish`.
    private func start(_ sql: String, _ values: [Value]) throws -> SQLiteStatement {
        if expectsTransaction, !isInTransaction {
            // Going on would commit each statement by itself.
            throw DatabaseError.statement(reason: "SQLite has ended the transaction after an earlier error", sql: sql)
        }
        let statement: SQLiteStatement
        do {
            statement = try cache.take(sql, in: handle)
        } catch let refused as SQLiteStatement.Refused {
            throw failure(refused.code, sql)
        }
        guard values.count == statement.argumentCount else {
            throw DatabaseError.statement(
                reason: "expected \(statement.argumentCount) arguments, found \(values.count)", sql: sql)
        }
        if statement.isDefinition { definitionRan = true }
        statement.isInUse = true
        let code = arguments.bind(values, to: statement)
        guard code == SQLITE_OK else {
            finish(statement)
            throw failure(code, sql)
        }
        return statement
    }

    private func finish(_ statement: SQLiteStatement) {
        sqlite3_reset(statement.handle)
        arguments.release(statement)
        statement.isInUse = false
    }

    /// Whether there is a row.
    private func step(_ statement: SQLiteStatement) throws -> Bool {
        switch sqlite3_step(statement.handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code, statement.sql)
        }
    }

    private static func row(of statement: SQLiteStatement) -> Row {
        let columns = Int(sqlite3_column_count(statement.handle))
        var values: [Value] = []
        values.reserveCapacity(columns)
        read(statement.handle, columns, into: &values)
        return Row(values, start: 0, count: columns, sql: statement.sql)
    }

    private static func read(_ statement: OpaquePointer, _ columns: Int, into values: inout [Value]) {
        for column in 0..<Int32(columns) {
            switch sqlite3_column_type(statement, column) {
            case SQLITE_INTEGER: values.append(.integer(sqlite3_column_int64(statement, column)))
            case SQLITE_FLOAT: values.append(.real(sqlite3_column_double(statement, column)))
            case SQLITE_TEXT:
                let start = sqlite3_column_text(statement, column)
                let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
                values.append(.text(String(decoding: bytes, as: UTF8.self)))
            case SQLITE_BLOB:
                let start = sqlite3_column_blob(statement, column)
                let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
                values.append(.blob([UInt8](bytes)))
            default: values.append(.null)
            }
        }
    }

    // MARK: Transactions

    func begin() throws {
        try run(framing.begin, "BEGIN")
        expectsTransaction = true
        hasWritten = false
    }

    func commit() throws {
        try run(framing.commit, "COMMIT")
        expectsTransaction = false
    }

    func rollback() {
        expectsTransaction = false
        if isInTransaction { try? run(framing.rollback, "ROLLBACK") }  // it cannot fail in a way that keeps anything
    }

    func savepoint() throws { try run(framing.savepoint, "SAVEPOINT closure") }
    func releaseSavepoint() throws { try run(framing.release, "RELEASE closure") }
    func rollBackToSavepoint() throws { try run(framing.rollbackTo, "ROLLBACK TO closure") }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// SQLite's count of all changes, triggers' and foreign keys' included, tells it without a cost to each statement.
    var hasWritten: Bool {
        get { definitionRan || Int64(sqlite3_total_changes(handle)) != changesBefore }
        set {
            definitionRan = newValue
            changesBefore = Int64(sqlite3_total_changes(handle))
        }
    }

    func withoutWriting(_ work: () throws -> Void) throws {
        // A setting of this connection: it cannot fail.
        sqlite3_exec(handle, "PRAGMA query_only = ON", nil, nil, nil)
        defer { sqlite3_exec(handle, "PRAGMA query_only = OFF", nil, nil, nil) }
        try work()
    }

    /// How long `begin` waits for another process.
    func setBusyTimeout(_ timeout: Duration) {
        sqlite3_busy_timeout(handle, Int32(clamping: timeout.microseconds / 1_000))
    }

    private func run(_ statement: OpaquePointer, _ sql: String) throws {
        let code = sqlite3_step(statement)
        defer { sqlite3_reset(statement) }
        guard code == SQLITE_DONE else { throw failure(code, sql) }
    }

    private func failure(_ code: Int32, _ sql: String) -> DatabaseError {
        Self.failure(code, handle, path: path, sql: sql)
    }

    // MARK: For backup

    /// Copies all pages at once: one snapshot, whatever is written meanwhile.
    func copy(to target: SQLiteConnection) throws {
        guard let backup = sqlite3_backup_init(target.handle, "main", handle, "main") else {
            throw target.failure(sqlite3_errcode(target.handle), "")
        }
        let code = sqlite3_backup_step(backup, -1)
        let end = sqlite3_backup_finish(backup)
        guard code == SQLITE_DONE, end == SQLITE_OK else { throw target.failure(code == SQLITE_DONE ? end : code, "") }
    }
}
