public import Kernel

public struct ProductImage: Shaped, Hashable {
    /// An absolute http(s) URL, or a path below `/images/`.
    public var src: String
    public var alt: String?

    public init(src: String, alt: String?) {
        self.src = src
        self.alt = alt
    }

    public static let schema = Schema.object(
        "ProductImage", [.required("src", .text(1...2_000)), .optional("alt", .text(0...1_000))])
}

public struct Product: Shaped {
    public var id: ProductID
    public var handle: String
    public var title: String
    /// HTML as the merchant wrote it; shown only after sanitising.
    public var description: String
    public var vendor: String?
    /// The category's handle and title.
    public var category: CategoryReference?
    public var tags: [String]
    public var status: ProductStatus
    public var images: [ProductImage]
    /// The names of the options, in order: `Size`, `Colour`. Empty for a product with one variant.
    public var options: [String]
    public var variants: [Variant]
    public var version: Int64
    public var created_at: Timestamp
    public var updated_at: Timestamp

    public init(
        id: ProductID, handle: String, title: String, description: String, vendor: String?,
        category: CategoryReference?, tags: [String], status: ProductStatus, images: [ProductImage], options: [String],
        variants: [Variant], version: Int64, created_at: Timestamp, updated_at: Timestamp
    ) {
        self.id = id
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
        self.version = version
        self.created_at = created_at
        self.updated_at = updated_at
    }

    public static let schema = Schema.object(
        "Product",
        [
            .required("id", ProductID.schema), .required("handle", .text(1...200)), .required("title", .text(1...500)),
            .required("description", .text(0...100_000)), .optional("vendor", .text(1...200)),
            .optional("category", CategoryReference.schema), .required("tags", .array(.text(1...200), 0...250)),
            .required("status", .choice(ProductStatus.allCases.map(\.rawValue))),
            .required("images", .array(ProductImage.schema, 0...250)),
            .required("options", .array(.text(1...100), 0...3)),
            .required("variants", .array(Variant.schema, 0...2_000)), .required("version", .integer(1...Int64.max)),
            .required("created_at", .time), .required("updated_at", .time),
        ])
}

public struct Variant: Shaped {
    public var id: VariantID
    public var sku: String
    /// `M / Blue`; the product's title where it has no options.
    public var title: String
    /// One value for each of the product's options.
    public var options: [String]
    public var price: Money
    public var compare_at_price: Money?
    /// Pieces that can be sold: on hand less reserved.
    public var available: Int64
    public var weight_grams: Int64?
    public var barcode: String?
    public var image: String?

    public init(
        id: VariantID, sku: String, title: String, options: [String], price: Money, compare_at_price: Money?,
        available: Int64, weight_grams: Int64?, barcode: String?, image: String?
    ) {
        self.id = id
        self.sku = sku
        self.title = title
        self.options = options
        self.price = price
        self.compare_at_price = compare_at_price
        self.available = available
        self.weight_grams = weight_grams
        self.barcode = barcode
        self.image = image
    }

    public static let schema = Schema.object(
        "Variant",
        [
            .required("id", VariantID.schema), .required("sku", .sku), .required("title", .text(1...500)),
            .required("options", .array(.text(1...255), 0...3)), .required("price", Money.schema),
            .optional("compare_at_price", Money.schema), .required("available", .integer(0...Int64.max)),
            .optional("weight_grams", .integer(0...Int64.max)), .optional("barcode", .text(1...100)),
            .optional("image", .text(1...2_000)),
        ])
}

public struct CategoryReference: Shaped, Hashable {
    public var handle: String
    public var title: String

    public init(handle: String, title: String) {
        self.handle = handle
        self.title = title
    }

    public static let schema = Schema.object(
        "CategoryReference", [.required("handle", .text(1...200)), .required("title", .text(1...500))])
}

/// The categories, parents before their children.
public struct CategoryList: Shaped {
    public struct Entry: Shaped {
        public var handle: String
        public var title: String
        public var parent: String?
        /// Active products in it and below.
        public var products: Int
        public var image: ProductImage?

        public init(handle: String, title: String, parent: String?, products: Int, image: ProductImage?) {
            self.handle = handle
            self.title = title
            self.parent = parent
            self.products = products
            self.image = image
        }

        public static let schema = Schema.object(
            "Category",
            [
                .required("handle", .text(1...200)), .required("title", .text(1...500)),
                .optional("parent", .text(1...200)), .required("products", .integer(0...Int64.max)),
                .optional("image", ProductImage.schema),
            ])
    }
    public var items: [Entry]

    public init(items: [Entry]) { self.items = items }

    public static let schema = Schema.object("CategoryList", [.required("items", .array(Entry.schema, 0...10_000))])
}
