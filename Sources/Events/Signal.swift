import Synchronization

/// Wakes one waiting task; raised many times, it is seen once.
final class Signal: Sendable {
    private struct State {
        var isStopped = false
        var waiter: CheckedContinuation<Void, Never>?
    }
    /// Starts raised: there may be something from before.
    private let isRaised = Atomic<Bool>(true)
    private let state = Mutex(State())

    var isStopped: Bool { state.withLock { $0.isStopped } }

    func raise() {
        guard !isRaised.exchange(true, ordering: .acquiringAndReleasing) else { return }
        takeWaiter()?.resume()
    }

    /// From now on nobody waits.
    func stop() {
        state.withLock { $0.isStopped = true }
        takeWaiter()?.resume()
    }

    /// Returns when it is raised or stopped, and lowers it. What was true when it was raised is seen by whoever looks
    /// after this returns.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if isRaised.load(ordering: .acquiring) || state.isStopped { return true }
                    state.waiter = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            stop()
        }
        _ = isRaised.exchange(false, ordering: .acquiringAndReleasing)
    }

    private func takeWaiter() -> CheckedContinuation<Void, Never>? {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}
