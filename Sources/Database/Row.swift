public import Kernel

/// One row of a result: its columns by position, from 0.
///
/// A column is read as what its schema says. Another type, a NULL where none is expected, or a column that is not there
/// is a mistake in the program or the schema, and throws `DatabaseError.column`.
public struct Row: Sendable {
    /// The values of the whole result, row after row: one allocation, however many rows.
    private let values: [Value]
    private let start: Int
    public let count: Int
    private let sql: String

    init(_ values: [Value], start: Int, count: Int, sql: String) {
        self.values = values
        self.start = start
        self.count = count
        self.sql = sql
    }

    /// Rows of `columns` values each.
    static func split(_ values: [Value], columns: Int, sql: String) -> [Row] {
        guard columns > 0 else { return [] }
        return (0..<values.count / columns).map { Row(values, start: $0 * columns, count: columns, sql: sql) }
    }

    /// Whatever the column holds.
    public func value(_ index: Int) throws -> Value {
        guard index >= 0, index < count else { throw mismatch(index, "one of \(count) columns", "no such column") }
        return values[start + index]
    }

    public func isNull(_ index: Int) throws -> Bool { try value(index) == .null }

    public func int64(_ index: Int) throws -> Int64 {
        guard case .integer(let integer) = try value(index) else { throw mismatch(index, "integer") }
        return integer
    }

    public func int(_ index: Int) throws -> Int { Int(try int64(index)) }

    /// A real; an integer is taken too, as SQL's sums give one or the other.
    public func double(_ index: Int) throws -> Double {
        switch try value(index) {
        case .real(let real): return real
        case .integer(let integer): return Double(integer)
        default: throw mismatch(index, "real")
        }
    }

    public func text(_ index: Int) throws -> String {
        guard case .text(let text) = try value(index) else { throw mismatch(index, "text") }
        return text
    }

    public func bool(_ index: Int) throws -> Bool {
        switch try value(index) {
        case .integer(0): return false
        case .integer(1): return true
        default: throw mismatch(index, "0 or 1")
        }
    }

    public func blob(_ index: Int) throws -> [UInt8] {
        guard case .blob(let bytes) = try value(index) else { throw mismatch(index, "blob") }
        return bytes
    }

    /// Microseconds since 1970.
    public func timestamp(_ index: Int) throws -> Timestamp { Timestamp(microseconds: try int64(index)) }

    /// A TypeID in its text form.
    public func id<Kind: Identified>(_ index: Int, of kind: Kind.Type = Kind.self) throws -> ID<Kind> {
        let text = try text(index)
        guard let id = ID<Kind>(text) else { throw mismatch(index, "an identifier \(Kind.idPrefix)_…", "\"\(text)\"") }
        return id
    }

    public func optionalInt64(_ index: Int) throws -> Int64? { try isNull(index) ? nil : int64(index) }
    public func optionalInt(_ index: Int) throws -> Int? { try isNull(index) ? nil : int(index) }
    public func optionalDouble(_ index: Int) throws -> Double? { try isNull(index) ? nil : double(index) }
    public func optionalText(_ index: Int) throws -> String? { try isNull(index) ? nil : text(index) }
    public func optionalBool(_ index: Int) throws -> Bool? { try isNull(index) ? nil : bool(index) }
    public func optionalBlob(_ index: Int) throws -> [UInt8]? { try isNull(index) ? nil : blob(index) }
    public func optionalTimestamp(_ index: Int) throws -> Timestamp? { try isNull(index) ? nil : timestamp(index) }
    public func optionalID<Kind: Identified>(_ index: Int, of kind: Kind.Type = Kind.self) throws -> ID<Kind>? {
        try isNull(index) ? nil : id(index)
    }

    private func mismatch(_ index: Int, _ expected: String, _ found: String? = nil) -> DatabaseError {
        let kind = index >= 0 && index < count ? values[start + index].kind : ""
        return .column(index: index, expected: expected, found: found ?? kind, sql: sql)
    }
}
