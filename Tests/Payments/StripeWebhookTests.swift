import Contracts
import Crypto
import Kernel
import LoopbackPeer
import Testing
import Wire

@testable import Payments

@Suite("Stripe: webhooks") struct StripeWebhookTests {
    private static let body = #"{"id":"evt_1","type":"payment_intent.succeeded"}"#
    private static let time = Timestamp(seconds: 1_767_225_600)
    // python3 -c "import hmac; print(hmac.new(b'whsec_of_the_endpoint', b'1767225600.' + BODY, 'sha256').hexdigest())"
    private static let now = "c5a4577110584b8254a61d96e8253e11911fb104f219d52a4f5a7d8fdeea4fc9"
    // The same with b'whsec_of_last_year'.
    private static let old = "ede0c0b766211e8966651adb50ae310cb359b7d5cd40f5e54cd9b31f74656810"
    private static let wrong = String(repeating: "0", count: 64)

    private func check(
        _ header: String?, _ body: String = Self.body, secrets: [String] = [StripeTill.secret],
        at time: Timestamp = Self.time
    ) -> Bool {
        do {
            try StripeSignature(secrets: secrets).check(header, body: body, now: time)
            return true
        } catch {
            return error.type != .badSignature
        }
    }

    @Test("the documented scheme is accepted, with versions and signatures that are not ours beside it")
    func accepted() {
        #expect(check("t=1767225600,v1=\(Self.now)"))
        #expect(check("t=1767225600,v1=\(Self.wrong),v1=\(Self.now),v0=\(Self.wrong)"))
        #expect(check("t=1767225600, v1=\(Self.now)"))
        #expect(check("v1=\(Self.now),t=1767225600"))
    }

    @Test("whatever else is refused")
    func refused() {
        let many = Array(repeating: "v1=\(Self.wrong)", count: 10).joined(separator: ",")
        let headers: [String?] = [
            nil, "", "t=1767225600", "v1=\(Self.now)", "t=,v1=\(Self.now)", "t=1767225601,v1=\(Self.now)",
            "t=+1767225600,v1=\(Self.now)", "t=1767225600,v0=\(Self.now)", "t=1767225600,v1=\(Self.wrong)",
            "t=1767225600,v1=\(Self.now.dropLast())", "t=1767225600,t=1767225600,v1=\(Self.now)",
            "t=99999999999999999999,v1=\(Self.now)", "t=1767225600,\(many),v1=\(Self.now)",
            "t=1767225600;v1=\(Self.now)",
        ]
        for header in headers { #expect(!check(header), "\(header ?? "none")") }
        #expect(!check("t=1767225600,v1=\(Self.now)", Self.body + " "))
        #expect(!check("t=1767225600,v1=\(Self.now)", secrets: []))
    }

    @Test("a message counts for 300 seconds on either side of the clock", arguments: [-301, -300, 0, 300, 301])
    func skew(seconds: Int) {
        let isAccepted = check("t=1767225600,v1=\(Self.now)", at: Self.time + .seconds(seconds))
        #expect(isAccepted == (abs(seconds) <= 300))
    }

    @Test("while a secret is rolled over, the old and the new are accepted, and both at once")
    func rotation() {
        let both = [StripeTill.secret, "whsec_of_last_year"]
        for header in ["v1=\(Self.now)", "v1=\(Self.old)", "v1=\(Self.old),v1=\(Self.now)"] {
            #expect(check("t=1767225600," + header, secrets: both))
        }
        #expect(!check("t=1767225600,v1=\(Self.old)"))
        #expect(check("t=1767225600,v1=\(Self.old),v1=\(Self.now)"))
    }

    private func message(
        _ type: String, _ order: String?, id: String = "evt_1", at time: Timestamp, secret: String = StripeTill.secret
    ) -> PaymentWebhook {
        var object: JSONObject = ["id": "pi_1", "object": "payment_intent", "status": "requires_capture"]
        if let order { object["metadata"] = ["order": .string(order)] }
        let event: JSON = [
            "id": .string(id), "object": "event", "api_version": .string(StripeAPI.version), "type": .string(type),
            "created": .integer(time.seconds), "livemode": false, "data": ["object": .object(object)],
        ]
        let body = String(decoding: event.serialized(), as: UTF8.self)
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("\(time.seconds).\(body)".utf8), using: SymmetricKey(data: Array(secret.utf8)))
        let hex = code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return PaymentWebhook(provider: "stripe", body: body, signature: "t=\(time.seconds),v1=\(hex)")
    }

