// Long because each value stands whole, with its initialiser and its published shape, beside those it is made of.

public import Kernel

public enum OrderStatus: String, Codable, Sendable, CaseIterable {
    case pending, confirmed, partially_fulfilled, fulfilled, returned, cancelled
}

public enum OrderPaymentStatus: String, Codable, Sendable, CaseIterable {
    case pending, authorized, captured, partially_refunded, refunded, declined, voided
}

public enum FulfilmentStatus: String, Codable, Sendable, CaseIterable {
    case unfulfilled, partially_fulfilled, fulfilled, returned
}

/// Where it goes.
public struct Address: Shaped, Hashable {
    public var name: String
    public var line1: String
    public var line2: String?
    public var city: String
    public var region: String?
    public var postal_code: String?
    public var country: String
    public var phone: String?

    public init(
        name: String, line1: String, line2: String? = nil, city: String, region: String? = nil,
        postal_code: String? = nil, country: String, phone: String? = nil
    ) {
        self.name = name
        self.line1 = line1
        self.line2 = line2
        self.city = city
        self.region = region
        self.postal_code = postal_code
        self.country = country
        self.phone = phone
    }

    public static let schema = Schema.object(
        "Address",
        [
            .required("name", .text(1...200)), .required("line1", .text(1...200)), .optional("line2", .text(0...200)),
            .required("city", .text(1...100)), .optional("region", .text(0...100)),
            .optional("postal_code", .text(0...20)), .required("country", .country),
            .optional("phone", .text(0...40)),
        ])
}

public struct OrderLineInput: Shaped, Hashable {
    public var sku: String
    public var quantity: Int64
    /// Staff only: a price agreed otherwise.
    public var unit_price: Money?

    public init(sku: String, quantity: Int64, unit_price: Money? = nil) {
        self.sku = sku
        self.quantity = quantity
        self.unit_price = unit_price
    }

    static let plainSchema = Schema.object(
        "Line", [.required("sku", .text(1...100)), .required("quantity", .quantity)])

    public static let schema = Schema.object(
        "OrderLineInput",
        [
            .required("sku", .text(1...100)), .required("quantity", .quantity),
            .optional("unit_price", Money.price, "Staff only"),
        ])
}

public struct PaymentInput: Shaped, Hashable {
    public var token: String
    public init(token: String) { self.token = token }
    public static let schema = Schema.object(
        "PaymentInput", [.required("token", .token(1...200, example: "tok_approved"))])
}

/// `POST /api/orders`: a cart, or lines.
public struct PlaceOrder: Shaped, Hashable {
    public static let maximumLines = 2_000

    public var cart: CartID?
    public var lines: [OrderLineInput]?
    public var email: String
    public var shipping_address: Address
    public var shipping_method: String
    public var coupon: String?
    public var payment: PaymentInput
    /// Staff only: when it was placed, for orders that come from elsewhere.
    public var placed_at: Timestamp?

    public init(
        cart: CartID? = nil, lines: [OrderLineInput]? = nil, email: String, shipping_address: Address,
        shipping_method: String = "standard", coupon: String? = nil, payment: PaymentInput,
        placed_at: Timestamp? = nil
    ) {
        self.cart = cart
        self.lines = lines
        self.email = email
        self.shipping_address = shipping_address
        self.shipping_method = shipping_method
        self.coupon = coupon
        self.payment = payment
        self.placed_at = placed_at
    }

    public static let schema = Schema.object(
        "PlaceOrder",
        [
            .optional("cart", CartID.schema), .optional("lines", .array(OrderLineInput.schema, 1...maximumLines)),
            .required("email", .email), .required("shipping_address", Address.schema),
            .required("shipping_method", .text(1...50)), .optional("coupon", .text(1...50)),
            .required("payment", PaymentInput.schema), .optional("placed_at", .time, "Staff only"),
        ])
}

/// An order and whether it is the first answer once more.
public struct PlacedOrder: Sendable {
    public var order: Order
    public var isReplayed: Bool

    public init(order: Order, isReplayed: Bool) {
        self.order = order
        self.isReplayed = isReplayed
    }
}

public struct PriceOrder: Shaped {
    public var cart: CartID?
    public var lines: [OrderLineInput]?
    public var country: String
    public var shipping_method: String?
    public var coupon: String?

