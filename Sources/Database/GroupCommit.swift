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
        /// No closure is to blame; the session knows why.
        case interrupted
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
        var outcome = persist(jobs, savepoints: usesSavepoints)
        if case .needsSavepoints = outcome {
            usesSavepoints = true
            batchesWithSavepoints = Self.batchesAfterFailure
            outcome = persist(jobs, savepoints: true)
        }
        switch outcome {
        case .done: break
        case .failed(let error): for job in jobs { job.fail(error) }
        case .needsSavepoints, .needsSeparation, .interrupted:
            session.survivesFailures = true
            for job in jobs {
                if case .failed(let error) = persist([job], savepoints: false) { job.fail(error) }
            }
            session.survivesFailures = false
        }
        answer(jobs)
    }

    /// Tries again what nobody is to blame for, as long as the session allows.
    private func persist(_ jobs: [Job], savepoints: Bool) -> Outcome {
        var tries = 0
        while true {
            let outcome = attempt(jobs, savepoints: savepoints)
            guard case .interrupted = outcome else { return outcome }
            tries += 1
            if !session.recover(tries: tries), let error = session.interruption { return .failed(error) }
        }
    }

    /// Runs the closures and commits. Unless the outcome is `done`, nothing is kept.
    private func attempt(_ jobs: [Job], savepoints: Bool) -> Outcome {
        do {
            if let error = status.failure { throw error }
            try session.begin()
            for job in jobs {
                session.hasWritten = false
                if savepoints { try session.savepoint() }
                var refusal = run(job)
                if session.interruption != nil {
                    session.rollback()
                    return .interrupted
                }
                // The closure may have swallowed the error with which the engine ended the transaction.
                let isSwallowed = refusal == nil && !session.isInTransaction
                if session.wentOnAfterFailure || isSwallowed && session.failureEndsTransaction {
                    session.rollback()
                    return .needsSeparation
                }
                if isSwallowed { refusal = Self.endedWithin }
                // Alone it fails for itself, and its result is the error it has kept.
                if let refusal, jobs.count == 1 {
                    job.fail(refusal)
                    session.rollback()
                    return .done
                }
                if !session.isInTransaction, !(savepoints && session.failureEndsTransaction) {
                    session.rollback()
                    return session.failureEndsTransaction ? .needsSavepoints : .needsSeparation
                }
                if savepoints {
                    if refusal != nil { try session.rollBackToSavepoint() }
                    try session.releaseSavepoint()
                } else if refusal != nil, session.hasWritten {
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
            if session.interruption != nil { return .interrupted }
            if jobs.count > 1, session.wentOnAfterFailure { return .needsSeparation }
            if case DatabaseError.constraint = error, jobs.count > 1 { return .needsSeparation }
            if case DatabaseError.inputOutput = error { status.fail(error) }
            return .failed(error)
        }
    }

    private static let endedWithin = DatabaseError.statement(
        reason: "the transaction was ended while a closure ran", sql: "")

    /// What the closure threw.
    private func run(_ job: Job) -> (any Error)? {
        do {
            if job.isRead {
                try session.withoutWriting { try job.run(transaction) }
            } else {
                try job.run(transaction)
            }
            return nil
        } catch {
            return error
        }
    }
}

/// What the writer tells the metrics system.
struct Measures: Sendable {
    private let batchSize: Recorder
    private let commitTime: Metrics.Timer

    private let onCommit: (@Sendable (Int) -> Void)?

    init(database: String, onCommit: (@Sendable (Int) -> Void)?) {
        self.onCommit = onCommit
        let labels = [("database", database)]
        batchSize = Recorder(label: "souk_database_commit_batch_size", dimensions: labels, aggregate: true)
        commitTime = Metrics.Timer(label: "souk_database_commit_seconds", dimensions: labels)
    }

    func committed(_ closures: Int, in duration: Duration) {
        batchSize.record(closures)
        commitTime.record(duration: duration)
        onCommit?(closures)
    }
}
