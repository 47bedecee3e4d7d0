import Contracts
import Kernel
import LoopbackPeer
import Synchronization

/// Stripe as its documentation describes it: payment intents, refunds, idempotency keys and search, with answers of the
/// documented shapes. It does what goes wrong on request.
final class FakeStripe: Sendable {
    enum Fault: Sendable, Equatable {
        /// The connection breaks before Stripe has the request, or after it has done it.
        case lostRequest, lostAnswer
        /// Another request with this key is still running.
        case keyInUse
        case rateLimited
        /// `500` while it works: the answer is kept under the key.
        case broken
        /// Done, and yet `500`, which is kept under the key.
        case doneAndBroken
        case gatewayTimeout
        case garbage
    }

    struct Lost: Error {}

    private struct Intent {
        var id: String
        var amount: Int64
        var currency: String
        var order: String
        var status: String
        var error: JSON?
        var received: Int64 = 0
    }
    private struct Kept {
        var path: String
        var form: [String: String]
        var status: Int
        var body: JSON
        var time: Timestamp
    }
    private struct State {
        var faults: [Fault] = []
        var intents: [String: Intent] = [:]
        var refunds: [JSON] = []
        var kept: [String: Kept] = [:]
        var isSearchBehind = false
        var requests: [OutboundRequest] = []
        var number = 0
    }
    /// Keys are forgotten after a day.
    static let keysAreKept = Duration.seconds(86_400)
    private let state = Mutex(State())
    private let clock: ManualClock

    init(clock: ManualClock = ManualClock()) { self.clock = clock }
    static let key = "sk_test_a_secret_key"

    // MARK: - What a test says and sees

    func fail(_ faults: Fault...) { state.withLock { $0.faults += faults } }
    func recover() { state.withLock { $0.faults = [] } }
    func setSearchBehind(_ isBehind: Bool) { state.withLock { $0.isSearchBehind = isBehind } }
    var requests: [OutboundRequest] { state.withLock { $0.requests } }
    /// The statuses of an order's intents, in the order in which they were made.
    func statuses(_ order: OrderID) -> [String] {
        state.withLock { state in
            state.intents.values.filter { $0.order == order.description }.sorted { $0.id < $1.id }.map(\.status)
        }
    }
    var refunded: [Int64] { state.withLock { $0.refunds.compactMap { $0["amount"]?.integerValue } } }
    /// As the dashboard, or a hold's seven days, would.
    func set(_ order: OrderID, to status: String) {
        state.withLock { state in
            for (id, intent) in state.intents where intent.order == order.description {
                state.intents[id]?.status = status
            }
        }
    }

    // MARK: - HTTP

    @Sendable func send(_ request: OutboundRequest) async throws -> OutboundAnswer { try answer(request) }

    func answer(_ request: OutboundRequest) throws -> OutboundAnswer {
        try state.withLock { state in
            state.requests.append(request)
            let now = clock.now()
            state.kept = state.kept.filter { now - $0.value.time < Self.keysAreKept }
            let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { first, _ in first }
            guard headers["authorization"] == "Bearer " + Self.key else {
                return Self.error(401, "invalid_request_error", nil, "Invalid API Key provided: sk_test_****wrong")
            }
            let target = request.url.drop { $0 != "/" }.drop { $0 == "/" }.drop { $0 != "/" }
            let parts = target.split(separator: "?", maxSplits: 1)
            let body = String(decoding: request.body, as: UTF8.self)
            let fields = Self.decoded(parts.count == 2 ? String(parts[1]) : body)
            let path = String(parts[0])
            let fault = state.faults.isEmpty ? nil : state.faults.removeFirst()
            switch fault {
            case .lostRequest: throw Lost()
            case .keyInUse:
                return Self.error(
                    409, "idempotency_error", "idempotency_key_in_use",
                    "There is currently another in-progress request using this Idempotent Key")
            case .rateLimited: return Self.error(429, "invalid_request_error", "rate_limit", "Too many requests")
            case .gatewayTimeout: return OutboundAnswer(status: 504, body: Array("<html>".utf8))
            case .garbage: return OutboundAnswer(status: 200, body: Array("{\"id\": \"pi_".utf8), isWhole: false)
            case .lostAnswer, .broken, .doneAndBroken, nil: break
            }
            let answer = Self.keeping(headers["idempotency-key"], path, fields, now, &state) { state in
                let done =
                    fault == .broken
                    ? nil : Self.work(request.method, path, fields, &state)
                if let done, fault != .doneAndBroken { return done }
                return (500, ["error": ["type": "api_error", "message": "An unknown error occurred"]])
            }
            if fault == .lostAnswer { throw Lost() }
            return answer
        }
    }

