public import Kernel

public enum ProductKind: Identified { public static let idPrefix = "prod" }
public typealias ProductID = ID<ProductKind>
public enum VariantKind: Identified { public static let idPrefix = "var" }
public typealias VariantID = ID<VariantKind>

/// The catalogue and its stock.
public protocol ProductsService: Sendable {
    /// Products that shoppers may see (active), or all for staff, by what is asked for.
    func search(_ query: ProductQuery, _ context: CallContext) async throws -> ProductPage
    /// - Throws: `notFound`.
    func product(_ query: ProductByHandle, _ context: CallContext) async throws -> Product
    func categories(_ input: Nothing, _ context: CallContext) async throws -> CategoryList
    /// Creates or replaces a product with its variants; stock that the draft names is set as an adjustment.
    func put(_ draft: PutProduct, _ context: CallContext) async throws -> Product
    /// Creates or replaces many, each on its own: what is wrong with one does not stop the others. Putting the same
    /// again changes nothing.
    func importProducts(_ batch: ProductBatch, _ context: CallContext) async throws -> ImportResult
    /// All products with everything, in order of handle: what an export writes.
    func export(_ query: ExportQuery, _ context: CallContext) async throws -> ExportPage

    func inventory(_ query: StockBySKU, _ context: CallContext) async throws -> StockLevel
    func inventoryList(_ query: StockQuery, _ context: CallContext) async throws -> StockPage
    func adjust(_ adjustment: StockAdjustment, _ context: CallContext) async throws -> StockLevel
    /// The newest movements of a SKU, newest first.
    func movements(_ query: StockBySKU, _ context: CallContext) async throws -> MovementList

    /// What a cart or an order needs to know of its SKUs; unknown or unavailable ones are left out.
    func quote(_ query: QuoteQuery, _ context: CallContext) async throws -> QuoteList
    /// Holds every line for an order, or none. Asking again for the same order answers as the first time.
    /// - Throws: `outOfStock`, with the lines that lack in `lines`.
    func reserve(_ reservation: ReserveStock, _ context: CallContext) async throws -> Nothing
    /// Gives back what is held for an order; nothing held is no error. A release that comes before its reservation
    /// (a late message) makes that reservation refuse.
    func release(_ order: StockOfOrder, _ context: CallContext) async throws -> Nothing
    /// Turns what is held for an order into sold stock. Asking again changes nothing.
    func commit(_ orders: StockOfOrders, _ context: CallContext) async throws -> Nothing
    /// Takes sold pieces back into stock, once for each `reference`.
    func restock(_ restock: Restock, _ context: CallContext) async throws -> Nothing
}

/// The endpoints of `ProductsService`.
public enum ProductsAPI {
    public static let search = Endpoint<ProductQuery, ProductPage>(
        "products.search", .get, "/api/products", summary: "Search the catalogue", cacheable: true)
    public static let product = Endpoint<ProductByHandle, Product>(
        "products.get", .get, "/api/products/{handle}", summary: "One product with its variants", cacheable: true,
        problems: [.notFound])
    public static let categories = Endpoint<Nothing, CategoryList>(
        "categories.list", .get, "/api/categories", summary: "The tree of categories", cacheable: true)
    public static let put = Endpoint<PutProduct, Product>(
        "products.put", .put, "/api/products/{handle}", summary: "Create or replace a product", access: .staff,
        priority: .reports, conditional: true, problems: [.skuTaken, .versionMismatch, .versionRequired])
    public static let importProducts = Endpoint<ProductBatch, ImportResult>(
        "products.import", .post, "/api/products/imports", summary: "Create or replace up to 500 products",
        access: .staff, priority: .reports)
    public static let export = Endpoint<ExportQuery, ExportPage>(
        "products.export", .get, "/api/products/exports", summary: "All products with everything", access: .staff,
        priority: .reports)
    public static let inventory = Endpoint<StockBySKU, StockLevel>(
        "inventory.get", .get, "/api/inventory/{sku}", summary: "The stock of a SKU", problems: [.notFound])
    public static let inventoryList = Endpoint<StockQuery, StockPage>(
        "inventory.list", .get, "/api/inventory", summary: "The stock of all SKUs", access: .staff, priority: .reports)
    public static let adjust = Endpoint<StockAdjustment, StockLevel>(
        "inventory.adjust", .post, "/api/inventory/{sku}/adjustments", summary: "Adjust stock, with a reason",
        access: .staff, priority: .reports, success: 201, idempotency: .keyAccepted,
        problems: [.notFound, .stockBelowZero, .keyReused])
    public static let movements = Endpoint<StockBySKU, MovementList>(
        "inventory.movements", .get, "/api/inventory/{sku}/movements", summary: "The newest stock movements",
        access: .staff, priority: .reports, problems: [.notFound])

