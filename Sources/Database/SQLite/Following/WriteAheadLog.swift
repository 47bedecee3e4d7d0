import GRDBSQLite

/// A place in a database's log: how far it was committed at a moment.
struct LogPosition: Equatable {
    /// As the log's header has them, and each of its frames: made up anew whenever the log is begun anew.
    let salts: UInt64
    /// How many frames are committed; they are numbered from 1.
    let frames: Int
    /// Of all up to the last of them.
    let checksum: LogChecksum
}

/// SQLite's running checksum over a log (https://www.sqlite.org/fileformat2.html#checksum_algorithm).
struct LogChecksum: Equatable {
    var first: UInt32 = 0
    var second: UInt32 = 0

    /// - Parameter bytes: a multiple of eight.
    mutating func add(_ bytes: UnsafeRawBufferPointer, isBigEndian: Bool) {
        var (one, two) = (first, second)
        for offset in stride(from: 0, to: bytes.count, by: 8) {
            let left = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let right = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            one &+= (isBigEndian ? UInt32(bigEndian: left) : UInt32(littleEndian: left)) &+ two
            two &+= (isBigEndian ? UInt32(bigEndian: right) : UInt32(littleEndian: right)) &+ one
        }
        (first, second) = (one, two)
    }
}

/// What a connection's shared memory says of the log (https://www.sqlite.org/walformat.html#the_wal_index_file_format).
/// Only whoever has the write lock may ask: nobody changes it then, but for `backfilled`, which may grow.
struct LogIndex {
    let position: LogPosition
    /// Frames that are in the database's file too.
    let backfilled: Int

    /// Bytes of the part of it that is mapped first.
    private static let mapped: Int32 = 32_768

    init(of connection: SQLiteConnection) throws {
        let (file, methods) = try connection.file(.database)
        var start: UnsafeMutableRawPointer?
        guard let map = methods.xShmMap, map(file, 0, Self.mapped, 0, &start) == SQLITE_OK, let start else {
            throw FollowError.broken(path: connection.path, detail: "its log has no index")
        }
        func word(_ offset: Int) -> UInt32 { start.load(fromByteOffset: offset, as: UInt32.self) }
        position = LogPosition(
            salts: start.load(fromByteOffset: 32, as: UInt64.self), frames: Int(word(16)),
            checksum: LogChecksum(first: word(24), second: word(28)))
        backfilled = Int(word(96))
    }
}

/// The frames of a log, read through a connection's own descriptor. Closing another one of the same file would take all
/// the locks away that this process has on it: that is how POSIX wants it.
struct WriteAheadLog {
    private static let header = 32
    private static let frameHeader = 24
    /// Frames that are read at once.
    private static let atOnce = 64

    let connection: SQLiteConnection
    let pageSize: Int

    /// Which frame holds the last version of each page that was committed behind `start` and up to `end`.
    ///
    /// Whoever asks keeps the log from being begun anew meanwhile; see `FollowedFile`.
    /// - Parameter start: nil for the log's beginning, as where it has been begun anew since.
    /// - Throws: `FollowError.broken` unless the frames are those that were written there, to the last bit.
    func pages(after start: LogPosition?, to end: LogPosition) throws -> [UInt32: Int] {
        if end.frames == 0 { return [:] }
        // Of a log without a frame the index has the checksum of the one before.
        if let start, start.salts == end.salts, start.frames > 0 {
            if end == start { return [:] }
            guard end.frames > start.frames else { throw broken("it is shorter than it was") }
            return try pages(start.frames + 1, end, start.checksum)
        }
        return try pages(1, end, nil)
    }

    private func pages(_ first: Int, _ end: LogPosition, _ before: LogChecksum?) throws -> [UInt32: Int] {
        var (checksum, isBigEndian) = try checkedHeader(end)
        if let before { checksum = before }
        let size = Self.frameHeader + pageSize
        var pages: [UInt32: Int] = [:]
        for start in stride(from: first, through: end.frames, by: Self.atOnce) {
            let count = min(Self.atOnce, end.frames - start + 1)
            let bytes = try connection.read(.log, at: offset(of: start), count: count * size)
            try bytes.withUnsafeBytes { bytes in
                for index in 0..<count {
                    let frame = UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size])
                    guard frame.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == end.salts else {
                        throw broken("it was begun anew")
                    }
                    checksum.add(UnsafeRawBufferPointer(rebasing: frame[..<8]), isBigEndian: isBigEndian)
                    checksum.add(UnsafeRawBufferPointer(rebasing: frame[Self.frameHeader...]), isBigEndian: isBigEndian)
                    let stored = LogChecksum(first: Self.word(frame, 16), second: Self.word(frame, 20))
                    guard checksum == stored else { throw broken("a frame's checksum is wrong") }
                    pages[Self.word(frame, 0)] = start + index
                }
            }
        }
        guard checksum == end.checksum else { throw broken("it does not end where its index says") }
        return pages
    }

    private func checkedHeader(_ end: LogPosition) throws -> (checksum: LogChecksum, isBigEndian: Bool) {
        try connection.read(.log, at: 0, count: Self.header).withUnsafeBytes { bytes in
            let magic = Self.word(bytes, 0)
            guard magic & ~1 == 0x377F_0682 else { throw broken("it has no header") }
            var checksum = LogChecksum()
            checksum.add(UnsafeRawBufferPointer(rebasing: bytes[..<24]), isBigEndian: magic & 1 == 1)
            guard checksum == LogChecksum(first: Self.word(bytes, 24), second: Self.word(bytes, 28)),
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self) == end.salts,
                Int(Self.word(bytes, 8)) == pageSize
            else { throw broken("its header is not the index's") }
            return (checksum, magic & 1 == 1)
        }
    }

    /// The page that a frame holds.
    func page(in frame: Int) throws -> [UInt8] {
        try connection.read(.log, at: offset(of: frame) + Self.frameHeader, count: pageSize)
    }

    private func offset(of frame: Int) -> Int { Self.header + (frame - 1) * (Self.frameHeader + pageSize) }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private func broken(_ detail: String) -> FollowError { .broken(path: connection.path, detail: detail) }
}

/// Why a database cannot be followed any further; from a new base it can.
public enum FollowError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another file is there under that name.
    case replaced(path: String)
    /// The log is not what it has to be.
    case broken(path: String, detail: String)
    /// So large a log that the shop's disk is more important than the copy.
    case overrun(path: String, bytes: Int)

    public var description: String {
        switch self {
        case .replaced(let path): "\(path) has been replaced by another file"
        case .broken(let path, let detail): "the log of \(path) is not as it was left: \(detail)"
        case .overrun(let path, let bytes): "the log of \(path) has grown to \(bytes >> 20) MiB while it was kept"
        }
    }
}
