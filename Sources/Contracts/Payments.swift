public import Kernel

public enum PaymentKind: Identified { public static let idPrefix = "pay" }
public typealias PaymentID = ID<PaymentKind>

/// Money: authorised, captured, refunded, voided, each once, with a double-entry book of it all.
public protocol PaymentsService: Sendable {
    /// Holds the money of an order. Idempotent by order: asking again answers as the first time.
    /// - Throws: `paymentDeclined`; `OutcomeUnknown` when the gateway did not answer: ask again, it will be asked too.
    func authorize(_ authorization: Authorize, _ context: CallContext) async throws -> Payment
    /// Lets go of what is held for an order, whether or not its authorisation ever got here; refunds what was captured.
    /// An authorisation that comes after it (a late message) is refused.
    func void(_ order: PaymentOfOrder, _ context: CallContext) async throws -> Nothing
    /// Takes the money held for orders. Asking again changes nothing.
    func capture(_ orders: PaymentsOfOrders, _ context: CallContext) async throws -> Nothing
    /// Gives captured money back, once for each `reference`.
    /// - Throws: `refundTooLarge`.
    func refund(_ refund: RefundPayment, _ context: CallContext) async throws -> Payment
    func payment(_ query: PaymentByID, _ context: CallContext) async throws -> Payment
    /// The newest state of payments of these orders; orders without one are left out.
    func payments(_ query: PaymentsOfOrders, _ context: CallContext) async throws -> PaymentList
    /// What a provider tells of its own accord; verified, and each delivery counts once.
    func webhook(_ delivery: PaymentWebhook, _ context: CallContext) async throws -> Nothing
}

public enum PaymentsAPI {
    public static let payment = Endpoint<PaymentByID, Payment>(
        "payments.get", .get, "/api/payments/{id}", summary: "A payment: its order's customer and staff may see it",
        access: .customer, problems: [.notFound])
    public static let webhook = Endpoint<PaymentWebhook, Nothing>(
        "payments.webhook", .post, "/api/payments/webhooks/{provider}", summary: "A payment provider's message",
        priority: .checkout, success: 204, signedBy: ["Stripe-Signature", "Souk-Signature"],
        problems: [.notFound, .badSignature])
    public static let authorize = Endpoint<Authorize, Payment>(
        "payments.authorize", .post, "/internal/payments", summary: "Hold an order's money", access: .service,
        priority: .checkout, problems: [.paymentDeclined])
    public static let void = Endpoint<PaymentOfOrder, Nothing>(
        "payments.void", .post, "/internal/payments/void", summary: "Let go of an order's money", access: .service,
        priority: .checkout, success: 204)
    public static let capture = Endpoint<PaymentsOfOrders, Nothing>(
        "payments.capture", .post, "/internal/payments/capture", summary: "Take the money held", access: .service,
        priority: .checkout, success: 204)
    public static let refund = Endpoint<RefundPayment, Payment>(
        "payments.refund", .post, "/internal/payments/refunds", summary: "Give money back", access: .service,
        priority: .checkout, problems: [.refundTooLarge, .notFound])
    public static let payments = Endpoint<PaymentsOfOrders, PaymentList>(
        "payments.list", .post, "/internal/payments/list", summary: "Payments of orders", access: .service,
        priority: .browse)
}

/// Payments in another process.
public struct RemotePayments: PaymentsService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func authorize(_ authorization: Authorize, _ context: CallContext) async throws -> Payment {
        try await caller.call(PaymentsAPI.authorize, authorization, context).value
    }

    public func void(_ order: PaymentOfOrder, _ context: CallContext) async throws -> Nothing {
        try await caller.call(PaymentsAPI.void, order, context).value
    }

    public func capture(_ orders: PaymentsOfOrders, _ context: CallContext) async throws -> Nothing {
        try await caller.call(PaymentsAPI.capture, orders, context).value
    }

    public func refund(_ refund: RefundPayment, _ context: CallContext) async throws -> Payment {
        try await caller.call(PaymentsAPI.refund, refund, context).value
    }

    public func payment(_ query: PaymentByID, _ context: CallContext) async throws -> Payment {
        try await caller.call(PaymentsAPI.payment, query, context).value
    }

    public func payments(_ query: PaymentsOfOrders, _ context: CallContext) async throws -> PaymentList {
        try await caller.call(PaymentsAPI.payments, query, context).value
    }

    public func webhook(_ delivery: PaymentWebhook, _ context: CallContext) async throws -> Nothing {
        try await caller.call(PaymentsAPI.webhook, delivery, context).value
    }
}

