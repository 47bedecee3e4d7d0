import CPostgreSQL

/// The statements that one connection has prepared, by their text: at most `limit`, the least recently used goes first.
struct PostgresStatements {
    static let limit = 256

    private final class Statement {
        let name: String
        let types: [Oid]
        var lastUse: Int

        init(_ name: String, types: [Oid], lastUse: Int) {
            self.name = name
            self.types = types
            self.lastUse = lastUse
        }
    }
    /// One text may be prepared for arguments of several types.
    private var statements: [String: [Statement]] = [:]
    private var count = 0
    private var uses = 0
    private var names = 0

    mutating func nextName() -> String {
        names += 1
        return "s\(names)"
    }

    /// The name of the one that takes these values.
    mutating func find(_ sql: String, _ values: [Value]) -> String? {
        guard let known = statements[sql]?.first(where: { Self.takes($0.types, values) }) else { return nil }
        uses += 1
        known.lastUse = uses
        return known.name
    }

    /// - Returns: the name of one that is to be given up for it.
    mutating func add(_ name: String, _ sql: String, types: [Oid]) -> String? {
        uses += 1
        count += 1
        statements[sql, default: []].append(Statement(name, types: types, lastUse: uses))
        guard count > Self.limit else { return nil }
        let oldest = statements.min { ($0.value.map(\.lastUse).min() ?? 0) < ($1.value.map(\.lastUse).min() ?? 0) }
        guard let (text, variants) = oldest, let last = variants.min(by: { $0.lastUse < $1.lastUse })
        else { return nil }
        count -= 1
        statements[text] = variants.count == 1 ? nil : variants.filter { $0.name != last.name }
        return last.name
    }

    mutating func removeAll() { self = PostgresStatements() }

    /// Another number of values is the server's to refuse.
    private static func takes(_ types: [Oid], _ values: [Value]) -> Bool {
        types.count == values.count && zip(types, values).allSatisfy { PostgresType.takes($0, $1) }
    }

    // MARK: The text

    private static let framing: Set<String> = [
        "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE",
    ]

    /// Its first word, in capitals.
    static func verb(_ sql: String) -> String {
        let start = sql.utf8.drop { $0 <= UInt8(ascii: " ") || $0 == UInt8(ascii: ";") }
        return String(decoding: start.prefix { (97...122).contains($0 | 32) }.map { $0 & ~32 }, as: UTF8.self)
    }

    /// - Throws: `statement` for what begins or ends a transaction.
    static func check(_ verb: String, _ sql: String) throws {
        if framing.contains(verb) {
            throw DatabaseError.statement(reason: "the engine begins and ends transactions", sql: sql)
        }
    }
}