    public static let quote = Endpoint<QuoteQuery, QuoteList>(
        "products.quote", .post, "/internal/quotes", summary: "Prices for an order", access: .service,
        priority: .checkout)
    public static let reserve = Endpoint<ReserveStock, Nothing>(
        "stock.reserve", .post, "/internal/reservations", summary: "Hold stock for an order", access: .service,
        priority: .checkout, success: 204, problems: [.outOfStock])
    public static let release = Endpoint<StockOfOrder, Nothing>(
        "stock.release", .post, "/internal/reservations/release", summary: "Give back held stock", access: .service,
        priority: .checkout, success: 204)
    public static let commit = Endpoint<StockOfOrders, Nothing>(
        "stock.commit", .post, "/internal/reservations/commit", summary: "Turn held stock into sold", access: .service,
        priority: .checkout, success: 204)
    public static let restock = Endpoint<Restock, Nothing>(
        "stock.restock", .post, "/internal/restocks", summary: "Take sold pieces back", access: .service,
        priority: .checkout, success: 204)
}

/// Products in another process.
public struct RemoteProducts: ProductsService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func search(_ query: ProductQuery, _ context: CallContext) async throws -> ProductPage {
        try await caller.call(ProductsAPI.search, query, context).value
    }

    public func product(_ query: ProductByHandle, _ context: CallContext) async throws -> Product {
        try await caller.call(ProductsAPI.product, query, context).value
    }

    public func categories(_ input: Nothing, _ context: CallContext) async throws -> CategoryList {
        try await caller.call(ProductsAPI.categories, input, context).value
    }

    public func put(_ draft: PutProduct, _ context: CallContext) async throws -> Product {
        try await caller.call(ProductsAPI.put, draft, context).value
    }

    public func importProducts(_ batch: ProductBatch, _ context: CallContext) async throws -> ImportResult {
        try await caller.call(ProductsAPI.importProducts, batch, context).value
    }

    public func export(_ query: ExportQuery, _ context: CallContext) async throws -> ExportPage {
        try await caller.call(ProductsAPI.export, query, context).value
    }

    public func inventory(_ query: StockBySKU, _ context: CallContext) async throws -> StockLevel {
        try await caller.call(ProductsAPI.inventory, query, context).value
    }

    public func inventoryList(_ query: StockQuery, _ context: CallContext) async throws -> StockPage {
        try await caller.call(ProductsAPI.inventoryList, query, context).value
    }

    public func adjust(_ adjustment: StockAdjustment, _ context: CallContext) async throws -> StockLevel {
        try await caller.call(ProductsAPI.adjust, adjustment, context).value
    }

    public func movements(_ query: StockBySKU, _ context: CallContext) async throws -> MovementList {
        try await caller.call(ProductsAPI.movements, query, context).value
    }

    public func quote(_ query: QuoteQuery, _ context: CallContext) async throws -> QuoteList {
        try await caller.call(ProductsAPI.quote, query, context).value
    }

    public func reserve(_ reservation: ReserveStock, _ context: CallContext) async throws -> Nothing {
        try await caller.call(ProductsAPI.reserve, reservation, context).value
    }

    public func release(_ order: StockOfOrder, _ context: CallContext) async throws -> Nothing {
        try await caller.call(ProductsAPI.release, order, context).value
    }

    public func commit(_ orders: StockOfOrders, _ context: CallContext) async throws -> Nothing {
        try await caller.call(ProductsAPI.commit, orders, context).value
    }

    public func restock(_ restock: Restock, _ context: CallContext) async throws -> Nothing {
        try await caller.call(ProductsAPI.restock, restock, context).value
    }
}

extension ProblemType {
    public static let outOfStock = ProblemType("out-of-stock", 409, "Some of it is no longer in stock")
    public static let skuTaken = ProblemType("sku-taken", 409, "Another product has that SKU")
    public static let stockBelowZero = ProblemType("stock-below-zero", 409, "Stock cannot go below zero")
}

/// The tags of kept answers: what is stale when something is written.
public enum Tags {
    /// Any list of products, the categories, the home page.
    public static let catalogue = "catalogue"
    public static func product(_ handle: String) -> String { "product:" + handle }
}

public enum ProductStatus: String, Codable, Sendable, CaseIterable {
    case draft, active, archived
}

/// `GET /api/products`.
public struct ProductQuery: Shaped {
    public var q: String?
    /// The category's handle; its subcategories count too.
    public var category: String?
    public var vendor: String?
    /// Minor units, inclusive.
    public var price_min: Int64?
    public var price_max: Int64?
    public var available: Bool?
    public var on_sale: Bool?
    public var sort: ProductSort?
    public var limit: Int?
    public var after: String?
    /// Staff only: others see active products whatever they ask for.
    public var status: ProductStatus?

    public static let defaultLimit = 24
    public static let limits = 1...200

