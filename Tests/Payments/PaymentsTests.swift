import Contracts
import Database
import Kernel
import Testing

@testable import Payments

@Suite("Payments") struct PaymentsTests {
    @Test("an order's money is held once, however often and by however many it is asked for")
    func authorizeOnce() async throws {
        let till = try await Till()
        let order = till.order()
        let payments = try await withThrowingTaskGroup(of: Payment.self) { group in
            for _ in 0..<50 { group.addTask { try await till.authorize(order) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(payments.map(\.id)).count == 1)
        #expect(payments.allSatisfy { $0.status == .authorized && $0.amount == Money(1_999, .gbp) })
        let rows = try await till.database.read { try $0.row("SELECT count(*), sum(amount) FROM postings") }
        #expect(try rows?.int(0) == 2 && rows?.int(1) == 0)
        #expect(try await till.audit() == [])
    }

    @Test(
        "a declined payment is declined again, with its reason; an unknown card is declined",
        arguments: [
            ("tok_declined", "the card was declined"), ("tok_whatever", "unknown test card"),
        ])
    func declined(token: String, reason: String) async throws {
        let till = try await Till()
        let order = till.order()
        for _ in 0..<2 {
            do {
                try await till.authorize(order, 1_999, token)
                Issue.record("approved")
            } catch let problem as Problem {
                #expect(problem.type == .paymentDeclined)
                #expect(problem.extensions["reason"] == .string(reason))
            }
        }
        #expect(try await till.status(order) == .declined)
        #expect(try await till.audit() == [])
    }

    @Test("one order has one amount")
    func otherAmount() async throws {
        let till = try await Till()
        let order = till.order()
        try await till.authorize(order, 1_999)
        #expect(try await problem { try await till.authorize(order, 2_000) } == .conflict)
        #expect(try await till.status(order) == .authorized)
    }

    @Test("what costs nothing is authorised, captured and voided without asking the provider")
    func free() async throws {
        let till = try await Till()
        let (kept, left) = (till.order(), till.order())
        #expect(try await till.authorize(kept, 0).status == .authorized)
        #expect(till.flaky.calls == 0)
        try await till.authorize(left, 0)
        try await till.capture(kept)
        try await till.void(left)
        #expect(try await till.status(kept) == .captured)
        #expect(try await till.status(left) == .voided)
        #expect(try await till.audit() == [])
    }

    @Test("the slow card is approved after its two seconds")
    func slow() async throws {
        let till = try await Till()
        let order = till.order()
        async let payment = till.authorize(order, 1_999, "tok_slow")
        await till.advance(by: SandboxGateway.slowness)
        #expect(try await payment.status == .authorized)
    }

    @Test("the card that answers twice is one hold, one entry and one webhook")
    func twice() async throws {
        let till = try await Till()
        let order = till.order()
        #expect(try await till.authorize(order, 1_999, "tok_twice").status == .authorized)
        #expect(try await till.authorize(order, 1_999, "tok_twice").status == .authorized)
        #expect(try await till.database.read { try $0.row("SELECT count(*) FROM webhooks")?.int(0) } == 1)
        #expect(try await till.database.read { try $0.row("SELECT count(*) FROM postings")?.int(0) } == 2)
    }

    @Test("the card whose answer is lost is asked about, and its hold is found")
    func lost() async throws {
        let till = try await Till()
        let order = till.order()
        async let payment = till.authorize(order, 1_999, "tok_lost")
        await till.advance(by: .seconds(5))
        #expect(try await payment.status == .authorized)
        #expect(till.log.entries.map(\.level) == [.warning])
        #expect(till.log.entries.first?.metadata["order"] == "\(order)")
        #expect(till.log.entries.first?.metadata["outcome"] == "approved")
        #expect(try await till.audit() == [])
    }

    @Test("a provider that is away leaves the payment pending and the outcome unknown, until it is asked again")
    func away() async throws {
        let till = try await Till()
        let order = till.order()
        till.flaky.fail()
        await #expect(throws: OutcomeUnknown.self) { try await till.authorize(order) }
        #expect(try await till.status(order) == .pending)
        till.flaky.recover()
        #expect(try await till.authorize(order).status == .authorized)
        till.flaky.fail()
        #expect(try await till.authorize(order).status == .authorized)
        #expect(try await till.audit() == [])
    }

    @Test("a void lets go of the hold; an authorisation that comes after it, or a late repeat, is refused")
    func void() async throws {
        let till = try await Till()
        let (held, late) = (till.order(), till.order())
        try await till.authorize(held)
        for order in [held, late] {
            for _ in 0..<2 { try await till.void(order) }
            #expect(try await problem { try await till.authorize(order) } == .paymentDeclined)
            #expect(try await till.outside(order).status == "voided")
        }
        try await till.capture(held)
        #expect(try await till.status(held) == .voided)
        #expect(try await till.status(late) == nil)
        #expect(try await till.audit() == [])
    }

    @Test("captures of many orders at once, and again, take each order's money once")
    func capture() async throws {
        let till = try await Till()
        let orders = (0..<20).map { _ in till.order() }
        for (index, order) in orders.enumerated() { try await till.authorize(order, Int64(index) * 100) }
        for _ in 0..<2 { _ = try await till.payments.capture(PaymentsOfOrders(orders: orders), CallContext()) }
        let payments = try await till.payments.payments(PaymentsOfOrders(orders: orders), CallContext()).items
        #expect(payments.count == 20)
        #expect(payments.allSatisfy { $0.status == .captured && $0.captured == $0.amount })
        #expect(try await till.audit() == [])
    }

    @Test("a void after the capture gives all of what is left back")
    func voidAfterCapture() async throws {
        let till = try await Till()
        let order = till.order()
        try await till.authorize(order, 1_999)
        try await till.capture(order)
        try await till.refund(order, 500, "a")
        for _ in 0..<2 { try await till.void(order) }
        #expect(try await till.status(order) == .refunded)
        #expect(try await till.outside(order).givenBack == 1_999)
        #expect(try await till.audit() == [])
    }

    @Test("refunds count once by their reference and never exceed what was captured, also at the same moment")
    func refunds() async throws {
        let till = try await Till()
        let order = till.order()
        try await till.authorize(order, 1_000)
        let first = try await till.refund(order, 300, "a")
        #expect(first.status == .partially_refunded && first.captured.amount == 1_000)
        #expect(try await till.refund(order, 300, "a").refunded.amount == 300)
        #expect(try await problem { try await till.refund(order, 301, "a") } == .conflict)
        #expect(try await problem { try await till.refund(order, 701, "b") } == .refundTooLarge)
        let outcomes = try await withThrowingTaskGroup(of: ProblemType?.self) { group in
            for number in 0..<20 {
                group.addTask { try await problem { try await till.refund(order, 100, "many \(number)") } }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == nil }.count == 7)
        #expect(outcomes.filter { $0 == .refundTooLarge }.count == 13)
        #expect(try await till.status(order) == .refunded)
        #expect(try await till.outside(order).givenBack == 1_000)
        #expect(try await problem { try await till.refund(till.order(), 1, "a") } == .notFound)
        #expect(try await till.audit() == [])
    }

    @Test("a payment is shown to its customer and to staff, to others there is none")
    func visibility() async throws {
        let till = try await Till()
        let ada = UserID(at: till.clock.now())
        let payment = try await till.payments.authorize(
            Authorize(order: till.order(), amount: Money(5, .gbp), token: "tok_approved", customer: ada), CallContext())
        let query = PaymentByID(id: payment.id)
        for caller in [Caller.user(ada, .customer), .user(UserID(at: till.clock.now()), .staff), .service("orders")] {
            #expect(try await till.payments.payment(query, CallContext(caller: caller)).id == payment.id)
        }
        let guest = try await till.authorize(till.order())
        for (id, caller) in [
            (payment.id, Caller.anonymous), (payment.id, .user(UserID(at: till.clock.now()), .customer)),
            (guest.id, .anonymous), (guest.id, .user(ada, .customer)),
            (PaymentID(at: till.clock.now()), .user(ada, .admin)),
        ] {
            let context = CallContext(caller: caller)
            let refused = try await problem { _ = try await till.payments.payment(PaymentByID(id: id), context) }
            #expect(refused == .notFound)
        }
    }

    @Test("facts come by order, page by page")
    func facts() async throws {
        let till = try await Till()
        let orders = (0..<7).map { _ in till.order() }
        for order in orders.shuffled() { try await till.authorize(order, 7) }
        try await till.void(till.order())
        let audit = PaymentsAudit(database: till.database)
        var found: [PaymentFact] = []
        while true {
            let page = try await audit.facts(after: found.last?.order, limit: 3)
            found += page
            if page.count < 3 { break }
        }
        #expect(found.map(\.order) == found.map(\.order).sorted())
        #expect(Set(found.filter(\.stands).map(\.order)) == Set(orders))
        #expect(found.filter { $0.amount == nil }.count == 1)
    }
}

@Suite("Payments: webhooks") struct WebhookTests {
    private static let event = "payment.authorized"

    private func delivery(_ till: Till, _ order: OrderID) -> PaymentWebhook {
        till.sandbox.delivery(event: Self.event, reference: order.description)
    }

    @Test("the signature is HMAC-SHA256 in hex of the body")
    func vector() async throws {
        let till = try await Till()
        // printf '{"event":"a","reference":"b"}' | openssl dgst -sha256 -hmac 'a webhook secret'
        let known = "a79ddd4b2fba511047c9ce85be8515e5a1d797113fe6114fe049bbb1ea63541c"
        let message = till.sandbox.delivery(event: "a", reference: "b")
        #expect(message.signature == known)
        #expect(try till.sandbox.news(in: message) == GatewayNews(id: "b", event: "a", key: "b"))
    }

    @Test("a message that another made, or that was altered, is refused; another provider's is not found")
    func forged() async throws {
        let till = try await Till()
        let good = delivery(till, till.order())
        var altered: [PaymentWebhook] = []
        let signature = try #require(good.signature)
        for signature in [nil, "", "00", String(repeating: "0", count: 64), String(signature.dropLast()) + "g"] {
            altered.append(good)
            altered[altered.count - 1].signature = signature
        }
        altered.append(good)
        altered[altered.count - 1].body += " "
        for message in altered {
            let refused = try await problem { _ = try await till.payments.webhook(message, CallContext()) }
            #expect(refused == .badSignature)
        }
        var other = good
        other.provider = "stripe"
        #expect(try await problem { _ = try await till.payments.webhook(other, CallContext()) } == .notFound)
        #expect(try await till.database.read { try $0.row("SELECT count(*) FROM webhooks")?.int(0) } == 0)
    }

    @Test("a message settles a payment whose answer was lost, and counts once")
    func settles() async throws {
        let till = try await Till()
        let order = till.order()
        till.flaky.fail()
        await #expect(throws: OutcomeUnknown.self) { try await till.authorize(order) }
        till.flaky.recover()
        _ = try await till.sandbox.authorize(key: order.description, amount: Money(1_999, .gbp), token: "tok_approved")
        for _ in 0..<3 { _ = try await till.payments.webhook(delivery(till, order), CallContext()) }
        #expect(try await till.status(order) == .authorized)
        #expect(try await till.audit() == [])
    }
}
