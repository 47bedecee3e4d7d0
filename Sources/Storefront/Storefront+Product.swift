import Contracts
import Kernel
import Wire

/// One product: pictures, choice of a variant, price, availability.
extension Storefront {
    /// What one line of a cart may be set to on a page; the HTTP interface takes more.
    static let maximumQuantity = 999
    private static let related = 4
    /// More pictures than anybody looks at are left out.
    private static let maximumPictures = 12

    var productRoutes: [PageRoute] {
        [
            shared("/products/{handle}") { request in
                let product = try await active(request.parameters["handle"] ?? "", request.context)
                let view = try await productPage(product, request.context, selected: request.query.first("sku"))
                return page(
                    "product", view.head, view.body,
                    cache: .edge(tags: [Tags.product(product.handle)], maxAge: Self.maxAge)
                        .unlessLacking(view.isLacking))
            }
        ]
    }

    /// The product if shoppers may see it.
    func active(_ handle: String, _ context: CallContext) async throws -> Product {
        try await products.product(ProductByHandle(handle: handle), context.shopper)
    }

    /// The page of a product; with `errors`, the answer to a form that could not be carried out.
    func productPage(
        _ product: Product, _ given: CallContext, selected sku: String? = nil, errors: FormErrors = FormErrors()
    ) async throws -> (head: Head, body: View, isLacking: Bool) {
        let context = given.shopper
        async let others = neighbours(of: product, context)
        let known = try await knownCategories(context)
        let categories = known ?? []
        let category = categories.first { $0.handle == product.category?.handle }
        let trail = Self.trail(to: category, in: categories) + [(product.title, Links.product(product.handle))]
        var head = Head(product.title, path: Links.product(product.handle))
        let excerpt = Texts.excerpt(product.description)
        head.description = excerpt.isEmpty ? "\(product.title) at \(settings.name)" : excerpt
        head.kind = "product"
        head.picture = Links.image(product.images.first?.src)
        head.shelves = shelves(categories, current: trail.dropFirst().first?.link)
        head.structured = [
            Structured.product(product, base: settings.baseURL),
            Structured.breadcrumbs(trail, base: settings.baseURL),
        ]
        let chosen =
            product.variants.first { $0.sku == sku } ?? product.variants.first { $0.available > 0 }
            ?? product.variants.first
        var view = Self.pictures(product)
        view.merge(Self.choice(product, chosen)) { _, new in new }
        view["crumbs"] = Self.crumbs(trail)
        view["name"] = product.title
        view["handle"] = product.handle
        view["maker"] = product.vendor.orFalse
        view["makerLink"] = Links.path("/search", [("vendor", product.vendor)])
        view["body"] = Sanitiser.clean(product.description)
        view["facts"] = Self.facts(product, chosen)
        view["shippingNote"] = "Shipping and tax are worked out at checkout, before you pay"
        view["maxQuantity"] = String(Self.maximumQuantity)
        let neighbours = try await others
        let cards = (neighbours ?? []).map { Cards.view($0) }
        view["related"] = cards
        view["hasRelated"] = !cards.isEmpty
        view["problems"] = errors.view
        return (head, view, known == nil || neighbours == nil)
    }

    /// Others of the same category. A page without them is a page all the same.
    private func neighbours(of product: Product, _ context: CallContext) async throws -> [ProductSummary]? {
        guard let category = product.category?.handle else { return [] }
        let query = ProductQuery(category: category, available: true, limit: Self.related + 1)
        let found = try await optional(context) { try await products.search(query, $0).items }
        return found.map { Array($0.lazy.filter { $0.handle != product.handle }.prefix(Self.related)) }
    }

    private static func pictures(_ product: Product) -> View {
        let images = product.images.filter { Links.image($0.src) != nil }.prefix(maximumPictures)
        return [
            "images": images.enumerated().map { index, image -> View in
                [
                    "anchor": anchor(index), "source": image.src, "position": String(index + 1), "isFirst": index == 0,
                    "alt": image.alt ?? (index == 0 ? product.title : "\(product.title), picture \(index + 1)"),
                ]
            },
            "hasImages": !images.isEmpty, "hasThumbs": images.count > 1, "imageCount": String(images.count),
        ]
    }

    private static func anchor(_ index: Int) -> String { "picture-\(index + 1)" }

    // MARK: Variants

