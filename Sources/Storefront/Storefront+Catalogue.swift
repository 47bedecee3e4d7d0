import Contracts
import Kernel
import Wire

/// Home and the lists of products. The same bytes for everybody, so that any cache may hold them.
extension Storefront {
    /// Cards whose pictures are loaded at once: what a screen shows before scrolling.
    private static let eagerCards = 4
    private static let arrivals = 8
    private static let bargains = 4
    /// Categories with pictures on the home page.
    private static let tiles = 6

    var catalogueRoutes: [PageRoute] {
        [
            shared("/", home),
            shared("/search") { request in
                try await listing(request, category: request.query.first("category"))
            },
            shared("/categories/{handle}") { request in
                try await listing(request, category: request.parameters["handle"])
            },
        ]
    }

    private func home(_ request: PageRequest) async throws -> PageResponse {
        let context = request.context
        async let onSale = optional(context) {
            try await products.search(
                ProductQuery(available: true, on_sale: true, sort: .newest, limit: Self.bargains), $0
            ).items
        }
        async let known = knownCategories(context)
        async let newest = products.search(ProductQuery(sort: .newest, limit: Self.arrivals), context).items
        let (found, kinds) = try await (onSale, known)
        let (arrivals, bargains, categories) = (try await newest, found ?? [], kinds ?? [])
        var rows: [View] = []
        func row(_ id: String, _ heading: String, _ more: String, _ items: [ProductSummary]) {
            guard !items.isEmpty else { return }
            rows.append(["id": id, "heading": heading, "more": more, "cards": items.map { Cards.view($0) }])
        }
        row("new", "New arrivals", "/search?sort=newest", arrivals)
        row("sale", "On sale", "/search?on_sale=true", bargains)
        let arches = arrivals.filter { Links.image($0.image?.src) != nil }.prefix(3).map { product -> View in
            [
                "link": Links.product(product.handle), "name": product.title,
                "image": Links.image(product.image?.src).orFalse,
            ]
        }
        let tiles = categories.filter { $0.parent == nil && $0.products > 0 }.prefix(Self.tiles).map {
            category -> View in
            [
                "link": Links.category(category.handle), "name": category.title,
                "image": Links.image(category.image?.src).orFalse,
                "note": Texts.count(Int64(category.products), "product", "products"),
            ]
        }
        var head = Head("\(settings.name): what the shelf says is there is there", path: "/")
        head.description = "Shop at \(settings.name): new arrivals and sale, no account needed, cancel until it ships."
        head.structured = [Structured.site(name: settings.name, base: settings.baseURL)]
        head.shelves = shelves(categories)
        return page(
            "home", head,
            [
                "arches": arches, "hasArches": arches.count == 3, "tiles": tiles, "hasTiles": !tiles.isEmpty,
                "rows": rows, "isEmpty": rows.isEmpty,
            ],
            cache: .edge(tags: [Tags.catalogue], maxAge: Self.maxAge).unlessLacking(found == nil || kinds == nil))
    }

    // MARK: Lists

