import Dispatch

/// Runs an actor on a queue of its own, one job after the other: for an actor whose work blocks, as files and SQL do,
/// and which must not block the cooperative pool.
public final class BlockingExecutor: SerialExecutor {
    private let queue: DispatchQueue

    public init(name: String) { queue = DispatchQueue(label: "souk.\(name)") }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
