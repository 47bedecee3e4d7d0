import Contracts
import Database
import Kernel

/// The SQL of webhooks.
struct WebhooksStore: Sendable {
    let database: any Database

    /// A webhook to which something can be sent.
    struct Target: Sendable {
        var id: WebhookID
        var url: WebhookURL
        var types: Set<String>
        var secret: WebhookSecret
    }

    /// A message that an event is for a webhook.
    struct Message: Sendable {
        var webhook: WebhookID
        var id: String
        var type: String
        var subject: String
        var body: [UInt8]
    }

    /// A delivery that is this process's to send until `lease`.
    struct Claimed: Sendable {
        var id: WebhookDeliveryID
        var message: String
        var body: [UInt8]
        var attempts: Int
        var lease: Timestamp
    }

    // MARK: - Webhooks

    /// False if there are `limit` already.
    func insert(_ webhook: Webhook, secret: WebhookSecret, limit: Int) async throws -> Bool {
        try await database.write { transaction in
            let count = try transaction.row("SELECT count(*) FROM webhooks")?.int(0) ?? 0
            guard count < limit else { return false }
            try transaction.execute(
                "INSERT INTO webhooks (id, url, types, secret, status, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
                webhook.id, webhook.url, webhook.types.joined(separator: " "), secret.reveal(),
                webhook.status.rawValue, webhook.created_at)
            return true
        }
    }

    func all() async throws -> [Webhook] {
        try await database.read { transaction in
            try transaction.rows("SELECT id, url, types, status, created_at FROM webhooks ORDER BY id").map { row in
                Webhook(
                    id: try row.id(0), url: try row.text(1), types: Self.types(try row.text(2)),
                    status: WebhookStatus(rawValue: try row.text(3)) ?? .disabled, created_at: try row.timestamp(4))
            }
        }
    }

    func status(_ id: WebhookID) async throws -> WebhookStatus? {
        try await database.read { transaction in
            try transaction.row("SELECT status FROM webhooks WHERE id = $1", id)
                .flatMap { WebhookStatus(rawValue: try $0.text(0)) }
        }
    }

    func delete(_ id: WebhookID) async throws -> Bool {
        try await database.write { try $0.execute("DELETE FROM webhooks WHERE id = $1", id) == 1 }
    }

    /// The enabled ones; with a time, those that have something to send by then.
    func targets(dueAt time: Timestamp? = nil) async throws -> [Target] {
        try await database.read { transaction in
            let enabled = try transaction.rows("SELECT id, url, types, secret FROM webhooks WHERE status = 'enabled'")
            return try enabled.compactMap { row in
                guard let secret = WebhookSecret(try row.text(3)) else { return nil }
                let target = Target(
                    id: try row.id(0), url: try WebhookURL(try row.text(1)), types: Set(Self.types(try row.text(2))),
                    secret: secret)
                guard let time else { return target }
                let due = try transaction.row(
                    """
                    SELECT 1 FROM webhook_deliveries WHERE webhook = $1 AND status = 'pending' AND next_at <= $2 LIMIT 1
                    """, target.id, time)
                return due == nil ? nil : target
            }
        }
    }

