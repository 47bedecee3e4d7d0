import Contracts
import Database
import Events
import Kernel

/// The SQL of orders.
struct OrdersStore: Sendable {
    let database: any Database

    /// A checkout that is written down, or the order that its key stands for already.
    enum Begun: Sendable {
        case started(number: Int64)
        case known(KeyRecord)
    }

    struct KeyRecord: Sendable {
        var order: OrderID
        var fingerprint: Int64
    }

    /// What a checkout is begun with.
    struct Checkout: Sendable {
        var scope: String
        var key: String
        var fingerprint: Int64
        var order: Order
        var token: String
        var cart: CartID?
        var owner: String
        var leaseUntil: Timestamp
    }

    /// A saga as it is stored.
    struct Work: Sendable {
        var order: OrderID
        var kind: Saga.Kind
        var token: String?
        var cart: CartID?
        var attempts: Int
    }

    // MARK: Checkout

    func begin(_ checkout: Checkout) async throws -> Begun {
        let address = String(decoding: try JSON.encode(checkout.order.shipping_address), as: UTF8.self)
        return try await database.write { transaction in
            if let known = try Self.record(checkout.scope, checkout.key, transaction) { return .known(known) }
            let order = checkout.order
            guard
                let row = try transaction.row(
                    """
                    INSERT INTO orders (id, number, status, payment_status, fulfilment_status, email, customer,
                        currency, subtotal, discount, shipping, tax, tax_included, total, coupon, shipping_method,
                        address,
                        line_count, pieces, created_at, updated_at)
                    VALUES ($1, (SELECT coalesce(max(number), 1000) + 1 FROM orders), 'pending', 'pending',
                        'unfulfilled', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
                    RETURNING number
                    """,
                    [
                        order.id.value, order.email.value, (order.customer?.description).value,
                        order.total.currency.code.value, order.subtotal.amount.value, order.discount.amount.value,
                        order.shipping.amount.value, order.tax.amount.value, order.tax_included.amount.value,
                        order.total.amount.value, order.coupon.value, order.shipping_method.value, address.value,
                        order.lines.count.value, order.lines.reduce(0) { $0 + $1.quantity }.value,
                        order.created_at.value, order.updated_at.value,
                    ])
            else { throw Problem(.internalError, "the order was not written") }
            for (position, line) in order.lines.enumerated() {
                try transaction.post(
                    """
                    INSERT INTO order_lines (order_id, position, sku, title, quantity, unit_price, total, image)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                    """,
                    [
                        order.id.value, position.value, line.sku.value, line.title.value, line.quantity.value,
                        line.unit_price.amount.value, line.total.amount.value, line.image.value,
                    ])
            }
            try transaction.post(
                "INSERT INTO idempotency_keys (scope, key, fingerprint, order_id) VALUES ($1, $2, $3, $4)",
                checkout.scope, checkout.key, checkout.fingerprint, order.id)
            try transaction.post(
                """
                INSERT INTO sagas (order_id, kind, token, cart, owner, lease_until, started_at)
                VALUES ($1, 'checkout', $2, $3, $4, $5, $6)
                """,
                order.id, checkout.token, checkout.cart?.description, checkout.owner, checkout.leaseUntil,
                order.updated_at)
            return .started(number: try row.int64(0))
        }
    }

    func record(scope: String, key: String) async throws -> KeyRecord? {
        try await database.read { try Self.record(scope, key, $0) }
    }

    private static func record(_ scope: String, _ key: String, _ transaction: Transaction) throws -> KeyRecord? {
        try transaction.row(
            "SELECT order_id, fingerprint FROM idempotency_keys WHERE scope = $1 AND key = $2", scope, key
        ).map { KeyRecord(order: try $0.id(0), fingerprint: try $0.int64(1)) }
    }

    /// The confirmation and its event; false if it was made before.
    func confirm(_ order: Order, cart: CartID?, event: Event) async throws -> Bool {
        try await database.write { transaction in
            let changed = try transaction.execute(
                """
                UPDATE orders SET status = 'confirmed', payment_status = 'authorized', updated_at = $2,
                    confirmed_at = $2
                WHERE id = $1 AND status = 'pending'
                """, order.id, order.updated_at)
            // Whoever drove it meanwhile may have begun a cancellation since: that one stays.
            guard changed == 1 else { return false }
            try transaction.post("DELETE FROM sagas WHERE order_id = $1", order.id)
            try Outbox.append(event, in: transaction)
            if let cart {
                // What was put into it while the order was placed stays there.
                try transaction.post(
                    """
                    DELETE FROM cart_lines
                    WHERE cart = $1 AND sku IN (SELECT sku FROM order_lines WHERE order_id = $2)
                    """, cart, order.id)
            }
            return true
        }
    }

    func decide(_ refusal: Refusal, _ order: OrderID) async throws {
        let text = String(decoding: try JSON.encode(refusal), as: UTF8.self)
        try await database.write { transaction in
            let changed = try transaction.execute(
                "UPDATE orders SET refusal = $2 WHERE id = $1 AND status = 'pending'", order, text)
            // Whoever drove it meanwhile came to another end: this one must not undo it.
            guard changed == 1 else { throw Problem(.conflict, "the order \(order) is settled") }
            try transaction.execute("UPDATE sagas SET kind = 'refusal' WHERE order_id = $1", order)
        }
    }

