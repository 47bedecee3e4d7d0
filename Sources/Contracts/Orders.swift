public import Kernel

public enum OrderKind: Identified { public static let idPrefix = "order" }
public typealias OrderID = ID<OrderKind>

/// Orders, from checkout to return.
public protocol OrdersService: Sendable {
    /// Places an order: returns when it is confirmed and its future is certain. Needs `context.idempotencyKey`.
    /// - Throws: `outOfStock`, `paymentDeclined` (the order stays, cancelled), `unknownSKU`, `mixedCurrencies`,
    ///   `unknownShippingMethod`, `unknownCoupon`, `emptyOrder`, `keyReused`, `keyInUse`.
    func place(_ order: PlaceOrder, _ context: CallContext) async throws -> PlacedOrder
    /// What an order would cost: the same sums as `place`, nothing written.
    func price(_ order: PriceOrder, _ context: CallContext) async throws -> OrderSums
    func shippingMethods(_ query: ShippingQuery, _ context: CallContext) async throws -> ShippingMethodList
    /// The caller's own; staff see all.
    func list(_ query: OrderQuery, _ context: CallContext) async throws -> OrderPage
    /// A guest's order may be read by who knows its identifier, an account's by its owner and by staff.
    func order(_ query: OrderByID, _ context: CallContext) async throws -> Order
    /// Before anything was fulfilled: money is let go or given back, stock taken back.
    /// - Throws: `notCancellable`.
    func cancel(_ cancellation: CancelOrder, _ context: CallContext) async throws -> Order
    func fulfil(_ fulfilment: FulfilOrder, _ context: CallContext) async throws -> Order
    func refund(_ refund: RefundOrder, _ context: CallContext) async throws -> Order
    /// Pieces that were fulfilled come back: restocked if fit for sale, and refunded.
    func takeBack(_ taken: ReturnOrder, _ context: CallContext) async throws -> Order
    func sales(_ query: SalesQuery, _ context: CallContext) async throws -> SalesReport
}

public enum OrdersAPI {
    public static let place = Endpoint<PlaceOrder, Order>(
        "orders.place", .post, "/api/orders", summary: "Place an order", priority: .checkout, success: 201,
        idempotency: .keyRequired,
        problems: [
            .paymentDeclined, .outOfStock, .unknownSKU, .mixedCurrencies, .amountTooLarge, .unknownShippingMethod,
            .unknownCoupon, .emptyOrder, .notFound, .keyMissing, .keyReused, .keyInUse, .forbidden, .orderUnsettled,
        ])
    public static let price = Endpoint<PriceOrder, OrderSums>(
        "orders.price", .post, "/api/orders/prices", summary: "What an order would cost", priority: .checkout,
        problems: [
            .unknownSKU, .mixedCurrencies, .amountTooLarge, .unknownShippingMethod, .unknownCoupon, .emptyOrder,
            .notFound,
        ])
    public static let shippingMethods = Endpoint<ShippingQuery, ShippingMethodList>(
        "shipping.list", .get, "/api/shipping-methods", summary: "How an order can be sent", priority: .checkout)
    public static let list = Endpoint<OrderQuery, OrderPage>(
        "orders.list", .get, "/api/orders", summary: "My orders; staff see all", access: .customer, priority: .browse)
    public static let order = Endpoint<OrderByID, Order>(
        "orders.get", .get, "/api/orders/{id}", summary: "One order", problems: [.notFound])
    public static let cancel = Endpoint<CancelOrder, Order>(
        "orders.cancel", .post, "/api/orders/{id}/cancellation", summary: "Cancel an order", priority: .checkout,
        success: 201, problems: [.notFound, .notCancellable])
    public static let fulfil = Endpoint<FulfilOrder, Order>(
        "orders.fulfil", .post, "/api/orders/{id}/fulfilments", summary: "Record what was sent", access: .staff,
        priority: .reports, success: 201, idempotency: .keyAccepted, problems: [.notFound, .notFulfillable])
    public static let refund = Endpoint<RefundOrder, Order>(
        "orders.refund", .post, "/api/orders/{id}/refunds", summary: "Give money back", access: .staff,
        priority: .reports, success: 201, idempotency: .keyAccepted, problems: [.notFound, .refundTooLarge])
    public static let takeBack = Endpoint<ReturnOrder, Order>(
        "orders.return", .post, "/api/orders/{id}/returns", summary: "Take pieces back", access: .staff,
        priority: .reports, success: 201, idempotency: .keyAccepted,
        problems: [.notFound, .notReturnable, .refundTooLarge])
    public static let sales = Endpoint<SalesQuery, SalesReport>(
        "reports.sales", .get, "/api/reports/sales", summary: "Orders, lines and revenue, by day", access: .staff,
        priority: .reports)
}

/// Orders in another process.
public struct RemoteOrders: OrdersService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func place(_ order: PlaceOrder, _ context: CallContext) async throws -> PlacedOrder {
        let reply = try await caller.call(OrdersAPI.place, order, context)
        return PlacedOrder(order: reply.value, isReplayed: reply.isReplayed)
    }

    public func price(_ order: PriceOrder, _ context: CallContext) async throws -> OrderSums {
        try await caller.call(OrdersAPI.price, order, context).value
    }

    public func shippingMethods(_ query: ShippingQuery, _ context: CallContext) async throws -> ShippingMethodList {
        try await caller.call(OrdersAPI.shippingMethods, query, context).value
    }

    public func list(_ query: OrderQuery, _ context: CallContext) async throws -> OrderPage {
        try await caller.call(OrdersAPI.list, query, context).value
    }

    public func order(_ query: OrderByID, _ context: CallContext) async throws -> Order {
        try await caller.call(OrdersAPI.order, query, context).value
    }

    public func cancel(_ cancellation: CancelOrder, _ context: CallContext) async throws -> Order {
        try await caller.call(OrdersAPI.cancel, cancellation, context).value
    }

    public func fulfil(_ fulfilment: FulfilOrder, _ context: CallContext) async throws -> Order {
        try await caller.call(OrdersAPI.fulfil, fulfilment, context).value
    }

    public func refund(_ refund: RefundOrder, _ context: CallContext) async throws -> Order {
        try await caller.call(OrdersAPI.refund, refund, context).value
    }

    public func takeBack(_ taken: ReturnOrder, _ context: CallContext) async throws -> Order {
        try await caller.call(OrdersAPI.takeBack, taken, context).value
    }

    public func sales(_ query: SalesQuery, _ context: CallContext) async throws -> SalesReport {
        try await caller.call(OrdersAPI.sales, query, context).value
    }
}

extension ProblemType {
    public static let unknownShippingMethod = ProblemType(
        "unknown-shipping-method", 422, "That shipping method is not offered there")
    public static let unknownCoupon = ProblemType("unknown-coupon", 422, "That coupon is not valid for this order")
    public static let emptyOrder = ProblemType("empty-order", 422, "There is nothing to order")
    public static let notCancellable = ProblemType("not-cancellable", 409, "It can no longer be cancelled")
    public static let notFulfillable = ProblemType("not-fulfillable", 409, "That cannot be sent")
    public static let notReturnable = ProblemType("not-returnable", 409, "That cannot be returned")
    /// The order is written and will be driven to its end; how it ends is not known yet. Repeat with the same key.
    public static let orderUnsettled = ProblemType("order-unsettled", 503, "The order is being settled")
}
