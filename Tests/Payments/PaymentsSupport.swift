import Contracts
import Database
import InMemoryLogging
import Kernel
import Logging
import PostgresPeer
import Synchronization

@testable import Payments

/// A shop's payments and its provider, each on a database of its own.
struct Till {
    let clock = ManualClock()
    let database: any Database
    let world: any Database
    let sandbox: SandboxGateway
    let flaky: FlakyGateway
    let payments: Payments
    let log = InMemoryLogHandler()

    init(seed: UInt64 = 1, failing: Int = 0) async throws {
        database = try await TestDatabase.open()
        try await database.migrate(Payments.migrations)
        world = try await TestDatabase.open()
        try await world.migrate(SandboxGateway.migrations)
        sandbox = SandboxGateway(database: world, webhookSecret: "a webhook secret", clock: clock)
        flaky = FlakyGateway(sandbox, seed: seed, failing: failing)
        payments = Payments(
            database: database, gateway: flaky, clock: clock, logger: Logger(label: "test") { [log] _ in log })
    }

    func order() -> OrderID { OrderID(at: clock.now()) }

    @discardableResult
    func authorize(
        _ order: OrderID, _ amount: Int64 = 1_999, _ token: String = "tok_approved"
    ) async throws -> Payment {
        try await payments.authorize(
            Authorize(order: order, amount: Money(amount, .gbp), token: token, customer: nil), CallContext())
    }

    func capture(_ orders: OrderID...) async throws {
        _ = try await payments.capture(PaymentsOfOrders(orders: orders), CallContext())
    }

    func void(_ order: OrderID) async throws {
        _ = try await payments.void(PaymentOfOrder(order: order), CallContext())
    }

    @discardableResult
    func refund(_ order: OrderID, _ amount: Int64, _ reference: String) async throws -> Payment {
        try await payments.refund(
            RefundPayment(order: order, amount: Money(amount, .gbp), reference: reference), CallContext())
    }

    func status(_ order: OrderID) async throws -> PaymentStatus? {
        try await payments.payments(PaymentsOfOrders(orders: [order]), CallContext()).items.first?.status
    }

    /// What the provider has of an order: its status, and what it gave back.
    func outside(_ order: OrderID) async throws -> (status: String?, givenBack: Int64) {
        try await world.read { transaction in
            let status = try transaction.row("SELECT status FROM holds WHERE key = $1", order)?.text(0)
            let sum = "SELECT coalesce(sum(amount), 0) FROM given_back WHERE hold = $1"
            return (status, try transaction.row(sum, order)?.int64(0) ?? 0)
        }
    }

    func audit() async throws -> [String] {
        try await PaymentsAudit(database: database).checks().flatMap(\.violations)
    }

    /// Waits until that many tasks sleep on the clock, then moves it.
    func advance(by duration: Duration, whenAsleep count: Int = 1) async {
        while clock.sleepers < count { await Task.yield() }
        clock.advance(by: duration)
    }
}

/// Loses a part of the calls: before the provider hears of them, or its answer on the way back.
final class FlakyGateway: Gateway {
    private let inner: SandboxGateway
    private let random: Mutex<SeededRandom>
    private let failing: Mutex<Int>
    private let asked = Mutex(0)

    /// - Parameter failing: percent of calls that fail.
    init(_ inner: SandboxGateway, seed: UInt64, failing: Int) {
        self.inner = inner
        random = Mutex(SeededRandom(state: seed))
        self.failing = Mutex(failing)
    }

    func recover() { failing.withLock { $0 = 0 } }
    func fail() { failing.withLock { $0 = 100 } }
    var calls: Int { asked.withLock { $0 } }

    private func lossily<T: Sendable>(_ work: () async throws -> T) async throws -> T {
        asked.withLock { $0 += 1 }
        let percent = failing.withLock { $0 }
        let (before, after) = random.withLock { random in
            (Int.random(in: 0..<100, using: &random) < percent, Int.random(in: 0..<100, using: &random) < percent)
        }
        if before { throw OutcomeUnknown("lost on the way there") }
        let answer = try await work()
        if after { throw OutcomeUnknown("lost on the way back") }
        return answer
    }

    var provider: String { inner.provider }
    func authorize(key: String, amount: Money, token: String) async throws -> GatewayAnswer {
        try await lossily { try await inner.authorize(key: key, amount: amount, token: token) }
    }
    func find(key: String) async throws -> GatewayAnswer? { try await lossily { try await inner.find(key: key) } }
    func capture(_ keys: [String]) async throws -> Set<String> { try await lossily { try await inner.capture(keys) } }
    func void(key: String) async throws -> GatewayVoid { try await lossily { try await inner.void(key: key) } }
    func refund(key: String, amount: Money, refundKey: String) async throws {
        try await lossily { try await inner.refund(key: key, amount: amount, refundKey: refundKey) }
    }
    func news(in delivery: PaymentWebhook) throws -> GatewayNews? { try inner.news(in: delivery) }
    func deliver(to receiver: @escaping @Sendable (PaymentWebhook) async throws -> Void) { inner.deliver(to: receiver) }
}

/// A seeded generator: the same numbers every time.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The problem that the work ends with; nil if it ends well.
func problem(_ work: () async throws -> Void) async throws -> ProblemType? {
    do {
        try await work()
        return nil
    } catch let problem as Problem {
        return problem.type
    }
}