    public init(
        cart: CartID? = nil, lines: [OrderLineInput]? = nil, country: String, shipping_method: String? = nil,
        coupon: String? = nil
    ) {
        self.cart = cart
        self.lines = lines
        self.country = country
        self.shipping_method = shipping_method
        self.coupon = coupon
    }

    public static let schema = Schema.object(
        "PriceOrder",
        [
            .optional("cart", CartID.schema),
            .optional("lines", .array(OrderLineInput.plainSchema, 1...PlaceOrder.maximumLines)),
            .required("country", .country), .optional("shipping_method", .text(1...50)),
            .optional("coupon", .text(1...50)),
        ])
}

/// `total = subtotal − discount + shipping + tax`; where prices include tax, `tax` is zero and `tax_included` tells
/// how much of the total it is.
public struct OrderSums: Shaped {
    public var subtotal: Money
    public var discount: Money
    public var shipping: Money
    public var tax: Money
    public var tax_included: Money
    public var total: Money

    public init(subtotal: Money, discount: Money, shipping: Money, tax: Money, tax_included: Money, total: Money) {
        self.subtotal = subtotal
        self.discount = discount
        self.shipping = shipping
        self.tax = tax
        self.tax_included = tax_included
        self.total = total
    }

    public static let schema = Schema.object(
        "OrderSums",
        ["subtotal", "discount", "shipping", "tax", "tax_included", "total"].map { .required($0, Money.schema) })
}

public struct Order: Shaped {
    public struct Line: Shaped {
        public var sku: String
        public var title: String
        public var quantity: Int64
        public var fulfilled: Int64
        public var returned: Int64
        public var unit_price: Money
        public var total: Money
        public var image: String?

        public init(
            sku: String, title: String, quantity: Int64, fulfilled: Int64, returned: Int64, unit_price: Money,
            total: Money, image: String?
        ) {
            self.sku = sku
            self.title = title
            self.quantity = quantity
            self.fulfilled = fulfilled
            self.returned = returned
            self.unit_price = unit_price
            self.total = total
            self.image = image
        }

        public static let schema = Schema.object(
            "OrderLine",
            [
                .required("sku", .text(1...100)), .required("title", .text(1...1_000)),
                .required("quantity", .quantity), .required("fulfilled", .integer(0...1_000_000)),
                .required("returned", .integer(0...1_000_000)), .required("unit_price", Money.schema),
                .required("total", Money.schema), .optional("image", .text(1...2_000)),
            ])
    }

    public var id: OrderID
    public var number: String
    public var status: OrderStatus
    public var payment_status: OrderPaymentStatus
    public var fulfilment_status: FulfilmentStatus
    public var email: String
    public var customer: UserID?
    public var lines: [Line]
    public var subtotal: Money
    public var discount: Money
    public var shipping: Money
    public var tax: Money
    public var tax_included: Money
    public var total: Money
    public var refunded: Money
    public var coupon: String?
    public var shipping_method: String
    public var shipping_address: Address
    /// Why it was cancelled.
    public var reason: String?
    public var created_at: Timestamp
    public var updated_at: Timestamp

    public init(
        id: OrderID, number: String, status: OrderStatus, payment_status: OrderPaymentStatus,
        fulfilment_status: FulfilmentStatus, email: String, customer: UserID?, lines: [Line], sums: OrderSums,
        refunded: Money, coupon: String?, shipping_method: String, shipping_address: Address, reason: String?,
        created_at: Timestamp, updated_at: Timestamp
    ) {
        self.id = id
        self.number = number
        self.status = status
        self.payment_status = payment_status
        self.fulfilment_status = fulfilment_status
        self.email = email
        self.customer = customer
        self.lines = lines
        subtotal = sums.subtotal
        discount = sums.discount
        shipping = sums.shipping
        tax = sums.tax
        tax_included = sums.tax_included
        total = sums.total
        self.refunded = refunded
        self.coupon = coupon
        self.shipping_method = shipping_method
        self.shipping_address = shipping_address
        self.reason = reason
        self.created_at = created_at
        self.updated_at = updated_at
    }

