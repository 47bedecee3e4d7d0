public import Kernel

public enum CartKind: Identified { public static let idPrefix = "cart" }
/// Knowing it is being allowed to use it: it cannot be guessed.
public typealias CartID = ID<CartKind>

/// What a shopper has gathered. Prices are those of now; nothing is held before the order.
public protocol CartsService: Sendable {
    func create(_ input: CreateCart, _ context: CallContext) async throws -> Cart
    func cart(_ query: CartByID, _ context: CallContext) async throws -> Cart
    /// Sets the quantity of a SKU.
    /// - Throws: `notFound`, `unknownSKU`, `cartFull`, `mixedCurrencies`.
    func putLine(_ line: PutCartLine, _ context: CallContext) async throws -> Cart
    func removeLine(_ line: RemoveCartLine, _ context: CallContext) async throws -> Cart
}

public enum CartsAPI {
    public static let create = Endpoint<CreateCart, Cart>(
        "carts.create", .post, "/api/carts", summary: "A new cart", priority: .cart, success: 201, idempotency: .none,
        problems: [.unknownSKU, .mixedCurrencies])
    public static let cart = Endpoint<CartByID, Cart>(
        "carts.get", .get, "/api/carts/{id}", summary: "A cart", priority: .checkout, problems: [.notFound])
    public static let putLine = Endpoint<PutCartLine, Cart>(
        "carts.lines.put", .put, "/api/carts/{id}/lines/{sku}", summary: "Set a line's quantity", priority: .checkout,
        problems: [.notFound, .unknownSKU, .cartFull, .mixedCurrencies])
    public static let removeLine = Endpoint<RemoveCartLine, Cart>(
        "carts.lines.remove", .delete, "/api/carts/{id}/lines/{sku}", summary: "Remove a line", priority: .checkout,
        problems: [.notFound])
}

/// Carts in another process.
public struct RemoteCarts: CartsService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func create(_ input: CreateCart, _ context: CallContext) async throws -> Cart {
        try await caller.call(CartsAPI.create, input, context).value
    }

    public func cart(_ query: CartByID, _ context: CallContext) async throws -> Cart {
        try await caller.call(CartsAPI.cart, query, context).value
    }

    public func putLine(_ line: PutCartLine, _ context: CallContext) async throws -> Cart {
        try await caller.call(CartsAPI.putLine, line, context).value
    }

    public func removeLine(_ line: RemoveCartLine, _ context: CallContext) async throws -> Cart {
        try await caller.call(CartsAPI.removeLine, line, context).value
    }
}

extension ProblemType {
    public static let unknownSKU = ProblemType("unknown-sku", 422, "A SKU is not for sale here")
    public static let cartFull = ProblemType("cart-full", 422, "The cart has no room for another line")
    public static let mixedCurrencies = ProblemType("mixed-currencies", 422, "One order has one currency")
    public static let amountTooLarge = ProblemType("amount-too-large", 422, "The amount is too large")
}

public struct CreateCart: Shaped {
    public var lines: [StockLine]?
    public init(lines: [StockLine]? = nil) { self.lines = lines }
    public static let schema = Schema.object(
        "CreateCart", [.optional("lines", .array(OrderLineInput.plainSchema, 0...Cart.maximumLines))])
}

public struct CartByID: Shaped {
    public var id: CartID
    public init(id: CartID) { self.id = id }
    public static let schema = Schema.object("CartByID", [.required("id", CartID.schema)])
}

public struct PutCartLine: Shaped {
    public var id: CartID
    public var sku: String
    public var quantity: Int64

    public init(id: CartID, sku: String, quantity: Int64) {
        self.id = id
        self.sku = sku
        self.quantity = quantity
    }

    public static let schema = Schema.object(
        "PutCartLine",
        [.required("id", CartID.schema), .required("sku", .text(1...100)), .required("quantity", .quantity)])
}

public struct RemoveCartLine: Shaped {
    public var id: CartID
    public var sku: String

    public init(id: CartID, sku: String) {
        self.id = id
        self.sku = sku
    }

    public static let schema = Schema.object(
        "RemoveCartLine", [.required("id", CartID.schema), .required("sku", .text(1...100))])
}

public struct Cart: Shaped {
    public static let maximumLines = 200

    public struct Line: Shaped {
        public var sku: String
        public var handle: String
        public var title: String
        public var quantity: Int64
        public var unit_price: Money
        public var total: Money
        public var available: Int64
        public var image: String?

        public init(
            sku: String, handle: String, title: String, quantity: Int64, unit_price: Money, total: Money,
            available: Int64, image: String?
        ) {
            self.sku = sku
            self.handle = handle
            self.title = title
            self.quantity = quantity
            self.unit_price = unit_price
            self.total = total
            self.available = available
            self.image = image
        }

        public static let schema = Schema.object(
            "CartLine",
            [
                .required("sku", .text(1...100)), .required("handle", .text(1...200)),
                .required("title", .text(1...1_000)), .required("quantity", .quantity),
                .required("unit_price", Money.schema), .required("total", Money.schema),
                .required("available", .integer(0...Int64.max)), .optional("image", .text(1...2_000)),
            ])
    }
    public var id: CartID
    /// Lines whose SKU is no longer for sale are left out.
    public var lines: [Line]
    public var subtotal: Money
    public var updated_at: Timestamp

    public init(id: CartID, lines: [Line], subtotal: Money, updated_at: Timestamp) {
        self.id = id
        self.lines = lines
        self.subtotal = subtotal
        self.updated_at = updated_at
    }

    public static let schema = Schema.object(
        "Cart",
        [
            .required("id", CartID.schema), .required("lines", .array(Line.schema, 0...maximumLines)),
            .required("subtotal", Money.schema), .required("updated_at", .time),
        ])
}
