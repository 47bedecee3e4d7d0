import Contracts
import Crypto
import Database
import Kernel
import Testing

@testable import Payments

/// A shop's payments at Stripe.
struct StripeTill {
    let clock = ManualClock()
    let stripe: FakeStripe
    let database: SQLiteDatabase
    let gateway: StripeGateway
    let payments: Payments

    init(key: String = FakeStripe.key, send: Outbound? = nil) async throws {
        stripe = FakeStripe(clock: clock)
        database = try await SQLiteDatabase.open(path: SQLiteDatabase.inMemory)
        try await database.migrate(Payments.migrations)
        gateway = StripeGateway(
            key: key, webhookSecrets: [Self.secret], database: database, baseURL: "https://stripe.test", clock: clock,
            send: send ?? stripe.send)
        payments = Payments(database: database, gateway: gateway, clock: clock)
    }

    static let secret = "whsec_of_the_endpoint"

    func order() -> OrderID { OrderID(at: clock.now()) }

    @discardableResult
    func authorize(
        _ order: OrderID, _ amount: Money = Money(1_999, .gbp), _ token: String = "pm_card_visa"
    ) async throws -> Payment {
        try await payments.authorize(
            Authorize(order: order, amount: amount, token: token, customer: nil), CallContext())
    }

    /// The reason of a refusal; nil where the outcome is unknown.
    func refusal(_ order: OrderID, _ token: String, _ amount: Money = Money(1_999, .gbp)) async throws -> String? {
        do {
            try await authorize(order, amount, token)
            Issue.record("expected a refusal")
            return nil
        } catch let problem as Problem {
            #expect(problem.type == .paymentDeclined)
            return problem.extensions["reason"]?.stringValue
        } catch is OutcomeUnknown {
            return nil
        }
    }

    func capture(_ orders: [OrderID]) async throws {
        _ = try await payments.capture(PaymentsOfOrders(orders: orders), CallContext())
    }

    func void(_ order: OrderID) async throws {
        _ = try await payments.void(PaymentOfOrder(order: order), CallContext())
    }

    @discardableResult
    func refund(_ order: OrderID, _ amount: Int64, _ reference: String) async throws -> Payment {
        try await payments.refund(
            RefundPayment(order: order, amount: Money(amount, .gbp), reference: reference), CallContext())
    }

    func status(_ order: OrderID) async throws -> PaymentStatus? {
        try await payments.payments(PaymentsOfOrders(orders: [order]), CallContext()).items.first?.status
    }

    func unknown(_ work: () async throws -> Void) async throws -> Bool {
        do {
            try await work()
            return false
        } catch is OutcomeUnknown {
            return true
        }
    }

    func audit() async throws -> [String] {
        try await PaymentsAudit(database: database).checks().flatMap(\.violations)
    }
}