    @Test(
        "what concerns an order's payment is translated",
        arguments: [
            "payment_intent.amount_capturable_updated", "payment_intent.succeeded", "payment_intent.payment_failed",
            "payment_intent.canceled", "charge.refunded",
        ])
    func translated(type: String) async throws {
        let till = try await StripeTill()
        let order = till.order().description
        let news = try till.gateway.news(in: message(type, order, at: till.clock.now()))
        #expect(news == GatewayNews(id: "evt_1", event: type, key: order))
    }

    @Test("what concerns something else is accepted and passed over")
    func passedOver() async throws {
        let till = try await StripeTill()
        for other in [
            message("customer.created", "order_1", at: till.clock.now()),
            message("payment_intent.succeeded", nil, at: till.clock.now()),
            message("payment_intent.succeeded", "no order of ours", at: till.clock.now()),
        ] {
            _ = try await till.payments.webhook(other, CallContext())
        }
        #expect(till.stripe.requests.isEmpty)
    }

    @Test("a message settles a payment whose answer was lost, and counts once however often it comes")
    func settles() async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(.lostAnswer, .lostAnswer)
        #expect(try await till.unknown { try await till.authorize(order) })
        let type = "payment_intent.amount_capturable_updated"
        for _ in 0..<3 {
            // Stripe signs each sending anew.
            till.clock.advance(by: .seconds(60))
            let sent = message(type, order.description, at: till.clock.now())
            _ = try await till.payments.webhook(sent, CallContext())
        }
        #expect(try await till.status(order) == .authorized)
        #expect(till.stripe.requests.count == 3)
        #expect(try await till.database.read { try $0.row("SELECT count(*) FROM webhooks")?.int(0) } == 1)
    }

    @Test("a recording played later is refused, and so is a stranger's message")
    func replayed() async throws {
        let till = try await StripeTill()
        let recorded = message("payment_intent.succeeded", till.order().description, at: till.clock.now())
        let stranger = message(
            "payment_intent.succeeded", till.order().description, at: till.clock.now(), secret: "whsec_guess")
        #expect(try await problem { _ = try await till.payments.webhook(stranger, CallContext()) } == .badSignature)
        till.clock.advance(by: .seconds(301))
        #expect(try await problem { _ = try await till.payments.webhook(recorded, CallContext()) } == .badSignature)
    }

    @Test("what Stripe signed and nobody can read is a bad request")
    func unreadable() async throws {
        let till = try await StripeTill()
        let seconds = till.clock.now().seconds
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("\(seconds).[]".utf8), using: SymmetricKey(data: Array(StripeTill.secret.utf8)))
        let hex = code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let sent = PaymentWebhook(provider: "stripe", body: "[]", signature: "t=\(seconds),v1=\(hex)")
        #expect(try await problem { _ = try await till.payments.webhook(sent, CallContext()) } == .badRequest)
    }

    @Test("over HTTP the body reaches the gateway byte for byte, with Stripe's header")
    func overHTTP() async throws {
        let till = try await StripeTill()
        let sent = message("payment_intent.succeeded", till.order().description, at: till.clock.now())
        try await Served.with(till.payments.routes) { base, http in
            let url = base + "/api/payments/webhooks/stripe"
            func post(_ body: [UInt8], _ header: String?) async throws -> Int {
                var headers = [(name: "content-type", value: "application/json; charset=utf-8")]
                if let header { headers.append(("Stripe-Signature", header)) }
                return try await http.send(
                    OutboundRequest(
                        .post, url, headers: headers, body: body, timeout: .seconds(10), largestAnswer: 10_000)
                ).status
            }
            // Spaces that a JSON parser would drop.
            let spaced = "  " + sent.body + "\n"
            #expect(try await post(Array(sent.body.utf8), sent.signature) == 204)
            #expect(try await post(Array(spaced.utf8), sent.signature) == 401)
            #expect(try await post(Array(sent.body.utf8), nil) == 401)
            #expect(try await post([0xFF, 0xFE], sent.signature) == 400)
            let huge = [UInt8](repeating: 0x20, count: PaymentWebhook.longestBody + 1)
            #expect(try await post(huge, sent.signature) == 422)
            let caller = HTTPCaller(base)
            _ = try await caller.call(PaymentsAPI.webhook, sent, CallContext())
            try await caller.shutdown()
        }
        #expect(OpenAPI.document(Interface.endpoints, version: "1").description.contains("Stripe-Signature"))
    }
}

