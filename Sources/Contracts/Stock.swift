public import Kernel

public enum MovementKind: Identified { public static let idPrefix = "move" }

public struct StockBySKU: Shaped {
    public var sku: String
    public init(sku: String) { self.sku = sku }
    public static let schema = Schema.object("StockBySKU", [.required("sku", .text(1...100))])
}

public struct StockLevel: Shaped, Equatable {
    public var sku: String
    public var on_hand: Int64
    public var reserved: Int64
    /// On hand less reserved.
    public var available: Int64

    public init(sku: String, on_hand: Int64, reserved: Int64) {
        self.sku = sku
        self.on_hand = on_hand
        self.reserved = reserved
        self.available = on_hand - reserved
    }

    public static let schema = Schema.object(
        "StockLevel",
        [
            .required("sku", .text(1...100)), .required("on_hand", .integer(0...Int64.max)),
            .required("reserved", .integer(0...Int64.max)), .required("available", .integer(0...Int64.max)),
        ])
}

public struct StockQuery: Shaped {
    public var q: String?
    /// Only SKUs with at most this many available.
    public var available_max: Int64?
    public var limit: Int?
    public var after: String?

    public init(q: String? = nil, available_max: Int64? = nil, limit: Int? = nil, after: String? = nil) {
        self.q = q
        self.available_max = available_max
        self.limit = limit
        self.after = after
    }

    public static let schema = Schema.object(
        "StockQuery",
        [
            .optional("q", .text(0...100), "The beginning of a SKU"),
            .optional("available_max", .integer(0...Money.limit)), .optional("limit", .integer(1...200)),
            .optional("after", .text(1...200), "The SKU that the page before ended with"),
        ])
}

public struct StockPage: Shaped {
    public var items: [StockLevel]
    public var next: String?

    public init(items: [StockLevel], next: String?) {
        self.items = items
        self.next = next
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }

    public static let schema = Schema.object(
        "StockPage",
        [.required("items", .array(StockLevel.schema, 0...200)), .required("next", .nullable(.text(1...200)))])
}

/// Staff change the pieces on hand, and say why.
public struct StockAdjustment: Shaped {
    public var sku: String
    /// Pieces added, or taken away where negative; not zero.
    public var quantity: Int64
    public var reason: String

    public init(sku: String, quantity: Int64, reason: String) {
        self.sku = sku
        self.quantity = quantity
        self.reason = reason
    }

    public static let schema = Schema.object(
        "StockAdjustment",
        [
            .required("sku", .text(1...100)), .required("quantity", .integer(-1_000_000_000...1_000_000_000)),
            .required("reason", .text(1...500)),
        ])
}

/// One entry of the book of stock, never changed afterwards.
public struct StockMovement: Shaped {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Pieces on hand set or changed by staff or an import.
        case adjusted
        case reserved
        /// A reservation ended without a sale.
        case released
        /// A reservation became a sale: on hand and reserved both go down.
        case sold
        /// Sold pieces came back.
        case restocked
    }
    public var kind: Kind
    public var on_hand: Int64
    public var reserved: Int64
    public var reason: String?
    public var order: OrderID?
    public var at: Timestamp

    public init(kind: Kind, on_hand: Int64, reserved: Int64, reason: String?, order: OrderID?, at: Timestamp) {
        self.kind = kind
        self.on_hand = on_hand
        self.reserved = reserved
        self.reason = reason
        self.order = order
        self.at = at
    }

    public static let schema = Schema.object(
        "StockMovement",
        [
            .required("kind", .choice(Kind.allCases.map(\.rawValue))),
            .required("on_hand", .integer(Int64.min...Int64.max), "The change of pieces on hand"),
            .required("reserved", .integer(Int64.min...Int64.max), "The change of pieces reserved"),
            .optional("reason", .text(0...500)), .optional("order", OrderID.schema), .required("at", .time),
        ])
}

public struct MovementList: Shaped {
    public var items: [StockMovement]
    public init(items: [StockMovement]) { self.items = items }
    public static let schema = Schema.object(
        "MovementList", [.required("items", .array(StockMovement.schema, 0...200))])
}

public struct QuoteQuery: Shaped {
    public var skus: [String]
    public init(skus: [String]) { self.skus = skus }
    public static let schema = Schema.object("QuoteQuery", [.required("skus", .array(.text(1...100), 1...2_000))])
}

/// What an order keeps of a variant as it is now.
public struct Quote: Shaped {
    public var sku: String
    public var handle: String
    /// The product's title, with the variant's where it has options.
    public var title: String
    public var price: Money
    public var available: Int64
    public var image: String?

    public init(sku: String, handle: String, title: String, price: Money, available: Int64, image: String?) {
        self.sku = sku
        self.handle = handle
        self.title = title
        self.price = price
        self.available = available
        self.image = image
    }

    public static let schema = Schema.object(
        "Quote",
        [
            .required("sku", .text(1...100)), .required("handle", .text(1...200)), .required("title", .text(1...1_000)),
            .required("price", Money.schema), .required("available", .integer(0...Int64.max)),
            .optional("image", .text(1...2_000)),
        ])
}

public struct QuoteList: Shaped {
    public var items: [Quote]
    public init(items: [Quote]) { self.items = items }
    public static let schema = Schema.object("QuoteList", [.required("items", .array(Quote.schema, 0...2_000))])
}

public struct StockLine: Shaped, Hashable {
    public var sku: String
    public var quantity: Int64

    public init(sku: String, quantity: Int64) {
        self.sku = sku
        self.quantity = quantity
    }

    public static let schema = Schema.object(
        "StockLine", [.required("sku", .text(1...100)), .required("quantity", .integer(1...Money.limit))])
}

public struct ReserveStock: Shaped {
    public var order: OrderID
    /// Each SKU once.
    public var lines: [StockLine]
    /// When a reservation that nobody committed or released may be given back.
    public var expires_at: Timestamp

    public init(order: OrderID, lines: [StockLine], expires_at: Timestamp) {
        self.order = order
        self.lines = lines
        self.expires_at = expires_at
    }

    public static let schema = Schema.object(
        "ReserveStock",
        [
            .required("order", OrderID.schema), .required("lines", .array(StockLine.schema, 1...2_000)),
            .required("expires_at", .time),
        ])
}

public struct StockOfOrder: Shaped {
    public var order: OrderID
    public init(order: OrderID) { self.order = order }
    public static let schema = Schema.object("StockOfOrder", [.required("order", OrderID.schema)])
}

public struct StockOfOrders: Shaped {
    public var orders: [OrderID]
    public init(orders: [OrderID]) { self.orders = orders }
    public static let schema = Schema.object(
        "StockOfOrders", [.required("orders", .array(OrderID.schema, 1...1_000))])
}

public struct Restock: Shaped {
    public var order: OrderID
    /// Once for each: a cancellation's or return's identifier.
    public var reference: String
    public var lines: [StockLine]
    public var reason: String

    public init(order: OrderID, reference: String, lines: [StockLine], reason: String) {
        self.order = order
        self.reference = reference
        self.lines = lines
        self.reason = reason
    }

    public static let schema = Schema.object(
        "Restock",
        [
            .required("order", OrderID.schema), .required("reference", .text(1...200)),
            .required("lines", .array(StockLine.schema, 1...2_000)), .required("reason", .text(1...500)),
        ])
}
