public import Contracts
import Database
import Events
public import Kernel

/// Refunds and returns: money that goes back, and the pieces that are taken back for it. The decision is written first;
/// recovery brings to its end what a crash interrupted.
extension Orders {
    public func refund(_ input: RefundOrder, _ context: CallContext) async throws -> Order {
        try Access.staff.check(context.caller)
        let reference = "\(input.id):\(context.idempotencyKey ?? OrderID(at: clock.now()).description)"
        let fingerprint = Fingerprint.of(try JSON.encode(input))
        let repayment = try await store.beginRefund(
            input, reference: "refund:" + reference, fingerprint: fingerprint, at: clock.now())
        return try await finish(repayment)
    }

    public func takeBack(_ input: ReturnOrder, _ context: CallContext) async throws -> Order {
        try Access.staff.check(context.caller)
        let reference = "\(input.id):\(context.idempotencyKey ?? OrderID(at: clock.now()).description)"
        let fingerprint = Fingerprint.of(try JSON.encode(input))
        let repayment = try await store.beginReturn(
            input, reference: "return:" + reference, fingerprint: fingerprint, at: clock.now())
        return try await finish(repayment)
    }

    /// A fresh repayment is still being worked on by who wrote it.
    private static let fresh = CallContext.defaultTimeout

    func finishRepayments(limit: Int) async throws -> Int {
        let pending = try await store.pendingRepayments(before: clock.now() - Self.fresh, limit: limit)
        var ended = 0
        for repayment in pending {
            // One that fails does not stop those behind it.
            do {
                _ = try await finish(repayment)
                ended += 1
            } catch {
                logger.warning(
                    "a repayment is unfinished", metadata: ["reference": "\(repayment.reference)", "error": "\(error)"])
            }
        }
        return ended
    }

    private func finish(_ repayment: OrdersStore.Repayment) async throws -> Order {
        let context = CallContext.service("orders")
        let id = repayment.order
        if repayment.state == .refused { throw Problem(.refundTooLarge, "this repayment was refused") }
        if repayment.state == .pending {
            do {
                if !repayment.restock.isEmpty {
                    // What is only held cannot come back: it is sold first.
                    _ = try await products.commit(StockOfOrders(orders: [id]), context)
                    _ = try await products.restock(
                        Restock(
                            order: id, reference: repayment.reference, lines: repayment.restock,
                            reason: repayment.reason ?? "returned"), context)
                }
                if repayment.amount.amount > 0 {
                    // Money that is only held cannot go back: it is taken first.
                    _ = try await payments.capture(PaymentsOfOrders(orders: [id]), context)
                    _ = try await payments.refund(
                        RefundPayment(order: id, amount: repayment.amount, reference: repayment.reference), context)
                }
            } catch let problem as Problem where problem.isRefusal {
                try await store.end(repayment, .refused, at: clock.now(), event: nil)
                throw problem
            }
            let now = clock.now()
            try await store.end(repayment, .done, at: now) { order in
                try Event(
                    EventTypes.orderRefunded, about: id.description, at: now, carrying: OrderEvent(order: order))
            }
            wake()
        }
        guard let order = try await store.order(id) else { throw Problem(.notFound, "there is no order \(id)") }
        return order
    }
}

extension OrdersStore {
    struct Repayment: Sendable {
        enum State: String, Sendable { case pending, done, refused }
        var reference: String
        var order: OrderID
        var fingerprint: Int64
        var amount: Money
        var restock: [StockLine]
        var reason: String?
        var state: State
    }

    func beginRefund(_ input: RefundOrder, reference: String, fingerprint: Int64, at now: Timestamp) async throws
        -> Repayment
    {
        try await database.write { transaction in
            if let known = try Self.known(reference, fingerprint, transaction) { return known }
            let order = try Self.repayable(input.id, transaction)
            let left = Money(
                order.total.amount - order.refunded.amount - (try Self.promised(input.id, transaction)),
                order.total.currency)
            let amount = input.amount ?? left
            guard amount.currency == left.currency, amount.amount > 0, amount <= left else {
                throw Problem(.refundTooLarge, "\(amount) were asked for, at most \(left) can be given back")
            }
            return try Self.insert(
                Repayment(
                    reference: reference, order: input.id, fingerprint: fingerprint, amount: amount, restock: [],
                    reason: input.reason, state: .pending), at: now, transaction)
        }
    }