    /// The first answer under a key is said again, be it what it may; other fields under it are an error.
    private static func keeping(
        _ key: String?, _ path: String, _ form: [String: String], _ now: Timestamp, _ state: inout State,
        _ work: (inout State) -> (Int, JSON)
    ) -> OutboundAnswer {
        if let key, let kept = state.kept[key] {
            guard kept.path == path, kept.form == form else {
                return error(
                    400, "idempotency_error", nil,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.")
            }
            return OutboundAnswer(
                status: kept.status, headers: ["idempotent-replayed": "true", "original-request": "req_1"],
                body: kept.body.serialized())
        }
        let (status, body) = work(&state)
        // What fails validation is not kept.
        if let key, ![400, 404].contains(status) {
            state.kept[key] = Kept(path: path, form: form, status: status, body: body, time: now)
        }
        return OutboundAnswer(status: status, headers: ["request-id": "req_1"], body: body.serialized())
    }

    private static func error(_ status: Int, _ type: String, _ code: String?, _ message: String) -> OutboundAnswer {
        OutboundAnswer(status: status, body: errorObject(type, code, message).serialized())
    }

    private static func errorObject(_ type: String, _ code: String?, _ message: String) -> JSON {
        var error: JSONObject = ["type": .string(type), "message": .string(message)]
        if let code { error["code"] = .string(code) }
        return ["error": .object(error)]
    }

    private static func decoded(_ form: String) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in form.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { side in
                var bytes: [UInt8] = []
                var rest = side.utf8[...]
                while let byte = rest.popFirst() {
                    guard byte == UInt8(ascii: "%") else {
                        bytes.append(byte)
                        continue
                    }
                    bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                    rest = rest.dropFirst(2)
                }
                return String(decoding: bytes, as: UTF8.self)
            }
            fields[sides[0]] = sides.count > 1 ? sides[1] : ""
        }
        return fields
    }

    // MARK: - What Stripe does

    private static func work(
        _ method: HTTPMethod, _ path: String, _ fields: [String: String], _ state: inout State
    ) -> (Int, JSON) {
        let parts = path.split(separator: "/").map(String.init)
        switch (method, parts.count, parts.last ?? "") {
        case (.post, 2, "payment_intents"): return create(fields, &state)
        case (.get, 3, "search"):
            let found =
                state.isSearchBehind
                ? []
                : state.intents.values.sorted { $0.id < $1.id }.filter {
                    fields["query"] == "metadata['order']:'\($0.order)'"
                }
            return (200, ["object": "search_result", "has_more": false, "data": .array(found.map(json))])
        case (.get, 2, "refunds"):
            let own = state.refunds.filter { $0["payment_intent"]?.stringValue == fields["payment_intent"] }
            return (200, ["object": "list", "has_more": false, "data": .array(own)])
        case (.post, 2, "refunds"): return refund(fields, &state)
        case (.get, 3, let id): return state.intents[id].map { (200, json($0)) } ?? missing(id)
        case (.post, 4, let operation): return move(parts[2], operation, &state)
        default: return (404, errorObject("invalid_request_error", nil, "Unrecognized request URL"))
        }
    }

    private static func missing(_ id: String) -> (Int, JSON) {
        (404, errorObject("invalid_request_error", "resource_missing", "No such payment_intent: '\(id)'"))
    }

    private static func create(_ form: [String: String], _ state: inout State) -> (Int, JSON) {
        guard form["capture_method"] == "manual", form["payment_method_types[]"] == "card",
            let amount = form["amount"].flatMap(Int64.init), let currency = form["currency"],
            let order = form["metadata[order]"], let confirm = form["confirm"]
        else { return (400, errorObject("invalid_request_error", "parameter_missing", "Missing required param")) }
        guard amount >= 30 else {
            return (400, errorObject("invalid_request_error", "amount_too_small", "Amount must be at least £0.30 gbp"))
        }
        state.number += 1
        var intent = Intent(
            id: "pi_" + String(1_000_000 + state.number), amount: amount, currency: currency, order: order,
            status: "requires_payment_method")
        defer { state.intents[intent.id] = intent }
        guard confirm == "true" else { return (200, json(intent)) }
        switch form["payment_method"] ?? form["payment_method_data[card][token]"] ?? "" {
        case "pm_card_visa", "tok_visa": intent.status = "requires_capture"
        case "pm_card_chargeDeclined":
            return decline(&intent, "card_declined", "insufficient_funds", "Your card has insufficient funds.")
        case "pm_card_authenticationRequired":
            if form["error_on_requires_action"] == "true" {
                return decline(
                    &intent, "authentication_required", "authentication_required",
                    "Your card was declined. This transaction requires authentication.")
            }
        // Goes there whatever it was asked.
        case "pm_card_insists": intent.status = "requires_action"
        case "pm_card_processing": intent.status = "processing"
        case let method:
            return (
                400, errorObject("invalid_request_error", "resource_missing", "No such PaymentMethod: '\(method)'")
            )
        }
        return (200, json(intent))
    }

    private static func decline(
        _ intent: inout Intent, _ code: String, _ declineCode: String, _ message: String
    ) -> (Int, JSON) {
        var error: JSONObject = [
            "charge": "ch_1", "code": .string(code), "decline_code": .string(declineCode),
            "doc_url": .string("https://stripe.com/docs/error-codes/" + code), "message": .string(message),
            "type": "card_error",
        ]
        intent.error = .object(error)
        error["payment_intent"] = json(intent)
        return (402, ["error": .object(error)])
    }

    private static func move(_ id: String, _ operation: String, _ state: inout State) -> (Int, JSON) {
        guard var intent = state.intents[id] else { return missing(id) }
        let isPossible =
            operation == "capture"
            ? intent.status == "requires_capture" : !["succeeded", "canceled", "processing"].contains(intent.status)
        guard isPossible else {
            var error: JSONObject = [
                "code": "payment_intent_unexpected_state", "type": "invalid_request_error",
                "message": .string("This PaymentIntent has a status of \(intent.status)"),
            ]
            error["payment_intent"] = json(intent)
            return (400, ["error": .object(error)])
        }
        intent.status = operation == "capture" ? "succeeded" : "canceled"
        if operation == "capture" { intent.received = intent.amount }
        state.intents[id] = intent
        return (200, json(intent))
    }

    private static func refund(_ form: [String: String], _ state: inout State) -> (Int, JSON) {
        guard let id = form["payment_intent"], let intent = state.intents[id] else { return missing("") }
        let amount = form["amount"].flatMap(Int64.init) ?? 0
        let before = state.refunds.filter { $0["payment_intent"]?.stringValue == id }
            .compactMap { $0["amount"]?.integerValue }.reduce(0, +)
        guard before + amount <= intent.received else {
            let message = "Charge ch_1 has already been refunded."
            return (400, errorObject("invalid_request_error", "charge_already_refunded", message))
        }
        let refund: JSON = [
            "id": .string("re_\(state.refunds.count + 1)"), "object": "refund", "amount": .integer(amount),
            "charge": "ch_1", "currency": .string(intent.currency), "payment_intent": .string(id),
            "status": "succeeded",
            "metadata": ["order": .string(intent.order), "refund": .string(form["metadata[refund]"] ?? "")],
        ]
        state.refunds.append(refund)
        return (200, refund)
    }

    private static func json(_ intent: Intent) -> JSON {
        [
            "id": .string(intent.id), "object": "payment_intent", "amount": .integer(intent.amount),
            "amount_capturable": .integer(intent.status == "requires_capture" ? intent.amount : 0),
            "amount_received": .integer(intent.received), "capture_method": "manual",
            "confirmation_method": "automatic", "created": 1_680_800_504, "currency": .string(intent.currency),
            "last_payment_error": intent.error ?? .null, "livemode": false,
            "metadata": ["order": .string(intent.order)], "payment_method_types": ["card"],
            "status": .string(intent.status),
        ]
    }
}