    private func listing(_ request: PageRequest, category: String?) async throws -> PageResponse {
        let listing = Listing(request.query, category: category)
        let (query, errors) = listing.query(settings.currency)
        async let found = products.search(query, request.context)
        let known = try await knownCategories(request.context)
        let categories = known ?? []
        let current = categories.first { $0.handle == category }
        if request.path.hasPrefix("/categories/"), current == nil {
            _ = try? await found
            guard known != nil else { throw Self.away("the category '\(category ?? "")'") }
            throw Problem(.notFound, "there is no category '\(category ?? "")'")
        }
        let page = try await found
        let trail = Self.trail(to: current, in: categories)
        var head = Head(Self.heading(listing, current), path: listing.link)
        head.description =
            "\(Texts.count(Int64(page.total), "product", "products")): \(head.title) at \(settings.name)."
        head.structured = [Structured.breadcrumbs(trail, base: settings.baseURL)]
        head.query = listing.words ?? ""
        head.shelves = shelves(categories, current: trail.dropFirst().first?.link)
        head.nextPage = page.next.map { next in settings.baseURL + listing.link { $0.after = next } }
        let isPlain = listing.link == listing.link { $0 = Listing(category: category) }
        head.isIndexed = isPlain && current != nil || listing.link == "/search" || isPlain && listing.after != nil
        var view = facets(listing, page, categories)
        view["heading"] = head.title
        view["crumbs"] = Self.crumbs(trail)
        view["children"] = categories.filter { $0.parent == current?.handle && current != nil && $0.products > 0 }.map {
            ["name": $0.title, "link": Links.category($0.handle)] as View
        }
        view["hasChildren"] = categories.contains { $0.parent == current?.handle && current != nil && $0.products > 0 }
        view["words"] = listing.words.orFalse
        view["problems"] = errors.view
        view["resultCount"] = Texts.count(Int64(page.total), "product", "products")
        view["cards"] = page.items.enumerated().map { Cards.view($1, isEager: $0 < Self.eagerCards) }
        view["hasCards"] = !page.items.isEmpty
        view["more"] = page.next.map { next in listing.link { $0.after = next } }.orFalse
        return self.page(
            "listing", head, view,
            cache: .edge(tags: [Tags.catalogue], maxAge: Self.maxAge).unlessLacking(known == nil))
    }

    private static func heading(_ listing: Listing, _ category: CategoryList.Entry?) -> String {
        if let category { return category.title }
        if listing.words != nil { return "Search" }
        if let vendor = listing.vendor { return vendor }
        if listing.isOnSale { return "On sale" }
        return listing.sort == .newest ? "New arrivals" : "Everything"
    }

    /// Home, the categories above, the category.
    static func trail(
        to category: CategoryList.Entry?, in categories: [CategoryList.Entry]
    ) -> [(name: String, link: String?)] {
        var trail: [(name: String, link: String?)] = []
        var step = category
        // Bounded, so that a parent that is its own ancestor cannot hold the page for ever.
        while let entry = step, trail.count < 10 {
            trail.insert((entry.title, Links.category(entry.handle)), at: 0)
            step = entry.parent.flatMap { parent in categories.first { $0.handle == parent } }
        }
        return [("Home", "/")] + trail
    }

    /// The last step is where the visitor is, so it is no link.
    static func crumbs(_ trail: [(name: String, link: String?)]) -> [View] {
        trail.enumerated().map { index, step in
            ["name": step.name, "link": index == trail.count - 1 ? false : step.link.orFalse]
        }
    }

    // MARK: Filters

    private static let sorts: [(sort: ProductSort, text: String)] = [
        (.newest, "Newest"), (.price_ascending, "Price, low to high"), (.price_descending, "Price, high to low"),
        (.title, "Name, A to Z"),
    ]

