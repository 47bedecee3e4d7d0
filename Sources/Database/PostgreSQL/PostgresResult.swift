import CPostgreSQL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a server answered to one command.
final class PostgresResult {
    private let library: LibPQ
    private let handle: LibPQ.Result
    private let status: ExecStatusType

    init(_ handle: LibPQ.Result, _ library: LibPQ) {
        self.handle = handle
        self.library = library
        status = library.resultStatus(handle)
    }

    deinit { library.clear(handle) }

    /// Not one that was passed over because an earlier command failed.
    var isAnswer: Bool { status != PGRES_PIPELINE_ABORTED }
    var isSynchronisation: Bool { status == PGRES_PIPELINE_SYNC }
    var takesCopy: Bool { status == PGRES_COPY_IN }
    var givesCopy: Bool { status == PGRES_COPY_OUT }
    var copiesBothWays: Bool { status == PGRES_COPY_BOTH }
    var isEmptyStatement: Bool { status == PGRES_EMPTY_QUERY }

    var refusal: PostgresRefusal? {
        guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE else { return nil }
        func field(_ code: Unicode.Scalar) -> String {
            library.errorField(handle, Int32(code.value)).map { String(cString: $0) } ?? ""
        }
        return PostgresRefusal(
            code: field("C"), severity: field("V"), message: field("M"), detail: field("D"), table: field("t"),
            column: field("c"), constraint: field("n"))
    }

    /// `INSERT`, `COMMIT`.
    var verb: Substring { tag.prefix { $0 != " " } }
    private var tag: String { library.commandTag(handle).map { String(cString: $0) } ?? "" }

    /// Rows that were inserted, changed or deleted.
    var changes: Int {
        switch verb {
        case "INSERT", "UPDATE", "DELETE", "MERGE":
            library.commandTuples(handle).flatMap { Int(String(cString: $0)) } ?? 0
        default: 0
        }
    }

    /// Of a described statement.
    var parameterTypes: [Oid] { (0..<library.parameterCount(handle)).map { library.parameterType(handle, $0) } }

    // MARK: Rows

    var rowCount: Int { Int(library.rowCount(handle)) }
    var columnCount: Int { Int(library.columnCount(handle)) }

    /// All rows' values, one row after the other.
    func values() throws -> [Value] { try values(rows: 0..<rowCount) }

    func values(rows: Range<Int>) throws -> [Value] {
        let types = (0..<Int32(columnCount)).map { library.columnType(handle, $0) }
        var values: [Value] = []
        values.reserveCapacity(rows.count * types.count)
        for row in rows {
            for (column, type) in types.enumerated() {
                values.append(try value(Int32(clamping: row), Int32(column), type))
            }
        }
        return values
    }

    /// The same values as SQLite would give: a boolean is 0 or 1, and a sum of integers an integer.
    private func value(_ row: Int32, _ column: Int32, _ type: Oid) throws -> Value {
        guard library.isNull(handle, row, column) == 0, let start = library.value(handle, row, column) else {
            return .null
        }
        let text = UnsafeRawBufferPointer(start: start, count: Int(library.length(handle, row, column)))
        switch type {
        case PostgresType.int8, PostgresType.int4, PostgresType.int2, PostgresType.oid:
            return .integer(strtoll(start, nil, 10))
        case PostgresType.boolean: return .integer(text.first == UInt8(ascii: "t") ? 1 : 0)
        case PostgresType.float8, PostgresType.float4: return .real(strtod(start, nil))
        case PostgresType.numeric:
            let digits = String(decoding: text, as: UTF8.self)
            return Int64(digits).map { .integer($0) } ?? .real(strtod(start, nil))
        case PostgresType.bytes: return .blob(try Self.bytes(hex: text))
        default: return .text(String(decoding: text, as: UTF8.self))
        }
    }

    /// `\x00ff`: how a server writes bytes in text, with two digits each.
    private static func bytes(hex: UnsafeRawBufferPointer) throws -> [UInt8] {
        guard hex.count >= 2, hex.count % 2 == 0, hex[1] == UInt8(ascii: "x") else {
            throw DatabaseError.statement(reason: "the server does not write bytes in hex (bytea_output)", sql: "")
        }
        func digit(_ byte: UInt8) -> UInt8 { byte < 58 ? byte &- 48 : (byte | 32) &- 87 }
        return [UInt8](unsafeUninitializedCapacity: hex.count / 2 - 1) { bytes, count in
            for index in 0..<hex.count / 2 - 1 {
                bytes[index] = digit(hex[2 * index + 2]) << 4 | digit(hex[2 * index + 3])
            }
            count = hex.count / 2 - 1
        }
    }
}
