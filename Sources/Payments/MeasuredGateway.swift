import Contracts
import Kernel
import Metrics

/// A provider, and what is counted of each call to it: how it ended, and how long it took.
struct MeasuredGateway: Gateway {
    private enum Call: String, CaseIterable {
        case authorize, find, capture, void, refund
    }
    private enum Outcome: String, CaseIterable {
        case done, declined
        /// It answered, and would not.
        case refused
        /// Nobody knows what became of it.
        case unknown
    }
    private struct Measures: Sendable {
        let seconds: Metrics.Timer
        let calls: [Outcome: Counter]
    }

    private let gateway: any Gateway
    private let measures: [Call: Measures]

    init(_ gateway: any Gateway) {
        self.gateway = gateway
        measures = Dictionary(
            uniqueKeysWithValues: Call.allCases.map { call in
                let labels = [("provider", gateway.provider), ("call", call.rawValue)]
                let outcomes = Outcome.allCases.map {
                    let labels = labels + [("outcome", $0.rawValue)]
                    return ($0, Counter(label: "souk_payment_provider_calls_total", dimensions: labels))
                }
                return (
                    call,
                    Measures(
                        seconds: Timer(label: "souk_payment_provider_seconds", dimensions: labels),
                        calls: Dictionary(uniqueKeysWithValues: outcomes))
                )
            })
    }

    var provider: String { gateway.provider }

    func authorize(key: String, amount: Money, token: String) async throws -> GatewayAnswer {
        try await measured(.authorize, Self.outcome) {
            try await gateway.authorize(key: key, amount: amount, token: token)
        }
    }

    func find(key: String) async throws -> GatewayAnswer? {
        try await measured(.find, { $0.map(Self.outcome) ?? .done }) { try await gateway.find(key: key) }
    }

    func capture(_ keys: [String]) async throws -> Set<String> {
        try await measured(.capture) { try await gateway.capture(keys) }
    }

    func void(key: String) async throws -> GatewayVoid {
        try await measured(.void) { try await gateway.void(key: key) }
    }

    func refund(key: String, amount: Money, refundKey: String) async throws {
        try await measured(.refund) { try await gateway.refund(key: key, amount: amount, refundKey: refundKey) }
    }

    func news(in delivery: PaymentWebhook) throws -> GatewayNews? { try gateway.news(in: delivery) }

    func deliver(to receiver: @escaping @Sendable (PaymentWebhook) async throws -> Void) {
        gateway.deliver(to: receiver)
    }

    private static func outcome(_ answer: GatewayAnswer) -> Outcome {
        if case .declined = answer { .declined } else { .done }
    }

    private func measured<Answer>(
        _ call: Call, _ outcome: (Answer) -> Outcome = { _ in .done }, _ work: () async throws -> Answer
    ) async throws -> Answer {
        let start = ContinuousClock.now
        func ended(_ outcome: Outcome) {
            measures[call]?.calls[outcome]?.increment()
            measures[call]?.seconds.record(duration: ContinuousClock.now - start)
        }
        do {
            let answer = try await work()
            ended(outcome(answer))
            return answer
        } catch let problem as Problem {
            ended(problem.type.status < 500 ? .refused : .unknown)
            throw problem
        } catch {
            ended(.unknown)
            throw error
        }
    }
}
