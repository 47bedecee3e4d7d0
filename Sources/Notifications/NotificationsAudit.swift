public import Contracts
public import Database
public import Kernel

/// What `souk audit` checks of notifications.
public struct NotificationsAudit: Sendable {
    private let database: any Database

    public init(database: any Database) { self.database = database }

    public func checks() async throws -> [AuditCheck] {
        [
            try await database.read { transaction in
                var check = AuditCheck(
                    "notifications.confirmations-once", "no order was confirmed to its customer twice")
                try transaction.forEach(
                    """
                    SELECT order_id, count(*) FROM notifications WHERE type = 'order.confirmed' GROUP BY order_id
                    """
                ) { row in
                    let (order, count) = (try row.optionalText(0) ?? "no order", try row.int(1))
                    check.check(count == 1, "\(order): \(count) confirmations")
                }
                return check
            }
        ]
    }

    /// At most `limit` orders after `order` whose confirmation was written, sorted: the next page begins after the
    /// last.
    public func confirmedOrders(after order: OrderID? = nil, limit: Int = 5_000) async throws -> [OrderID] {
        let prefix = EventTypes.orderConfirmed + ":"
        return try await database.read { transaction in
            try transaction.rows(
                "SELECT order_id FROM notifications WHERE key > $1 AND key < $2 ORDER BY key LIMIT $3",
                prefix + (order?.description ?? ""), prefix + "~", limit
            ).map { try $0.id(0) }
        }
    }
}
