import Contracts
import Database
import Kernel

/// Writes drafts within one transaction: only what differs from what is stored.
///
/// Everything that can be refused is looked at before the first statement that changes something, so that in a batch a
/// refused draft leaves nothing behind.
struct CatalogueWriter {
    enum Outcome { case created, updated, unchanged }

    let transaction: Transaction
    /// The book's reason for stock that a draft sets.
    let reason: String
    var stock: StockBook
    /// Those that shoppers see otherwise now.
    private(set) var handles: Set<String> = []

    init(_ transaction: Transaction, at now: Timestamp, reason: String) {
        self.transaction = transaction
        self.reason = reason
        stock = StockBook(transaction, at: now)
    }

    /// - Parameter version: what the caller expects: 0 for nothing; nil for anything.
    /// - Throws: `skuTaken`, `versionMismatch`, `invalid`; nothing was changed then.
    mutating func write(_ given: ProductDraft, expecting version: Int64? = nil) throws -> Outcome {
        let stored = try ProductsStore.product(given.handle, transaction)
        if let version, version != stored?.version ?? 0 {
            throw Problem(
                .versionMismatch,
                stored.map { "\(given.handle) has the version \($0.version), expected \(version)" }
                    ?? "there is no product \(given.handle), expected its version \(version)")
        }
        let draft = try withSKUs(given, stored)
        let known = Dictionary((stored?.variants ?? []).map { ($0.sku, $0) }) { first, _ in first }
        let targets = try stockTargets(draft, known)
        let isSame = stored.map { $0.draft.withoutStock == draft.withoutStock } ?? false
        if isSame && targets.isEmpty { return .unchanged }
        handles.insert(draft.handle)
        if !isSame { try put(draft, stored, known) }
        for (sku, difference) in targets {
            try stock.move(sku, StockBook.Entry(kind: .adjusted, onHand: difference, reason: reason))
        }
        return stored == nil ? .created : .updated
    }

    // MARK: What may be refused

    /// The draft with a SKU for each variant, none of which belongs to another product.
    private func withSKUs(_ draft: ProductDraft, _ stored: StoredProduct?) throws -> ProductDraft {
        var draft = draft
        var own = Set((stored?.variants ?? []).map(\.sku))
        for variant in draft.variants {
            guard let sku = variant.sku, !own.contains(sku) else { continue }
            if let owner = try owner(of: sku) {
                throw Problem(.skuTaken, "the SKU \(sku) belongs to the product \(owner): give each variant its own")
            }
        }
        let given = Set(draft.variants.compactMap(\.sku))
        own.formUnion(given)
        for index in draft.variants.indices where draft.variants[index].sku == nil {
            let options = draft.variants[index].options
            let before = stored?.variants.first { !given.contains($0.sku) && $0.draft.options == options }?.sku
            let sku =
                try before
                ?? DraftRules.sku(handle: draft.handle, options: options, position: index) {
                    try own.contains($0) || owner(of: $0) != nil
                }
            own.insert(sku)
            draft.variants[index].sku = sku
        }
        return draft
    }

    private func owner(of sku: String) throws -> String? {
        try transaction.row(
            "SELECT p.handle FROM variants v JOIN products p ON p.id = v.product WHERE v.sku = $1", sku)?.text(0)
    }

    /// By how much the pieces on hand change.
    private func stockTargets(
        _ draft: ProductDraft, _ known: [String: StoredVariant]
    ) throws -> [(sku: String, difference: Int64)] {
        try draft.variants.compactMap { variant in
            guard let sku = variant.sku, let target = variant.stock else { return nil }
            let stored = known[sku]
            guard target != stored?.onHand ?? 0 else { return nil }
            if let stored, target < stored.reserved {
                throw Problem(
                    .stockBelowZero, "\(sku) has \(stored.reserved) reserved for orders: its stock cannot be \(target)")
            }
            return (sku, target - (stored?.onHand ?? 0))
        }
    }

    // MARK: Writing

    private mutating func put(
        _ draft: ProductDraft, _ stored: StoredProduct?, _ known: [String: StoredVariant]
    ) throws {
        let category = try draft.category.isEmpty ? nil : categoryID(draft.category)
        let change = try CatalogueVersion.next(transaction)
        let values = try ProductValues(draft, category: category, stock.now, change, isInStock: isInStock(draft, known))
        let product = try stored?.id ?? insert(values, draft)
        if stored != nil { try update(product, values) }
        for (position, variant) in draft.variants.enumerated() {
            guard let sku = variant.sku else { continue }
            if let before = known[sku] {
                let isSame = before.draft.withoutStock == variant.withoutStock
                if !isSame || before.position != position || before.isArchived {
                    try update(before.id, variant, position)
                }
            } else {
                try insert(variant, sku, position, of: product)
            }
        }
        let kept = Set(draft.variants.compactMap(\.sku))
        for variant in stored?.variants ?? [] where !variant.isArchived && !kept.contains(variant.sku) {
            // What has a history stays, out of sale: orders and the book still speak of it.
            let end =
                variant.movements > 0
                ? "UPDATE variants SET is_archived = 1 WHERE id = $1" : "DELETE FROM variants WHERE id = $1"
            try transaction.execute(end, variant.id)
        }
    }

    /// Before the draft's stock is set, which tells of a flip by itself.
    private func isInStock(_ draft: ProductDraft, _ known: [String: StoredVariant]) -> Bool {
        draft.variants.contains { variant in
            variant.sku.flatMap { known[$0] }.map { $0.onHand > $0.reserved } ?? false
        }
    }

