import Contracts
import Kernel
import Wire

/// The staff's list of products, the editing of one, and its stock.
extension Storefront {
    /// Variants whose stock is looked up one by one for the page; of the others it shows what is available.
    private static let stockShown = 100

    var staffProductRoutes: [PageRoute] {
        [
            personal(.get, "/staff/products", priority: .reports, role: .staff, staffProducts),
            personal(.get, "/staff/products/{handle}", priority: .reports, role: .staff) { visit in
                let notice: String? =
                    switch visit.request.query.first("done") {
                    case "saved": "Saved."
                    case "adjusted": "The stock is adjusted."
                    default: nil
                    }
                return try await staffProduct(visit, try await product(visit), notice: notice)
            },
            personal(.post, "/staff/products/{handle}", priority: .reports, role: .staff, saveProduct),
            personal(.post, "/staff/products/{handle}/adjustments", priority: .reports, role: .staff, adjustStock),
        ]
    }

    private func product(_ visit: Visit) async throws -> Product {
        try await products.product(ProductByHandle(handle: visit.request.parameters["handle"] ?? ""), visit.context)
    }

    // MARK: The list

    private func staffProducts(_ visit: Visit) async throws -> PageResponse {
        func text(_ name: String) -> String? {
            visit.request.query.first(name).flatMap { $0.isEmpty ? nil : $0.trimmed }
        }
        let status = text("status").flatMap(ProductStatus.init)
        let query = ProductQuery(q: text("q"), limit: Self.staffRows, after: text("after"), status: status)
        let found = try await products.search(try checked(query, as: ProductsAPI.search, visit.context), visit.context)
        let filters = [
            Field(name: "q", label: "Words or SKU", value: query.q ?? "", maxlength: 200, id: "filter-q"),
            Field(
                name: "status", label: "Status",
                control: .select(
                    [("", "Any")] + ProductStatus.allCases.map { ($0.rawValue, Texts.words($0.rawValue)) }),
                value: status?.rawValue ?? ""),
        ]
        let rows = found.items.map { product -> View in
            [
                "image": Links.image(product.image?.src).orFalse, "name": product.title, "maker": product.vendor ?? "",
                "link": "/staff/products/" + Links.segment(product.handle),
                "status": Texts.words(product.status.rawValue), "tone": Self.tone(product.status),
                "variantCount": Texts.count(product.variants), "stock": Texts.count(product.available),
                "price": Texts.money(product.price),
            ]
        }
        let more = found.next.map {
            Links.path("/staff/products", [("q", query.q), ("status", status?.rawValue), ("after", $0)])
        }
        return await staffPage(
            "staff_products", "Products", tab: "Products",
            [
                "filters": filters.map(Self.filter), "products": rows, "more": more.orFalse,
                "resultCount": Texts.count(Int64(found.total), "product", "products"),
            ], visit: visit)
    }

    private static func tone(_ status: ProductStatus) -> String {
        switch status {
        case .active: "good"
        case .draft: "warn"
        case .archived: ""
        }
    }

    // MARK: One product

    private static func fields(_ product: Product) -> [Field] {
        [
            Field(name: "title", label: "Title", value: product.title, maxlength: 500),
            Field(
                name: "status", label: "Status",
                control: .select(ProductStatus.allCases.map { ($0.rawValue, Texts.words($0.rawValue)) }),
                value: product.status.rawValue, hint: "Shoppers see active products only", width: "half"),
            Field(
                name: "vendor", label: "Vendor", value: product.vendor ?? "", maxlength: 200, isOptional: true,
                width: "half"),
            Field(
                name: "description", label: "Description", control: .textarea, value: product.description,
                hint: "HTML: paragraphs, lists, emphasis and links are shown, everything else is left out",
                maxlength: 100_000, isOptional: true),
            Field(
                name: "tags", label: "Tags", value: product.tags.joined(separator: ", "),
                hint: "Separated by commas", isOptional: true),
        ]
    }

