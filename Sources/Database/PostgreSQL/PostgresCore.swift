import Kernel

/// The queues of one database. Its threads hold the queues and not this, so that a database that was let go without
/// `close` still ends its threads.
final class PostgresCore: Sendable {
    let settings: PostgresSettings
    private let writers: WorkQueue
    private let readers: WorkQueue
    /// Nil without a replica.
    private let replicas: WorkQueue?

    init(_ url: PostgresURL, replica: PostgresURL?, schema: String, _ options: PostgresDatabase.Options) {
        settings = PostgresSettings(url: url, schema: schema, role: .writer, options: options)
        let settings = settings
        let measures = Measures(database: options.name ?? schema, onCommit: options.onCommit)
        func queue(
            _ kind: WorkQueue.Kind, _ threads: Int, _ body: @escaping @Sendable (WorkQueue) -> Void
        ) -> WorkQueue {
            WorkQueue(
                database: settings.database, name: options.name ?? schema, kind, limit: options.queueLimit,
                maxThreads: threads, body: body)
        }
        writers = queue(.write, options.writers) { Self.writeAll(from: $0, settings, measures) }
        let reading = settings.with(.reader)
        readers = queue(.read, options.readers) { Self.readAll(from: $0, reading) }
        replicas = replica.map { url in
            // Nobody waits for it: the primary has the same.
            var impatient = options
            impatient.patience = .zero
            let reading = PostgresSettings(url: url, schema: schema, role: .replica, options: impatient)
            return queue(.replica, options.readers) { Self.readAll(from: $0, reading) }
        }
    }

    deinit {
        for queue in [replicas, readers, writers] { queue?.abandon() }
    }

    var waiting: Int { writers.depth }

    func write<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await ClosureJob(isAlone: false, isRead: false, work).result(from: writers)
    }

    func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await ClosureJob(isAlone: false, isRead: true, work).result(from: readers)
    }

    func readStale<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        guard let replicas else { return try await read(work) }
        do {
            return try await ClosureJob(isAlone: false, isRead: true, work).result(from: replicas)
        } catch DatabaseError.unavailable, DatabaseError.busy, DatabaseError.overloaded {
            return try await read(work)
        }
    }

    func close() async {
        await replicas?.close()
        await readers.close()
        await writers.close()
    }

    // MARK: The schema

    /// Tries once: whoever starts a process sees at once what is wrong.
    func open() async throws {
        try await onThread(settings.with(.migration)) { session in
            do {
                _ = try session.connected()
            } catch {
                let reason = (error as? PostgresLost)?.reason ?? "\(session.failure(error, inFraming: true, ""))"
                throw DatabaseError.cannotOpen(path: session.settings.database, reason: reason)
            }
            try Self.makeSchema(session)
        }
    }

    /// The schema, and in it the table by which a session finds out what became of a commit. Those who may not make
    /// them are given them, by `souk migrate` as somebody who may.
    private static func makeSchema(_ session: PostgresSession) throws {
        let schema = session.settings.schema
        let find = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'commits'"
        if try session.row(find, [.text(schema)]) == nil {
            // The lock that comes with a transaction lets one make it.
            try session.begin()
            defer { session.rollback() }
            try session.executeScript(
                """
                CREATE SCHEMA IF NOT EXISTS "\(schema)";
                CREATE TABLE IF NOT EXISTS commits (
                    session TEXT PRIMARY KEY, number BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now())
                """)
            try session.commit()
        }
        _ = try session.execute("DELETE FROM commits WHERE at < now() - interval '1 day'", [])
    }

    func migrate(_ migrations: [Migration]) async throws {
        if writers.isClosed { throw DatabaseError.closed(database: settings.database) }
        try await onThread(settings.with(.migration)) { session in
            var tries = 0
            while true {
                do {
                    return try Migration.apply(migrations, in: session, database: session.settings.database)
                } catch {
                    // What is not known to be applied is looked at again.
                    if error is OutcomeUnknown { continue }
                    tries += 1
                    guard session.interruption != nil, session.recover(tries: tries) else { throw error }
                    session.interruption = nil
                }
            }
        }
    }

    /// On a thread and a connection of its own.
    private func onThread<T: Sendable>(
        _ settings: PostgresSettings, _ work: @escaping @Sendable (PostgresSession) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            startThread(named: settings.schema) {
                let session = PostgresSession(settings)
                let result = Result { try work(session) }
                session.disconnect()
                continuation.resume(with: result)
            }
        }
    }

    // MARK: The threads

    private static func writeAll(from queue: WorkQueue, _ settings: PostgresSettings, _ measures: Measures) {
        let session = PostgresSession(settings)
        defer { session.disconnect() }
        // A server that cannot write ends by itself, and begins again from its log.
        var commits = GroupCommit(session, measures: measures, status: Status())
        while true {
            let jobs = queue.take(settings.options.closuresPerCommit)
            if jobs.isEmpty { return }
            commits.run(jobs)
            letOthersRun()
        }
    }

    /// Reads that wait at the same moment share one view of the data; few, since they are answered together.
    private static let readsAtOnce = 8

    private static func readAll(from queue: WorkQueue, _ settings: PostgresSettings) {
        let session = PostgresSession(settings)
        defer { session.disconnect() }
        let transaction = Transaction(session)
        while true {
            let jobs = queue.take(readsAtOnce)
            if jobs.isEmpty { return }
            for job in jobs {
                if job.isCancelled {
                    job.fail(CancellationError())
                } else if let error = read(job, session, transaction) {
                    job.fail(error)
                }
            }
            session.rollback()
            answer(jobs)
        }
    }

    /// What it is to be told; nil where it has its result.
    private static func read(_ job: Job, _ session: PostgresSession, _ transaction: Transaction) -> (any Error)? {
        var tries = 0
        defer { session.survivesFailures = false }
        while true {
            var refusal: (any Error)?
            do {
                if !session.isInTransaction {
                    session.rollback()
                    try session.begin()
                }
                try job.run(transaction)
            } catch {
                refusal = error
            }
            if session.interruption != nil {
                session.rollback()
                tries += 1
                guard session.recover(tries: tries) else { return session.interruption }
                continue
            }
            let isSwallowed = refusal == nil && !session.isInTransaction
            guard session.wentOnAfterFailure || isSwallowed else { return refusal }
            session.rollback()
            session.survivesFailures = true
        }
    }
}

extension PostgresSettings {
    func with(_ role: Role) -> PostgresSettings {
        PostgresSettings(url: url, schema: schema, role: role, options: options)
    }
}
