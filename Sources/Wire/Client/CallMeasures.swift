import Metrics

/// What a process tells of its calls to one peer.
struct CallMeasures: Sendable {
    enum Outcome: String, CaseIterable {
        /// Whatever the peer said.
        case answered
        /// It could not be reached.
        case unreached
        /// Sent, and not answered.
        case unknown
        /// Not tried: the circuit breaker is open.
        case barred
    }

    private let seconds: Metrics.Timer
    private let calls: [Outcome: Counter]
    private let retries: Counter
    private let breaker: Gauge

    init(peer: String) {
        let labels = [("peer", peer)]
        seconds = Timer(label: "souk_peer_call_seconds", dimensions: labels)
        calls = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map {
                ($0, Counter(label: "souk_peer_calls_total", dimensions: labels + [("outcome", $0.rawValue)]))
            })
        retries = Counter(label: "souk_peer_retries_total", dimensions: labels)
        breaker = Gauge(label: "souk_peer_breaker_open", dimensions: labels)
        breaker.record(0)
    }

    func ended(_ outcome: Outcome, after duration: Duration) {
        calls[outcome]?.increment()
        seconds.record(duration: duration)
    }

    func barred() { calls[.barred]?.increment() }
    func retried() { retries.increment() }
    func breaker(isClosed: Bool) { breaker.record(isClosed ? 0 : 1) }
}
