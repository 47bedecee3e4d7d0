import Dispatch
import Kernel
import Metrics
import Synchronization

/// One closure on its way through a database thread.
///
/// Unchecked: a job has one owner at a time, first the task that makes it, then the one thread that takes it from the
/// queue, whose lock orders the two. Only the flag is shared, and it is atomic.
class Job: @unchecked Sendable {
    private let cancelled = Atomic<Bool>(false)
    /// Runs outside the group's transaction, between two of them.
    let isAlone: Bool
    /// Must not write, though it runs on the writer: a database in memory has but one connection.
    let isRead: Bool

    init(isAlone: Bool, isRead: Bool) {
        self.isAlone = isAlone
        self.isRead = isRead
    }

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
    func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// Runs the closure and keeps its result; throws what it threw.
    func run(_ transaction: Transaction) throws {}
    func fail(_ error: any Error) {}
    /// Hands the result to the waiting task. Once, and last.
    func resume() {}
}

// The outcome is written by the writer's thread and read by it again before `resume`; no two threads have it at once.
final class ClosureJob<T: Sendable>: Job, @unchecked Sendable {
    private let work: @Sendable (Transaction) throws -> T
    private var outcome: Result<T, any Error>?
    private var continuation: UnsafeContinuation<T, any Error>?

    init(isAlone: Bool, isRead: Bool, _ work: @escaping @Sendable (Transaction) throws -> T) {
        self.work = work
        super.init(isAlone: isAlone, isRead: isRead)
    }

    override func run(_ transaction: Transaction) throws {
        do {
            outcome = .success(try work(transaction))
        } catch {
            outcome = .failure(error)
            throw error
        }
    }

    override func fail(_ error: any Error) { outcome = .failure(error) }

    override func resume() {
        guard let outcome, let waiting = continuation else { return }
        continuation = nil
        waiting.resume(with: outcome)
    }

    /// Waits for its turn and gives the result.
    func result(from queue: WorkQueue) async throws -> T {
        try await withTaskCancellationHandler {
            // Unsafe: `resume` forgets it, so that it is resumed once, and every job taken in is answered.
            try await withUnsafeThrowingContinuation { continuation in
                self.continuation = continuation
                if let refusal = queue.add(self) {
                    fail(refusal)
                    resume()
                }
            }
        } onCancel: {
            cancel()
        }
    }
}

/// Hands the results of jobs that were run together to those who wait for them.
///
/// From one thread of the pool, where the resumed tasks will run: resumed from the database's, each would wake that
/// thread anew, which on a single core is a switch there and back for every task (measured: 40 % of an order's cost).
func answer(_ jobs: [Job]) {
    if jobs.count == 1 { return jobs[0].resume() }
    DispatchQueue.global().async { for job in jobs { job.resume() } }
}

/// The bounded queue between tasks and the threads of one database.
final class WorkQueue: Sendable {
    enum Kind: String {
        case write, read, replica
    }

    private struct State {
        var jobs: [Job] = []
        var threads = 0
        var asleep = 0
        var isClosed = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }
    private let state: Mutex<State>
    // Only threads of this queue's own wait on it, never one of the cooperative pool.
    private let wake = DispatchSemaphore(value: 0)
    private let database: String
    private let name: String
    private let limit: Int
    private let waiting: Gauge
    private let maxThreads: Int
    /// What a thread does: it takes jobs until there are no more. It may return earlier, and is called again for new
    /// jobs.
    private let body: @Sendable (WorkQueue) -> Void

    /// - Parameters:
    ///   - database: as messages name it.
    ///   - name: of its threads, and in metrics.
    init(
        database: String, name: String, _ kind: Kind, limit: Int, maxThreads: Int,
        body: @escaping @Sendable (WorkQueue) -> Void
    ) {
        self.database = database
        self.name = name
        self.limit = limit
        waiting = Gauge(label: "souk_database_queue_depth", dimensions: [("database", name), ("queue", kind.rawValue)])
        self.maxThreads = maxThreads
        self.body = body
        var state = State()
        state.jobs.reserveCapacity(64)
        self.state = Mutex(state)
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
    var depth: Int { state.withLock { $0.jobs.count } }

    /// Nil, or why the job was not taken in.
    func add(_ job: Job) -> DatabaseError? {
        enum Next { case nothing, wake, start, refuse(DatabaseError) }
        let next: Next = state.withLock { state in
            if state.isClosed { return .refuse(.closed(database: database)) }
            if state.jobs.count >= limit { return .refuse(.overloaded(database: database, limit: limit)) }
            state.jobs.append(job)
            if state.asleep > 0 {
                state.asleep -= 1
                return .wake
            }
            if state.threads < maxThreads {
                state.threads += 1
                return .start
            }
            return .nothing
        }
        switch next {
        case .nothing: return nil
        case .wake: wake.signal()
        case .start:
            startThread(named: name) { [self] in
                repeat { body(self) } while !leave()
            }
        case .refuse(let error): return error
        }
        return nil
    }

    /// Called by a thread: waits for jobs and takes its share of them, the oldest first, at most `count`. Empty when
    /// the queue was closed and all is done: the thread ends.
    func take(_ count: Int) -> [Job] {
        while true {
            let taken: (jobs: [Job], left: Int)? = state.withLock { state in
                if state.jobs.isEmpty {
                    if state.isClosed { return ([], 0) }
                    state.asleep += 1
                    return nil
                }
                let count = min(count, (state.jobs.count + maxThreads - 1) / maxThreads)
                if state.jobs.count == count {
                    let all = state.jobs
                    state.jobs = []
                    state.jobs.reserveCapacity(all.count)
                    return (all, 0)
                }
                let first = Array(state.jobs[..<count])
                state.jobs.removeFirst(count)
                return (first, state.jobs.count)
            }
            if let taken {
                waiting.record(taken.left)
                return taken.jobs
            }
            wake.wait()
        }
    }

    /// All that wait, without waiting for more.
    func takeAll() -> [Job] {
        state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
    }

    /// Refuses new jobs; returns when the waiting ones are done and the threads have ended.
    func close() async {
        await withCheckedContinuation { continuation in
            if shut(continuation) { continuation.resume() }
        }
    }

    /// The same without waiting for it.
    func abandon() { _ = shut(nil) }

    /// Whether no thread is left to wait for.
    private func shut(_ continuation: CheckedContinuation<Void, Never>?) -> Bool {
        let (asleep, isOver) = state.withLock { state in
            state.isClosed = true
            let isOver = state.threads == 0
            if !isOver, let continuation { state.closers.append(continuation) }
            defer { state.asleep = 0 }
            return (state.asleep, isOver)
        }
        for _ in 0..<asleep { wake.signal() }
        return isOver
    }

    /// Whether the thread may end: there is nothing to do for it.
    private func leave() -> Bool {
        let closers: [CheckedContinuation<Void, Never>]? = state.withLock { state in
            guard state.jobs.isEmpty else { return nil }
            state.threads -= 1
            guard state.threads == 0 else { return [] }
            defer { state.closers = [] }
            return state.closers
        }
        guard let closers else { return false }
        for closer in closers { closer.resume() }
        return true
    }
}