@Suite("Stripe: authorisations") struct StripeAuthorizationTests {
    @Test("an authorisation is one manual, confirmed payment intent, in the pinned release, with key and order")
    func request() async throws {
        let till = try await StripeTill()
        let order = till.order()
        let payment = try await till.authorize(order)
        #expect(payment.status == .authorized && payment.reference == "pi_1000001" && payment.provider == "stripe")
        let request = try #require(till.stripe.requests.first)
        #expect(till.stripe.requests.count == 1)
        #expect(request.url == "https://stripe.test/v1/payment_intents" && request.method == .post)
        let headers = Dictionary(uniqueKeysWithValues: request.headers.map { ($0.name, $0.value) })
        #expect(headers["stripe-version"] == StripeAPI.version)
        #expect(headers["idempotency-key"] == "\(order):authorize:1")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "amount=1999&currency=gbp&capture_method=manual&payment_method_types%5B%5D=card"
                + "&metadata%5Border%5D=\(order)&confirm=true&error_on_requires_action=true"
                + "&payment_method=pm_card_visa")
    }

    @Test("asked again, nobody is asked: the answer is known, whatever token comes with it")
    func again() async throws {
        let till = try await StripeTill()
        let order = till.order()
        for token in ["pm_card_visa", "pm_card_chargeDeclined"] {
            #expect(try await till.authorize(order, Money(1_999, .gbp), token).status == .authorized)
        }
        #expect(till.stripe.requests.count == 1)
        let other = try await problem { try await till.authorize(order, Money(2_000, .gbp)) }
        #expect(other == .conflict)
    }

    @Test("an older card token is the card's data")
    func legacyToken() async throws {
        let till = try await StripeTill()
        #expect(try await till.authorize(till.order(), Money(1_999, .gbp), "tok_visa").status == .authorized)
    }

    @Test(
        "what Stripe declines is declined in Stripe's words, for good",
        arguments: [
            ("pm_card_chargeDeclined", "Your card has insufficient funds. (insufficient_funds)"),
            ("pm_card_authenticationRequired", StripeGateway.needsSecure3D),
            ("pm_card_insists", StripeGateway.needsSecure3D),
            ("pm_unheard_of", "No such PaymentMethod: 'pm_unheard_of' (resource_missing)"),
        ])
    func declined(token: String, reason: String) async throws {
        let till = try await StripeTill()
        let order = till.order()
        #expect(try await till.refusal(order, token) == reason)
        let asked = till.stripe.requests.count
        #expect(try await till.refusal(order, "pm_card_visa") == reason)
        #expect(till.stripe.requests.count == asked)
        #expect(!till.stripe.statuses(order).contains("requires_capture"))
        #expect(try await till.status(order) == .declined)
        if token == "pm_card_insists" { #expect(till.stripe.statuses(order) == ["canceled"]) }
    }

    @Test(
        "whatever gets lost once is asked about again with the same key, and is one authorisation",
        arguments: [
            FakeStripe.Fault.lostRequest, .lostAnswer, .keyInUse, .rateLimited, .gatewayTimeout, .garbage,
            .doneAndBroken,
        ])
    func lost(fault: FakeStripe.Fault) async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(fault)
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.statuses(order) == ["requires_capture"])
        #expect(try await till.audit() == [])
    }

    @Test(
        "while nothing is heard the outcome is unknown, and then it is known",
        arguments: [FakeStripe.Fault.lostRequest, .lostAnswer, .keyInUse, .rateLimited, .gatewayTimeout, .garbage])
    func away(fault: FakeStripe.Fault) async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(fault, fault)
        #expect(try await till.unknown { try await till.authorize(order) })
        #expect(try await till.status(order) == .pending)
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.statuses(order) == ["requires_capture"])
    }

    @Test("a 500 that Stripe keeps is not waited for: the intent is searched for, and adopted")
    func keptError() async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.setSearchBehind(true)
        till.stripe.fail(.doneAndBroken)
        #expect(try await till.unknown { try await till.authorize(order) })
        till.stripe.setSearchBehind(false)
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.statuses(order) == ["requires_capture"])
    }

    @Test("a 500 for what was never done is believed when the search must know, and a fresh key is taken")
    func brokenForGood() async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(.broken)
        #expect(try await till.unknown { try await till.authorize(order) })
        till.clock.advance(by: StripeGateway.searchIsSettled - .seconds(1))
        #expect(try await till.unknown { try await till.authorize(order) })
        till.clock.advance(by: .seconds(1))
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.statuses(order) == ["requires_capture"])
        let keys = Set(till.stripe.requests.flatMap { $0.headers.filter { $0.name == "idempotency-key" }.map(\.value) })
        #expect(keys == ["\(order):authorize:1", "\(order):authorize:2"])
    }

    @Test("when Stripe has forgotten the key, the intent that it made is found, not made again")
    func forgotten() async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(.lostAnswer, .lostAnswer)
        #expect(try await till.unknown { try await till.authorize(order) })
        till.clock.advance(by: .seconds(25 * 3_600))
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.statuses(order) == ["requires_capture"])
    }

    @Test("a card that takes its time stays pending, and is asked about by its intent")
    func processing() async throws {
        let till = try await StripeTill()
        let order = till.order()
        #expect(try await till.unknown { try await till.authorize(order, Money(1_999, .gbp), "pm_card_processing") })
        till.stripe.set(order, to: "requires_capture")
        #expect(try await till.authorize(order).status == .authorized)
        #expect(till.stripe.requests.last?.method == .get)
    }

    @Test("a wrong API key is no refusal of the shopper's, and is shown nowhere")
    func wrongKey() async throws {
        let till = try await StripeTill(key: "sk_live_wrong")
        do {
            try await till.authorize(till.order())
            Issue.record("expected a problem")
        } catch let problem as Problem {
            #expect(problem.type == .unavailable)
            #expect(!problem.detail.contains("sk_"))
        }
        var shown = "\(till.gateway)"
        dump(till.gateway, to: &shown)
        #expect(!shown.contains("sk_live_wrong"))
    }

    @Test(
        "amounts are as Stripe counts them",
        arguments: [
            ("GBP", 1_999, 1_999), ("JPY", 500, 500), ("ISK", 500, 50_000), ("UGX", 500, 50_000), ("MGA", 500, 5),
            ("MGA", 505, nil), ("KWD", 12_340, 12_340), ("KWD", 12_345, nil), ("XPF", 7, 7), ("HUF", 100, 100),
            ("IQD", 1_000, 100),
        ] as [(String, Int64, Int64?)])
    func amounts(code: String, amount: Int64, units: Int64?) throws {
        let currency = try #require(Currency(code))
        #expect(StripeAmount.units(Money(amount, currency)) == units)
    }

    @Test("an amount that Stripe does not have is declined without asking")
    func noSuchAmount() async throws {
        let till = try await StripeTill()
        let currency = try #require(Currency("KWD"))
        #expect(try await till.refusal(till.order(), "pm_card_visa", Money(1_234, currency))?.contains("KWD") == true)
        #expect(till.stripe.requests.isEmpty)
    }
}

