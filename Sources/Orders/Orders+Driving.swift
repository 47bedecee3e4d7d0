import Contracts
import Database
import Events
import Kernel

extension Orders {
    /// How often a call whose outcome is unknown is repeated before the order is left to recovery.
    static let tries = 3

    /// Runs a saga to its end and answers the order as it then is.
    ///
    /// From here on the work does not depend on the caller: when the connection is lost, or the outcome stays unknown,
    /// the lease is given up and recovery goes on.
    /// - Throws: `orderUnsettled` when it could not be brought to an end now.
    func drive(
        _ start: Saga, of order: Order, token: String, cart: CartID?, _ context: CallContext
    ) async throws -> Order {
        var saga = start
        var order = order
        driving.begin(order.id, at: leases.now())
        defer { driving.end(order.id) }
        do {
            while let effect = saga.effect {
                saga.advance(try await run(effect, &order, token, cart, context))
            }
            return order
        } catch {
            logger.warning(
                "an order is left to recovery",
                metadata: ["order": "\(order.id)", "step": "\(String(describing: saga.effect))", "error": "\(error)"])
            // Without it the lease would have to run out; if this fails too, it does.
            do { try await store.leave(order.id, owner: owner, until: leases.now() + .seconds(1)) } catch {
                logger.warning("the lease could not be given up", metadata: ["error": "\(error)"])
            }
            var problem = Problem(
                .orderUnsettled, "the order \(order.id) is written and will be settled: repeat with the same key",
                retryAfter: 1)
            problem.extensions["order"] = .string(order.id.description)
            throw problem
        }
    }

    private func run(
        _ effect: Saga.Effect, _ order: inout Order, _ token: String, _ cart: CartID?, _ context: CallContext
    ) async throws -> Saga.Outcome {
        let id = order.id
        switch effect {
        case .reserve:
            let lines = Self.bySKU(order.lines)
            return try await asking(context) { context in
                _ = try await products.reserve(
                    ReserveStock(order: id, lines: lines, expires_at: clock.now() + reservationTime), context)
            }
        case .authorize:
            let authorization = Authorize(order: id, amount: order.total, token: token, customer: order.customer)
            // However long the provider takes, it is no work of this shop's.
            crowd.leave()
            defer { crowd.enter(at: clock.now()) }
            return try await asking(context) { _ = try await payments.authorize(authorization, $0) }
        case .release: try await insisting(context) { _ = try await products.release(StockOfOrder(order: id), $0) }
        case .void: try await insisting(context) { _ = try await payments.void(PaymentOfOrder(order: id), $0) }
        case .takeBack:
            let restock = Restock(
                order: id, reference: "cancel:\(id)", lines: Self.bySKU(order.lines), reason: "cancelled")
            try await insisting(context) { context in
                _ = try await products.commit(StockOfOrders(orders: [id]), context)
                _ = try await products.restock(restock, context)
            }
        case .confirm: try await confirm(&order, cart)
        case .decide(let refusal): try await store.decide(refusal, id)
        case .cancel(let refusal): try await cancel(&order, refusal)
        }
        return .done
    }

    /// Asks a peer. What it refuses is an outcome; what it may have done without saying so is asked again.
    private func asking(
        _ context: CallContext, _ ask: (CallContext) async throws -> Void
    ) async throws -> Saga.Outcome {
        let context = context.acting(as: "orders")
        for attempt in 1... {
            do {
                try await ask(context)
                return .done
            } catch let problem as Problem where problem.isRefusal {
                return .refused(Refusal(problem))
            } catch {
                guard attempt < Self.tries else { throw error }
                try await clock.sleep(for: .milliseconds(50 << attempt))
            }
        }
        return .done
    }

    /// Asks for what cannot be refused: giving back. A peer that refuses it did not do it, so that the order has not
    /// come to its end.
    private func insisting(_ context: CallContext, _ ask: (CallContext) async throws -> Void) async throws {
        guard case .refused(let refusal) = try await asking(context, ask) else { return }
        throw Problem(.unavailable, "what must be given back was refused: \(refusal.detail)")
    }

    private func confirm(_ order: inout Order, _ cart: CartID?) async throws {
        order.status = .confirmed
        order.payment_status = .authorized
        order.updated_at = clock.now()
        let event = try Event(
            EventTypes.orderConfirmed, about: order.id.description, at: order.updated_at,
            carrying: OrderEvent(order: order))
        if try await store.confirm(order, cart: cart, event: event) {
            metrics.confirmed.increment()
            metrics.revenue(order.total)
            wake()
        } else if let settled = try await store.order(order.id) {
            order = settled
        }
    }

    private func cancel(_ order: inout Order, _ refusal: Refusal?) async throws {
        let now = clock.now()
        if order.status == .pending {
            try await store.refuse(order.id, refusal, at: now)
            metrics.refused.increment()
        } else {
            try await endCancellation(order, at: now)
        }
        guard let ended = try await store.order(order.id) else { return }
        order = ended
    }

    /// An undone order: what became of its money is asked of payments.
    private func endCancellation(_ order: Order, at now: Timestamp) async throws {
        let payment = try await payments.payments(
            PaymentsOfOrders(orders: [order.id]), .service("orders")
        ).items.first
        let status: OrderPaymentStatus = payment?.status == .refunded ? .refunded : .voided
        var ended = order
        ended.status = .cancelled
        ended.payment_status = status
        ended.refunded = payment?.refunded ?? .zero(order.total.currency)
        ended.updated_at = now
        let event = try Event(
            EventTypes.orderCancelled, about: order.id.description, at: now, carrying: OrderEvent(order: ended))
        try await store.endCancellation(
            order.id, payment: status, refunded: ended.refunded.amount, event: event)
        metrics.cancelled.increment()
        wake()
    }

    /// What stock has to hold: each SKU once.
    static func bySKU(_ lines: [Order.Line]) -> [StockLine] {
        if lines.count == 1 { return [StockLine(sku: lines[0].sku, quantity: lines[0].quantity)] }
        var quantities: [String: Int64] = [:]
        for line in lines { quantities[line.sku, default: 0] += line.quantity }
        return quantities.sorted { $0.key < $1.key }.map { StockLine(sku: $0.key, quantity: $0.value) }
    }
}

extension Problem {
    /// Whether a peer said no, as opposed to not being able to say, or not letting us ask (a secret that is wrong).
    var isRefusal: Bool { (400..<500).contains(type.status) && ![401, 403, 408, 429].contains(type.status) }
}
