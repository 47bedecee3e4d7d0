import Contracts
public import Events
import Kernel
public import ServiceLifecycle

extension Orders {
    /// Takes up what nobody works on and drives it on; answers how many it brought to an end.
    @discardableResult
    public func recover(limit: Int = 100) async throws -> Int {
        var ended = 0
        let orders = try await store.abandoned(owner: owner, takesOverAll: isAlone, at: leases.now(), limit: limit)
        for id in orders where try await recover(id) { ended += 1 }
        ended += try await finishRepayments(limit: limit)
        metrics.pending.record(try await store.pendingSagas())
        return ended
    }

    private func recover(_ id: OrderID) async throws -> Bool {
        let now = leases.now()
        guard
            let work = try await store.take(
                id, owner: owner, takesOverAll: isAlone, at: now, until: leaseEnd()),
            let order = try await store.order(id)
        else { return false }
        let saga = Saga(work.kind, refusal: try await store.refusal(of: id))
        do {
            _ = try await drive(saga, of: order, token: work.token ?? "", cart: work.cart, .service("orders"))
        } catch let problem as Problem where problem.type == .orderUnsettled {
            // Longer and longer, so that a peer that is away is not besieged.
            try await store.leave(id, owner: owner, until: now + .seconds(min(60, 1 << min(work.attempts, 6))))
            return false
        }
        metrics.recovered.increment()
        return true
    }

    /// A sign of life for what takes longer than usual.
    public func renewLeases() async throws {
        let now = leases.now()
        let orders = driving.begun(before: now - Self.renewal)
        guard !orders.isEmpty else { return }
        try await store.renew(orders, owner: owner, until: now + Self.lease)
    }

    /// Its durable position among the consumers of events.
    public static let consumer = "orders.settle"

    /// Confirmed orders: their money is taken, their stock is sold. Safe to see an order twice.
    public func settle(_ events: [Event]) async throws {
        let orders = events.compactMap { OrderID($0.subject) }
        guard !orders.isEmpty else { return }
        let context = CallContext.service("orders")
        for start in stride(from: 0, to: orders.count, by: 1_000) {
            let batch = Array(orders[start..<min(start + 1_000, orders.count)])
            _ = try await payments.capture(PaymentsOfOrders(orders: batch), context)
            _ = try await products.commit(StockOfOrders(orders: batch), context)
            try await store.settled(batch, at: clock.now())
        }
    }

    /// Forgets keys and carts that are too old, a bounded number at a time.
    public func tidy() async throws {
        try await store.tidy(keysBefore: clock.now() - Self.keyLifetime, cartsBefore: clock.now() - Carts.lifetime)
    }
}

/// Finds orders that nobody brings to their end, and does; keeps the leases of those that are being brought there;
/// forgets what is too old.
public struct OrdersRecovery: Service {
    private let orders: Orders

    public init(_ orders: Orders) { self.orders = orders }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            // Each in its own time: what recovery waits for must not keep a lease from being renewed.
            async let renewal: Void = every(Orders.renewal) { _ in try await orders.renewLeases() }
            await every(.seconds(1)) { round in
                try await orders.leases.listen(to: orders.store.database)
                try await orders.recover()
                if round % 600 == 0 { try await orders.tidy() }
            }
            await renewal
        }
    }

    private func every(_ pause: Duration, _ work: (_ round: Int) async throws -> Void) async {
        for round in 0... {
            do { try await work(round) } catch {
                orders.logger.error("recovery failed", metadata: ["error": "\(error)"])
            }
            do { try await orders.clock.sleep(for: pause) } catch { return }
        }
    }
}
