import Contracts
import Database
import Kernel

/// The SQL of notifications.
struct NotificationsStore: Sendable {
    let database: any Database

    struct Row: Sendable {
        var id: NotificationID
        var letter: Letter
        var error: String?

        init(_ letter: Letter, at time: Timestamp, error: String?) {
            id = NotificationID(at: time)
            self.letter = letter
            self.error = error
        }
    }

    /// Which of the keys were told already.
    func known(_ keys: [String]) async throws -> Set<String> {
        guard !keys.isEmpty else { return [] }
        return try await database.read { transaction in
            var known: Set<String> = []
            for key in keys where try transaction.row("SELECT 1 FROM notifications WHERE key = $1", key) != nil {
                known.insert(key)
            }
            return known
        }
    }

    func insert(_ rows: [Row]) async throws {
        try await database.write { transaction in
            for row in rows {
                try transaction.post(
                    """
                    INSERT INTO notifications (id, key, type, order_id, customer, recipient, subject, status, error,
                        created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key) DO NOTHING
                    """,
                    row.id, row.letter.key, row.letter.type, row.letter.order, row.letter.customer,
                    row.letter.message.to, row.letter.message.subject,
                    (row.error == nil ? NotificationStatus.sent : .failed).rawValue, row.error,
                    row.letter.message.date)
            }
        }
    }

    /// The newest first; of everybody if `customer` is nil.
    func list(of customer: UserID?, after: String?, limit: Int) async throws -> NotificationPage {
        let columns = "id, type, order_id, recipient, subject, status, created_at"
        // Above every identifier.
        let before = after ?? "~"
        let items = try await database.readStale { transaction in
            let rows =
                if let customer {
                    try transaction.rows(
                        """
                        SELECT \(columns) FROM notifications WHERE customer = $1 AND id < $2 ORDER BY id DESC LIMIT $3
                        """, customer, before, limit + 1)
                } else {
                    try transaction.rows(
                        "SELECT \(columns) FROM notifications WHERE id < $1 ORDER BY id DESC LIMIT $2", before,
                        limit + 1)
                }
            return try rows.map { row in
                Notification(
                    id: try row.id(0), type: try row.text(1), order: try row.optionalID(2), to: try row.text(3),
                    subject: try row.text(4), status: NotificationStatus(rawValue: try row.text(5)) ?? .failed,
                    created_at: try row.timestamp(6))
            }
        }
        let page = Array(items.prefix(limit))
        return NotificationPage(items: page, next: items.count > limit ? page.last?.id.description : nil)
    }
}
