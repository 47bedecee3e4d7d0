import Kernel

/// Stripe's HTTP interface: form-encoded requests, JSON answers, and what they mean.
struct StripeAPI: Sendable {
    /// The release of the interface that this code was written for: the account's own default may change.
    static let version = "2025-03-31.basil"
    static let largestAnswer = 1 << 20

    /// What Stripe says no with.
    struct Refusal: Sendable {
        var status: Int
        /// `card_error`, `invalid_request_error`, `idempotency_error`.
        var type: String
        var code: String?
        var declineCode: String?
        var message: String
        /// The payment intent that it is about, as it is now.
        var intent: JSON?
    }

    enum Answer: Sendable {
        case object(JSON)
        case refused(Refusal)
        /// Stripe broke while it worked (`500`). Under an idempotency key that is kept, and said again for a day.
        case broken
    }

    private let base: String
    private let key: Secret
    private let timeout: Duration
    private let send: Outbound

    init(base: String, key: String, timeout: Duration, send: @escaping Outbound) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.key = Secret(key)
        self.timeout = timeout
        self.send = send
    }

    typealias Fields = [(name: String, value: String)]

    func get(_ path: String, _ query: Fields = []) async throws -> Answer {
        try await ask(.get, query.isEmpty ? path : path + "?" + Self.encoded(query), nil, key: nil)
    }

    /// - Parameter key: asked again with the same, Stripe does it once and says the same.
    func post(_ path: String, _ form: Fields, key: String?) async throws -> Answer {
        try await ask(.post, path, Self.encoded(form), key: key)
    }

    /// - Throws: `OutcomeUnknown` where it cannot be told whether Stripe did it; `unavailable` where Stripe does not
    ///   accept the API key, and so did nothing.
    private func ask(_ method: HTTPMethod, _ path: String, _ body: String?, key: String?) async throws -> Answer {
        let what = "\(method.rawValue) \(path.prefix { $0 != "?" })"
        var headers: [(name: String, value: String)] = [
            ("authorization", "Bearer \(self.key.reveal())"), ("stripe-version", Self.version),
            ("user-agent", "Souk"), ("accept", "application/json"),
        ]
        if body != nil { headers.append(("content-type", "application/x-www-form-urlencoded")) }
        if let key { headers.append(("idempotency-key", key)) }
        let request = OutboundRequest(
            method, base + path, headers: headers, body: body.map { Array($0.utf8) } ?? [], timeout: timeout,
            largestAnswer: Self.largestAnswer)
        let answer: OutboundAnswer
        do {
            answer = try await send(request)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw OutcomeUnknown("Stripe did not answer \(what): \(error)")
        }
        return try Self.read(answer, what)
    }

    private static func read(_ answer: OutboundAnswer, _ what: String) throws -> Answer {
        switch answer.status {
        case 401, 403:
            // Stripe's own words hold a part of the key.
            throw Problem(.unavailable, "Stripe does not accept the API key (\(answer.status)): see SOUK_STRIPE_KEY")
        case 500: return .broken
        // The same key is being worked on, too many requests, or not Stripe itself: nothing is kept under the key.
        case 409, 429, 501...: throw OutcomeUnknown("Stripe answered \(what) with \(answer.status)")
        default: break
        }
        guard answer.isWhole, let json = try? JSON.parse(answer.body), json.objectValue != nil else {
            throw OutcomeUnknown("Stripe answered \(what) with \(answer.status) and no JSON object")
        }
        if (200..<300).contains(answer.status) { return .object(json) }
        guard let error = json["error"], let type = error["type"]?.stringValue else {
            throw OutcomeUnknown("Stripe answered \(what) with \(answer.status) and no error object")
        }
        return .refused(
            Refusal(
                status: answer.status, type: type, code: error["code"]?.stringValue,
                declineCode: error["decline_code"]?.stringValue,
                message: error["message"]?.stringValue ?? "Stripe gave no reason", intent: error["payment_intent"]))
    }

    /// `application/x-www-form-urlencoded`; names such as `metadata[order]` with it.
    static func encoded(_ fields: Fields) -> String {
        fields.map { "\($0.name.percentEncoded())=\($0.value.percentEncoded())" }.joined(separator: "&")
    }
}

/// Text that no print, dump or error shows.
struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
    private let text: String
    init(_ text: String) { self.text = text }
    func reveal() -> String { text }
    var description: String { "(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
