import Synchronization
import UnixSignals

/// Set when the process is asked to end, for work that looks at it now and then.
final class StopFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }

    /// Runs the work to its own end; SIGTERM and Ctrl-C only set the flag meanwhile.
    static func watching(_ work: @escaping @Sendable (StopFlag) async throws -> Void) async throws {
        let stop = StopFlag()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await work(stop)
                return true
            }
            tasks.addTask {
                for await _ in signals { stop.flag.store(true, ordering: .relaxed) }
                return false
            }
            while let isDone = try await tasks.next(), !isDone {}
            tasks.cancelAll()
        }
    }
}
