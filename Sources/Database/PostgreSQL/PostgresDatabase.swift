import Kernel

/// One service's schema on a PostgreSQL server (version 13 or newer), through libpq: a bounded number of connections,
/// each with its thread, opened when they are needed.
///
/// Closures that write take turns, in all processes, and share commits (see `PostgresSession`); what fails through
/// nobody's fault is run again. After a lost connection what was not committed is run once more on a new one, for as
/// long as `patience`; of a commit without an answer the server is asked what became of it.
public struct PostgresDatabase: Database {
    public struct Options: Sendable {
        /// Connections that write. They take turns, so that more than one helps only where commits are slow.
        public var writers = 1
        /// Connections that read.
        public var readers = 2
        /// Closures that share a commit, at most. While they run, other processes wait.
        public var closuresPerCommit = 128
        /// How many closures may wait to write, and as many to read; more are refused with `DatabaseError.overloaded`.
        public var queueLimit = 8_192
        /// Whether a commit is on the disk when it is acknowledged. If not, the last ones may be lost with the server.
        public var isDurable = true
        /// For one statement, the wait for locks included; then `DatabaseError.timedOut`.
        public var statementTimeout = Duration.seconds(30)
        /// For the writers' turn, or a row that another program holds; then `DatabaseError.busy`.
        public var lockTimeout = Duration.seconds(15)
        /// For each of the hosts. The URL may say otherwise.
        public var connectTimeout = Duration.seconds(5)
        /// How long a server that went away is waited for, before those who wait get `DatabaseError.unavailable`.
        public var patience = Duration.seconds(5)
        /// The URL of a replica for `readStale`; nil for none. While it is away, the primary is read.
        public var replica: String?
        /// What the server's list of connections calls this process; the schema follows.
        public var program = "souk"
        /// The label `database` of the metrics; nil for the schema's name.
        public var name: String?
        /// Called on a writer's thread after each commit, with the number of closures that it carried.
        public var onCommit: (@Sendable (Int) -> Void)?

        public init() {}
    }

    public static let urlForm = PostgresURL.form
    public var dialect: Dialect { .postgres }
    /// For further connections to it.
    var settings: PostgresSettings { core.settings }
    private let core: PostgresCore

    private init(_ core: PostgresCore) { self.core = core }

    /// Connects, and makes the schema where it is missing.
    ///
    /// - Parameters:
    ///   - url: `postgres://user:password@host:port/database?sslmode=…`, with libpq's settings, several hosts too; and
    ///     `pooler=transaction` behind PgBouncer or another pooler that hands out connections for a transaction: then
    ///     nothing is kept in a connection, neither settings nor prepared statements.
    ///   - schema: lower-case letters, digits and `_`, at most 63.
    /// - Throws: `DatabaseError.cannotOpen` with what is wrong; never with the password.
    public static func open(
        url: String, schema: String, options: Options = Options()
    ) async throws -> PostgresDatabase {
        let (primary, replica) = (try PostgresURL(url), try options.replica.map(PostgresURL.init))
        guard (1...63).contains(schema.utf8.count), schema.utf8.first.map({ $0 == 95 || $0 > 96 }) ?? false,
            schema.utf8.allSatisfy({ $0 == 95 || (97...122).contains($0) || (48...57).contains($0) })
        else {
            throw DatabaseError.cannotOpen(
                path: "\(primary)", reason: "schema: expected a name of lower-case letters, digits and _")
        }
        precondition(options.writers > 0 && options.readers > 0, "a database is written and read")
        let core = PostgresCore(primary, replica: replica, schema: schema, options)
        try await core.open()
        return PostgresDatabase(core)
    }

    @discardableResult
    public func write<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await core.write(work)
    }

    public func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await core.read(work)
    }

    public func readStale<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await core.readStale(work)
    }

    /// Holds the writers' lock while each is applied: one that takes long stops the shop for so long.
    public func migrate(_ migrations: [Migration]) async throws { try await core.migrate(migrations) }

    /// How many closures wait to be written.
    public var waiting: Int { core.waiting }

    public func check() async throws { _ = try await core.read { try $0.row("SELECT 1") } }

    /// Not offered: a server has better means.
    public func backup(to path: String) async throws {
        throw DatabaseError.backupFailed(
            path: path, reason: "PostgreSQL is backed up with pg_dump, or with snapshots of its provider")
    }

    public func close() async { await core.close() }
}
