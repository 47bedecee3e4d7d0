import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("Search finds what matches, and all of it") struct SearchTests {
    private static let words = ["linen", "shirt", "mug", "blue", "oak", "table", "lamp", "wool", "sock", "glass"]
    private static let vendors = ["Loom", "Kiln", "Forge"]
    private static let categories = [["Clothing"], ["Clothing", "Shirts"], ["Kitchen"], ["Kitchen", "Mugs"], []]

    /// A product by its number, the same every time.
    private static func draft(_ number: Int, _ random: inout SeededGenerator) -> ProductDraft {
        func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &random)] }
        let price = Int64.random(in: 1...60_000, using: &random)
        return .simple(
            "p\(number)", price: price, stock: Int64.random(in: 0...2, using: &random),
            title: "\(pick(words)) \(pick(words)) \(pick(words))", vendor: pick(vendors + [""]).nonEmpty,
            category: pick(categories), was: Bool.random(using: &random) ? price + 100 : nil,
            status: Int.random(in: 0..<10, using: &random) == 0 ? .draft : .active)
    }

    private static func shop(_ count: Int, seed: UInt64) async throws -> (Warehouse, [ProductDraft]) {
        var random = SeededGenerator(seed: seed)
        let shop = try await Warehouse()
        let drafts = (0..<count).map { draft($0, &random) }
        for draft in drafts {
            shop.clock.advance(by: .seconds(1))
            #expect(try await shop.put(draft).created == 1)
        }
        return (shop, drafts)
    }

    private func matches(_ draft: ProductDraft, _ query: ProductQuery) -> Bool {
        let variant = draft.variants[0]
        guard draft.status == .active else { return false }
        let words = query.q.map(Words.query) ?? []
        var own: Set<String> = []
        for text in [draft.title, draft.vendor ?? "", draft.handle] + draft.category {
            Words.forEach(in: text) { own.insert($0) }
        }
        for (index, word) in words.enumerated() {
            let isFound = index == words.count - 1 ? own.contains { $0.hasPrefix(word) } : own.contains(word)
            guard isFound else { return false }
        }
        let category = query.category.map { handle in draft.category.contains { $0.lowercased() == handle } } ?? true
        return category && (query.vendor.map { $0 == draft.vendor } ?? true)
            && ((query.price_min ?? 0)...(query.price_max ?? Int64.max)).contains(variant.price.amount)
            && (query.available.map { $0 == ((variant.stock ?? 0) > 0) } ?? true)
            && (query.on_sale.map { $0 == (variant.compare_at_price != nil) } ?? true)
    }

    private func query(_ random: inout SeededGenerator) -> ProductQuery {
        func maybe<T>(_ value: @autoclosure () -> T) -> T? {
            Int.random(in: 0..<3, using: &random) == 0 ? value() : nil
        }
        func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &random)] }
        var query = ProductQuery()
        if Bool.random(using: &random) {
            query.q = pick(["linen", "sh", "blue li", "MUG", "oak  t", "loom", "kitchen", "zzz"])
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            query.category = pick(["clothing", "shirts", "kitchen", "none"])
        }
        if Int.random(in: 0..<3, using: &random) == 0 { query.vendor = pick(Self.vendors + ["nobody"]) }
        if Int.random(in: 0..<3, using: &random) == 0 { query.price_min = Int64.random(in: 0...20_000, using: &random) }
        if Int.random(in: 0..<3, using: &random) == 0 {
            query.price_max = Int64.random(in: 20_000...60_000, using: &random)
        }
        if Int.random(in: 0..<3, using: &random) == 0 { query.available = Bool.random(using: &random) }
        if Int.random(in: 0..<3, using: &random) == 0 { query.on_sale = Bool.random(using: &random) }
        query.sort = pick(ProductSort.allCases)
        query.limit = Int.random(in: 1...40, using: &random)
        return query
    }

    @Test("what it finds is what a plain filter finds, each once over all pages, in order; so are the counts")
    func plainFilter() async throws {
        let (shop, drafts) = try await Self.shop(150, seed: 7)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            let query = query(&random)
            let expected = drafts.filter { matches($0, query) }
            let found = try await walk(shop, query)
            #expect(found.items.map(\.handle).sorted() == expected.map(\.handle).sorted(), "\(query)")
            #expect(found.first.total == expected.count)
            check(order: found.items, query.sort ?? .relevance)
            check(found.first.facets, drafts, query)
        }
    }

    private func walk(
        _ shop: Warehouse, _ query: ProductQuery
    ) async throws -> (first: ProductPage, items: [ProductSummary]) {
        let first = try await shop.search(query)
        var (items, next, query) = (first.items, first.next, query)
        while let after = next {
            query.after = after
            let page = try await shop.search(query)
            #expect(page.total == first.total)
            items += page.items
            next = page.next
        }
        return (first, items)
    }

    private func check(order items: [ProductSummary], _ sort: ProductSort) {
        for (before, after) in zip(items, items.dropFirst()) {
            switch sort {
            case .price_ascending: #expect(before.price.amount <= after.price.amount)
            case .price_descending: #expect(before.price.amount >= after.price.amount)
            case .title: #expect(before.title <= after.title)
            case .newest: #expect((Int(before.handle.dropFirst()) ?? 0) > (Int(after.handle.dropFirst()) ?? 0))
            case .relevance: break
            }
        }
    }

    /// Each facet as if its own filter were lifted.
    private func check(_ facets: Facets, _ drafts: [ProductDraft], _ query: ProductQuery) {
        func left(_ change: (inout ProductQuery) -> Void) -> [ProductDraft] {
            var changed = query
            change(&changed)
            return drafts.filter { matches($0, changed) }
        }
        for count in facets.category {
            #expect(count.count == left { $0.category = count.value }.count)
        }
        for count in facets.vendor {
            #expect(count.count == left { $0.vendor = count.value }.count)
        }
        for count in facets.available {
            #expect(count.count == left { $0.available = count.value == "true" }.count)
        }
        for count in facets.price {
            let ends = count.value.split(separator: "-").compactMap { Int64($0) }
            #expect(
                count.count
                    == left {
                        $0.price_min = ends[0]
                        $0.price_max = ends.count > 1 ? ends[1] : nil
                    }.count)
        }
        #expect(facets.vendor.reduce(0) { $0 + $1.count } == left { $0.vendor = nil }.filter { $0.vendor != nil }.count)
        let all = left {
            $0.price_min = nil
            $0.price_max = nil
        }
        #expect(facets.price.reduce(0) { $0 + $1.count } == all.count)
    }

    @Test("the title counts more than the description; whole words come before those that only begin so")
    func relevance() async throws {
        let shop = try await Warehouse()
        var described = ProductDraft.simple("other", title: "Trousers")
        described.description = "<p>Goes with a linen shirt</p>"
        try await shop.put(.simple("shirt", title: "Linen shirt"), described)
        let found = try await shop.search(ProductQuery(q: "linen shirt"))
        #expect(found.items.map(\.handle) == ["shirt", "other"])
    }

    @Test(
        "no text is an operator, and none breaks a search",
        arguments: [
            "\"", "\"\"", "linen\"", "linen OR mug", "NEAR(linen mug)", "title:linen", "-linen", "linen*", "^linen",
            "(", ")", "{title}:linen", "'; DROP TABLE products; --", "%", "_", "\u{0}", "a\u{0}b", "😀",
            "ß", "日本語",
            "AND", "NOT", "*", "linen AND", String(repeating: "a ", count: 100), String(repeating: "x", count: 200),
        ])
    func injection(_ text: String) async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("shirt", title: "Linen shirt"))
        let page = try await shop.search(ProductQuery(q: text))
        #expect(page.items.count <= 1)
        #expect(try await shop.search(ProductQuery(q: "linen")).total == 1)
    }

    @Test("accents and case do not matter") func folding() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("creme", title: "Crème brûlée"))
        for text in ["creme", "CRÈME", "brulee", "Crème br"] {
            #expect(try await shop.search(ProductQuery(q: text)).total == 1, "\(text)")
        }
    }

    @Test("a SKU finds its product") func sku() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug-17"), .simple("mug-18"))
        #expect(try await shop.search(ProductQuery(q: "MUG-17")).items.map(\.handle) == ["mug-17"])
    }

    @Test("a cursor is good for its own search alone", arguments: ["", "x", "eyJhIjoxfQ", "AAAA", "%%%"])
    func garbage(_ text: String) async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a"), .simple("b"), .simple("c"))
        let refused: @Sendable (ProductQuery) async -> Bool = { query in
            do {
                _ = try await shop.search(query)
                return false
            } catch {
                return (error as? Problem)?.type == .invalid
            }
        }
        #expect(await refused(ProductQuery(after: text)))
        let next = try #require(try await shop.search(ProductQuery(limit: 1)).next)
        #expect(await refused(ProductQuery(q: "a", after: next)))
        #expect(await refused(ProductQuery(sort: .title, after: next)))
        #expect(try await shop.search(ProductQuery(limit: 1, after: next)).items.count == 1)
    }

    @Test("a search sees every write that came before it") func fresh() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", title: "Linen shirt"))
        #expect(try await shop.search(ProductQuery(q: "linen")).total == 1)
        try await shop.put(.simple("a", title: "Woollen shirt"))
        #expect(try await shop.search(ProductQuery(q: "linen")).total == 0)
        #expect(try await shop.search(ProductQuery(q: "woollen")).total == 1)
        try await shop.put(.simple("a", title: "Woollen shirt", status: .archived))
        #expect(try await shop.search(ProductQuery()).total == 0)
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
