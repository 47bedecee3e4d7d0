public import Contracts
public import Database
import Events
public import Kernel

/// What the orders' own data says of an order, for the check against the other services.
public struct OrderFact: Sendable {
    public let order: OrderID
    public let status: OrderStatus
    public let total: Money
    public let refunded: Money
    /// Work on it is under way: what the others say may be of a moment before or after.
    public let isMoving: Bool
}

/// What `souk audit` checks of orders.
public struct OrdersAudit: Sendable {
    /// No order is unsettled, and no event undelivered, for longer than this.
    public static let limit = Duration.seconds(300)

    private let database: any Database
    private let clock: any WallClock

    public init(database: any Database, clock: any WallClock = SystemClock()) {
        self.database = database
        self.clock = clock
    }

    public func checks() async throws -> [AuditCheck] {
        let now = clock.now()
        return try await database.read { transaction in
            [
                try Self.sums(transaction), try Self.keys(transaction), try Self.sagas(transaction, now),
                try Self.outbox(transaction, now),
            ]
        }
    }

    /// At most `limit` facts of orders after `order`, sorted by order.
    public func facts(after order: OrderID? = nil, limit: Int = 5_000) async throws -> [OrderFact] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT o.id, o.status, o.total, o.refunded, o.currency,
                    EXISTS (SELECT 1 FROM sagas s WHERE s.order_id = o.id)
                    OR EXISTS (SELECT 1 FROM repayments r WHERE r.order_id = o.id AND r.state = 'pending')
                FROM orders o WHERE o.id > $1 ORDER BY o.id LIMIT $2
                """, order?.description ?? "", limit
            ).map { row in
                let currency = try OrdersStore.currency(row, 4)
                return OrderFact(
                    order: try row.id(0), status: try OrdersStore.column(row, 1),
                    total: Money(try row.int64(2), currency), refunded: Money(try row.int64(3), currency),
                    isMoving: try row.bool(5))
            }
        }
    }

    /// Whether each of these orders exists, and its total.
    public func totals(of orders: [OrderID]) async throws -> [OrderID: Money] {
        try await database.read { transaction in
            var totals: [OrderID: Money] = [:]
            for order in orders {
                if let row = try transaction.row(
                    "SELECT total, currency FROM orders WHERE id = $1 AND status NOT IN ('pending')", order)
                {
                    totals[order] = Money(try row.int64(0), try OrdersStore.currency(row, 1))
                }
            }
            return totals
        }
    }

    private static func sums(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck("orders.sums", "an order's lines, discount, shipping and tax add up to its total")
        try transaction.forEach(
            """
            SELECT o.id, o.subtotal, o.discount, o.shipping, o.tax, o.total, o.line_count,
                coalesce(sum(l.unit_price * l.quantity), 0), count(l.position)
            FROM orders o LEFT JOIN order_lines l ON l.order_id = o.id GROUP BY o.id
            """
        ) { row in
            let (id, subtotal) = (try row.text(0), try row.int64(1))
            let lines = try row.int64(7)
            let total = subtotal - (try row.int64(2)) + (try row.int64(3)) + (try row.int64(4))
            let stored = try row.int64(5)
            let (counted, promised) = (try row.int64(8), try row.int64(6))
            check.check(
                subtotal == lines && total == stored && counted == promised,
                "\(id): lines add up to \(lines), subtotal \(subtotal), total \(stored), "
                    + "\(counted) of \(promised) lines")
        }
        return check
    }

    private static func keys(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck("orders.one-for-a-key", "one idempotency key is one order, and it exists")
        try transaction.forEach(
            """
            SELECT k.scope, k.key, max(o.id), count(*) FROM idempotency_keys k LEFT JOIN orders o ON o.id = k.order_id
            GROUP BY k.scope, k.key
            """
        ) { row in
            let (key, exists, count) = (try row.text(1), try !row.isNull(2), try row.int(3))
            check.check(exists && count == 1, "the key \(key) stands for \(count) orders")
        }
        return check
    }

    private static func sagas(_ transaction: Transaction, _ now: Timestamp) throws -> AuditCheck {
        var check = AuditCheck("orders.settled", "no order is unsettled for longer than 5 minutes")
        try transaction.forEach(
            """
            SELECT o.id, o.status, s.kind, s.started_at FROM orders o LEFT JOIN sagas s ON s.order_id = o.id
            WHERE o.status = 'pending' OR s.order_id IS NOT NULL
            """
        ) { row in
            let (id, status) = (try row.text(0), try row.text(1))
            guard let started = try row.optionalTimestamp(3) else {
                return check.check(false, "\(id) is \(status) and nobody works on it")
            }
            check.check(now - started <= limit, "\(id) is unsettled since \(started)")
        }
        return check
    }

    private static func outbox(_ transaction: Transaction, _ now: Timestamp) throws -> AuditCheck {
        var check = AuditCheck("orders.delivered", "no event of an order waits for longer than 5 minutes")
        let consumers = try transaction.rows("SELECT consumer FROM outbox_positions").map { try $0.text(0) }
        let oldest = try Outbox.oldestUndelivered(in: transaction, consumers: consumers)
        check.check(oldest.map { now - $0 <= limit } ?? true, "the oldest waits since \(oldest?.description ?? "")")
        return check
    }
}
