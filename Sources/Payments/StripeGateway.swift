public import Contracts
public import Database
public import Kernel
public import Logging

/// Stripe (https://docs.stripe.com/api): an authorisation is a PaymentIntent with `capture_method=manual`, made and
/// confirmed in one request.
///
/// **How one key stays one authorisation.** A row is written before Stripe is asked, and every request of a key carries
/// the same `Idempotency-Key` and the same fields. So an answer that got lost is asked for by sending the request
/// again: Stripe does it once and says what it said. Its search would not do, as it may be behind by an hour. Where the
/// same key cannot be used, because Stripe forgets it after a day or keeps a `500` under it, the intent is searched for
/// by `metadata.order`; only when the last request is older than `searchIsSettled` is "there is none" believed, and a
/// fresh key taken. Until then the outcome is unknown.
///
/// **How a void comes before an authorisation on its way.** The row becomes a tombstone first. If nobody knows what
/// became of the request, its idempotency key is burnt: it is used for an intent that is never confirmed. Either that
/// was its first use, and the request is refused when it comes (`idempotency_error`); or Stripe refuses the burning
/// with that error, and then says which intent to cancel. Nothing is held in order to be let go of.
///
/// A card that asks for 3-D Secure is declined, as the shop has no page for it yet.
public struct StripeGateway: Gateway {
    public static let defaultBaseURL = "https://api.stripe.com"
    /// Twice it fits into a request of a shopper's: asked, and asked again.
    public static let defaultTimeout = Duration.seconds(10)
    /// Stripe keeps idempotency keys for at least 24 hours.
    static let keysAreKept = Duration.seconds(23 * 3_600)
    /// Stripe's search is behind by less than a minute, and by up to an hour during outages.
    static let searchIsSettled = Duration.seconds(2 * 3_600)
    static let capturesAtOnce = 8
    static let mostPagesOfRefunds = 10

    static let voided = "let go of before"
    static let needsSecure3D = "the card asks for 3-D Secure, which this shop does not offer yet"

    public let provider = "stripe"
    let api: StripeAPI
    let intents: StripeIntents
    let signature: StripeSignature
    let clock: any WallClock
    let logger: Logger