    private func facets(_ listing: Listing, _ page: ProductPage, _ categories: [CategoryList.Entry]) -> View {
        func choice(_ count: Facets.Count, isCurrent: Bool, _ change: (inout Listing) -> Void) -> View {
            [
                "text": count.title, "amount": Texts.count(count.count), "current": isCurrent,
                "link": listing.link(change),
            ]
        }
        var groups: [View] = []
        func group(_ label: String, _ choices: [View], isOpen: Bool = true) {
            if !choices.isEmpty { groups.append(["label": label, "choices": choices, "open": isOpen]) }
        }
        group(
            "Category",
            page.facets.category.filter { count in
                // One level at a time: the shelves of the shop, or those within the one that is open.
                count.value == listing.category
                    || categories.first { $0.handle == count.value }?.parent == listing.category
            }.map { count in
                let isCurrent = count.value == listing.category
                return choice(count, isCurrent: isCurrent) { $0.category = isCurrent ? nil : count.value }
            })
        group(
            "Vendor",
            page.facets.vendor.map { count in
                let isCurrent = count.value == listing.vendor
                return choice(count, isCurrent: isCurrent) { $0.vendor = isCurrent ? nil : count.value }
            })
        var offers = page.facets.available.filter { $0.value == "true" }.map { count in
            choice(Facets.Count(value: "", title: "In stock", count: count.count), isCurrent: listing.isAvailable) {
                $0.isAvailable.toggle()
            }
        }
        offers.append([
            "text": "On sale", "amount": "", "current": listing.isOnSale, "link": listing.link { $0.isOnSale.toggle() },
        ])
        group("Offers", offers)
        let chosen = listing.chosen(category: categories.first { $0.handle == listing.category }?.title)
        let currency = page.items.first?.price.currency ?? settings.currency
        let first = (ProductSort.relevance, listing.words == nil ? "Newest" : "Best match")
        let sorts = [first] + Self.sorts.filter { listing.words != nil || $0.sort != .newest }
        let selected = listing.sort ?? .relevance
        let address = listing.link { $0 = Listing(words: listing.words, category: listing.category) }
        return [
            "facets": groups, "prices": prices(listing, page.facets.price, currency), "currency": currency.code,
            "priceMin": listing.priceMin ?? "", "priceMax": listing.priceMax ?? "", "chosen": chosen,
            "hasChosen": !chosen.isEmpty, "chosenCount": chosen.isEmpty ? false : String(chosen.count),
            "clear": address, "action": String(address.prefix { $0 != "?" }), "kept": Self.kept(listing),
            "sorts": sorts.map { sort, text -> View in
                [
                    "code": sort == .relevance ? "" : sort.rawValue, "text": text,
                    "selected": sort == selected || sort == .relevance && selected == .newest && listing.words == nil,
                ]
            },
        ]
    }

    /// Ranges as `1000-2499` in minor units.
    private func prices(_ listing: Listing, _ ranges: [Facets.Count], _ currency: Currency) -> [View] {
        ranges.compactMap { range in
            let ends = range.value.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
                .map { Int64($0).map { Money($0, currency) } }
            guard range.count > 0, ends.count == 2, let low = ends[0] else { return nil }
            let high = ends[1]
            let isCurrent = listing.priceMin == low.decimal && listing.priceMax == high?.decimal
            let text =
                if let high {
                    low.amount == 0 ? "Up to \(Texts.money(high))" : "\(Texts.money(low)) to \(Texts.money(high))"
                } else { "From \(Texts.money(low))" }
            return [
                "text": text,
                "amount": Texts.count(range.count), "current": isCurrent,
                "link": listing.link {
                    $0.priceMin = isCurrent ? nil : low.decimal
                    $0.priceMax = isCurrent ? nil : high?.decimal
                },
            ]
        }
    }

    /// What the form for prices and order sends along.
    private static func kept(_ listing: Listing) -> [View] {
        let fields: [(String, String?)] = [
            ("q", listing.words), ("category", listing.words == nil ? nil : listing.category),
            ("vendor", listing.vendor), ("available", listing.isAvailable ? "true" : nil),
            ("on_sale", listing.isOnSale ? "true" : nil),
        ]
        return fields.compactMap { name, value in value.map { ["name": name, "value": $0] } }
    }
}

extension Listing {
    /// Longer words, names and cursors are none.
    private static let maximumLength = 500

    /// Reads a list's address. What is empty, too long or unknown counts as not given.
    init(_ query: Query, category: String?) {
        func text(_ name: String) -> String? {
            guard let value = query.first(name), !value.isEmpty, value.utf8.count <= Self.maximumLength else {
                return nil
            }
            return value
        }
        words = text("q")
        self.category = category.flatMap { $0.isEmpty ? nil : $0 }
        vendor = text("vendor")
        priceMin = text("price_min")
        priceMax = text("price_max")
        isAvailable = query.first("available") == "true"
        isOnSale = query.first("on_sale") == "true"
        sort = text("sort").flatMap(ProductSort.init)
        after = text("after")
    }
}
