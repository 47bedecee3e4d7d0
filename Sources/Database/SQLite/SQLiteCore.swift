import Kernel

/// The queues of one database. Its threads hold the queues and not this, so that a database that was let go without
/// `close` still ends its threads.
final class SQLiteCore: Sendable {
    private let path: String
    private let options: SQLiteDatabase.Options
    private let isReadOnly: Bool
    /// Nil where only reading is possible.
    private let writer: WorkQueue?
    /// Nil in memory: the writer reads too.
    private let readers: WorkQueue?
    let status = Status()

    /// A migration waits for those of other processes.
    private static let migrationTimeout = Duration.seconds(120)

    init(path: String, options: SQLiteDatabase.Options, isReadOnly: Bool) {
        self.path = path
        self.options = options
        self.isReadOnly = isReadOnly
        let label = options.name ?? Self.label(path)
        let role = isReadOnly ? SQLiteConnection.Role.readOnlyFile : .reader
        let status = status
        writer =
            isReadOnly
            ? nil
            : WorkQueue(database: path, name: label, .write, limit: options.queueLimit, maxThreads: 1) { queue in
                Self.writeAll(from: queue, path, options, Measures(database: label, onCommit: options.onCommit), status)
            }
        readers =
            path == SQLiteDatabase.inMemory
            ? nil
            : WorkQueue(database: path, name: label, .read, limit: options.queueLimit, maxThreads: options.readers) {
                queue in
                Self.readAll(from: queue, path, role, options)
            }
    }

    deinit {
        readers?.abandon()
        writer?.abandon()
    }

    var waiting: Int { writer?.depth ?? 0 }
    var place: SQLiteDatabase.Place { .init(path: path, options: options, isReadOnly: isReadOnly) }

    func write<T: Sendable>(
        alone: Bool, _ work: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        guard let writer else { throw DatabaseError.readOnly(database: path) }
        return try await ClosureJob(isAlone: alone, isRead: false, work).result(from: writer)
    }

    func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        guard let queue = readers ?? writer else { throw DatabaseError.readOnly(database: path) }
        return try await ClosureJob(isAlone: false, isRead: true, work).result(from: queue)
    }

    /// Runs between two transactions.
    private func onWriter<T: Sendable>(_ work: @escaping @Sendable (SQLiteConnection) throws -> T) async throws -> T {
        try await write(alone: true) { transaction in
            guard let connection = transaction.session as? SQLiteConnection else {
                preconditionFailure("this engine's sessions are SQLite's")
            }
            return try work(connection)
        }
    }

    func migrate(_ migrations: [Migration]) async throws {
        let (path, timeout) = (path, options.busyTimeout)
        try await onWriter { connection in
            connection.setBusyTimeout(Self.migrationTimeout)
            // A table is changed by building it anew, which foreign keys would not allow; they are checked at the end.
            try connection.executeScript("PRAGMA foreign_keys = OFF")
            defer {
                connection.setBusyTimeout(timeout)
                try? connection.executeScript("PRAGMA foreign_keys = ON")  // a setting: it cannot fail
            }
            try Migration.apply(migrations, in: connection, database: path)
        }
    }

    func backup(to target: String) async throws {
        let (path, options) = (path, options)
        if path == SQLiteDatabase.inMemory {
            return try await onWriter { try SQLiteBackup.copy($0, to: target) }
        }
        if let queue = writer ?? readers, queue.isClosed { throw DatabaseError.closed(database: path) }
        // It may take minutes: on a thread and a connection of its own.
        let role = isReadOnly ? SQLiteConnection.Role.readOnlyFile : .reader
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            startThread(named: "db backup") {
                continuation.resume(
                    with: Result {
                        let source = try SQLiteConnection(path: path, role: role, options: options)
                        defer { source.close() }
                        try SQLiteBackup.copy(source, to: target)
                    })
            }
        }
    }

    /// Readers first: the last connection to close empties the log into the file.
    func close() async {
        await readers?.close()
        await writer?.close()
    }

    // MARK: The threads

    private static func writeAll(
        from queue: WorkQueue, _ path: String, _ options: SQLiteDatabase.Options, _ measures: Measures,
        _ status: Status
    ) {
        let connection: SQLiteConnection
        do {
            connection = try SQLiteConnection(path: path, role: .writer, options: options)
        } catch {
            return refuseAll(from: queue, error)
        }
        defer { connection.close() }
        yieldToOthersOnWakeUp()
        var commits = GroupCommit(connection, measures: measures, status: status)
        while true {
            let jobs = queue.take(options.closuresPerCommit)
            if jobs.isEmpty { return }
            commits.run(jobs)
            letOthersRun()
        }
    }

    private static func readAll(
        from queue: WorkQueue, _ path: String, _ role: SQLiteConnection.Role, _ options: SQLiteDatabase.Options
    ) {
        let connection: SQLiteConnection
        do {
            connection = try SQLiteConnection(path: path, role: role, options: options)
        } catch {
            return refuseAll(from: queue, error)
        }
        defer { connection.close() }
        let transaction = Transaction(connection)
        while true {
            let jobs = queue.take(readsAtOnce)
            if jobs.isEmpty { return }
            for job in jobs {
                do {
                    if job.isCancelled { throw CancellationError() }
                    if !connection.isInTransaction { try connection.begin() }
                    try job.run(transaction)
                } catch {
                    job.fail(error)
                }
            }
            connection.rollback()
            answer(jobs)
        }
    }

    /// Reads that wait at the same moment share one view of the data; few, since they are answered together.
    private static let readsAtOnce = 8

    /// The connection could not be opened: what waits is told why, and the thread ends; the next job tries again.
    private static func refuseAll(from queue: WorkQueue, _ error: any Error) {
        for job in queue.takeAll() {
            job.fail(error)
            job.resume()
        }
    }

    private static func label(_ path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return file.split(separator: ".").first.map(String.init) ?? file
    }
}
