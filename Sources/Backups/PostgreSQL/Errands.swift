import Dispatch
import Synchronization

/// What is asynchronous, done by a task for a thread that waits for it: where blocking work has to keep something.
final class Errands: Sendable {
    private let handover = Handover<@Sendable () async -> Void>()

    private final class Answer<T: Sendable>: Sendable {
        let result = Mutex<Result<T, any Error>?>(nil)
        // Only the thread waits on it, one of its own and none of the cooperative pool.
        let isThere = DispatchSemaphore(value: 0)
    }

    /// On the task: until `finish`.
    func serve() async { while let work = await handover.next() { await work() } }

    /// From either side.
    func finish() { handover.finish() }

    /// On the thread: what the work returns or throws.
    /// - Parameter meanwhile: is called every few seconds; what waits for this thread may not wait for ever.
    func run<T: Sendable>(
        meanwhile: () -> Void = {}, _ work: @escaping @Sendable () async throws -> T
    ) throws -> T {
        let answer = Answer<T>()
        try handover.put {
            let result: Result<T, any Error>
            do { result = .success(try await work()) } catch { result = .failure(error) }
            answer.result.withLock { $0 = result }
            answer.isThere.signal()
        }
        while answer.isThere.wait(timeout: .now() + .seconds(5)) == .timedOut { meanwhile() }
        guard let result = answer.result.withLock({ $0 }) else { preconditionFailure("it is there") }
        return try result.get()
    }
}