    public static let schema = Schema.object(
        "Order",
        [
            .required("id", OrderID.schema), .required("number", .text(1...20)),
            .required("status", .choice(OrderStatus.allCases.map(\.rawValue))),
            .required("payment_status", .choice(OrderPaymentStatus.allCases.map(\.rawValue))),
            .required("fulfilment_status", .choice(FulfilmentStatus.allCases.map(\.rawValue))),
            .required("email", .email), .optional("customer", UserID.schema),
            .required("lines", .array(Line.schema, 0...PlaceOrder.maximumLines)),
            .required("subtotal", Money.schema), .required("discount", Money.schema),
            .required("shipping", Money.schema), .required("tax", Money.schema),
            .required("tax_included", Money.schema), .required("total", Money.schema),
            .required("refunded", Money.schema), .optional("coupon", .text(1...50)),
            .required("shipping_method", .text(1...50)), .required("shipping_address", Address.schema),
            .optional("reason", .text(0...1_000)), .required("created_at", .time), .required("updated_at", .time),
        ])
}

/// An order in a list.
public struct OrderSummary: Shaped {
    public var id: OrderID
    public var number: String
    public var status: OrderStatus
    public var payment_status: OrderPaymentStatus
    public var fulfilment_status: FulfilmentStatus
    public var email: String
    public var lines: Int
    public var total: Money
    public var created_at: Timestamp

    public init(
        id: OrderID, number: String, status: OrderStatus, payment_status: OrderPaymentStatus,
        fulfilment_status: FulfilmentStatus, email: String, lines: Int, total: Money, created_at: Timestamp
    ) {
        self.id = id
        self.number = number
        self.status = status
        self.payment_status = payment_status
        self.fulfilment_status = fulfilment_status
        self.email = email
        self.lines = lines
        self.total = total
        self.created_at = created_at
    }

    public static let schema = Schema.object(
        "OrderSummary",
        [
            .required("id", OrderID.schema), .required("number", .text(1...20)),
            .required("status", .choice(OrderStatus.allCases.map(\.rawValue))),
            .required("payment_status", .choice(OrderPaymentStatus.allCases.map(\.rawValue))),
            .required("fulfilment_status", .choice(FulfilmentStatus.allCases.map(\.rawValue))),
            .required("email", .email), .required("lines", .integer(0...Int64.max)), .required("total", Money.schema),
            .required("created_at", .time),
        ])
}

public struct OrderQuery: Shaped {
    public var status: OrderStatus?
    public var payment_status: OrderPaymentStatus?
    public var fulfilment_status: FulfilmentStatus?
    /// Staff only: an order number, or an e-mail address.
    public var q: String?
    public var limit: Int?
    public var after: String?

    public init(
        status: OrderStatus? = nil, payment_status: OrderPaymentStatus? = nil,
        fulfilment_status: FulfilmentStatus? = nil, q: String? = nil, limit: Int? = nil, after: String? = nil
    ) {
        self.status = status
        self.payment_status = payment_status
        self.fulfilment_status = fulfilment_status
        self.q = q
        self.limit = limit
        self.after = after
    }

    public static let schema = Schema.object(
        "OrderQuery",
        [
            .optional("status", .choice(OrderStatus.allCases.map(\.rawValue))),
            .optional("payment_status", .choice(OrderPaymentStatus.allCases.map(\.rawValue))),
            .optional("fulfilment_status", .choice(FulfilmentStatus.allCases.map(\.rawValue))),
            .optional("q", .text(1...254), "An order number or an e-mail address"),
            .optional("limit", .integer(1...200)), .optional("after", OrderID.schema, "The cursor `next`"),
        ])
}

public struct OrderPage: Shaped {
    public var items: [OrderSummary]
    public var next: String?
    public var total: Int

    public init(items: [OrderSummary], next: String?, total: Int) {
        self.items = items
        self.next = next
        self.total = total
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
        try container.encode(total, forKey: .total)
    }

    public static let schema = Schema.object(
        "OrderPage",
        [
            .required("items", .array(OrderSummary.schema, 0...200)), .required("next", .nullable(.text(1...200))),
            .required("total", .integer(0...Int64.max)),
        ])
}

public struct OrderByID: Shaped {
    public var id: OrderID
    public init(id: OrderID) { self.id = id }
    public static let schema = Schema.object("OrderByID", [.required("id", OrderID.schema)])
}

public struct CancelOrder: Shaped {
    public var id: OrderID
    public var reason: String?

    public init(id: OrderID, reason: String? = nil) {
        self.id = id
        self.reason = reason
    }

    public static let schema = Schema.object(
        "CancelOrder", [.required("id", OrderID.schema), .optional("reason", .text(1...500))])
}

public struct FulfilOrder: Shaped {
    public var id: OrderID
    /// What was sent; everything that is left, if not given.
    public var lines: [StockLine]?
    public var tracking: String?