    private func staffProduct(
        _ visit: Visit, _ product: Product, notice: String? = nil, errors: FormErrors = FormErrors(), status: Int = 200
    ) async throws -> PageResponse {
        let base = "/staff/products/" + Links.segment(product.handle)
        let levels = await levels(of: product.variants.prefix(Self.stockShown).map(\.sku), visit.context)
        let variants = product.variants.map { variant -> View in
            let level = levels[variant.sku]
            return [
                "sku": variant.sku, "text": variant.options.joined(separator: " / "), "price": variant.price.decimal,
                "compare": variant.compare_at_price?.decimal ?? "", "key": Self.newKey(),
                "priceError": errors.byField["price." + variant.sku] != nil,
                "onHand": level.map { Texts.count($0.on_hand) } ?? "unknown",
                "reserved": level.map { Texts.count($0.reserved) } ?? "unknown",
                "free": Texts.count(level?.available ?? variant.available),
            ]
        }
        return await staffPage(
            "staff_product", product.title, tab: "Products",
            [
                "name": product.title, "status": Texts.words(product.status.rawValue),
                "tone": Self.tone(product.status), "shopLink": Links.product(product.handle), "action": base,
                "adjustAction": base + "/adjustments", "version": String(product.version),
                "fields": errors.views(Self.fields(product)), "variants": variants, "problems": errors.view,
                "notice": notice.orFalse,
            ], visit: visit, status: status)
    }

    /// Those that can be had.
    private func levels(of skus: [String], _ context: CallContext) async -> [String: StockLevel] {
        await withTaskGroup(of: StockLevel?.self) { group in
            for sku in skus {
                group.addTask {
                    try? await optional(context) { try await products.inventory(StockBySKU(sku: sku), $0) }
                }
            }
            return await group.reduce(into: [:]) { levels, level in
                if let level { levels[level.sku] = level }
            }
        }
    }

    private func saveProduct(_ visit: Visit) async throws -> PageResponse {
        let product = try await product(visit)
        let categories = try await products.categories(Nothing(), visit.context).items
        do {
            let draft = try Self.draft(product, visit, categories)
            var context = visit.context
            context.expectedVersion = Int64(visit.form("version"))
            _ = try await products.put(try checked(PutProduct(draft), as: ProductsAPI.put, context), context)
            return redirect("/staff/products/\(Links.segment(product.handle))?done=saved")
        } catch let problem as Problem where (400..<500).contains(problem.type.status) && problem.type != .notFound {
            let errors = FormErrors(problem, fields: Self.fields(product))
            return try await staffProduct(visit, product, errors: errors, status: problem.type.status)
        }
    }

    /// The product as it is, with what the form changes. Stock is not among it: it is adjusted, with a reason.
    private static func draft(
        _ product: Product, _ visit: Visit, _ categories: [CategoryList.Entry]
    ) throws -> ProductDraft {
        guard let status = ProductStatus(rawValue: visit.form("status")) else {
            throw Problem.invalid("/status", "expected draft, active or archived, found '\(visit.form("status"))'")
        }
        let category = categories.first { $0.handle == product.category?.handle }
        let path = trail(to: category, in: categories).dropFirst().map(\.name)
        return ProductDraft(
            handle: product.handle, title: visit.form("title"),
            description: visit.request.form.first("description") ?? product.description,
            vendor: visit.filled("vendor"), category: path,
            tags: visit.form("tags").split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty },
            status: status, images: product.images, options: product.options,
            variants: try product.variants.map { variant in
                let currency = variant.price.currency
                return ProductDraft.Variant(
                    sku: variant.sku, options: variant.options,
                    price: try money(visit, "price." + variant.sku, currency) ?? variant.price,
                    compare_at_price: try money(visit, "compare." + variant.sku, currency),
                    weight_grams: variant.weight_grams, barcode: variant.barcode, image: variant.image)
            })
    }

    private func adjustStock(_ visit: Visit) async throws -> PageResponse {
        let product = try await product(visit)
        do {
            let text = visit.form("change")
            guard product.variants.contains(where: { $0.sku == visit.form("sku") }) else {
                throw Problem.invalid("/sku", "expected a SKU of this product, found '\(visit.form("sku"))'")
            }
            guard let change = Int64(text.hasPrefix("+") ? String(text.dropFirst()) : text), change != 0 else {
                throw Problem.invalid(
                    "/quantity", "expected a whole number other than 0, such as +10 or -3, found '\(text)'")
            }
            let adjustment = StockAdjustment(sku: visit.form("sku"), quantity: change, reason: visit.form("reason"))
            let context = visit.keyed(visit.filled("key"))
            _ = try await products.adjust(try checked(adjustment, as: ProductsAPI.adjust, context), context)
            return redirect("/staff/products/\(Links.segment(product.handle))?done=adjusted")
        } catch let problem as Problem where (400..<500).contains(problem.type.status) && problem.type != .notFound {
            let errors = FormErrors(problem, fields: [])
            return try await staffProduct(visit, product, errors: errors, status: problem.type.status)
        }
    }
}
