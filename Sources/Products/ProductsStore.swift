import Contracts
import Database
import Kernel

/// A product as it is stored, with what writing it again needs to know.
struct StoredProduct {
    let id: Int64
    let publicID: ProductID
    /// As a draft: the variants that are for sale, `stock` being the pieces on hand.
    let draft: ProductDraft
    let category: CategoryReference?
    let version: Int64
    let createdAt: Timestamp
    let updatedAt: Timestamp
    /// All, the archived ones too, in the order of the draft.
    let variants: [StoredVariant]

    var product: Product {
        Product(
            id: publicID, handle: draft.handle, title: draft.title, description: draft.description,
            vendor: draft.vendor, category: category, tags: draft.tags, status: draft.status, images: draft.images,
            options: draft.options, variants: variants.filter { !$0.isArchived }.map { $0.variant(of: draft.title) },
            version: version, created_at: createdAt, updated_at: updatedAt)
    }
}

struct StoredVariant {
    let id: Int64
    let publicID: VariantID
    let draft: ProductDraft.Variant
    let sku: String
    let onHand: Int64
    let reserved: Int64
    let movements: Int64
    let position: Int
    let isArchived: Bool

    func variant(of title: String) -> Variant {
        Variant(
            id: publicID, sku: sku, title: Self.title(draft.options) ?? title, options: draft.options,
            price: draft.price, compare_at_price: draft.compare_at_price, available: onHand - reserved,
            weight_grams: draft.weight_grams, barcode: draft.barcode, image: draft.image)
    }

    /// `M / Blue`; nil without options.
    static func title(_ options: [String]) -> String? {
        options.isEmpty ? nil : options.joined(separator: " / ")
    }
}

/// Reading the tables of the catalogue.
enum ProductsStore {
    private static let columns = """
        p.id, p.public_id, p.handle, p.title, p.vendor, p.category, p.status, p.currency, p.version, p.created_at,
        p.updated_at, p.tags, p.options, p.images, p.description
        """

    static func product(_ handle: String, _ transaction: Transaction) throws -> StoredProduct? {
        try transaction.row("SELECT \(columns) FROM products p WHERE p.handle = $1", handle)
            .map { try product($0, transaction) }
    }

    static func products(after handle: String, limit: Int, _ transaction: Transaction) throws -> [StoredProduct] {
        try transaction.rows(
            "SELECT \(columns) FROM products p WHERE p.handle > $1 ORDER BY p.handle LIMIT $2", handle, limit
        ).map { try product($0, transaction) }
    }

    private static func product(_ row: Row, _ transaction: Transaction) throws -> StoredProduct {
        let currency = try row.currency(7)
        let category = try row.optionalInt64(5).map { try categoryPath($0, transaction) } ?? []
        let variants = try variants(of: row.int64(0), currency, transaction)
        let draft = ProductDraft(
            handle: try row.text(2), title: try row.text(3), description: try row.text(14),
            vendor: try row.optionalText(4), category: category.map(\.title), tags: try row.json(11),
            status: try row.choice(6), images: try row.json(13), options: try row.json(12),
            variants: variants.filter { !$0.isArchived }.map(\.draft))
        return StoredProduct(
            id: try row.int64(0), publicID: try row.id(1), draft: draft, category: category.last,
            version: try row.int64(8), createdAt: try row.timestamp(9), updatedAt: try row.timestamp(10),
            variants: variants)
    }