    public init(id: OrderID, lines: [StockLine]? = nil, tracking: String? = nil) {
        self.id = id
        self.lines = lines
        self.tracking = tracking
    }

    public static let schema = Schema.object(
        "FulfilOrder",
        [
            .required("id", OrderID.schema),
            .optional("lines", .array(OrderLineInput.plainSchema, 1...PlaceOrder.maximumLines)),
            .optional("tracking", .text(1...200)),
        ])
}

public struct RefundOrder: Shaped {
    public var id: OrderID
    /// All that is left, if not given.
    public var amount: Money?
    public var reason: String?

    public init(id: OrderID, amount: Money? = nil, reason: String? = nil) {
        self.id = id
        self.amount = amount
        self.reason = reason
    }

    public static let schema = Schema.object(
        "RefundOrder",
        [
            .required("id", OrderID.schema), .optional("amount", Money.price), .optional("reason", .text(1...500)),
        ])
}

public struct ReturnOrder: Shaped {
    public var id: OrderID
    public var lines: [StockLine]
    /// Whether the pieces can be sold again; yes, if not given.
    public var restock: Bool?
    public var reason: String?

    public init(id: OrderID, lines: [StockLine], restock: Bool? = nil, reason: String? = nil) {
        self.id = id
        self.lines = lines
        self.restock = restock
        self.reason = reason
    }

    public static let schema = Schema.object(
        "ReturnOrder",
        [
            .required("id", OrderID.schema),
            .required("lines", .array(OrderLineInput.plainSchema, 1...PlaceOrder.maximumLines)),
            .optional("restock", .boolean), .optional("reason", .text(1...500)),
        ])
}

public struct ShippingQuery: Shaped {
    public var country: String?
    public init(country: String? = nil) { self.country = country }
    public static let schema = Schema.object("ShippingQuery", [.optional("country", .country)])
}

public struct ShippingMethodList: Shaped {
    public struct Entry: Shaped {
        public var id: String
        public var title: String
        public var price: Money

        public init(id: String, title: String, price: Money) {
            self.id = id
            self.title = title
            self.price = price
        }

        public static let schema = Schema.object(
            "ShippingMethod",
            [.required("id", .text(1...50)), .required("title", .text(1...200)), .required("price", Money.schema)])
    }
    public var items: [Entry]
    public init(items: [Entry]) { self.items = items }
    public static let schema = Schema.object("ShippingMethodList", [.required("items", .array(Entry.schema, 0...100))])
}

public struct SalesQuery: Shaped {
    /// Placed at or after, and before.
    public var from: Timestamp?
    public var to: Timestamp?

    public init(from: Timestamp? = nil, to: Timestamp? = nil) {
        self.from = from
        self.to = to
    }

    public static let schema = Schema.object("SalesQuery", [.optional("from", .time), .optional("to", .time)])
}

/// Orders that were confirmed and not cancelled, whatever became of them afterwards.
public struct SalesReport: Shaped {
    public struct Day: Shaped {
        /// `2026-01-31`, in UTC.
        public var day: String
        public var orders: Int
        public var revenue: Money

        public init(day: String, orders: Int, revenue: Money) {
            self.day = day
            self.orders = orders
            self.revenue = revenue
        }

        public static let schema = Schema.object(
            "SalesDay",
            [
                .required("day", .text(10...10)), .required("orders", .integer(0...Int64.max)),
                .required("revenue", Money.schema),
            ])
    }
    public var orders: Int
    public var lines: Int
    public var pieces: Int
    /// The totals added up, one entry a currency.
    public var revenue: [Money]
    public var refunded: [Money]
    public var cancelled: Int
    /// The newest 400 days that have sales, in order.
    public var days: [Day]

    public init(
        orders: Int, lines: Int, pieces: Int, revenue: [Money], refunded: [Money], cancelled: Int, days: [Day]
    ) {
        self.orders = orders
        self.lines = lines
        self.pieces = pieces
        self.revenue = revenue
        self.refunded = refunded
        self.cancelled = cancelled
        self.days = days
    }

    public static let schema = Schema.object(
        "SalesReport",
        [
            .required("orders", .integer(0...Int64.max)), .required("lines", .integer(0...Int64.max)),
            .required("pieces", .integer(0...Int64.max)), .required("revenue", .array(Money.schema, 0...200)),
            .required("refunded", .array(Money.schema, 0...200)), .required("cancelled", .integer(0...Int64.max)),
            .required("days", .array(Day.schema, 0...1_000)),
        ])
}
