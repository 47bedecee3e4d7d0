import Kernel
import Logging
import Metrics
import Synchronization

/// What is behind a method and a path.
struct Served: Sendable {
    enum Kind: Sendable {
        case endpoint(Route, InputReader)
        case page(PageRoute)
        /// Health, metrics and the like: never shed, never limited.
        case surrounding(@Sendable (Query) async throws -> Answer)
    }

    let kind: Kind
    let method: HTTPMethod
    let priority: Priority
    let metrics: RouteMetrics

    init(_ kind: Kind, _ method: HTTPMethod, _ template: String, _ priority: Priority) {
        self.kind = kind
        self.method = method
        self.priority = priority
        metrics = RouteMetrics(route: template, method: method.rawValue, priority: priority)
    }
}

/// The metrics of one route; a handle for each status is made once.
final class RouteMetrics: Sendable {
    let route: String
    private let method: String
    private let priority: Priority
    private let handles = Mutex<[Int: (requests: Counter, time: Timer)]>([:])
    /// Whether an answer of this route was ever kept by the edge: only then is it worth to wait for another's.
    let isKept = Atomic(false)

    init(route: String, method: String, priority: Priority) {
        self.route = route
        self.method = method
        self.priority = priority
    }

    func record(status: Int, nanoseconds: Int64) {
        let handles = handles(status)
        handles.requests.increment()
        handles.time.recordNanoseconds(nanoseconds)
    }

    /// Counted without a time: the edge answers faster than the clock is worth reading.
    func counter(status: Int) -> Counter { handles(status).requests }

    private func handles(_ status: Int) -> (requests: Counter, time: Timer) {
        handles.withLock { handles in
            if let found = handles[status] { return found }
            let dimensions = [
                ("route", route), ("method", method), ("status", String(status)), ("priority", priority.rawValue),
            ]
            let made = (
                Counter(label: "souk_http_requests_total", dimensions: dimensions),
                Timer(label: "souk_http_request_seconds", dimensions: dimensions)
            )
            handles[status] = made
            return made
        }
    }
}