    /// - Parameters:
    ///   - key: the secret API key, `sk_…` or a restricted `rk_…`. Never shown.
    ///   - webhookSecrets: of the endpoint at Stripe, `whsec_…`; two while one is rolled over.
    ///   - database: Payments' own.
    ///   - send: `OutboundHTTP.send`.
    public init(
        key: String, webhookSecrets: [String], database: any Database, baseURL: String = defaultBaseURL,
        timeout: Duration = defaultTimeout, clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "souk.payments"), send: @escaping Outbound
    ) {
        api = StripeAPI(base: baseURL, key: key, timeout: timeout, send: send)
        intents = StripeIntents(database: database)
        signature = StripeSignature(secrets: webhookSecrets)
        self.clock = clock
        self.logger = logger
    }

    public func authorize(key: String, amount: Money, token: String) async throws -> GatewayAnswer {
        guard StripeAmount.units(amount) != nil else {
            return .declined(reason: "Stripe cannot take \(amount): no amount that small exists there")
        }
        let entry = try await intents.begin(key, amount, token: token, at: clock.now())
        guard entry.isVoided || entry.amount == amount else {
            throw Problem(.conflict, "Stripe was asked for \(key) with another amount")
        }
        return try await answer(entry)
    }

    public func find(key: String) async throws -> GatewayAnswer? {
        guard let entry = try await intents.entry(key) else { return nil }
        return try await answer(entry)
    }

    /// What is known, or what Stripe says now.
    private func answer(_ entry: StripeIntents.Entry) async throws -> GatewayAnswer {
        if let answer = try Self.known(entry) { return answer }
        do {
            return try await finding(entry)
        } catch let unknown as OutcomeUnknown {
            // It may have been voided in the meantime.
            guard let answer = try await intents.entry(entry.key).flatMap(Self.known) else { throw unknown }
            return answer
        }
    }

    /// - Throws: `OutcomeUnknown` while what is held is being voided: it may turn out to be captured.
    private static func known(_ entry: StripeIntents.Entry) throws -> GatewayAnswer? {
        guard entry.isVoided else { return entry.answer }
        if case .approved = entry.answer { throw OutcomeUnknown("\(entry.key) is being let go of") }
        return .declined(reason: voided)
    }

    private func finding(_ entry: StripeIntents.Entry) async throws -> GatewayAnswer {
        if let id = entry.intent {
            guard case .object(let intent) = try await api.get("/v1/payment_intents/\(id)") else {
                throw OutcomeUnknown("Stripe does not say what became of \(id)")
            }
            return try await judge(intent, entry)
        }
        switch try await ask(entry) {
        case .told(let answer, let entry): return try await judge(answer, entry)
        case .nothing(let entry):
            // It never got there, and never will under this idempotency key.
            let fresh = try await intents.beginAgain(entry, at: clock.now())
            guard case .told(let answer, let entry) = try await ask(fresh) else {
                throw OutcomeUnknown("Stripe does not say what became of \(entry.key)")
            }
            return try await judge(answer, entry)
        }
    }

    // MARK: - Finding out

    enum Found: Sendable {
        case told(StripeAPI.Answer, StripeIntents.Entry)
        /// There is no intent of this key.
        case nothing(StripeIntents.Entry)
    }

    private func ask(_ entry: StripeIntents.Entry) async throws -> Found {
        guard canRepeat(entry), let amount = entry.amount else { return try await search(entry) }
        return try await outcome(of: entry.isNew ? entry : try await intents.touch(entry, at: clock.now()), amount)
    }

    /// Sends the request, the first time or again, always the same; where that tells nothing, searches.
    func outcome(of entry: StripeIntents.Entry, _ amount: Money) async throws -> Found {
        guard canRepeat(entry) else { return try await search(entry) }
        var form = Self.form(entry.key, amount) + [("confirm", "true"), ("error_on_requires_action", "true")]
        // The older Tokens (tok_…) are card data; what Stripe's forms give today is a PaymentMethod (pm_…).
        form +=
            entry.token.hasPrefix("tok_")
            ? [("payment_method_data[type]", "card"), ("payment_method_data[card][token]", entry.token)]
            : [("payment_method", entry.token)]
        let answer = try await api.post("/v1/payment_intents", form, key: idempotencyKey(entry))
        switch answer {
        case .broken: return try await search(try await intents.markBroken(entry))
        case .refused(let refusal) where refusal.type == "idempotency_error":
            // Burnt by a void in the meantime, or sent with other fields by another release.
            return try await search(try await intents.markBroken(entry))
        case .refused, .object: return .told(answer, entry)
        }
    }

    func canRepeat(_ entry: StripeIntents.Entry) -> Bool {
        !entry.isBroken && clock.now() - entry.firstAsked < Self.keysAreKept
    }

    func idempotencyKey(_ entry: StripeIntents.Entry) -> String { "\(entry.key):authorize:\(entry.attempt)" }

    /// What every request for the key has.
    static func form(_ key: String, _ amount: Money) -> StripeAPI.Fields {
        [
            ("amount", String(StripeAmount.units(amount) ?? 0)), ("currency", amount.currency.code.lowercased()),
            ("capture_method", "manual"), ("payment_method_types[]", "card"), ("metadata[order]", key),
        ]
    }

    /// - Throws: `OutcomeUnknown` while the search may be behind.
    func search(_ entry: StripeIntents.Entry) async throws -> Found {
        let query = "metadata['order']:'\(entry.key)'"
        let answer = try await api.get("/v1/payment_intents/search", [("query", query), ("limit", "10")])
        guard case .object(let list) = answer, let found = list["data"]?.arrayValue else {
            throw OutcomeUnknown("Stripe cannot search for \(entry.key)")
        }
        let own = found.filter { $0["metadata"]?["order"]?.stringValue == entry.key }
        // One that holds or took money before those that failed.
        let standing = own.first { ["requires_capture", "succeeded"].contains($0["status"]?.stringValue) }
        if let intent = standing ?? own.first { return .told(.object(intent), entry) }
        guard clock.now() - entry.lastAsked >= Self.searchIsSettled else {
            throw OutcomeUnknown("Stripe's search does not know \(entry.key) yet")
        }
        return .nothing(entry)
    }

    // MARK: - Judging

    private func judge(_ answer: StripeAPI.Answer, _ entry: StripeIntents.Entry) async throws -> GatewayAnswer {
        switch answer {
        case .object(let intent): return try await judge(intent, entry)
        case .refused(let refusal):
            if refusal.type != "card_error" {
                logger.error("Stripe refuses an authorisation", metadata: ["reason": "\(refusal.message)"])
            }
            let intent = refusal.intent?["id"]?.stringValue
            return try await settle(entry.key, .declined(reason: Self.reason(refusal)), intent: intent)
        case .broken: throw OutcomeUnknown("Stripe broke while it was asked about \(entry.key)")
        }
    }

    private func judge(_ intent: JSON, _ entry: StripeIntents.Entry) async throws -> GatewayAnswer {
        guard let id = intent["id"]?.stringValue, let status = intent["status"]?.stringValue else {
            throw OutcomeUnknown("Stripe's answer about \(entry.key) is no payment intent")
        }
        switch status {
        case "requires_capture", "succeeded":
            return try await settle(entry.key, .approved(reference: id), intent: id)
        case "requires_payment_method":
            let error = intent["last_payment_error"]
            let reason = Self.reason(error?["message"]?.stringValue, error?["decline_code"]?.stringValue)
            return try await settle(entry.key, .declined(reason: reason), intent: id)
        case "requires_action", "requires_confirmation":
            // Stripe was asked not to go there; should it all the same, nothing must be left that can still be paid.
            _ = try await intents.remember(id, of: entry.key)
            guard try await move(id, by: "cancel", key: entry.key) == "canceled" else {
                throw OutcomeUnknown("Stripe does not cancel \(id), which asks for 3-D Secure")
            }
            return try await settle(entry.key, .declined(reason: Self.needsSecure3D), intent: id)
        case "canceled": return try await settle(entry.key, .declined(reason: Self.voided), intent: id)
        default:
            _ = try await intents.remember(id, of: entry.key)
            throw OutcomeUnknown("Stripe has \(entry.key) as \(status)")
        }
    }

    private func settle(_ key: String, _ answer: GatewayAnswer, intent: String?) async throws -> GatewayAnswer {
        try Self.known(try await intents.settle(key, answer, intent: intent)) ?? answer
    }

    private static func reason(_ refusal: StripeAPI.Refusal) -> String {
        refusal.code == "authentication_required" || refusal.code == "payment_intent_authentication_failure"
            ? needsSecure3D : reason(refusal.message, refusal.declineCode ?? refusal.code)
    }

    /// At most what a payment's reason may have.
    private static func reason(_ message: String?, _ code: String?) -> String {
        if code == "authentication_required" { return needsSecure3D }
        let text = (message ?? "the card was declined") + (code.map { " (\($0))" } ?? "")
        return String(text.unicodeScalars.prefix(500))
    }

    // MARK: - Webhooks

    public func news(in delivery: PaymentWebhook) throws -> GatewayNews? {
        try signature.check(delivery.signature, body: delivery.body, now: clock.now())
        guard let event = try? JSON.parse(Array(delivery.body.utf8)), let id = event["id"]?.stringValue,
            let type = event["type"]?.stringValue
        else { throw Problem(.badRequest, "expected one of Stripe's events") }
        // A charge has the metadata of its payment intent.
        guard type.hasPrefix("payment_intent.") || type == "charge.refunded",
            let key = event["data"]?["object"]?["metadata"]?["order"]?.stringValue
        else { return nil }
        return GatewayNews(id: id, event: type, key: key)
    }
}
