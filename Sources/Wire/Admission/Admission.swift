import Kernel
import Metrics
import NIOCore
import Synchronization

/// Lets requests in, no more at once than do each other good, and turns the rest away early with `503`.
final class Admission: Sendable {
    /// A place that was given; to be given back.
    struct Place {
        fileprivate let priority: Priority
        fileprivate let since: NIODeadline
    }

    private struct State {
        var queue: AdmissionQueue
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
        /// Decided before the one it is about began to wait.
        var early: [Int: Bool] = [:]

        mutating func take(_ ids: [Int], _ isAdmitted: Bool) -> [CheckedContinuation<Bool, Never>] {
            ids.compactMap { id in
                guard let continuation = waiting.removeValue(forKey: id) else {
                    early[id] = isAdmitted
                    return nil
                }
                return continuation
            }
        }
    }

    private let state: Mutex<State>
    private let isEnabled: Bool
    /// The first rank that is closed to newcomers, for those who ask without the lock.
    private let closedFrom = Atomic(Priority.allCases.count)
    /// Since the last tick.
    private let turnedAwayEarly = Atomic(false)
    private let turnedAway: [Priority: Counter]
    private let inFlight = Gauge(label: "souk_http_requests_in_flight")
    private let waiting = Gauge(label: "souk_admission_waiting")
    private let limit = Gauge(label: "souk_admission_limit")

    init(_ settings: AdmissionSettings) {
        state = Mutex(State(queue: AdmissionQueue(settings)))
        isEnabled = settings.isEnabled
        turnedAway = Dictionary(
            uniqueKeysWithValues: Priority.allCases.map {
                ($0, Counter(label: "souk_admission_shed_total", dimensions: [("priority", $0.rawValue)]))
            })
    }

    /// Waits for a place, as long as the settings say. Throws `overloaded`.
    func enter(_ priority: Priority) async throws(Problem) -> Place {
        guard isEnabled else { return Place(priority: priority, since: .now()) }
        let decision = state.withLock { state in
            let decision = state.queue.enter(priority, now: NIODeadline.now().inSeconds)
            publish(state.queue)
            return decision
        }
        let isAdmitted =
            switch decision {
            case .admitted: true
            case .turnedAway: false
            case .waits(let id): await wait(id)
            }
        guard isAdmitted else {
            turnedAway[priority]?.increment()
            throw Self.overloaded
        }
        return Place(priority: priority, since: .now())
    }

    static var overloaded: Problem { Problem(.overloaded, "too many requests are in flight", retryAfter: 1) }

    /// Whether any priority is closed to newcomers.
    var isCrowded: Bool { closedFrom.load(ordering: .relaxed) < Priority.allCases.count }

    /// Whether `enter` would turn a newcomer away, as far as one can tell without asking it.
    func isClosed(to priority: Priority) -> Bool { closedFrom.load(ordering: .relaxed) <= priority.rank }

    /// Counts one that is turned away without asking to enter.
    func turnAway(_ priority: Priority) {
        turnedAway[priority]?.increment()
        turnedAwayEarly.store(true, ordering: .relaxed)
    }

    private func publish(_ queue: AdmissionQueue) { closedFrom.store(queue.closedFrom, ordering: .relaxed) }

    private func wait(_ id: Int) async -> Bool {
        await withCheckedContinuation { continuation in
            let early = state.withLock { state -> Bool? in
                if let early = state.early.removeValue(forKey: id) { return early }
                state.waiting[id] = continuation
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }
    }

    /// - Parameter isServed: whether the time it took says something about how busy the server is.
    func leave(_ place: Place, isServed: Bool) {
        guard isEnabled else { return }
        let now = NIODeadline.now()
        let seconds = isServed ? Double((now - place.since).nanoseconds) / 1e9 : nil
        let (admitted, turnedAway) = state.withLock { state in
            let turn = state.queue.leave(place.priority, seconds: seconds, now: now.inSeconds)
            publish(state.queue)
            return (state.take(turn.admitted, true), state.take(turn.turnedAway, false))
        }
        for waiter in admitted { waiter.resume(returning: true) }
        for waiter in turnedAway { waiter.resume(returning: false) }
    }

    /// Turns away who waited too long, and says how things are. Called a few times a second.
    func tick() {
        let early = turnedAwayEarly.exchange(false, ordering: .relaxed)
        let (late, sizes) = state.withLock { state in
            let now = NIODeadline.now().inSeconds
            if early { state.queue.noteTurnedAway(now: now) }
            let late = state.take(state.queue.expire(now: now), false)
            publish(state.queue)
            return (late, (state.queue.inFlight, state.queue.waiting, state.queue.limit.limit))
        }
        for waiter in late { waiter.resume(returning: false) }
        inFlight.record(sizes.0)
        waiting.record(sizes.1)
        limit.record(sizes.2)
    }
}

extension NIODeadline {
    fileprivate var inSeconds: Double { Double(uptimeNanoseconds) / 1e9 }
}