@Suite("Stripe: settlement") struct StripeSettlementTests {
    @Test("many are captured, each once, and again without harm")
    func captures() async throws {
        let till = try await StripeTill()
        var orders: [OrderID] = []
        for _ in 0..<20 {
            orders.append(till.order())
            try await till.authorize(orders[orders.count - 1])
        }
        for _ in 0..<2 { try await till.capture(orders) }
        for order in orders { #expect(till.stripe.statuses(order) == ["succeeded"]) }
        #expect(try await till.status(orders[7]) == .captured)
        #expect(try await till.audit() == [])
    }

    @Test(
        "a capture whose answer is lost is unknown, and the repeat finds it done",
        arguments: [FakeStripe.Fault.lostAnswer, .lostRequest, .rateLimited, .keyInUse, .gatewayTimeout])
    func lostCapture(fault: FakeStripe.Fault) async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.authorize(order)
        till.stripe.fail(fault)
        #expect(try await till.unknown { try await till.capture([order]) })
        try await till.capture([order])
        #expect(try await till.status(order) == .captured)
    }

    @Test("a 500 at a capture is asked about at once, without the key that keeps it")
    func brokenCapture() async throws {
        let till = try await StripeTill()
        for fault in [FakeStripe.Fault.broken, .doneAndBroken] {
            let order = till.order()
            try await till.authorize(order)
            till.stripe.fail(fault)
            try await till.capture([order])
            #expect(till.stripe.statuses(order) == ["succeeded"])
        }
    }

    @Test("a hold that Stripe let go of is not captured, and the others are")
    func expired() async throws {
        let till = try await StripeTill()
        let (kept, gone) = (till.order(), till.order())
        for order in [kept, gone] { try await till.authorize(order) }
        till.stripe.set(gone, to: "canceled")
        try await till.capture([gone, kept])
        #expect(try await till.status(gone) == .authorized)
        #expect(try await till.status(kept) == .captured)
    }