    /// A checkout that was refused: the order stays, cancelled.
    func refuse(_ order: OrderID, _ refusal: Refusal?, at time: Timestamp) async throws {
        let text = try refusal.map { String(decoding: try JSON.encode($0), as: UTF8.self) }
        let payment = refusal?.slug == ProblemType.paymentDeclined.slug ? "declined" : "voided"
        try await database.write { transaction in
            let changed = try transaction.execute(
                """
                UPDATE orders SET status = 'cancelled', payment_status = $2, reason = $3,
                    refusal = coalesce($4, refusal), updated_at = $5
                WHERE id = $1 AND status = 'pending'
                """, order, payment, refusal?.detail, text, time)
            guard changed == 1 else { return }
            try transaction.execute("DELETE FROM sagas WHERE order_id = $1", order)
        }
    }

    func refusal(of order: OrderID) async throws -> Refusal? {
        try await database.read { transaction in
            try transaction.row("SELECT refusal FROM orders WHERE id = $1", order)?.optionalText(0)
                .map { try JSON.decode(Refusal.self, from: Array($0.utf8)) }
        }
    }

    /// When it was confirmed.
    func confirmation(of order: OrderID) async throws -> Timestamp? {
        try await database.read { transaction in
            try transaction.row("SELECT confirmed_at FROM orders WHERE id = $1", order)?.optionalTimestamp(0)
        }
    }

    // MARK: Leases

    /// Takes a saga over: nil where there is none, or where another process holds it.
    func take(_ order: OrderID, owner: String, takesOverAll: Bool, at now: Timestamp, until: Timestamp) async throws
        -> Work?
    {
        try await database.write { transaction in
            try transaction.row(
                """
                UPDATE sagas SET owner = $2, lease_until = $3, attempts = attempts + 1
                WHERE order_id = $1 AND (lease_until <= $4 OR ($5 = 1 AND owner != $2))
                RETURNING order_id, kind, token, cart, attempts
                """, order, owner, until, now, takesOverAll
            ).map(Self.work)
        }
    }

    /// Nil where there is no saga any more.
    func leaseEnd(of order: OrderID) async throws -> Timestamp? {
        try await database.read { transaction in
            try transaction.row("SELECT lease_until FROM sagas WHERE order_id = $1", order)?.timestamp(0)
        }
    }

    /// The orders whose sagas nobody works on.
    func abandoned(owner: String, takesOverAll: Bool, at now: Timestamp, limit: Int) async throws -> [OrderID] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT order_id FROM sagas WHERE lease_until <= $1 OR ($2 = 1 AND owner != $3)
                ORDER BY lease_until LIMIT $4
                """, now, takesOverAll, owner, limit
            ).map { try $0.id(0) }
        }
    }

    /// Keeps sagas for longer, where no other process took them over.
    func renew(_ orders: [OrderID], owner: String, until: Timestamp) async throws {
        try await database.write { transaction in
            for order in orders {
                try transaction.post(
                    "UPDATE sagas SET lease_until = $2 WHERE order_id = $1 AND owner = $3", order, until, owner)
            }
        }
    }

    /// Leaves a saga to whoever comes after `time`, unless another one took it over.
    func leave(_ order: OrderID, owner: String, until time: Timestamp) async throws {
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE sagas SET lease_until = $2 WHERE order_id = $1 AND owner = $3", order, time, owner)
        }
    }

    func pendingSagas() async throws -> Int {
        try await database.read { try $0.row("SELECT count(*) FROM sagas")?.int(0) ?? 0 }
    }

    private static func work(_ row: Row) throws -> Work {
        guard let kind = Saga.Kind(rawValue: try row.text(1)) else {
            throw DatabaseError.column(index: 1, expected: "a kind of saga", found: try row.text(1), sql: "sagas")
        }
        return Work(
            order: try row.id(0), kind: kind, token: try row.optionalText(2), cart: try row.optionalID(3),
            attempts: try row.int(4))
    }

    // MARK: Settlement and cancellation

    func settled(_ orders: [OrderID], at time: Timestamp) async throws {
        try await database.write { transaction in
            for order in orders {
                try transaction.execute(
                    """
                    UPDATE orders SET payment_status = 'captured', updated_at = $2
                    WHERE id = $1 AND payment_status = 'authorized' AND status != 'cancelled'
                    """, order, time)
            }
        }
    }

    /// Decides that the order is undone; false where it no longer can be.
    func beginCancellation(_ order: OrderID, reason: String, owner: String, at now: Timestamp, until: Timestamp)
        async throws -> Bool
    {
        try await database.write { transaction in
            let changed = try transaction.execute(
                """
                UPDATE orders SET status = 'cancelled', reason = $2, updated_at = $3
                WHERE id = $1 AND status = 'confirmed' AND refunded = 0
                    AND NOT EXISTS (SELECT 1 FROM repayments WHERE order_id = $1 AND state = 'pending')
                """, order, reason, now)
            guard changed == 1 else { return false }
            try transaction.execute(
                """
                INSERT INTO sagas (order_id, kind, owner, lease_until, started_at)
                VALUES ($1, 'cancellation', $2, $3, $4)
                """, order, owner, until, now)
            return true
        }
    }

    func endCancellation(_ order: OrderID, payment: OrderPaymentStatus, refunded: Int64, event: Event) async throws {
        try await database.write { transaction in
            guard try transaction.execute("DELETE FROM sagas WHERE order_id = $1", order) == 1 else { return }
            try transaction.execute(
                "UPDATE orders SET payment_status = $2, refunded = $3, updated_at = $4 WHERE id = $1", order,
                payment.rawValue, refunded, event.time)
            try Outbox.append(event, in: transaction)
        }
    }
}
