#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One database of those that are followed, and why nothing of it can be missed.
///
/// A reader is pinned to each moment that was taken, and holds one of the log's read locks until the next moment has
/// its own and what lies between the two is read. By https://www.sqlite.org/walformat.html#read_locks_and_read_marks
/// either
/// - something behind the moment was not in the database's file yet: the reader holds a lock above 0, with which the
///   log cannot be begun anew, so that what is committed stands behind the moment's last frame, in the same log; or
/// - all was in the file: the reader holds lock 0, with which nothing more is moved there. Then the log may be begun
///   anew by the next writer, but only once: to do it again, what the new log has would have to be moved first. So
///   what is committed stands in this new log from its first frame, and in no other.
///
/// Which of them it was shows in the log's salts. A connection that is open also keeps the log from being removed, and
/// the database from another journal mode.
final class FollowedFile {
    let name: String
    let path: String
    let pageSize: Int
    private let lock: SQLiteConnection
    /// Sees the last moment.
    private var pin: SQLiteConnection
    /// Sees the one before, until that is settled.
    private var spare: SQLiteConnection
    private var base: SQLiteConnection?
    private let identity: Identity
    private var position: LogPosition?
    /// Whether all was in the database's file at the last moment.
    private var isBackfilled = false
    private var restartsAt = restartSize

    /// Bytes of a log from which on it is to be begun anew: it is read again at every start of the shop.
    static let restartSize = 16 << 20
    /// Bytes of pages that are read while others wait.
    static let mostWhileLocked = 16 << 20

    private struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t

        init(_ path: String) throws {
            var status = stat()
            guard stat(path, &status) == 0 else { throw FollowError.replaced(path: path) }
            (device, inode) = (status.st_dev, status.st_ino)
        }
    }

    /// - Throws: what opening it throws; `DatabaseError.cannotOpen` where there is none.
    init(name: String, path: String) throws {
        self.name = name
        self.path = path
        var opened: [SQLiteConnection] = []
        do {
            for role in [SQLiteConnection.Role.lock, .reader, .reader] {
                opened.append(try SQLiteConnection(path: path, role: role, options: SQLiteDatabase.Options()))
            }
            pageSize = Int(try opened[0].row("PRAGMA page_size", [])?.int64(0) ?? 0)
            identity = try Identity(path)
        } catch {
            for connection in opened { connection.close() }
            throw error
        }
        (lock, pin, spare) = (opened[0], opened[1], opened[2])
        lock.setBusyTimeout(.zero)
    }

    func close() {
        for connection in [base, pin, spare, lock].compactMap({ $0 }) {
            connection.rollback()
            connection.close()
        }
    }

    // MARK: - The lock

    /// Whether nobody else writes now, nor can until `unlock`.
    func tryLock() throws -> Bool {
        do {
            try lock.begin()
            return true
        } catch DatabaseError.busy {
            return false
        }
    }

    func unlock() { lock.rollback() }

    // MARK: - A moment, with the lock held

    /// What was committed between two moments.
    struct Change {
        /// Nil before the first moment.
        let start: LogPosition?
        let end: LogPosition
        /// The size of the database in pages.
        let total: Int
    }

    func take() throws -> Change {
        guard try Identity(path) == identity else { throw FollowError.replaced(path: path) }
        let start = position
        try Self.see(spare)
        swap(&pin, &spare)
        let index = try LogIndex(of: lock)
        position = index.position
        isBackfilled = index.backfilled == index.position.frames
        return Change(start: start, end: index.position, total: try total(pin))
    }

    /// Lets the next writer begin the log anew; where nobody else reads an older state, that is. What has been taken
    /// must have been read.
    func restart() throws {
        settle()
        pin.rollback()
        try pin.checkpoint()
        try Self.see(pin)
        let index = try LogIndex(of: lock)
        isBackfilled = index.backfilled == index.position.frames
        // Somebody reads for long, as a backup does: it is not tried at every moment.
        restartsAt = isBackfilled ? Self.restartSize : 2 * logSize
    }

    /// A reader of its own for the base.
    func beginBase() throws -> Base {
        let reader = try SQLiteConnection(path: path, role: .reader, options: SQLiteDatabase.Options())
        base = reader
        try Self.see(reader)
        let index = try LogIndex(of: lock)
        // By now: if not all is in the file, it was not when the reader came, which then has a lock above 0, and the
        // log stays. If all is, the file alone has it, and is changed by nobody as long as the reader is there.
        let isInFile = index.backfilled == index.position.frames
        let pages = isInFile ? [:] : try log(reader).pages(after: nil, to: index.position)
        return Base(total: try total(reader), inLog: pages)
    }

    private static func see(_ reader: SQLiteConnection) throws {
        try reader.begin()
        _ = try reader.row("SELECT count(*) FROM sqlite_schema", [])  // only now it sees a moment
    }

    private func total(_ reader: SQLiteConnection) throws -> Int {
        Int(try reader.row("PRAGMA page_count", [])?.int64(0) ?? 0)
    }

    // MARK: - Afterwards

    /// The pages that were changed, in their order, and the frames that have them.
    func pages(of change: Change) throws -> [(page: UInt32, frame: Int)] {
        guard let start = change.start else { return [] }
        return try log(lock).pages(after: start, to: change.end).filter { $0.key <= change.total }
            .map { (page: $0.key, frame: $0.value) }.sorted { $0.page < $1.page }
    }

    func page(in frame: Int) throws -> [UInt8] { try log(lock).page(in: frame) }

    /// Lets go of the moment before the last.
    func settle() { spare.rollback() }

    /// Moves to the file what is behind the last moment: less is left to do while others wait.
    func checkpoint() throws { try lock.checkpoint() }

    var wantsRestart: Bool { base == nil && !isBackfilled && logSize > restartsAt }

    /// Bytes that are committed in the log.
    private var logSize: Int { (position?.frames ?? 0) * (pageSize + 24) }
    func logFileSize() throws -> Int { try lock.size(of: .log) }

    private func log(_ connection: SQLiteConnection) -> WriteAheadLog {
        WriteAheadLog(connection: connection, pageSize: pageSize)
    }

    // MARK: - The base

    struct Base {
        let total: Int
        /// The frames of pages that are not in the file as the base has them.
        let inLog: [UInt32: Int]
        /// The next page to be read.
        var next: UInt32 = 1
    }

    /// So many pages of the base, or fewer at its end.
    func read(_ base: inout Base, atMost count: Int) throws -> (first: UInt32, bytes: [UInt8]) {
        guard let reader = self.base else { return (base.next, []) }
        let first = base.next
        let count = min(count, base.total - Int(first) + 1)
        var bytes = try reader.read(.database, at: (Int(first) - 1) * pageSize, count: count * pageSize)
        for index in 0..<count {
            guard let frame = base.inLog[first + UInt32(index)] else { continue }
            let page = try log(reader).page(in: frame)
            bytes.replaceSubrange(index * pageSize..<(index + 1) * pageSize, with: page)
        }
        base.next += UInt32(count)
        return (first, bytes)
    }

    func endBase() {
        base?.rollback()
        base?.close()
        base = nil
    }
}