    @Test("a void cancels what is held, and what comes after it is declined")
    func void() async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.authorize(order)
        for _ in 0..<2 { try await till.void(order) }
        #expect(till.stripe.statuses(order) == ["canceled"])
        #expect(try await till.status(order) == .voided)
        #expect(try await till.refusal(order, "pm_card_visa") == "the payment of this order was let go of before")
        #expect(try await till.audit() == [])
    }

    @Test("what is being voided is not captured any more")
    func captureAfterVoid() async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.authorize(order)
        till.stripe.fail(.lostRequest)
        #expect(try await till.unknown { try await till.void(order) })
        #expect(try await till.gateway.capture([order.description]) == [])
        try await till.void(order)
        #expect(till.stripe.statuses(order) == ["canceled"])
    }

    @Test("a void that comes first asks nobody, and declines what comes")
    func voidFirst() async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.void(order)
        #expect(try await till.refusal(order, "pm_card_visa") != nil)
        #expect(till.stripe.requests.isEmpty)
    }

    @Test("a void of what is captured gives it back")
    func voidCaptured() async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.authorize(order)
        try await till.capture([order])
        try await till.void(order)
        #expect(till.stripe.refunded == [1_999])
        #expect(try await till.status(order) == .refunded)
    }

    @Test("a void of a request that never got there burns its key: nothing is ever held")
    func burnt() async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.fail(.lostRequest, .lostRequest)
        #expect(try await till.unknown { try await till.authorize(order) })
        try await till.void(order)
        #expect(till.stripe.statuses(order) == ["canceled"])
        // The first request comes late after all.
        let late = try #require(till.stripe.requests.first)
        #expect(try till.stripe.answer(late).status == 400)
        #expect(till.stripe.statuses(order) == ["canceled"])
        #expect(try await till.refusal(order, "pm_card_visa") != nil)
    }

    @Test(
        "a void of a request whose answer was lost finds what it made, and cancels it",
        arguments: [FakeStripe.Fault.lostAnswer, .doneAndBroken])
    func voidUnknown(fault: FakeStripe.Fault) async throws {
        let till = try await StripeTill()
        let order = till.order()
        till.stripe.setSearchBehind(true)
        till.stripe.fail(fault, fault == .lostAnswer ? fault : .rateLimited)
        #expect(try await till.unknown { try await till.authorize(order) })
        if fault == .doneAndBroken {
            #expect(try await till.unknown { try await till.void(order) })
            #expect(try await till.refusal(order, "pm_card_visa") != nil)
            till.stripe.setSearchBehind(false)
        }
        try await till.void(order)
        #expect(till.stripe.statuses(order) == ["canceled"])
        #expect(try await till.audit() == [])
    }

    @Test("a refund is given once for its reference, even when Stripe has forgotten the key")
    func refunds() async throws {
        let till = try await StripeTill()
        let order = till.order()
        try await till.authorize(order)
        try await till.capture([order])
        till.stripe.fail(.lostAnswer)
        #expect(try await till.unknown { try await till.refund(order, 500, "r1") })
        till.stripe.fail(.lostRequest)
        #expect(try await till.unknown { try await till.refund(order, 500, "r1") })
        till.clock.advance(by: .seconds(25 * 3_600))
        #expect(try await till.refund(order, 500, "r1").refunded == Money(500, .gbp))
        #expect(try await till.refund(order, 500, "r2").refunded == Money(1_000, .gbp))
        #expect(till.stripe.refunded == [500, 500])
        #expect(try await problem { try await till.refund(order, 1_000, "r3") } == .refundTooLarge)
        #expect(try await till.audit() == [])
    }
}

@Suite("Stripe: whatever is lost") struct StripePropertyTests {
    private static let faults: [FakeStripe.Fault] = [
        .lostRequest, .lostAnswer, .keyInUse, .rateLimited, .gatewayTimeout, .garbage,
    ]

    /// What the saga and the events insist on until it is done.
    private struct Begun {
        var captures: Set<OrderID> = []
        var voids: Set<OrderID> = []
        var refunds: Set<OrderID> = []
    }

    @Test("no order is held twice, and the shop and Stripe agree in the end", arguments: 1...80 as ClosedRange<UInt64>)
    func schedules(seed: UInt64) async throws {
        var random = SeededRandom(state: seed)
        let till = try await StripeTill()
        let orders = (0..<3).map { _ in till.order() }
        var begun = Begun()
        for _ in 0..<12 {
            if Bool.random(using: &random), let fault = Self.faults.randomElement(using: &random) {
                till.stripe.fail(fault)
            }
            let order = orders[Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<6, using: &random) {
            case 0..<3: _ = try? await till.authorize(order)
            case 3:
                begun.captures.insert(order)
                try? await till.capture([order])
            case 4:
                begun.voids.insert(order)
                try? await till.void(order)
            default:
                begun.refunds.insert(order)
                _ = try? await till.refund(order, 100, "r")
            }
            till.clock.advance(by: .seconds(Int.random(in: 1...30_000, using: &random)))
            #expect(try await till.audit() == [])
        }
        till.stripe.recover()
        till.clock.advance(by: StripeGateway.searchIsSettled)
        for order in orders {
            if begun.captures.contains(order) { try await till.capture([order]) }
            if begun.refunds.contains(order) { _ = try? await till.refund(order, 100, "r") }
            if begun.voids.contains(order) { try await till.void(order) } else { _ = try? await till.authorize(order) }
            try await agree(till, order)
        }
        #expect(try await till.audit() == [])
    }

    private func agree(_ till: StripeTill, _ order: OrderID) async throws {
        let standing = till.stripe.statuses(order).filter { ["requires_capture", "succeeded"].contains($0) }
        switch try await till.status(order) {
        case .authorized: #expect(standing == ["requires_capture"])
        case .captured, .partially_refunded, .refunded: #expect(standing == ["succeeded"])
        case .pending: Issue.record("it must be known by now")
        case .declined, .voided, nil: #expect(standing == [])
        }
    }
}
