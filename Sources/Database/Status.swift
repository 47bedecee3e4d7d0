import Synchronization

/// Whether the writer can go on. After the disk has failed a commit, what the kernel still holds of earlier writes is
/// not known any more (a second fsync may report success for pages that the first one lost), so nothing more is
/// acknowledged: readiness turns false, and a restart recovers from the log.
final class Status: Sendable {
    private let state = Mutex<(any Error)?>(nil)

    var failure: (any Error)? { state.withLock { $0 } }
    func fail(_ error: any Error) { state.withLock { $0 = error } }
}
