import Kernel

/// Several databases as they were at one moment: no write is in one of them that another misses, though no transaction
/// spans them. For backups; whoever serves requests reads one database.
public enum Snapshot {
    /// How long a moment is looked for at which nobody commits.
    private static let patience = Duration.seconds(30)

    /// Runs the work once, on a thread of its own, where it may block and take hours. The transactions are those of the
    /// databases, in their order, and read only; readers and writers go on beside them. A log that is read here cannot
    /// shrink meanwhile.
    ///
    /// The databases are all of one engine: files, or schemas of one server. A database in memory is not among them.
    /// - Throws: what the work throws; `DatabaseError.busy` where commits left no moment between them.
    public static func read<T: Sendable>(
        _ databases: [any Database], _ work: @escaping @Sendable ([Transaction]) throws -> T
    ) async throws -> T {
        let open = try opening(databases)
        return try await withCheckedThrowingContinuation { continuation in
            startThread(named: "snapshot") {
                continuation.resume(
                    with: Result {
                        let view = try open()
                        defer { view.close() }
                        return try work(view.sessions.map { Transaction($0) })
                    })
            }
        }
    }

    /// Connections that see the same, and how to end them.
    private struct View {
        let sessions: [any Session]
        let close: () -> Void
    }

    private static func opening(_ databases: [any Database]) throws -> @Sendable () throws -> View {
        let files = databases.compactMap { ($0 as? SQLiteDatabase)?.place }
        if files.count == databases.count, !files.contains(where: { $0.path == SQLiteDatabase.inMemory }) {
            return { try openFiles(files) }
        }
        let schemas = databases.compactMap { ($0 as? PostgresDatabase)?.settings }
        if schemas.count == databases.count { return { try openSchemas(schemas) } }
        throw DatabaseError.statement(reason: "a snapshot is of files, or of schemas of one server", sql: "")
    }

    // MARK: - Files

    /// A transaction on each, opened one after the other. If nobody has committed to any of them between the first and
    /// the last, they all see one moment; else they are opened anew. So nobody is ever made to wait: even a shop that
    /// sells as fast as it can leaves gaps of that length.
    private static func openFiles(_ files: [SQLiteDatabase.Place]) throws -> View {
        var all: [SQLiteConnection] = []
        func connect() throws -> [SQLiteConnection] {
            try files.map { file in
                let connection = try SQLiteConnection(
                    path: file.path, role: file.isReadOnly ? .readOnlyFile : .reader, options: file.options)
                all.append(connection)
                return connection
            }
        }
        do {
            // A connection's own transaction does not show it what others do.
            let (sessions, watchers) = (try connect(), try connect())
            let deadline = ContinuousClock.now + patience
            while true {
                let before = try versions(watchers)
                for session in sessions {
                    try session.begin()
                    _ = try session.row("SELECT count(*) FROM sqlite_schema", [])  // only now it sees a moment
                }
                if try versions(watchers) == before { break }
                for session in sessions { session.rollback() }
                guard ContinuousClock.now < deadline else { throw DatabaseError.busy(database: files[0].path) }
            }
            return View(sessions: sessions) { [all] in
                for session in sessions { session.rollback() }
                for connection in all { connection.close() }
            }
        } catch {
            for connection in all { connection.close() }
            throw error
        }
    }

    /// Numbers that change with each commit of others.
    private static func versions(_ watchers: [SQLiteConnection]) throws -> [Int64] {
        try watchers.map { try $0.row("PRAGMA data_version", [])?.int64(0) ?? 0 }
    }

    // MARK: - Schemas

    /// The first transaction's snapshot is the others' too.
    private static func openSchemas(_ schemas: [PostgresSettings]) throws -> View {
        var sessions: [PostgresSession] = []
        func disconnect() {
            for session in sessions {
                session.rollback()
                session.disconnect()
            }
        }
        do {
            var snapshot: String?
            for schema in schemas {
                let session = PostgresSession(schema.with(.snapshot))
                sessions.append(session)
                session.snapshot = snapshot
                try session.begin()
                let taken = try session.row("SELECT pg_export_snapshot()", [])?.text(0)
                snapshot = snapshot ?? taken
            }
        } catch {
            disconnect()
            throw error
        }
        return View(sessions: sessions) { disconnect() }
    }
}