    private func insert(_ values: ProductValues, _ draft: ProductDraft) throws -> Int64 {
        let insert = """
            INSERT INTO products (title, vendor, category, status, currency, price, price_max, compare_at, variants,
                in_stock, image, image_alt, change, text_change, updated_at, tags, options, images, description,
                public_id, handle, version, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16, $17, $18, $19, $20, 1,
                $14)
            RETURNING id
            """
        let row = try transaction.row(
            insert, values.list + [ProductID(at: stock.now).value, draft.handle.value])
        guard let row else { throw Problem(.internalError, "the product \(draft.handle) was not inserted") }
        return try row.int64(0)
    }

    private func update(_ product: Int64, _ values: ProductValues) throws {
        let update = """
            UPDATE products SET title = $1, vendor = $2, category = $3, status = $4, currency = $5, price = $6,
                price_max = $7, compare_at = $8, variants = $9, in_stock = $10, image = $11, image_alt = $12,
                change = $13, text_change = $13, updated_at = $14, tags = $15, options = $16, images = $17,
                description = $18, version = version + 1
            WHERE id = $19
            """
        try transaction.execute(update, values.list + [.integer(product)])
    }

    private func insert(_ variant: ProductDraft.Variant, _ sku: String, _ position: Int, of product: Int64) throws {
        let insert = """
            INSERT INTO variants (public_id, product, position, sku, price, compare_at, weight_grams, barcode, image,
                options)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """
        try transaction.execute(
            insert, VariantID(at: stock.now), product, position, sku, variant.price.amount,
            variant.compare_at_price?.amount, variant.weight_grams, variant.barcode, variant.image,
            ProductValues.text(variant.options))
    }

    private func update(_ id: Int64, _ variant: ProductDraft.Variant, _ position: Int) throws {
        let update = """
            UPDATE variants SET position = $2, price = $3, compare_at = $4, weight_grams = $5, barcode = $6,
                image = $7, options = $8, is_archived = 0
            WHERE id = $1
            """
        try transaction.execute(
            update, id, position, variant.price.amount, variant.compare_at_price?.amount, variant.weight_grams,
            variant.barcode, variant.image, ProductValues.text(variant.options))
    }

    /// The category of that path, made where it is not there yet.
    private func categoryID(_ titles: [String]) throws -> Int64 {
        var (parent, path, parentHandle) = (Int64(0), "/", "")
        for title in titles {
            let find = "SELECT id, path, handle FROM categories WHERE parent = $1 AND title = $2"
            if let row = try transaction.row(find, parent, title) {
                (parent, path, parentHandle) = (try row.int64(0), try row.text(1), try row.text(2))
                continue
            }
            let id = try transaction.row("SELECT coalesce(max(id), 0) + 1 FROM categories")?.int64(0) ?? 1
            path += "\(id)/"
            parentHandle = try freeHandle(title, below: parentHandle, id)
            try transaction.execute(
                "INSERT INTO categories (id, handle, title, parent, path) VALUES ($1, $2, $3, $4, $5)", id,
                parentHandle, title, parent, path)
            parent = id
        }
        return parent
    }

    /// `shirts`; where another category has that, `women-shirts`; else with its number.
    private func freeHandle(_ title: String, below parent: String, _ id: Int64) throws -> String {
        let form = title.handleForm
        var candidates: [String] = []
        if !form.isEmpty {
            candidates = [form]
            if !parent.isEmpty, parent.utf8.count + form.utf8.count < 200 { candidates.append("\(parent)-\(form)") }
        }
        candidates.append(form.isEmpty ? "category-\(id)" : "\(form)-\(id)")
        for handle in candidates
        where try transaction.row("SELECT 1 FROM categories WHERE handle = $1", handle) == nil {
            return handle
        }
        return "category-\(id)"
    }
}

/// A draft as the columns of `products`.
private struct ProductValues {
    let list: [Value]

    init(
        _ draft: ProductDraft, category: Int64?, _ now: Timestamp, _ change: Int64, isInStock: Bool
    ) throws {
        let prices = draft.variants.map(\.price.amount)
        // The reduced variant that a list shows is the cheapest one.
        let reduced = draft.variants.filter { ($0.compare_at_price?.amount ?? 0) > $0.price.amount }
            .min { $0.price.amount < $1.price.amount }
        list = [
            draft.title.value, draft.vendor.value, category.value, draft.status.rawValue.value,
            draft.variants[0].price.currency.code.value, (prices.min() ?? 0).value, (prices.max() ?? 0).value,
            (reduced?.compare_at_price?.amount).value, draft.variants.count.value, isInStock.value,
            draft.images.first.map(\.src).value, draft.images.first.flatMap(\.alt).value, change.value, now.value,
            try Self.text(draft.tags).value, try Self.text(draft.options).value, try Self.text(draft.images).value,
            draft.description.value,
        ]
    }

    static func text<Element: Encodable>(_ list: [Element]) throws -> String {
        list.isEmpty ? "[]" : String(decoding: try JSON.encode(list), as: UTF8.self)
    }
}

extension ProductDraft {
    fileprivate var withoutStock: ProductDraft {
        var draft = self
        for index in draft.variants.indices { draft.variants[index].stock = nil }
        return draft
    }
}

extension ProductDraft.Variant {
    fileprivate var withoutStock: ProductDraft.Variant {
        var variant = self
        variant.stock = nil
        return variant
    }
}