    public init(
        q: String? = nil, category: String? = nil, vendor: String? = nil, price_min: Int64? = nil,
        price_max: Int64? = nil, available: Bool? = nil, on_sale: Bool? = nil, sort: ProductSort? = nil,
        limit: Int? = nil, after: String? = nil, status: ProductStatus? = nil
    ) {
        self.q = q
        self.category = category
        self.vendor = vendor
        self.price_min = price_min
        self.price_max = price_max
        self.available = available
        self.on_sale = on_sale
        self.sort = sort
        self.limit = limit
        self.after = after
        self.status = status
    }

    public static let schema = Schema.object(
        "ProductQuery",
        [
            .optional("q", .text(0...200), "Words, the last one as a prefix"),
            .optional("category", .text(1...200), "A category's handle"),
            .optional("vendor", .text(1...200)),
            .optional("price_min", .integer(0...Money.limit), "Minor units"),
            .optional("price_max", .integer(0...Money.limit), "Minor units"),
            .optional("available", .boolean),
            .optional("on_sale", .boolean, "Only products with a compare-at price"),
            .optional("sort", .choice(ProductSort.allCases.map(\.rawValue))),
            .optional("limit", .integer(1...200), "24 if not given"),
            .optional("after", .token(1...500, example: "eyJhIjoxfQ"), "The cursor `next` of the page before"),
            .optional("status", .choice(ProductStatus.allCases.map(\.rawValue)), "Staff only"),
        ])
}

public enum ProductSort: String, Codable, Sendable, CaseIterable {
    /// Best match first; without words, newest first.
    case relevance
    case newest
    case price_ascending
    case price_descending
    case title
}

public struct ProductByHandle: Shaped {
    public var handle: String
    public init(handle: String) { self.handle = handle }
    public static let schema = Schema.object("ProductByHandle", [.required("handle", .text(1...200))])
}

public struct ProductPage: Shaped {
    public var items: [ProductSummary]
    public var next: String?
    /// How many match in all; beyond 10,000 a lower bound is enough.
    public var total: Int
    public var facets: Facets

    public init(items: [ProductSummary], next: String?, total: Int, facets: Facets) {
        self.items = items
        self.next = next
        self.total = total
        self.facets = facets
    }

    /// `next` is written even when it is null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
        try container.encode(total, forKey: .total)
        try container.encode(facets, forKey: .facets)
    }

    public static let schema = Schema.object(
        "ProductPage",
        [
            .required("items", .array(ProductSummary.schema, 0...200)),
            .required("next", .nullable(.text(1...500))),
            .required("total", .integer(0...Int64.max)),
            .required("facets", Facets.schema),
        ])
}

/// How many of the matches there are of each, were that filter alone changed.
public struct Facets: Shaped {
    public struct Count: Shaped {
        public var value: String
        public var title: String
        public var count: Int

        public init(value: String, title: String, count: Int) {
            self.value = value
            self.title = title
            self.count = count
        }

        public static let schema = Schema.object(
            "FacetCount",
            [
                .required("value", .text(0...200)), .required("title", .text(0...200)),
                .required("count", .integer(0...Int64.max)),
            ])
    }

    public var category: [Count]
    public var vendor: [Count]
    /// Ranges as `1000-2499` in minor units, `10000-` without an upper end.
    public var price: [Count]
    public var available: [Count]

    public init(category: [Count], vendor: [Count], price: [Count], available: [Count]) {
        self.category = category
        self.vendor = vendor
        self.price = price
        self.available = available
    }

    public static let schema = Schema.object(
        "Facets",
        ["category", "vendor", "price", "available"].map { .required($0, .array(Count.schema, 0...200)) })
}

/// A product in a list.
public struct ProductSummary: Shaped {
    public var id: ProductID
    public var handle: String
    public var title: String
    public var vendor: String?
    public var category: String?
    /// The lowest price of its variants.
    public var price: Money
    public var price_max: Money
    public var compare_at_price: Money?
    public var available: Int64
    public var image: ProductImage?
    public var variants: Int
    public var status: ProductStatus

    public init(
        id: ProductID, handle: String, title: String, vendor: String?, category: String?, price: Money,
        price_max: Money, compare_at_price: Money?, available: Int64, image: ProductImage?, variants: Int,
        status: ProductStatus
    ) {
        self.id = id
        self.handle = handle
        self.title = title
        self.vendor = vendor
        self.category = category
        self.price = price
        self.price_max = price_max
        self.compare_at_price = compare_at_price
        self.available = available
        self.image = image
        self.variants = variants
        self.status = status
    }

    public static let schema = Schema.object(
        "ProductSummary",
        [
            .required("id", ProductID.schema), .required("handle", .text(1...200)), .required("title", .text(1...500)),
            .optional("vendor", .text(1...200)), .optional("category", .text(1...200)),
            .required("price", Money.schema), .required("price_max", Money.schema),
            .optional("compare_at_price", Money.schema), .required("available", .integer(0...Int64.max)),
            .optional("image", ProductImage.schema), .required("variants", .integer(0...Int64.max)),
            .required("status", .choice(ProductStatus.allCases.map(\.rawValue))),
        ])
}
