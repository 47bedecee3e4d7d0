public import Contracts
import Crypto
public import Database
public import Kernel
import Synchronization

/// A payment provider for trying things out: it lives in this process, and stands for the world outside.
///
/// Its database is its own, apart from Payments', as another company's would be. What happens depends on the token:
/// `tok_approved`, `tok_declined`, `tok_slow` (after two seconds), `tok_twice` (tells of it twice, by webhook),
/// `tok_lost` (holds the money and never says so; whoever asks afterwards is told). Any other is an unknown test card.
public final class SandboxGateway: Gateway {
    public static let slowness: Duration = .seconds(2)

    public let provider = "sandbox"
    private let database: any Database
    private let clock: any WallClock
    private let timeout: Duration
    private let secret: SymmetricKey
    private let receiver = Mutex<(@Sendable (PaymentWebhook) async throws -> Void)?>(nil)

    /// - Parameters:
    ///   - timeout: after that a caller gives up waiting for an answer.
    ///   - webhookSecret: signs what it tells of its own accord.
    public init(
        database: any Database, webhookSecret: String, clock: any WallClock = SystemClock(),
        timeout: Duration = .seconds(5)
    ) {
        self.database = database
        self.clock = clock
        self.timeout = timeout
        secret = SymmetricKey(data: Array(webhookSecret.utf8))
    }

    public func deliver(to receiver: @escaping @Sendable (PaymentWebhook) async throws -> Void) {
        self.receiver.withLock { $0 = receiver }
    }

    public func authorize(key: String, amount: Money, token: String) async throws -> GatewayAnswer {
        let reason = Self.refusal(of: token)
        let (hold, isNew) = try await database.write { transaction -> (Hold?, Bool) in
            let isNew = try transaction.execute(
                """
                INSERT INTO holds (key, status, amount, currency, reason) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (key) DO NOTHING
                """,
                key, reason == nil ? "held" : "declined", amount.amount, amount.currency.code, reason)
            if isNew == 1 { return (Hold(amount: amount.amount, currency: amount.currency.code, reason: reason), true) }
            return (try Self.hold(key, in: transaction), false)
        }
        guard let hold else { throw OutcomeUnknown("the sandbox lost \(key)") }
        guard hold.currency == nil || hold.amount == amount.amount && hold.currency == amount.currency.code else {
            throw Problem(.conflict, "the sandbox knows \(key) with another amount")
        }
        // Only the first time: a repeat is answered at once with what is written.
        if isNew { try await misbehave(token, key: key) }
        return Self.answer(hold, key)
    }

    private func misbehave(_ token: String, key: String) async throws {
        switch token {
        case "tok_slow": try await clock.sleep(for: Self.slowness)
        case "tok_twice":
            let delivery = delivery(event: "payment.authorized", reference: key)
            guard let receiver = receiver.withLock({ $0 }) else { break }
            for _ in 0..<2 { try await receiver(delivery) }
        case "tok_lost":
            try await clock.sleep(for: timeout)
            throw OutcomeUnknown("the sandbox did not answer within \(timeout)")
        default: break
        }
    }

    private static func refusal(of token: String) -> String? {
        switch token {
        case "tok_approved", "tok_slow", "tok_twice", "tok_lost": nil
        case "tok_declined": "the card was declined"
        default: "unknown test card"
        }
    }

    public func find(key: String) async throws -> GatewayAnswer? {
        try await database.read { try Self.hold(key, in: $0) }.map { Self.answer($0, key) }
    }

    public func capture(_ keys: [String]) async throws -> Set<String> {
        try await database.write { transaction in
            var captured: Set<String> = []
            for key in keys {
                let isCaptured = try transaction.execute(
                    "UPDATE holds SET status = 'captured' WHERE key = $1 AND status IN ('held', 'captured')", key)
                if isCaptured == 1 { captured.insert(key) }
            }
            return captured
        }
    }

