import GRDBSQLite

/// A connection's files, by the descriptors that it has itself.
extension SQLiteConnection {
    enum File {
        case database, log
    }

    func file(
        _ file: File
    ) throws -> (file: UnsafeMutablePointer<sqlite3_file>, methods: sqlite3_io_methods) {
        let question = file == .database ? SQLITE_FCNTL_FILE_POINTER : SQLITE_FCNTL_JOURNAL_POINTER
        var found: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(handle, "main", question, &found) == SQLITE_OK, let found,
            let methods = found.pointee.pMethods
        else { throw FollowError.broken(path: path, detail: "its file is not open") }
        return (found, methods.pointee)
    }

    /// Zeroes where the file ends before.
    func read(_ file: File, at offset: Int, count: Int) throws -> [UInt8] {
        let (handle, methods) = try self.file(file)
        var code = SQLITE_ERROR
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            code = methods.xRead?(handle, buffer.baseAddress, Int32(count), Int64(offset)) ?? SQLITE_ERROR
            initialized = count
        }
        guard code == SQLITE_OK || code == Self.shortRead else {
            throw DatabaseError.inputOutput(database: path, detail: "reading \(count) bytes at \(offset): code \(code)")
        }
        return bytes
    }

    /// SQLITE_IOERR_SHORT_READ, a macro that Swift does not import: what is missing was filled with zeroes.
    private static let shortRead = SQLITE_IOERR | 2 << 8

    func size(of file: File) throws -> Int {
        let (handle, methods) = try self.file(file)
        var size: Int64 = 0
        guard methods.xFileSize?(handle, &size) == SQLITE_OK else {
            throw DatabaseError.inputOutput(database: path, detail: "its size is not known")
        }
        return Int(size)
    }

    /// Moves what the log has into the file, as far as readers allow, and waits for nobody.
    func checkpoint() throws {
        let code = sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else {
            throw Self.failure(code, handle, path: path, sql: "checkpoint")
        }
    }
}
