public import Contracts
public import Database
public import Kernel

/// What the payments' own data says of an order, for the check against the orders.
public struct PaymentFact: Sendable, Equatable {
    public let order: OrderID
    public let status: PaymentStatus
    /// Nil: voided before it was authorised.
    public let amount: Money?

    /// Whether money is held or was taken and not wholly given back.
    public var stands: Bool {
        switch status {
        case .authorized, .captured, .partially_refunded: true
        case .pending, .declined, .voided, .refunded: false
        }
    }
}

/// What `souk audit` checks of payments.
public struct PaymentsAudit: Sendable {
    private let database: any Database

    public init(database: any Database) { self.database = database }

    public func checks() async throws -> [AuditCheck] {
        try await database.read { transaction in
            [try Self.entriesBalance(transaction), try Self.statusesFollowTheBook(transaction)]
        }
    }

    /// At most `limit` facts of orders after `order`, sorted by order: the next page begins after the last one.
    public func facts(after order: OrderID? = nil, limit: Int = 5_000) async throws -> [PaymentFact] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT order_id, status, amount, currency FROM payments WHERE order_id > $1 ORDER BY order_id LIMIT $2
                """,
                order?.description ?? "", limit
            ).map { row in
                guard let status = PaymentStatus(rawValue: try row.text(1)) else {
                    throw DatabaseError.column(
                        index: 1, expected: "a status", found: try row.text(1), sql: "payments")
                }
                let currency = try row.optionalText(3).flatMap(Currency.init)
                let amount = try row.optionalInt64(2)
                return PaymentFact(
                    order: try row.id(0), status: status,
                    amount: currency.flatMap { currency in
                        amount.map { Money($0, currency) }
                    })
            }
        }
    }

    private static func entriesBalance(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "payments.double-entry", "the postings of each entry add up to zero in each currency")
        try transaction.forEach(
            """
            SELECT order_id, entry, currency, CAST(sum(amount) AS BIGINT) FROM postings
            GROUP BY order_id, entry, currency
            """
        ) { row in
            let (order, entry, sum) = (try row.text(0), try row.text(1), try row.int64(3))
            check.check(sum == 0, "\(order) \(entry): \(sum) too much")
        }
        return check
    }

    private static func statusesFollowTheBook(_ transaction: Transaction) throws -> AuditCheck {
        var check = AuditCheck(
            "payments.statuses",
            "of each payment, the money held, captured and refunded is what its status and the book say")
        try transaction.forEach(
            """
            SELECT p.order_id, p.status, coalesce(p.amount, 0), p.captured, p.refunded,
                CAST(coalesce(sum(CASE WHEN b.account = 'holds' THEN b.amount END), 0) AS BIGINT),
                CAST(coalesce(sum(CASE WHEN b.account = 'captured' THEN b.amount END), 0) AS BIGINT),
                CAST(coalesce(sum(CASE WHEN b.account = 'refunds' THEN b.amount END), 0) AS BIGINT),
                CAST(coalesce(sum(CASE WHEN b.currency <> p.currency THEN 1 ELSE 0 END), 0) AS BIGINT)
            FROM payments p LEFT JOIN postings b ON b.order_id = p.order_id
            GROUP BY p.order_id, p.status, p.amount, p.captured, p.refunded
            """
        ) { row in
            let (order, status) = (try row.text(0), try row.text(1))
            let (amount, captured, refunded) = (try row.int64(2), try row.int64(3), try row.int64(4))
            let held = status == "authorized" ? amount : 0
            let isTaken = ["captured", "partially_refunded", "refunded"].contains(status)
            let isRefundRight =
                switch status {
                case "partially_refunded": refunded > 0 && refunded < captured
                case "refunded": refunded == captured
                default: refunded == 0
                }
            let book = (try row.int64(5), try row.int64(6), try row.int64(7), try row.int64(8))
            check.check(
                captured == (isTaken ? amount : 0) && isRefundRight && book == (held, captured, -refunded, 0),
                "\(order) is \(status) with \(amount), captured \(captured), refunded \(refunded); the book has "
                    + "\(book.0) held, \(book.1) captured, \(-book.2) refunded")
        }
        let strays =
            try transaction.row(
                "SELECT count(*) FROM postings WHERE order_id NOT IN (SELECT order_id FROM payments)")?.int(0) ?? 0
        check.check(strays == 0, "\(strays) postings belong to no payment")
        return check
    }
}
