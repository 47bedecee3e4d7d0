public import Contracts
public import Database
public import Kernel

/// What the stock's own data says of an order, for the check against the orders.
public struct ReservationFact: Sendable, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case held, committed, released, expired, refused
    }
    public let order: OrderID
    public let state: State
    public let lines: [StockLine]
}

/// What `souk audit` checks of products and stock.
public struct ProductsAudit: Sendable {
    /// How long after its time a reservation may still be held: the loop that gives it back runs each minute.
    public static let reservationGrace = Duration.seconds(600)
    private let database: any Database
    private let clock: any WallClock

    public init(database: any Database, clock: any WallClock = SystemClock()) {
        self.database = database
        self.clock = clock
    }

    public func checks() async throws -> [AuditCheck] {
        let now = clock.now()
        return try await database.read { try Self.audit(in: $0, now: now) }
    }

    public static func audit(in transaction: Transaction, now: Timestamp) throws -> [AuditCheck] {
        [
            try levels(transaction), try book(transaction), try holds(transaction),
            try ages(transaction, now: now), try flags(transaction),
        ]
    }

    /// At most `limit` facts of orders after `order`, sorted by order: the next page begins after the last one.
    public func facts(after order: OrderID? = nil, limit: Int = 5_000) async throws -> [ReservationFact] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT order_id, state, lines FROM reservations WHERE order_id > $1 ORDER BY order_id LIMIT $2",
                order?.description ?? "", limit
            ).map { row in
                ReservationFact(
                    order: try row.id(0), state: try row.choice(1), lines: try StockLines(text: row.text(2)).lines)
            }
        }
    }

    private static func levels(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "stock.never-below-zero", "on hand, reserved and available are never below zero, for any SKU")
        try transaction.forEach("SELECT sku, on_hand, reserved FROM variants") { row in
            let (sku, onHand, reserved) = (try row.text(0), try row.int64(1), try row.int64(2))
            check.check(
                onHand >= 0 && reserved >= 0 && reserved <= onHand, "\(sku): \(onHand) on hand, \(reserved) reserved")
        }
        return check
    }

    private static func book(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "stock.movements", "each SKU's levels are the sum of its movements, which are numbered without gaps")
        try transaction.forEach(
            """
            SELECT v.sku, v.on_hand, v.reserved, v.movements, count(m.number), coalesce(max(m.number), 0),
                CAST(coalesce(sum(m.on_hand), 0) AS BIGINT), CAST(coalesce(sum(m.reserved), 0) AS BIGINT)
            FROM variants v LEFT JOIN stock_movements m ON m.variant = v.id
            GROUP BY v.id, v.sku, v.on_hand, v.reserved, v.movements
            """
        ) { row in
            let sku = try row.text(0)
            let (onHand, reserved) = (try row.int64(1), try row.int64(2))
            let (sumOnHand, sumReserved) = (try row.int64(6), try row.int64(7))
            check.check(
                onHand == sumOnHand && reserved == sumReserved,
                "\(sku): \(onHand) on hand and \(reserved) reserved, its movements add up to \(sumOnHand) and "
                    + "\(sumReserved)")
            let (expected, count, last) = (try row.int64(3), try row.int64(4), try row.int64(5))
            check.check(
                expected == count && count == last,
                "\(sku): \(count) movements up to number \(last), expected \(expected)")
        }
        return check
    }

    private static func holds(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "stock.reservations", "what is reserved of each SKU is what the open reservations of orders hold")
        var held: [String: Int64] = [:]
        try transaction.forEach("SELECT lines FROM reservations WHERE state = 'held'") { row in
            for line in try StockLines(text: row.text(0)).lines { held[line.sku, default: 0] += line.quantity }
        }
        try transaction.forEach("SELECT sku, reserved FROM variants") { row in
            let (sku, reserved) = (try row.text(0), try row.int64(1))
            let expected = held.removeValue(forKey: sku) ?? 0
            check.check(reserved == expected, "\(sku): \(reserved) reserved, orders hold \(expected)")
        }
        for (sku, quantity) in held { check.check(false, "\(sku): orders hold \(quantity), there is no such SKU") }
        return check
    }

    private static func ages(_ transaction: Transaction, now: Timestamp) throws -> AuditCheck {
        var check = AuditCheck(
            "stock.reservation-age", "no reservation is held longer than \(reservationGrace) after its time")
        let limit = now - reservationGrace
        try transaction.forEach("SELECT order_id, expires_at FROM reservations WHERE state = 'held'") { row in
            let (order, expiry) = (try row.text(0), try row.timestamp(1))
            check.check(expiry > limit, "\(order) holds stock since its time, \(expiry)")
        }
        return check
    }

    private static func flags(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "catalogue.in-stock", "lists show a product as in stock exactly when a piece of it can be sold")
        try transaction.forEach(
            """
            SELECT p.handle, p.in_stock, CASE WHEN EXISTS (SELECT 1 FROM variants v
                WHERE v.product = p.id AND v.is_archived = 0 AND v.on_hand > v.reserved) THEN 1 ELSE 0 END
            FROM products p
            """
        ) { row in
            let (handle, kept, found) = (try row.text(0), try row.bool(1), try row.bool(2))
            check.check(kept == found, "\(handle) is listed as \(kept ? "in stock" : "out of stock")")
        }
        return check
    }
}