    /// What one variant says of price and stock: at first in the page, then in the script's data.
    private static func offer(_ variant: Variant) -> (
        price: String, was: String?, saving: String?, stock: String, tone: String
    ) {
        let (stock, tone) =
            switch variant.available {
            case ..<1: ("Sold out", "muted")
            case ...Cards.lowStock: ("Only \(variant.available) left", "warn")
            default: ("In stock", "good")
            }
        return (
            Texts.money(variant.price), Cards.was(variant.price, variant.compare_at_price),
            Cards.discount(variant.price, variant.compare_at_price).map { "Save \($0) %" }, stock, tone
        )
    }

    private static func choice(_ product: Product, _ chosen: Variant?) -> View {
        guard let chosen else {
            return [
                "price": "", "from": false, "was": false, "saving": false, "stockNote": "Sold out",
                "stockTone": "muted", "single": false, "oneOption": false, "manyOptions": false, "canBuy": false,
                "variantData": false, "variants": [View](),
            ]
        }
        let offer = offer(chosen)
        let hasOptions = product.variants.count > 1 && !product.options.isEmpty
        let isAnyAvailable = product.variants.contains { $0.available > 0 }
        let isOnePrice = product.variants.allSatisfy { $0.price == chosen.price }
        var view: View = [
            "price": offer.price, "from": false, "was": offer.was.orFalse, "saving": offer.saving.orFalse,
            "stockNote": offer.stock, "stockTone": offer.tone, "canBuy": isAnyAvailable,
            "single": hasOptions ? false : chosen.sku, "oneOption": false, "manyOptions": false,
            "variantData": hasOptions ? data(product).description : false,
        ]
        view["variants"] = product.variants.map { variant -> View in
            [
                "sku": variant.sku, "text": variant.options.joined(separator: " / "),
                "variantPrice": Texts.money(variant.price), "available": variant.available > 0,
                "selected": variant.sku == chosen.sku, "swatch": variant.options.first.flatMap(Texts.swatch).orFalse,
                "ownPrice": isOnePrice ? false : Texts.money(variant.price),
            ]
        }
        if hasOptions, product.options.count == 1 {
            view["oneOption"] = ["optionName": product.options[0]] as View
        } else if hasOptions {
            view["manyOptions"] = ["groups": groups(product, chosen)] as View
        }
        return view
    }

    /// The values of each option, in the order in which the variants name them.
    private static func groups(_ product: Product, _ chosen: Variant) -> [View] {
        product.options.enumerated().map { index, name in
            var seen: Set<String> = []
            let values = product.variants.compactMap { variant -> String? in
                guard variant.options.indices.contains(index) else { return nil }
                return seen.insert(variant.options[index]).inserted ? variant.options[index] : nil
            }
            return [
                "optionName": name,
                "values": values.map { value -> View in
                    [
                        "field": "option\(index + 1)", "text": value, "swatch": Texts.swatch(value).orFalse,
                        "selected": chosen.options.indices.contains(index) && chosen.options[index] == value,
                    ]
                },
            ]
        }
    }

    /// What the script needs, so that price, availability and picture follow the choice.
    private static func data(_ product: Product) -> JSON {
        .array(
            product.variants.map { variant in
                let offer = offer(variant)
                let picture = product.images.prefix(maximumPictures).firstIndex { $0.src == variant.image }
                var entry: JSONObject = [
                    "sku": .string(variant.sku), "options": .array(variant.options.map(JSON.string)),
                    "price": .string(offer.price), "available": .bool(variant.available > 0),
                    "stock": .string(offer.stock), "tone": .string(offer.tone),
                ]
                entry["was"] = offer.was.map(JSON.string)
                entry["saving"] = offer.saving.map(JSON.string)
                entry["image"] = picture.map { .string(anchor($0)) }
                return .object(entry)
            })
    }

    private static func facts(_ product: Product, _ chosen: Variant?) -> [View] {
        var facts: [View] = []
        func fact(_ label: String, _ text: String?, link: String? = nil, data: String? = nil) {
            guard let text, !text.isEmpty else { return }
            facts.append(["label": label, "text": text, "link": link.orFalse, "data": data.orFalse])
        }
        fact("SKU", chosen?.sku, data: "data-sku")
        fact("Vendor", product.vendor, link: Links.path("/search", [("vendor", product.vendor)]))
        fact("Category", product.category?.title, link: product.category.map { Links.category($0.handle) })
        fact("Tags", product.tags.prefix(12).joined(separator: ", "))
        fact("Weight", chosen?.weight_grams.flatMap { $0 > 0 ? Texts.count($0) + " g" : nil })
        return facts
    }
}