    public func void(key: String) async throws -> GatewayVoid {
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO holds (key, status, reason) VALUES ($1, 'voided', $2)
                ON CONFLICT (key) DO UPDATE SET status = 'voided', reason = $2 WHERE holds.status = 'held'
                """, key, Self.voided)
            return try Self.hold(key, in: transaction)?.isCaptured == true ? .captured : .voided
        }
    }

    public func refund(key: String, amount: Money, refundKey: String) async throws {
        try await database.write { transaction in
            let isNew = try transaction.execute(
                """
                INSERT INTO given_back (hold, key, amount) VALUES ($1, $2, $3) ON CONFLICT (hold, key) DO NOTHING
                """, key, refundKey, amount.amount)
            guard isNew == 1 else { return }
            guard let hold = try Self.hold(key, in: transaction), hold.isCaptured,
                hold.currency == amount.currency.code,
                let total = try transaction.row(
                    "SELECT CAST(sum(amount) AS BIGINT) FROM given_back WHERE hold = $1", key)?.int64(0),
                total <= hold.amount ?? 0
            else { throw Problem(.refundTooLarge, "the sandbox did not take that much for \(key)") }
        }
    }

    public func news(in delivery: PaymentWebhook) throws -> GatewayNews? {
        guard let code = delivery.signature.flatMap(Hex.bytes),
            HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Array(delivery.body.utf8), using: secret)
        else { throw Problem(.badSignature, "the signature is not that of the message under the webhook secret") }
        let message = try? JSON.parse(Array(delivery.body.utf8))
        guard let event = message?["event"]?.stringValue, let reference = message?["reference"]?.stringValue else {
            throw Problem(.badRequest, "expected a message with event and reference")
        }
        return GatewayNews(id: reference, event: event, key: reference)
    }

    /// Its own message, signed with HMAC-SHA256 in hex.
    func delivery(event: String, reference: String) -> PaymentWebhook {
        let body = JSON.object(["event": .string(event), "reference": .string(reference)]).serialized()
        let signature = Hex.text(HMAC<SHA256>.authenticationCode(for: body, using: secret))
        return PaymentWebhook(provider: provider, body: String(decoding: body, as: UTF8.self), signature: signature)
    }

    // MARK: What it keeps

    private static let voided = "let go of before"

    private struct Hold: Sendable {
        var amount: Int64?
        /// Nil: voided before anything was held.
        var currency: String?
        var reason: String?
        var isCaptured = false
    }

    private static func answer(_ hold: Hold, _ key: String) -> GatewayAnswer {
        hold.reason.map { .declined(reason: $0) } ?? .approved(reference: "sandbox_" + key)
    }

    private static func hold(_ key: String, in transaction: Transaction) throws -> Hold? {
        try transaction.row("SELECT amount, currency, reason, status FROM holds WHERE key = $1", key).map { row in
            Hold(
                amount: try row.optionalInt64(0), currency: try row.optionalText(1), reason: try row.optionalText(2),
                isCaptured: try row.text(3) == "captured")
        }
    }

    /// Of its own database.
    public static let migrations = [
        Migration(
            1, "sandbox",
            sqlite: """
                CREATE TABLE holds (
                    key TEXT PRIMARY KEY,
                    status TEXT NOT NULL CHECK (status IN ('held', 'declined', 'captured', 'voided')),
                    amount INTEGER, currency TEXT, reason TEXT
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE given_back (
                    hold TEXT NOT NULL, key TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount >= 0),
                    PRIMARY KEY (hold, key)
                ) STRICT, WITHOUT ROWID;
                """,
            postgres: """
                CREATE TABLE holds (
                    key TEXT COLLATE "C" PRIMARY KEY,
                    status TEXT NOT NULL CHECK (status IN ('held', 'declined', 'captured', 'voided')),
                    amount BIGINT, currency TEXT, reason TEXT
                );
                CREATE TABLE given_back (
                    hold TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL,
                    amount BIGINT NOT NULL CHECK (amount >= 0),
                    PRIMARY KEY (hold, key)
                );
                """)
    ]
}
