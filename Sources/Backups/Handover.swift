import Dispatch
import Synchronization

/// Hands one thing after another from a thread, which may wait, to a task, which must not block: one lies between them
/// at the most.
final class Handover<Element: Sendable>: Sendable {
    /// The task has given up.
    struct Refused: Error {}

    private struct State {
        var element: Element?
        var waiting: CheckedContinuation<Element?, Never>?
        var isFinished = false
    }
    private let state = Mutex(State())
    // Only the thread waits on it, one of its own and none of the cooperative pool.
    private let room = DispatchSemaphore(value: 1)

    /// On the thread: returns when there is room for it. Throws `Refused`.
    func put(_ element: Element) throws {
        room.wait()
        let waiting: CheckedContinuation<Element?, Never>? = try state.withLock { state in
            if state.isFinished {
                room.signal()
                throw Refused()
            }
            defer { state.waiting = nil }
            if state.waiting == nil { state.element = element }
            return state.waiting
        }
        guard let waiting else { return }
        room.signal()
        waiting.resume(returning: element)
    }

    /// Nil at the end.
    func next() async -> Element? {
        await withCheckedContinuation { continuation in
            let (element, isOver) = state.withLock { state -> (Element?, Bool) in
                defer { state.element = nil }
                if state.element == nil, !state.isFinished { state.waiting = continuation }
                return (state.element, state.element != nil || state.isFinished)
            }
            if element != nil { room.signal() }
            if isOver { continuation.resume(returning: element) }
        }
    }

    /// From either side; a second time it is harmless.
    func finish() {
        let waiting = state.withLock { state in
            state.isFinished = true
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: nil)
        room.signal()
    }
}
