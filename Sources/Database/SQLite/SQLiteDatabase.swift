import Kernel

/// One SQLite file: one thread that writes, and a few that read.
public struct SQLiteDatabase: Database {
    /// As a path: a database of its own in memory, for tests. It has one connection, so that reads wait for writes.
    public static let inMemory = ":memory:"

    public struct Options: Sendable {
        public enum Synchronous: Sendable {
            /// A commit is on disk when it is acknowledged.
            case full
            /// The last commits may be lost with the power, though not with the process.
            case normal
        }
        public var synchronous = Synchronous.full
        /// 1 gives each closure a commit of its own.
        public var closuresPerCommit = 512
        /// How many closures may wait to write, and as many to read; more are refused with `DatabaseError.overloaded`.
        public var queueLimit = 8_192
        /// Connections that read, each with its thread, opened when they are needed.
        public var readers = 2
        /// How long to wait for another process that writes.
        public var busyTimeout = Duration.seconds(5)
        /// Bytes of pages kept by the writer, and by each reader. Memory is for six databases in one process.
        public var writerCache = 4 << 20
        public var readerCache = 2 << 20
        /// Pages (of 4 KiB) in the log from which on a commit also moves them into the file.
        public var checkpointPages = 1_000
        /// An upper bound on the file's size in pages; nil for none.
        public var maxPages: Int?
        /// The label `database` of the metrics; nil for the file's name without its ending.
        public var name: String?

        /// Called on the writer's thread after each commit, with the number of closures that it carried.
        public var onCommit: (@Sendable (Int) -> Void)?

        /// Bytes of log that are kept for writing over: it is faster than growing a file.
        static let keptLogSize = 64 << 20

        public init() {}
    }

    public var dialect: Dialect { .sqlite }
    /// The file, and how it was opened: for further connections to it.
    var place: Place { core.place }
    private let core: SQLiteCore

    struct Place: Sendable {
        let path: String
        let options: Options
        let isReadOnly: Bool
    }

    private init(_ core: SQLiteCore) { self.core = core }

    /// Opens the file, or makes it.
    public static func open(path: String, options: Options = Options()) async throws -> SQLiteDatabase {
        let core = SQLiteCore(path: path, options: options, isReadOnly: false)
        // Nothing but the opening itself, on the thread that will write.
        _ = try await core.write(alone: true) { _ in }
        return SQLiteDatabase(core)
    }

    /// Opens a file for reading alone, also while another process (a running shop) writes to it.
    public static func openReadOnly(path: String, options: Options = Options()) async throws -> SQLiteDatabase {
        let core = SQLiteCore(path: path, options: options, isReadOnly: true)
        _ = try await core.read { _ in }
        return SQLiteDatabase(core)
    }

    @discardableResult
    public func write<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await core.write(alone: false, work)
    }

    public func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await core.read(work)
    }

    public func migrate(_ migrations: [Migration]) async throws { try await core.migrate(migrations) }

    /// How many closures wait to be written.
    public var waiting: Int { core.waiting }

    public func check() async throws {
        if let failure = core.status.failure { throw failure }
        _ = try await core.read { try $0.row("SELECT count(*) FROM sqlite_schema") }
    }

    public func backup(to path: String) async throws { try await core.backup(to: path) }

    public func close() async { await core.close() }
}
