import GRDBSQLite

/// Binds arguments. Text and blobs are copied into one buffer that the connection keeps, where SQLite reads them while
/// the statement runs: SQLite's own copy would be an allocation each.
///
/// Statements nest (inside `forEach`) but never cross, so the buffer is used as a stack.
struct SQLiteArguments: ~Copyable {
    private static let capacity = 64 * 1024
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    private var used = 0

    deinit { buffer.deallocate() }

    /// SQLite's result code. `release` gives the space back, also after a failure.
    mutating func bind(_ values: [Value], to statement: SQLiteStatement) -> Int32 {
        statement.bufferMark = used
        var index: Int32 = 0
        for argument in statement.argumentOf {
            index += 1
            let code: Int32
            switch values[argument] {
            case .null: code = sqlite3_bind_null(statement.handle, index)
            case .integer(let integer): code = sqlite3_bind_int64(statement.handle, index, integer)
            case .real(let real): code = sqlite3_bind_double(statement.handle, index, real)
            case .text(var text):
                code = text.withUTF8 { bytes in bind(UnsafeRawBufferPointer(bytes), asText: true, statement, index) }
            case .blob(let blob):
                code = blob.withUnsafeBytes { bytes in bind(bytes, asText: false, statement, index) }
            }
            if code != SQLITE_OK { return code }
        }
        return SQLITE_OK
    }

    mutating func release(_ statement: SQLiteStatement) { used = statement.bufferMark }

    private mutating func bind(
        _ bytes: UnsafeRawBufferPointer, asText: Bool, _ statement: SQLiteStatement, _ index: Int32
    ) -> Int32 {
        // An empty one needs an address too: without, SQLite takes it for NULL.
        var source = UnsafeRawPointer(bytes.baseAddress ?? UnsafeRawPointer(buffer.baseAddress))
        var destructor: sqlite3_destructor_type? = nil
        if bytes.count <= buffer.count - used, let base = buffer.baseAddress {
            let place = base + used
            if let start = bytes.baseAddress { place.copyMemory(from: start, byteCount: bytes.count) }
            used += bytes.count
            source = UnsafeRawPointer(place)
        } else {
            destructor = unsafeBitCast(-1, to: sqlite3_destructor_type.self)  // SQLITE_TRANSIENT: SQLite makes a copy
        }
        let count = Int32(clamping: bytes.count)
        return asText
            ? sqlite3_bind_text(statement.handle, index, source?.assumingMemoryBound(to: CChar.self), count, destructor)
            : sqlite3_bind_blob(statement.handle, index, source, count, destructor)
    }
}