    private static func variants(
        of product: Int64, _ currency: Currency, _ transaction: Transaction
    ) throws -> [StoredVariant] {
        try transaction.rows(
            """
            SELECT id, sku, price, compare_at, weight_grams, barcode, image, options, on_hand, reserved, movements,
                position, is_archived, public_id
            FROM variants WHERE product = $1 ORDER BY position, id
            """, product
        ).map { row in
            let sku = try row.text(1)
            let draft = ProductDraft.Variant(
                sku: sku, options: try row.json(7), price: Money(try row.int64(2), currency),
                compare_at_price: try row.optionalInt64(3).map { Money($0, currency) }, stock: try row.int64(8),
                weight_grams: try row.optionalInt64(4), barcode: try row.optionalText(5),
                image: try row.optionalText(6))
            return StoredVariant(
                id: try row.int64(0), publicID: try row.id(13), draft: draft, sku: sku,
                onHand: try row.int64(8), reserved: try row.int64(9), movements: try row.int64(10),
                position: try row.int(11), isArchived: try row.bool(12))
        }
    }

    /// From the root to it.
    private static func categoryPath(_ id: Int64, _ transaction: Transaction) throws -> [CategoryReference] {
        var path: [CategoryReference] = []
        var next = id
        while next != 0,
            let row = try transaction.row("SELECT handle, title, parent FROM categories WHERE id = $1", next)
        {
            path.append(CategoryReference(handle: try row.text(0), title: try row.text(1)))
            next = try row.int64(2)
        }
        return path.reversed()
    }

    static func quote(_ sku: String, _ transaction: Transaction) throws -> Quote? {
        let quote = """
            SELECT p.handle, p.title, p.options, v.options, v.price, p.currency, v.on_hand - v.reserved,
                coalesce(v.image, p.image)
            FROM variants v JOIN products p ON p.id = v.product
            WHERE v.sku = $1 AND v.is_archived = 0 AND p.status = 'active'
            """
        guard let row = try transaction.row(quote, sku) else { return nil }
        let title = try row.text(1)
        let variant = try StoredVariant.title(row.json(3))
        return Quote(
            sku: sku, handle: try row.text(0), title: variant.map { "\(title), \($0)" } ?? title,
            price: Money(try row.int64(4), try row.currency(5)), available: try row.int64(6),
            image: try row.optionalText(7))
    }

    static func summary(_ id: Int64, _ transaction: Transaction) throws -> ProductSummary? {
        let summary = """
            SELECT p.public_id, p.handle, p.title, p.vendor, c.handle, p.currency, p.price, p.price_max, p.compare_at,
                (SELECT CAST(coalesce(sum(v.on_hand - v.reserved), 0) AS BIGINT) FROM variants v
                    WHERE v.product = p.id AND v.is_archived = 0), p.image, p.image_alt, p.variants, p.status
            FROM products p LEFT JOIN categories c ON c.id = p.category WHERE p.id = $1
            """
        guard let row = try transaction.row(summary, id) else { return nil }
        let currency = try row.currency(5)
        let alt = try row.optionalText(11)
        return ProductSummary(
            id: try row.id(0), handle: try row.text(1), title: try row.text(2), vendor: try row.optionalText(3),
            category: try row.optionalText(4), price: Money(try row.int64(6), currency),
            price_max: Money(try row.int64(7), currency),
            compare_at_price: try row.optionalInt64(8).map { Money($0, currency) }, available: try row.int64(9),
            image: try row.optionalText(10).map { ProductImage(src: $0, alt: alt) }, variants: try row.int(12),
            status: try row.choice(13))
    }
}

extension Row {
    func currency(_ index: Int) throws -> Currency {
        let code = try text(index)
        guard let currency = Currency(code) else {
            throw DatabaseError.column(index: index, expected: "a currency", found: code, sql: "")
        }
        return currency
    }

    /// A value kept as JSON text. An empty list, the usual one, is not worth a parser.
    func json<Element: Decodable>(_ index: Int) throws -> [Element] {
        let text = try text(index)
        return text == "[]" ? [] : try JSON.decode([Element].self, from: Array(text.utf8))
    }

    func choice<Choice: RawRepresentable<String>>(_ index: Int) throws -> Choice {
        let text = try text(index)
        guard let choice = Choice(rawValue: text) else {
            throw DatabaseError.column(index: index, expected: "\(Choice.self)", found: text, sql: "")
        }
        return choice
    }
}