extension ProblemType {
    public static let paymentDeclined = ProblemType("payment-declined", 402, "The payment was declined")
    public static let refundTooLarge = ProblemType("refund-too-large", 409, "More than what was captured")
    public static let badSignature = ProblemType("bad-signature", 401, "The signature does not match")
}

public enum PaymentStatus: String, Codable, Sendable, CaseIterable {
    /// The gateway was asked and has not answered yet.
    case pending
    case authorized, captured, partially_refunded, refunded, declined, voided
}

public struct Payment: Shaped {
    public var id: PaymentID
    public var order: OrderID
    public var status: PaymentStatus
    public var amount: Money
    public var captured: Money
    public var refunded: Money
    public var provider: String
    /// The provider's own identifier, once it answered.
    public var reference: String?
    /// Why it was declined.
    public var reason: String?
    public var created_at: Timestamp

    public init(
        id: PaymentID, order: OrderID, status: PaymentStatus, amount: Money, captured: Money, refunded: Money,
        provider: String, reference: String?, reason: String?, created_at: Timestamp
    ) {
        self.id = id
        self.order = order
        self.status = status
        self.amount = amount
        self.captured = captured
        self.refunded = refunded
        self.provider = provider
        self.reference = reference
        self.reason = reason
        self.created_at = created_at
    }

    public static let schema = Schema.object(
        "Payment",
        [
            .required("id", PaymentID.schema), .required("order", OrderID.schema),
            .required("status", .choice(PaymentStatus.allCases.map(\.rawValue))), .required("amount", Money.schema),
            .required("captured", Money.schema), .required("refunded", Money.schema),
            .required("provider", .text(1...50)), .optional("reference", .text(1...200)),
            .optional("reason", .text(0...500)), .required("created_at", .time),
        ])
}

public struct PaymentList: Shaped {
    public var items: [Payment]
    public init(items: [Payment]) { self.items = items }
    public static let schema = Schema.object("PaymentList", [.required("items", .array(Payment.schema, 0...1_000))])
}

public struct Authorize: Shaped {
    public var order: OrderID
    public var amount: Money
    /// What the provider's form gave the shopper's browser. Never a card number.
    public var token: String
    /// Who may see it afterwards.
    public var customer: UserID?

    public init(order: OrderID, amount: Money, token: String, customer: UserID?) {
        self.order = order
        self.amount = amount
        self.token = token
        self.customer = customer
    }

    public static let schema = Schema.object(
        "Authorize",
        [
            .required("order", OrderID.schema), .required("amount", Money.price),
            .required("token", .token(1...200, example: "tok_approved")), .optional("customer", UserID.schema),
        ])
}

public struct PaymentOfOrder: Shaped {
    public var order: OrderID
    public init(order: OrderID) { self.order = order }
    public static let schema = Schema.object("PaymentOfOrder", [.required("order", OrderID.schema)])
}

public struct PaymentsOfOrders: Shaped {
    public var orders: [OrderID]
    public init(orders: [OrderID]) { self.orders = orders }
    public static let schema = Schema.object(
        "PaymentsOfOrders", [.required("orders", .array(OrderID.schema, 1...1_000))])
}

public struct RefundPayment: Shaped {
    public var order: OrderID
    public var amount: Money
    public var reference: String

    public init(order: OrderID, amount: Money, reference: String) {
        self.order = order
        self.amount = amount
        self.reference = reference
    }

    public static let schema = Schema.object(
        "RefundPayment",
        [
            .required("order", OrderID.schema), .required("amount", Money.price),
            .required("reference", .text(1...200)),
        ])
}

public struct PaymentByID: Shaped {
    public var id: PaymentID
    public init(id: PaymentID) { self.id = id }
    public static let schema = Schema.object("PaymentByID", [.required("id", PaymentID.schema)])
}

/// A provider's message as it came: what it says is for the gateway to read, once it is known to be the provider's.
public struct PaymentWebhook: Shaped {
    /// More than any provider's message has.
    public static let longestBody = 256 << 10

    public var provider: String
    /// Byte for byte: the signature is over it.
    public var body: String
    /// What the provider's signature header says; nil if there is none.
    public var signature: String?

    public init(provider: String, body: String, signature: String?) {
        self.provider = provider
        self.body = body
        self.signature = signature
    }

    public static let schema = Schema.object(
        "PaymentWebhook",
        [
            .required("provider", .text(1...50)), .required("body", .text(1...longestBody)),
            .optional("signature", .text(1...2_000)),
        ])
}
