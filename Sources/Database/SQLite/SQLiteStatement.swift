import GRDBSQLite

/// A prepared statement and what is known of it once and for all.
final class SQLiteStatement {
    let handle: OpaquePointer
    let sql: String
    /// For each of SQLite's parameters, in its order, which argument it takes: `$2` is argument 1.
    let argumentOf: [Int]
    let argumentCount: Int
    let isReadOnly: Bool
    /// Neither a query nor INSERT, UPDATE or DELETE: SQLite counts no changes for it.
    let isDefinition: Bool
    var isInUse = false
    var lastUse = 0
    /// How full the connection's buffer of arguments was before this one's.
    var bufferMark = 0

    /// SQLite reports a mistake in the SQL by `code`, which the connection explains.
    struct Refused: Error { let code: Int32 }

    init(_ sql: String, in connection: OpaquePointer) throws {
        var sql = sql
        let (prepared, hasMore) = try sql.withUTF8 { bytes in
            try bytes.withMemoryRebound(to: CChar.self) { text in
                var statement: OpaquePointer?
                var tail: UnsafePointer<CChar>?
                let code = sqlite3_prepare_v3(
                    connection, text.baseAddress, Int32(text.count), UInt32(SQLITE_PREPARE_PERSISTENT), &statement,
                    &tail)
                guard code == SQLITE_OK else { throw Refused(code: code) }
                guard let tail, let start = text.baseAddress else { return (statement, false) }
                return (statement, !bytes[(tail - start)...].allSatisfy { Self.blank.contains($0) })
            }
        }
        guard let prepared else { throw DatabaseError.statement(reason: "no statement", sql: sql) }
        handle = prepared
        self.sql = sql
        isReadOnly = sqlite3_stmt_readonly(prepared) != 0
        let verb = Self.verb(sql)
        isDefinition = !isReadOnly && !Self.changing.contains(verb)
        do {
            if hasMore { throw DatabaseError.statement(reason: "expected one statement, found more", sql: sql) }
            if Self.framing.contains(verb) {
                throw DatabaseError.statement(reason: "the engine begins and ends transactions", sql: sql)
            }
            argumentOf = try Self.arguments(of: prepared, sql)
            argumentCount = (argumentOf.max() ?? -1) + 1
        } catch {
            sqlite3_finalize(prepared)
            throw error
        }
    }

    deinit { sqlite3_finalize(handle) }

    private static let blank: [UInt8] = Array(" \t\r\n;".utf8)
    private static let changing: Set<String> = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"]
    private static let framing: Set<String> = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]

    private static func verb(_ sql: String) -> String {
        let start = sql.drop { $0.isWhitespace || $0 == ";" }
        return start.prefix { $0.isLetter }.uppercased()
    }

    private static func arguments(of statement: OpaquePointer, _ sql: String) throws -> [Int] {
        let count = sqlite3_bind_parameter_count(statement)
        guard count > 0 else { return [] }
        return try (1...count).map { index in
            guard let name = sqlite3_bind_parameter_name(statement, index).map({ String(cString: $0) }),
                name.first == "$", let number = Int(name.dropFirst()), number >= 1
            else { throw DatabaseError.statement(reason: "placeholders are $1, $2 and so on", sql: sql) }
            return number - 1
        }
    }
}

/// The prepared statements of one connection, by their text: at most `limit`, the least recently used goes first.
struct SQLiteStatementCache {
    static let limit = 256
    private var statements: [String: SQLiteStatement] = [:]
    private var uses = 0

    /// A statement that nobody uses at this moment.
    mutating func take(_ sql: String, in connection: OpaquePointer) throws -> SQLiteStatement {
        uses += 1
        if let known = statements[sql] {
            known.lastUse = uses
            if !known.isInUse { return known }
            // The same text again inside its own `forEach`.
            return try SQLiteStatement(sql, in: connection)
        }
        let new = try SQLiteStatement(sql, in: connection)
        if statements.count >= Self.limit, let oldest = statements.values.min(by: { $0.lastUse < $1.lastUse }) {
            statements[oldest.sql] = nil
        }
        new.lastUse = uses
        statements[sql] = new
        return new
    }

    mutating func removeAll() { statements = [:] }
}