    private static func types(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

    // MARK: - Sending

    /// Writes messages down, each once.
    func insert(_ messages: [Message], at time: Timestamp) async throws {
        try await database.write { transaction in
            var enabled: [WebhookID: Bool] = [:]
            for message in messages {
                // It may have gone since it was looked for.
                if enabled[message.webhook] == nil {
                    enabled[message.webhook] =
                        try transaction.row(
                            "SELECT 1 FROM webhooks WHERE id = $1 AND status = 'enabled'", message.webhook) != nil
                }
                guard enabled[message.webhook] == true else { continue }
                try transaction.execute(
                    """
                    INSERT INTO webhook_deliveries (id, webhook, message, type, subject, body, status, next_at,
                        created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7) ON CONFLICT (webhook, message) DO NOTHING
                    """,
                    WebhookDeliveryID(at: time), message.webhook, message.id, message.type, message.subject,
                    message.body, time)
            }
        }
    }

    /// Takes up to `limit` that are due, until `lease`. Of two processes that look at the same moment one gets each.
    func claim(_ webhook: WebhookID, limit: Int, at time: Timestamp, lease: Timestamp) async throws -> [Claimed] {
        try await database.write { transaction in
            let due = try transaction.rows(
                """
                SELECT id, message, body, attempts, next_at FROM webhook_deliveries
                WHERE webhook = $1 AND status = 'pending' AND next_at <= $2 ORDER BY next_at, id LIMIT $3
                """, webhook, time, limit)
            return try due.compactMap { row in
                let claimed = Claimed(
                    id: try row.id(0), message: try row.text(1), body: try row.blob(2), attempts: try row.int(3),
                    lease: lease)
                let isMine = try transaction.execute(
                    """
                    UPDATE webhook_deliveries SET next_at = $2 WHERE id = $1 AND status = 'pending' AND next_at = $3
                    """, claimed.id, lease, try row.timestamp(4))
                return isMine == 1 ? claimed : nil
            }
        }
    }

    /// Writes down what became of what was claimed. Who came too late, after the lease or a replay, changes nothing.
    func finish(_ attempts: [(Claimed, WebhookAttempt)], of webhook: WebhookID, at time: Timestamp) async throws {
        try await database.write { transaction in
            for (claimed, attempt) in attempts {
                let (status, next): (WebhookDeliveryStatus, Timestamp) =
                    switch attempt.outcome {
                    case .delivered: (.delivered, time)
                    case .retry(let delay): (.pending, time + delay)
                    case .failed, .gone: (.failed, time)
                    }
                try transaction.execute(
                    """
                    UPDATE webhook_deliveries SET status = $3, attempts = attempts + 1, response_status = $4,
                        error = $5, next_at = $6, finished_at = $7
                    WHERE id = $1 AND status = 'pending' AND next_at = $2
                    """, claimed.id, claimed.lease, status.rawValue, attempt.status, attempt.error, next,
                    status == .pending ? nil : time)
            }
            if let gone = attempts.first(where: { $0.1.outcome == .gone })?.1 {
                try transaction.execute("UPDATE webhooks SET status = 'disabled' WHERE id = $1", webhook)
                try transaction.execute(
                    """
                    UPDATE webhook_deliveries SET status = 'failed', error = $2, finished_at = $3
                    WHERE webhook = $1 AND status = 'pending'
                    """, webhook, gone.error, time)
            }
        }
    }

    /// Forgets what ended before the time: `limit` at once. Gives how many.
    func trim(before time: Timestamp, limit: Int) async throws -> Int {
        try await database.write { transaction in
            try transaction.execute(
                """
                DELETE FROM webhook_deliveries WHERE id IN (
                    SELECT id FROM webhook_deliveries WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)
                """, time, limit)
        }
    }

    // MARK: - Looking

    /// False if there is none of these.
    func replay(_ replay: WebhookReplay, at time: Timestamp) async throws -> Bool {
        try await database.write { transaction in
            try transaction.execute(
                """
                UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_at = $3, finished_at = NULL
                WHERE id = $1 AND webhook = $2
                """, replay.delivery, replay.id, time) == 1
        }
    }

    func deliveries(_ query: WebhookDeliveryQuery, limit: Int) async throws -> WebhookDeliveryPage {
        let items = try await database.read { transaction in
            try transaction.rows(
                """
                SELECT \(Self.columns) FROM webhook_deliveries
                WHERE webhook = $1 AND id < $2 AND ($3 = '' OR status = $3) ORDER BY id DESC LIMIT $4
                """,
                // Above every identifier.
                query.id, query.after ?? "~", query.status?.rawValue ?? "", limit + 1
            ).map(Self.delivery)
        }
        let page = Array(items.prefix(limit))
        return WebhookDeliveryPage(items: page, next: items.count > limit ? page.last?.id.description : nil)
    }

    func delivery(_ replay: WebhookReplay) async throws -> WebhookDelivery? {
        try await database.read { transaction in
            try transaction.row(
                "SELECT \(Self.columns) FROM webhook_deliveries WHERE id = $1 AND webhook = $2", replay.delivery,
                replay.id
            ).map(Self.delivery)
        }
    }

    private static let columns = """
        id, webhook, message, type, subject, status, attempts, response_status, error, next_at, created_at, finished_at
        """

    private static func delivery(_ row: Row) throws -> WebhookDelivery {
        let status = WebhookDeliveryStatus(rawValue: try row.text(5)) ?? .failed
        return WebhookDelivery(
            id: try row.id(0), webhook: try row.id(1), message: try row.text(2), type: try row.text(3),
            subject: try row.text(4), status: status, attempts: try row.int(6), response_status: try row.optionalInt(7),
            error: try row.optionalText(8), next_attempt_at: status == .pending ? try row.timestamp(9) : nil,
            created_at: try row.timestamp(10), finished_at: try row.optionalTimestamp(11))
    }
}
