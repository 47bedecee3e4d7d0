import Database

/// Rows as a part holds them, the same for either back end: each value is a byte that says its kind, and what follows.
///
/// 0 NULL · 1 integer, zigzag and LEB128 · 2 real, 8 bytes, IEEE 754 in big endian · 3 text · 4 blob, both with their
/// length in LEB128 before them. Columns are the table's, in the manifest's order; nothing stands between two rows.
struct RowWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var rows = 0

    /// What has been written, and begins anew.
    mutating func take() -> (bytes: [UInt8], rows: Int) {
        defer {
            bytes = []
            rows = 0
        }
        return (bytes, rows)
    }

    mutating func append(_ row: [Value]) {
        for value in row {
            switch value {
            case .null: bytes.append(0)
            case .integer(let integer):
                bytes.append(1)
                append(UInt64(bitPattern: integer << 1 ^ integer >> 63))
            case .real(let real):
                bytes.append(2)
                withUnsafeBytes(of: real.bitPattern.bigEndian) { bytes.append(contentsOf: $0) }
            case .text(let text):
                bytes.append(3)
                append(UInt64(text.utf8.count))
                bytes.append(contentsOf: text.utf8)
            case .blob(let blob):
                bytes.append(4)
                append(UInt64(blob.count))
                bytes.append(contentsOf: blob)
            }
        }
        rows += 1
    }

    private mutating func append(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// Reads what `RowWriter` wrote. Anything else throws `BackupError.damagedRows`, and never reads past the end.
struct RowReader {
    private let bytes: [UInt8]
    private let columns: Int
    private var index = 0

    init(_ bytes: [UInt8], columns: Int) {
        self.bytes = bytes
        self.columns = columns
    }

    /// Nil at the end.
    mutating func next() throws -> [Value]? {
        guard index < bytes.count else { return nil }
        guard columns > 0 else { throw BackupError.damagedRows }
        var row: [Value] = []
        row.reserveCapacity(columns)
        for _ in 0..<columns { row.append(try value()) }
        return row
    }

    private mutating func value() throws -> Value {
        switch try byte() {
        case 0: return .null
        case 1:
            let number = try number()
            return .integer(Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1))
        case 2:
            let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return .real(Double(bitPattern: bits))
        case 3: return .text(String(decoding: try take(length()), as: UTF8.self))
        case 4: return .blob(Array(try take(length())))
        default: throw BackupError.damagedRows
        }
    }

    private mutating func byte() throws -> UInt8 {
        guard index < bytes.count else { throw BackupError.damagedRows }
        defer { index += 1 }
        return bytes[index]
    }

    private mutating func length() throws -> Int {
        guard let length = Int(exactly: try number()) else { throw BackupError.damagedRows }
        return length
    }

    private mutating func number() throws -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
        }
        throw BackupError.damagedRows
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= bytes.count - index else { throw BackupError.damagedRows }
        defer { index += count }
        return bytes[index..<index + count]
    }
}