    func beginReturn(_ input: ReturnOrder, reference: String, fingerprint: Int64, at now: Timestamp) async throws
        -> Repayment
    {
        try await database.write { transaction in
            if let known = try Self.known(reference, fingerprint, transaction) { return known }
            let order = try Self.repayable(input.id, transaction)
            let spread = try Self.spread(input.lines, over: order.lines, \.returned, \.fulfilled) { sku, wanted, left in
                Problem(.notReturnable, "\(sku): \(wanted) to return, \(left) were sent and not returned")
            }
            let before = order.lines.reduce(Int64(0)) { $0 + $1.unit_price.amount * $1.returned }
            var goods = before
            for (position, quantity) in spread {
                try transaction.execute(
                    "UPDATE order_lines SET returned = returned + $3 WHERE order_id = $1 AND position = $2", input.id,
                    position, quantity)
                goods += order.lines[position].unit_price.amount * quantity
            }
            let isWhole =
                try transaction.row(
                    "SELECT 1 FROM order_lines WHERE order_id = $1 AND returned < quantity LIMIT 1", input.id) == nil
            if isWhole {
                try transaction.execute(
                    """
                    UPDATE orders SET status = 'returned', fulfilment_status = 'returned', updated_at = $2 WHERE id = $1
                    """, input.id, now)
            }
            // The goods' share of what was paid for goods: the discount and the tax go back with them.
            let paid = try order.total.subtracting(order.shipping)
            // What is due for all that came back, less what was due before: rounding never loses or adds a penny.
            let subtotal = order.subtotal.amount
            let share =
                subtotal == 0
                ? .zero(paid.currency)
                : try paid.scaled(by: goods, over: subtotal).subtracting(try paid.scaled(by: before, over: subtotal))
            let left = order.total.amount - order.refunded.amount - (try Self.promised(input.id, transaction))
            return try Self.insert(
                Repayment(
                    reference: reference, order: input.id, fingerprint: fingerprint,
                    amount: Money(min(share.amount, left), share.currency),
                    restock: input.restock == false ? [] : input.lines, reason: input.reason, state: .pending),
                at: now, transaction)
        }
    }

    private static func known(_ reference: String, _ fingerprint: Int64, _ transaction: Transaction) throws
        -> Repayment?
    {
        guard
            let row = try transaction.row(
                """
                SELECT reference, order_id, fingerprint, amount, currency, restock, reason, state
                FROM repayments WHERE reference = $1
                """, reference)
        else { return nil }
        let known = try repayment(row)
        guard known.fingerprint == fingerprint else {
            throw Problem(.keyReused, "this Idempotency-Key was used for another request; take a new key")
        }
        return known
    }

    private static func repayment(_ row: Row) throws -> Repayment {
        Repayment(
            reference: try row.text(0), order: try row.id(1), fingerprint: try row.int64(2),
            amount: Money(try row.int64(3), try currency(row, 4)),
            restock: try row.optionalText(5).map { try JSON.decode([StockLine].self, from: Array($0.utf8)) } ?? [],
            reason: try row.optionalText(6), state: try column(row, 7))
    }

    private static func repayable(_ id: OrderID, _ transaction: Transaction) throws -> Order {
        guard let order = try order(id, transaction) else { throw Problem(.notFound, "there is no order \(id)") }
        guard order.status != .pending, order.status != .cancelled else {
            throw Problem(.refundTooLarge, "the order is \(order.status.rawValue): there is nothing to give back")
        }
        return order
    }

    /// What is decided and not yet given back.
    private static func promised(_ id: OrderID, _ transaction: Transaction) throws -> Int64 {
        try transaction.row(
            "SELECT coalesce(sum(amount), 0) FROM repayments WHERE order_id = $1 AND state = 'pending'", id
        )?.int64(0) ?? 0
    }

    private static func insert(_ new: Repayment, at now: Timestamp, _ transaction: Transaction) throws -> Repayment {
        let restock = new.restock.isEmpty ? nil : String(decoding: try JSON.encode(new.restock), as: UTF8.self)
        try transaction.execute(
            """
            INSERT INTO repayments (reference, order_id, fingerprint, amount, currency, restock, reason, state, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8)
            """, new.reference, new.order, new.fingerprint, new.amount.amount, new.amount.currency.code, restock,
            new.reason, now)
        return new
    }

    func pendingRepayments(before time: Timestamp, limit: Int) async throws -> [Repayment] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT reference, order_id, fingerprint, amount, currency, restock, reason, state
                FROM repayments WHERE state = 'pending' AND at <= $1 ORDER BY at LIMIT $2
                """, time, limit
            ).map(Self.repayment)
        }
    }

    func end(
        _ repayment: Repayment, _ state: Repayment.State, at now: Timestamp,
        event: (@Sendable (Order) throws -> Event)?
    ) async throws {
        try await database.write { transaction in
            let changed = try transaction.execute(
                "UPDATE repayments SET state = $2 WHERE reference = $1 AND state = 'pending'", repayment.reference,
                state.rawValue)
            guard changed == 1, state == .done else { return }
            try transaction.execute(
                """
                UPDATE orders SET refunded = refunded + $2, updated_at = $3,
                    payment_status = CASE WHEN $2 = 0 THEN payment_status
                        WHEN refunded + $2 >= total THEN 'refunded' ELSE 'partially_refunded' END
                WHERE id = $1
                """, repayment.order, repayment.amount.amount, now)
            if let event, let order = try Self.order(repayment.order, transaction) {
                try Outbox.append(try event(order), in: transaction)
            }
        }
    }
}
