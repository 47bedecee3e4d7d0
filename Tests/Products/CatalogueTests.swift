import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("The catalogue keeps what merchants write") struct CatalogueTests {
    private func shirt() -> ProductDraft {
        ProductDraft(
            handle: "linen-shirt", title: "Linen shirt", description: "<p>Soft & light</p>", vendor: "Loom & Co",
            category: ["Clothing", "Shirts"], tags: ["summer", "linen"],
            images: [ProductImage(src: "/images/shirt.svg", alt: "A shirt")], options: ["Size", "Colour"],
            variants: ["S", "M"].flatMap { size in
                ["Blue", "Écru"].map { colour in
                    ProductDraft.Variant(
                        sku: nil, options: [size, colour], price: Money(4_900, .gbp),
                        compare_at_price: Money(5_900, .gbp), stock: 3, weight_grams: 200)
                }
            })
    }

    @Test("a product is read as it was written, with SKUs for those that came without") func round() async throws {
        let shop = try await Warehouse()
        #expect(try await shop.put(shirt()) == ImportResult(created: 1))
        let product = try await shop.products.product(ProductByHandle(handle: "linen-shirt"), Warehouse.shopper)
        #expect(product.title == "Linen shirt")
        #expect(product.description == "<p>Soft & light</p>")
        #expect(product.category?.title == "Shirts")
        #expect(product.variants.map(\.options) == shirt().variants.map(\.options))
        #expect(product.variants.map(\.title).first == "S / Blue")
        #expect(product.variants.allSatisfy { $0.available == 3 })
        #expect(Set(product.variants.map(\.sku)).count == 4)
        #expect(product.variants.allSatisfy { $0.sku.utf8.allSatisfy { (0x21...0x7E).contains($0) } })
        #expect(product.version == 1)
    }

    @Test("importing the same again changes nothing and tells nobody") func unchanged() async throws {
        let shop = try await Warehouse()
        try await shop.put(shirt(), .simple("mug"))
        _ = shop.edge.told()
        #expect(try await shop.put(shirt(), .simple("mug")) == ImportResult(unchanged: 2))
        #expect(shop.edge.told().isEmpty)
        #expect(try await shop.products.movements(StockBySKU(sku: "MUG"), Warehouse.staff).items.count == 1)
    }

    @Test("what is exported is imported unchanged, and exported the same") func export() async throws {
        let demo = DemoCatalogue(seed: 1, currency: .gbp)
        let (one, other) = (try await Warehouse(), try await Warehouse())
        for start in stride(from: 0, to: 300, by: 100) {
            let drafts = (start..<start + 100).map { demo.item($0).draft }
            let result = try await one.products.importProducts(ProductBatch(products: drafts), Warehouse.staff)
            #expect(result.refused == [])
        }
        let first = try await exported(one)
        #expect(first.count == 300)
        #expect(first.map(\.handle) == first.map(\.handle).sorted())
        for start in stride(from: 0, to: 300, by: 100) {
            _ = try await other.products.importProducts(
                ProductBatch(products: Array(first[start..<start + 100])), Warehouse.staff)
        }
        let second = try await exported(other)
        #expect(try JSON.encode(first) == JSON.encode(second))
        let again = try await one.products.importProducts(
            ProductBatch(products: Array(first.prefix(100))), Warehouse.staff)
        #expect(again == ImportResult(unchanged: 100))
        #expect(try await other.violations() == [])
    }

    private func exported(_ shop: Warehouse) async throws -> [ProductDraft] {
        var (all, after) = ([ProductDraft](), String?.none)
        repeat {
            let page = try await shop.products.export(ExportQuery(after: after, limit: 70), Warehouse.staff)
            all += page.items
            after = page.next
        } while after != nil
        return all
    }

    @Test("what is wrong with one is named, and does not stop the others") func refusals() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug"))
        var fewOptions = shirt()
        fewOptions.variants[0].options = ["S"]
        var twice = shirt()
        twice.variants[1].options = twice.variants[0].options
        var mixed = shirt()
        mixed.variants[1].price = Money(1, .eur)
        var taken = ProductDraft.simple("bowl")
        taken.variants[0].sku = "MUG"
        let result = try await shop.put(fewOptions, twice, mixed, taken, .simple("plate"))
        #expect(result.created == 1)
        let details = result.refused.map(\.detail)
        try #require(details.count == 4)
        #expect(details[0].contains("2 values"))
        #expect(details[1].contains("S / Blue"))
        #expect(details[2].contains("EUR") && details[2].contains("GBP"))
        #expect(details[3].contains("MUG") && details[3].contains("mug"))
        #expect(try await exported(shop).map(\.handle) == ["mug", "plate"])
    }

    @Test("stock below what is reserved is refused, and nothing of that product is written") func reserved()
        async throws
    {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug", stock: 5))
        try await shop.reserve(shop.order(), ["MUG": 4])
        let result = try await shop.put(.simple("mug", price: 1, stock: 3))
        #expect(result.refused.first?.detail.contains("4") == true)
        let quote = try await shop.products.quote(QuoteQuery(skus: ["MUG"]), Warehouse.staff)
        #expect(quote.items.first?.price == Money(1_000, .gbp))
        #expect(quote.items.first?.available == 1)
    }

    @Test("a variant that vanished is not sold any more, and comes back with its history") func vanished() async throws
    {
        let shop = try await Warehouse()
        try await shop.put(shirt())
        let before = try await shop.products.product(ProductByHandle(handle: "linen-shirt"), Warehouse.shopper)
        var smaller = shirt()
        let gone = before.variants[3].sku
        smaller.variants.removeLast()
        try await shop.put(smaller)
        let product = try await shop.products.product(ProductByHandle(handle: "linen-shirt"), Warehouse.shopper)
        #expect(product.variants.count == 3)
        #expect(try await shop.products.quote(QuoteQuery(skus: [gone]), Warehouse.staff).items.isEmpty)
        await #expect(throws: Problem.self) { try await shop.reserve(shop.order(), [gone: 1]) }
        await #expect(throws: Problem.self) {
            _ = try await shop.products.inventory(StockBySKU(sku: gone), Warehouse.shopper)
        }
        try await shop.put(shirt())
        let back = try await shop.products.product(ProductByHandle(handle: "linen-shirt"), Warehouse.shopper)
        #expect(back.variants.map(\.sku) == before.variants.map(\.sku))
        #expect(try await shop.violations() == [])
    }

    @Test("a write under another version than the one there is refused") func versions() async throws {
        let shop = try await Warehouse()
        var context = Warehouse.staff
        context.expectedVersion = 0
        let made = try await shop.products.put(PutProduct(.simple("mug")), context)
        #expect(made.version == 1)
        let mismatch: @Sendable (CallContext) async -> Bool = { context in
            do {
                _ = try await shop.products.put(PutProduct(.simple("mug", price: 5)), context)
                return false
            } catch {
                return (error as? Problem)?.type == .versionMismatch
            }
        }
        #expect(await mismatch(context))
        context.expectedVersion = 1
        let changed = try await shop.products.put(PutProduct(.simple("mug", price: 5)), context)
        #expect(changed.version == 2)
        #expect(await mismatch(context))
        context.expectedVersion = nil
        #expect(try await shop.products.put(PutProduct(.simple("mug", price: 6)), context).version == 3)
    }

    @Test("drafts and archived products are for staff alone") func statuses() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug", status: .draft), .simple("bowl", status: .archived), .simple("plate"))
        for handle in ["mug", "bowl", "none"] {
            await #expect(throws: Problem.self) {
                _ = try await shop.products.product(ProductByHandle(handle: handle), Warehouse.shopper)
            }
        }
        _ = try await shop.products.product(ProductByHandle(handle: "mug"), Warehouse.staff)
        #expect(try await shop.search(ProductQuery(status: .draft)).items.map(\.handle) == ["plate"])
        let drafts = try await shop.products.search(ProductQuery(status: .draft), Warehouse.staff)
        #expect(drafts.items.map(\.handle) == ["mug"])
        let quotes = try await shop.products.quote(QuoteQuery(skus: ["MUG", "PLATE", "?"]), Warehouse.staff)
        #expect(quotes.items.map(\.sku) == ["PLATE"])
    }

    @Test("categories are a tree, each counting what is below it") func categories() async throws {
        let shop = try await Warehouse()
        try await shop.put(
            shirt(), .simple("sock", category: ["Clothing"]), .simple("mug", category: ["Kitchen", "Shirts"]),
            .simple("old", category: ["Clothing"], status: .archived))
        let items = try await shop.products.categories(Nothing(), Warehouse.shopper).items
        #expect(items.map(\.title) == ["Clothing", "Shirts", "Kitchen", "Shirts"])
        #expect(items.map(\.products) == [2, 1, 1, 1])
        #expect(Set(items.map(\.handle)).count == 4)
        #expect(items[1].parent == items[0].handle)
    }

    @Test("answers carry their tags and versions, and those for staff are not kept") func routes() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug"))
        let named = Dictionary(uniqueKeysWithValues: shop.products.routes.map { ($0.endpoint.name, $0) })
        #expect(named.count == 15)
        let product = try #require(named["products.get"])
        let reply = try await product.handle(["handle": "mug"], Warehouse.shopper)
        #expect(reply.tags == [Tags.product("mug")])
        #expect(reply.version == 1)
        #expect(try await product.handle(["handle": "mug"], Warehouse.staff).tags == [])
        let inventory = try #require(named["inventory.get"])
        #expect(try await inventory.handle(["sku": "MUG"], Warehouse.shopper).tags == [Tags.product("mug")])
        let search = try #require(named["products.search"])
        #expect(try await search.handle([:], Warehouse.shopper).tags == [Tags.catalogue])
    }
}
