import Metrics

/// The writer's work on one batch: all closures in one transaction, one commit, then all are answered.
///
/// Each closure stays isolated from the others' failures, at the least cost that gives it. A closure that threw before
/// it wrote anything (a refusal, most often) leaves nothing to undo. One that threw after writing cannot be undone
/// without a savepoint, and a savepoint for each costs every page's copy; so the batch is first run without, and only
/// when that happens it is rolled back and run again with savepoints, as are the next batches, since such failures come
/// in crowds.
struct GroupCommit {
    let session: any Session
    let measures: Measures
    let status: Status
    private let transaction: Transaction
    private var batchesWithSavepoints = 0
    static let batchesAfterFailure = 32

    private enum Outcome {
        case done
        case failed(any Error)
        /// A closure failed after it had written.
        case needsSavepoints
        /// The engine ended the transaction, or a deferred constraint refused the commit: whose fault it is shows when
        /// each closure has a transaction of its own.
        case needsSeparation
    }

    init(_ session: any Session, measures: Measures, status: Status) {
        self.session = session
        self.measures = measures
        self.status = status
        self.transaction = Transaction(session)
    }

    /// Runs jobs of which some must be alone between two transactions.
    mutating func run(_ jobs: [Job]) {
        var group: [Job] = []
        group.reserveCapacity(jobs.count)
        for job in jobs {
            if job.isCancelled {
                job.fail(CancellationError())
                job.resume()
                continue
            }
            if job.isAlone {
                commit(group)
                group.removeAll(keepingCapacity: true)
                try? job.run(transaction)  // the job keeps what was thrown
                job.resume()
            } else {
                group.append(job)
            }
        }
        commit(group)
    }

    private mutating func commit(_ jobs: [Job]) {
        guard !jobs.isEmpty else { return }
        var usesSavepoints = batchesWithSavepoints > 0
        if usesSavepoints { batchesWithSavepoints -= 1 }
        var outcome = attempt(jobs, savepoints: usesSavepoints)
        if case .needsSavepoints = outcome {
            usesSavepoints = true
            batchesWithSavepoints = Self.batchesAfterFailure
            outcome = attempt(jobs, savepoints: true)
        }
        switch outcome {
        case .done: break
        case .failed(let error): for job in jobs { job.fail(error) }
        case .needsSavepoints, .needsSeparation:
            for job in jobs {
                if case .failed(let error) = attempt([job], savepoints: false) { job.fail(error) }
            }
        }
        answer(jobs)
    }

    /// Runs the closures and commits. Unless the outcome is `done`, nothing is kept.
    private func attempt(_ jobs: [Job], savepoints: Bool) -> Outcome {
        do {
            if let error = status.failure { throw error }
            try session.begin()
            for job in jobs {
                session.hasWritten = false
                if savepoints { try session.savepoint() }
                var isRefused = false
                do {
                    try runChecked(job)
                } catch {
                    isRefused = true
                    // Alone it fails for itself, and its result is the error it has kept.
                    if jobs.count == 1 {
                        job.fail(error)
                        session.rollback()
                        return .done
                    }
                    guard session.isInTransaction else { return .needsSeparation }
                }
                if savepoints {
                    if isRefused { try session.rollBackToSavepoint() }
                    try session.releaseSavepoint()
                } else if isRefused, session.hasWritten {
                    session.rollback()
                    return .needsSavepoints
                }
            }
            let start = ContinuousClock.now
            try session.commit()
            measures.committed(jobs.count, in: ContinuousClock.now - start)
            return .done
        } catch {
            session.rollback()
            if case DatabaseError.constraint = error, jobs.count > 1 { return .needsSeparation }
            if case DatabaseError.inputOutput = error { status.fail(error) }
            return .failed(error)
        }
    }

    private func runChecked(_ job: Job) throws {
        if job.isRead {
            try session.withoutWriting { try job.run(transaction) }
        } else {
            try job.run(transaction)
        }
        // The closure may have swallowed the error with which the engine ended the transaction.
        if !session.isInTransaction {
            throw DatabaseError.statement(reason: "the transaction was ended while a closure ran", sql: "")
        }
    }
}

/// What the writer tells the metrics system.
struct Measures: Sendable {
    private let batchSize: Recorder
    private let commitTime: Metrics.Timer
    private let queueDepth: Gauge

    private let onCommit: (@Sendable (Int) -> Void)?

    init(database: String, onCommit: (@Sendable (Int) -> Void)?) {
        self.onCommit = onCommit
        let labels = [("database", database)]
        batchSize = Recorder(label: "souk_database_commit_batch_size", dimensions: labels, aggregate: true)
        commitTime = Metrics.Timer(label: "souk_database_commit_seconds", dimensions: labels)
        queueDepth = Gauge(label: "souk_database_queue_depth", dimensions: labels)
    }

    func committed(_ closures: Int, in duration: Duration) {
        batchSize.record(closures)
        commitTime.record(duration: duration)
        onCommit?(closures)
    }

    func waiting(_ jobs: Int) { queueDepth.record(jobs) }
}
