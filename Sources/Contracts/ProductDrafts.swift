public import Kernel

/// What is written about a product: by staff, by an import, by the demo.
public struct ProductDraft: Shaped, Equatable {
    public struct Variant: Shaped, Equatable {
        /// Given by Souk, from the handle and the options, where it is missing.
        public var sku: String?
        public var options: [String]
        public var price: Money
        public var compare_at_price: Money?
        /// Pieces on hand; nil leaves the stock as it is.
        public var stock: Int64?
        public var weight_grams: Int64?
        public var barcode: String?
        public var image: String?

        public init(
            sku: String?, options: [String] = [], price: Money, compare_at_price: Money? = nil, stock: Int64? = nil,
            weight_grams: Int64? = nil, barcode: String? = nil, image: String? = nil
        ) {
            self.sku = sku
            self.options = options
            self.price = price
            self.compare_at_price = compare_at_price
            self.stock = stock
            self.weight_grams = weight_grams
            self.barcode = barcode
            self.image = image
        }

        public static let schema = Schema.object(
            "VariantDraft",
            [
                .optional("sku", .sku), .required("options", .array(.text(1...255), 0...3)),
                .required("price", Money.price), .optional("compare_at_price", Money.price),
                .optional("stock", .integer(0...1_000_000_000), "Pieces on hand"),
                .optional("weight_grams", .integer(0...1_000_000_000)), .optional("barcode", .text(1...100)),
                .optional("image", .text(1...2_000)),
            ])
    }

    public var handle: String
    public var title: String
    public var description: String
    public var vendor: String?
    /// Titles from the root to the leaf: `["Clothing", "Shirts"]`.
    public var category: [String]
    public var tags: [String]
    public var status: ProductStatus
    public var images: [ProductImage]
    public var options: [String]
    public var variants: [Variant]

    public init(
        handle: String, title: String, description: String = "", vendor: String? = nil, category: [String] = [],
        tags: [String] = [], status: ProductStatus = .active, images: [ProductImage] = [], options: [String] = [],
        variants: [Variant]
    ) {
        self.handle = handle
        self.title = title
        self.description = description
        self.vendor = vendor
        self.category = category
        self.tags = tags
        self.status = status
        self.images = images
        self.options = options
        self.variants = variants
    }

    static let members: [Schema.Member] = [
        .required("handle", .handle), .required("title", .text(1...500)),
        .required("description", .text(0...100_000), "HTML; shown sanitised"), .optional("vendor", .text(1...200)),
        .required("category", .array(.text(1...200), 0...5), "Titles from the root to the leaf"),
        .required("tags", .array(.text(1...200), 0...250)),
        .required("status", .choice(ProductStatus.allCases.map(\.rawValue))),
        .required("images", .array(ProductImage.schema, 0...250)), .required("options", .array(.text(1...100), 0...3)),
        .required("variants", .array(Variant.schema, 1...2_000)),
    ]

    public static let schema = Schema.object("ProductDraft", members)
}

/// `PUT /api/products/{handle}`: the draft's own fields, the handle from the path.
public struct PutProduct: Shaped {
    public var draft: ProductDraft
    public init(_ draft: ProductDraft) { self.draft = draft }

    public init(from decoder: any Decoder) throws { draft = try ProductDraft(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try draft.encode(to: encoder) }
    public static let schema = Schema.object("PutProduct", ProductDraft.members)
}

public struct ProductBatch: Shaped {
    public static let limit = 500
    public var products: [ProductDraft]

    public init(products: [ProductDraft]) { self.products = products }

    public static let schema = Schema.object(
        "ProductBatch", [.required("products", .array(ProductDraft.schema, 1...limit))])
}

/// What became of a batch.
public struct ImportResult: Shaped, Equatable {
    public struct Refusal: Shaped, Equatable {
        public var handle: String
        public var detail: String

        public init(handle: String, detail: String) {
            self.handle = handle
            self.detail = detail
        }

        public static let schema = Schema.object(
            "ImportRefusal", [.required("handle", .text(0...200)), .required("detail", .text(0...2_000))])
    }
    public var created: Int
    public var updated: Int
    public var unchanged: Int
    public var refused: [Refusal]

    public init(created: Int = 0, updated: Int = 0, unchanged: Int = 0, refused: [Refusal] = []) {
        self.created = created
        self.updated = updated
        self.unchanged = unchanged
        self.refused = refused
    }

    public static let schema = Schema.object(
        "ImportResult",
        [
            .required("created", .integer(0...500)), .required("updated", .integer(0...500)),
            .required("unchanged", .integer(0...500)), .required("refused", .array(Refusal.schema, 0...500)),
        ])
}

public struct ExportQuery: Shaped {
    public var after: String?
    public var limit: Int?

    public init(after: String? = nil, limit: Int? = nil) {
        self.after = after
        self.limit = limit
    }

    public static let schema = Schema.object(
        "ExportQuery", [.optional("after", .text(1...200), "A handle"), .optional("limit", .integer(1...500))])
}

public struct ExportPage: Shaped {
    public var items: [ProductDraft]
    public var next: String?

    public init(items: [ProductDraft], next: String?) {
        self.items = items
        self.next = next
    }

    public static let schema = Schema.object(
        "ExportPage",
        [.required("items", .array(ProductDraft.schema, 0...500)), .optional("next", .text(1...200))])
}
