import Contracts
import Database
import Kernel

/// What is remembered of authorisations asked of Stripe: one row a key, written before Stripe is asked.
struct StripeIntents: Sendable {
    let database: any Database

    struct Entry: Sendable {
        var key: String
        /// Nil: let go of before it was asked for.
        var amount: Money?
        /// Of the shopper's browser; forgotten when the verdict is known.
        var token: String
        /// Which of Stripe's idempotency keys is in use.
        var attempt: Int
        /// With this idempotency key, the first time and the last.
        var firstAsked: Timestamp
        var lastAsked: Timestamp
        /// Stripe keeps a `500` under this idempotency key.
        var isBroken: Bool
        /// Stripe's payment intent, once it is known.
        var intent: String?
        /// The last word; nil while it is not known.
        var answer: GatewayAnswer?
        var isVoided: Bool
        /// Nobody asked before.
        var isNew = false
    }

    /// The row of the key, which is made if there is none.
    func begin(_ key: String, _ amount: Money, token: String, at time: Timestamp) async throws -> Entry {
        try await database.write { transaction in
            let isNew = try transaction.execute(
                """
                INSERT INTO stripe_intents (key, amount, currency, token, first_asked_at, last_asked_at)
                VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (key) DO NOTHING
                """, key, amount.amount, amount.currency.code, token, time)
            var entry = try Self.kept(key, in: transaction)
            entry.isNew = isNew == 1
            return entry
        }
    }

    func entry(_ key: String) async throws -> Entry? {
        try await database.read { try Self.row(key, in: $0) }
    }

    func entries(_ keys: [String]) async throws -> [Entry] {
        try await database.read { transaction in try keys.compactMap { try Self.row($0, in: transaction) } }
    }

    /// Stripe is asked once more with the same idempotency key.
    func touch(_ entry: Entry, at time: Timestamp) async throws -> Entry {
        try await change(entry.key, "UPDATE stripe_intents SET last_asked_at = $2 WHERE key = $1", time)
    }

    func markBroken(_ entry: Entry) async throws -> Entry {
        try await change(
            entry.key, "UPDATE stripe_intents SET is_broken = 1 WHERE key = $1 AND attempt = $2", entry.attempt)
    }

    /// Stripe will be asked with a fresh idempotency key. Of two who see that it is time, one changes the row.
    func beginAgain(_ entry: Entry, at time: Timestamp) async throws -> Entry {
        try await change(
            entry.key,
            """
            UPDATE stripe_intents SET attempt = attempt + 1, is_broken = 0, first_asked_at = $3, last_asked_at = $3
            WHERE key = $1 AND attempt = $2
            """, entry.attempt, time)
    }

    /// A tombstone: an authorisation that comes from now on is declined.
    func void(_ key: String, at time: Timestamp) async throws -> Entry {
        try await change(
            key,
            """
            INSERT INTO stripe_intents (key, token, is_voided, first_asked_at, last_asked_at)
            VALUES ($1, '', 1, $2, $2) ON CONFLICT (key) DO UPDATE SET is_voided = 1
            """, time)
    }

    /// Nothing is held any more; or it was captured before, and stays so.
    func endVoid(_ key: String, of outcome: GatewayVoid) async throws {
        switch outcome {
        case .voided:
            _ = try await change(
                key, "UPDATE stripe_intents SET verdict = 'declined', reason = $2, token = '' WHERE key = $1",
                StripeGateway.voided)
        case .captured:
            _ = try await change(key, "UPDATE stripe_intents SET is_voided = 0 WHERE key = $1")
        }
    }

    func remember(_ intent: String, of key: String) async throws -> Entry {
        try await change(key, "UPDATE stripe_intents SET intent = $2 WHERE key = $1", intent)
    }

    /// The first verdict stays.
    func settle(_ key: String, _ answer: GatewayAnswer, intent: String?) async throws -> Entry {
        let (verdict, reason): (String, String?) =
            switch answer {
            case .approved: ("held", nil)
            case .declined(let reason): ("declined", reason)
            }
        return try await change(
            key,
            """
            UPDATE stripe_intents SET verdict = $2, reason = $3, intent = coalesce($4, intent), token = ''
            WHERE key = $1 AND verdict IS NULL
            """, verdict, reason, intent)
    }

    private func change(_ key: String, _ sql: String, _ arguments: any ValueConvertible & Sendable...) async throws
        -> Entry
    {
        let values = [key.value] + arguments.map { $0.value }
        return try await database.write { transaction in
            try transaction.execute(sql, values)
            return try Self.kept(key, in: transaction)
        }
    }

    private static func kept(_ key: String, in transaction: Transaction) throws -> Entry {
        guard let entry = try row(key, in: transaction) else {
            throw Problem(.internalError, "what Stripe was asked for \(key) is not there any more")
        }
        return entry
    }

    private static func row(_ key: String, in transaction: Transaction) throws -> Entry? {
        try transaction.row(
            """
            SELECT amount, currency, token, attempt, first_asked_at, last_asked_at, is_broken, intent, verdict, reason,
                is_voided
            FROM stripe_intents WHERE key = $1
            """, key
        ).map { row in
            let currency = try row.optionalText(1).flatMap(Currency.init)
            let intent = try row.optionalText(7)
            let answer: GatewayAnswer? =
                switch try row.optionalText(8) {
                case "held": .approved(reference: intent ?? "")
                case "declined": .declined(reason: try row.optionalText(9) ?? "")
                default: nil
                }
            return Entry(
                key: key, amount: try row.optionalInt64(0).flatMap { amount in currency.map { Money(amount, $0) } },
                token: try row.text(2), attempt: try row.int(3), firstAsked: try row.timestamp(4),
                lastAsked: try row.timestamp(5), isBroken: try row.bool(6), intent: intent, answer: answer,
                isVoided: try row.bool(10))
        }
    }
}
