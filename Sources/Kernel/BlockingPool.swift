import Dispatch
import Synchronization

/// A few threads for what blocks or computes for long: files, password hashing. The cooperative pool must do neither.
///
/// Bounded in threads, by serial queues that take turns, and in what waits.
public final class BlockingPool: Sendable {
    /// More works wait than the bound allows.
    public struct Overloaded: OutageError, CustomStringConvertible {
        public var isOutage: Bool { true }
        public let pool: String
        public let limit: Int
        public var description: String { "\(pool): \(limit) works wait already, no more are accepted" }
    }

    private let queues: [DispatchQueue]
    private let next = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let name: String
    private let limit: Int

    /// `limit` counts the works that wait or run.
    public init(name: String, threads: Int, limit: Int = 4_096) {
        precondition(threads > 0, "a pool has at least one thread")
        self.name = name
        self.limit = limit
        queues = (0..<threads).map { DispatchQueue(label: "souk.\(name).\($0)") }
    }

    /// Runs the work on one of the threads. Throws what it throws, or `Overloaded`.
    public func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        guard waiting.add(1, ordering: .relaxed).newValue <= limit else {
            waiting.subtract(1, ordering: .relaxed)
            throw Overloaded(pool: name, limit: limit)
        }
        defer { waiting.subtract(1, ordering: .relaxed) }
        let turn = next.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        return try await withCheckedThrowingContinuation { continuation in
            queues[turn % queues.count].async {
                continuation.resume(with: Result { try work() })
            }
        }
    }
}
