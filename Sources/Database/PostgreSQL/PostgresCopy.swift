/// Rows as COPY takes them in its text form: columns by tabs, a line a row. Many times as fast as INSERT, and numbers
/// that a table gives by itself are taken as they come.
struct PostgresCopy {
    /// Sent when it has so many bytes.
    static let chunk = 64 * 1024
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(2 * Self.chunk) }

    mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    /// - Throws: `constraint` for a text with U+0000, which PostgreSQL does not store.
    mutating func append(_ row: [Value]) throws {
        for (index, value) in row.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "\t")) }
            switch value {
            case .null: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "N")])
            case .integer(let integer): bytes.append(contentsOf: String(integer).utf8)
            case .real(let real): bytes.append(contentsOf: String(real).utf8)
            case .text(var text): try text.withUTF8 { try append(text: $0) }
            case .blob(let blob):
                bytes.append(contentsOf: "\\\\x".utf8)
                for byte in blob {
                    bytes.append(Self.digits[Int(byte >> 4)])
                    bytes.append(Self.digits[Int(byte & 15)])
                }
            }
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private mutating func append(text: UnsafeBufferPointer<UInt8>) throws {
        for byte in text {
            switch byte {
            case 0: throw DatabaseError.constraint(kind: .dataType, detail: "a text with U+0000")
            case UInt8(ascii: "\\"): bytes.append(contentsOf: [byte, byte])
            case UInt8(ascii: "\t"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            case UInt8(ascii: "\n"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case UInt8(ascii: "\r"): bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            default: bytes.append(byte)
            }
        }
    }
}

extension PostgresSession {
    func load(_ table: String, _ columns: [String], _ next: () throws -> [Value]?) throws -> Int {
        precondition(isBegun, "rows are loaded in a transaction")
        if let interruption { throw interruption }
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let sql = "COPY \"\(table)\" (\(names)) FROM STDIN"
        var count = 0
        do {
            let link = try connected()
            if survivesFailures { framing.append("SAVEPOINT statement") }
            try sendFraming(on: link)
            _ = try sendPosted(on: link)
            _ = try link.receive()
            var rows = PostgresCopy()
            try link.copy(sql) {
                rows.clear()
                while rows.bytes.count < PostgresCopy.chunk, let row = try next() {
                    try rows.append(row)
                    count += 1
                }
                return rows.bytes.isEmpty ? nil : rows.bytes
            }
        } catch {
            throw failure(error, inFraming: false, sql)
        }
        if survivesFailures { framing.append("RELEASE SAVEPOINT statement") }
        hasWritten = true
        return count
    }
}

extension PostgresLink {
    /// Sends data until there are no more; nothing of it is kept unless this returns.
    /// - Throws: what `next` throws; `PostgresRefusal`, `PostgresLost`.
    func copy(_ sql: String, _ next: () throws -> [UInt8]?) throws {
        try outsidePipeline { library, handle in
            guard library.sendQuery(handle, sql) == 1 else { throw lost() }
            try flush(deadline)
            var refusal: PostgresRefusal?
            guard let answer = try self.next(deadline) else { throw lost() }
            var failure: (any Error)?
            if answer.takesCopy {
                do {
                    while let data = try next() { try put(data, library, handle) }
                } catch {
                    if error is PostgresLost { throw error }
                    failure = error
                }
                // With a message the server takes nothing.
                while library.putCopyEnd(handle, failure == nil ? nil : "given up") == 0 { try flush(deadline) }
                try flush(deadline)
            } else {
                refusal = answer.refusal
            }
            while let result = try self.next(deadline) { refusal = refusal ?? result.refusal }
            if let error = failure ?? refusal { throw error }
        }
    }

    private func put(_ data: [UInt8], _ library: LibPQ, _ handle: LibPQ.Connection) throws {
        while true {
            let code = data.withUnsafeBytes { bytes in
                library.putCopyData(handle, bytes.bindMemory(to: CChar.self).baseAddress, Int32(clamping: bytes.count))
            }
            switch code {
            case 1: return try flush(deadline)
            case 0: try flush(deadline)
            default: throw lost()
            }
        }
    }
}