@Suite("Stripe: over the network") struct StripeNetworkTests {
    /// The fake behind a real connection; what it loses is a connection cut.
    private static func with(
        timeout: Duration = .seconds(10),
        answer: @escaping @Sendable (LoopbackPeer.Request, FakeStripe) throws -> LoopbackPeer.Reply = Self.speak,
        _ body: (StripeTill, StripeGateway, FakeStripe) async throws -> Void
    ) async throws {
        let stripe = FakeStripe()
        let peer = try LoopbackPeer { request in (try? answer(request, stripe)) ?? .cut }
        let http = OutboundHTTP()
        let till = try await StripeTill()
        let gateway = StripeGateway(
            key: FakeStripe.key, webhookSecrets: [], database: till.database, baseURL: peer.url + "/", timeout: timeout,
            clock: till.clock, send: http.send)
        do {
            try await body(till, gateway, stripe)
        } catch {
            Issue.record(error)
        }
        peer.stop()
        try await http.shutdown()
    }

    @Sendable static func speak(_ request: LoopbackPeer.Request, _ stripe: FakeStripe) throws -> LoopbackPeer.Reply {
        let answer = try stripe.answer(
            OutboundRequest(
                request.method == "GET" ? .get : .post, "http://stripe" + request.target,
                headers: request.headers.map { ($0.key, $0.value) }, body: request.body, timeout: .zero,
                largestAnswer: 0))
        return .answer(
            answer.status, headers: answer.headers.merging(["content-type": "application/json"]) { $1 },
            String(decoding: answer.body, as: UTF8.self))
    }

    private static let amount = Money(1_999, .gbp)

    @Test("an order's life: authorised, captured, refunded, over a real connection")
    func life() async throws {
        try await Self.with { till, gateway, stripe in
            let key = till.order().description
            let held = try await gateway.authorize(key: key, amount: Self.amount, token: "pm_card_visa")
            #expect(held == .approved(reference: "pi_1000001"))
            #expect(try await gateway.capture([key]) == [key])
            try await gateway.refund(key: key, amount: Money(500, .gbp), refundKey: "a refund/ü & more")
            try await gateway.refund(key: key, amount: Money(500, .gbp), refundKey: "a refund/ü & more")
            #expect(stripe.refunded == [500])
        }
    }

    @Test("a connection cut before or after the work is unknown, and then found to be one authorisation")
    func cut() async throws {
        try await Self.with { till, gateway, stripe in
            for fault in [FakeStripe.Fault.lostRequest, .lostAnswer] {
                let order = till.order()
                stripe.fail(fault)
                await #expect(throws: OutcomeUnknown.self) {
                    try await gateway.authorize(key: order.description, amount: Self.amount, token: "pm_card_visa")
                }
                let found = try await gateway.find(key: order.description)
                #expect(found != nil)
                #expect(stripe.statuses(order) == ["requires_capture"])
            }
        }
    }

    @Test(
        "silence, half an answer, garbage and an answer without end are unknown",
        arguments: [
            LoopbackPeer.Reply.silence, .head(200), .bytes(Array("nonsense\r\n\r\n".utf8)), .cut,
            .answer(200, "[]"), .answer(402, "<html>"), .answer(200, String(repeating: " ", count: 2 << 20)),
        ])
    func badAnswers(reply: LoopbackPeer.Reply) async throws {
        try await Self.with(timeout: .milliseconds(300), answer: { _, _ in reply }) { till, gateway, _ in
            await #expect(throws: OutcomeUnknown.self) {
                try await gateway.authorize(
                    key: till.order().description, amount: Self.amount, token: "pm_card_visa")
            }
        }
    }
}
