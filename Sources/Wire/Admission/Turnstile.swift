import Kernel
import NIOCore
import Synchronization

/// Answers on the event loop what admission would turn away, before it costs a task, a wait and a wake-up: in a crowd
/// what is turned away is most of the work, and takes the processor from those who are let in.
///
/// A page that the edge once kept is shown as it was, for that costs no more than to refuse it; the rest gets
/// `overloaded`.
final class Turnstile: Sendable {
    private let router: Router<Served>
    private let admission: Admission
    private let edge: EdgeCache
    private let problem: Mutex<EdgeEntry.Ready>
    private let page: Mutex<EdgeEntry.Ready>

    /// - Parameter page: what tells a person of a problem.
    init(
        _ router: Router<Served>, _ admission: Admission, _ edge: EdgeCache, _ renderer: Renderer,
        page: (Problem) -> Answer
    ) {
        self.router = router
        self.admission = admission
        self.edge = edge
        problem = Mutex(EdgeEntry.Ready(.problem(Admission.overloaded), renderer))
        self.page = Mutex(EdgeEntry.Ready(page(Admission.overloaded), renderer))
    }

    /// nil leaves it to the routes: it is let in, or may wait. Called on event loops.
    func answer(_ request: Incoming) -> EdgeHit? {
        guard admission.isCrowded, request.refusal == nil else { return nil }
        let head = request.head
        let method = head.isHead ? .get : HTTPMethod(rawValue: request.method)
        guard let target = try? Target(request.target),
            case .found(let match) = router.find(method, target.segments)
        else { return nil }
        let served = match.value
        if case .surrounding = served.kind { return nil }
        guard admission.isClosed(to: served.priority) else { return nil }
        if case .page = served.kind, method == .get, head.isPlain,
            let hit = request.bytes.withUnsafeReadableBytes({ edge.hit(head, $0, evenStale: true) })
        {
            return hit
        }
        admission.turnAway(served.priority)
        served.metrics.counter(status: ProblemType.overloaded.status).increment()
        let extra = request.bytes.withUnsafeReadableBytes { EdgeEntry.extra(for: head, $0) }
        return request.isForPerson(at: target)
            ? page.withLock { $0.hit(isHead: head.isHead, extra: extra) }
            : problem.withLock { $0.hit(isHead: head.isHead, extra: extra) }
    }
}
