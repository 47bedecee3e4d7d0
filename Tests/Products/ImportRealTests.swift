import Contracts
import Kernel
import Products
import Testing

/// What a real catalogue is known to hold (the README beside it).
struct RealCatalogue: Sendable, CustomTestStringConvertible {
    var name: String
    var currency = Currency.gbp
    var map: [String: String] = [:]
    var products: Int
    var variants: Int
    var stock: Int64?
    var prices: Int64?
    var testDescription: String { name }

    static let all = [
        RealCatalogue(name: "shopify-apparel.csv", products: 20, variants: 22, stock: 22, prices: 129_500),
        RealCatalogue(name: "shopify-home-and-garden.csv", products: 20, variants: 21, stock: 65, prices: 234_584),
        RealCatalogue(name: "shopify-muses.csv", products: 46, variants: 61, stock: 89, prices: 107_109),
        RealCatalogue(name: "shopify-pondcleanup.csv", products: 34, variants: 89, prices: 891_516),
        RealCatalogue(name: "woocommerce-sample.csv", products: 13, variants: 20),
        RealCatalogue(
            name: "fashion-12k.csv", currency: Currency("INR") ?? .gbp,
            map: [
                "title": "ProductName", "price": "Price (INR)", "sku": "ProductID", "vendor": "ProductBrand",
                "description": "Description", "category": "Gender",
            ], products: 12_491, variants: 12_491, prices: 1_814_518_800),
    ]

    /// Those that are here. None of them is in the repository.
    static let present = all.filter { RealData.has($0.name) }

    func read(chunk: Int = 1 << 16) throws -> Import {
        try Import(file: RealData.path(name), size: chunk, ImportOptions(currency: currency, map: map))
    }
}

@Suite(
    "Real catalogues give the known answers",
    .enabled(if: !RealCatalogue.present.isEmpty, "../shared/data/catalog is not here"))
struct ImportRealTests {
    @Test(
        "all products, variants, pieces and prices are taken, and no row is refused", arguments: RealCatalogue.present)
    func knownAnswers(_ catalogue: RealCatalogue) throws {
        let found = try catalogue.read()
        #expect(found.refused == [])
        #expect(found.drafts.count == catalogue.products)
        #expect(found.variants.count == catalogue.variants)
        if let stock = catalogue.stock { #expect(found.stock == stock) }
        if let prices = catalogue.prices { #expect(found.prices == prices) }
        #expect(Set(found.drafts.map(\.handle)).count == catalogue.products)
        for draft in found.drafts {
            #expect(ProductDraft.schema.violations(in: try JSON(encoding: draft)).isEmpty, "\(draft.handle)")
        }
    }

    @Test("what is particular to one is found in it") func particulars() throws {
        func read(_ name: String) throws -> Import? {
            try RealCatalogue.present.first { $0.name == name }?.read()
        }
        if let found = try read("shopify-home-and-garden.csv") {
            #expect(found.variants.filter { $0.compare_at_price != nil }.count == 16)
        }
        if let found = try read("shopify-muses.csv") {
            #expect(found.variants.filter { $0.price.amount == 0 }.count == 1)
            #expect(found.drafts.filter { $0.status == .archived }.count == 2)
            #expect(found.drafts.filter { $0.status == .draft }.count == 1)
        }
        if let found = try read("shopify-pondcleanup.csv") {
            #expect(found.variants.filter { $0.price.amount == 0 }.count == 5)
            #expect(found.drafts.map(\.variants.count).max() == 49)
            #expect(found.variants.allSatisfy { $0.stock == nil })
        }
        if let found = try read("woocommerce-sample.csv") {
            #expect(found.passedOver.count == 2)
            #expect(Set(found.variants.compactMap(\.sku)).count == 20)
            #expect(found.drafts.map(\.variants.count).sorted().suffix(2).reduce(0, +) == 9)
        }
        if let found = try read("fashion-12k.csv") {
            #expect(Set(found.drafts.compactMap(\.vendor)).count == 677)
        }
    }

    @Test("the size of a chunk makes no difference", arguments: RealCatalogue.present.filter { $0.products < 100 })
    func chunks(_ catalogue: RealCatalogue) throws {
        let whole = try catalogue.read()
        for size in [1, 2, 3, 7, 4_096] {
            let pieces = try catalogue.read(chunk: size)
            #expect(pieces.drafts == whole.drafts)
            #expect(pieces.products.map(\.line) == whole.products.map(\.line))
        }
    }

    @Test("exported and read again it is the same catalogue", arguments: RealCatalogue.present)
    func export(_ catalogue: RealCatalogue) throws {
        let drafts = try catalogue.read().drafts
        let again = try Import(ShopifyExport.header + drafts.map(ShopifyExport.rows).joined(), currency: .usd)
        #expect(again.refused == [])
        #expect(again.drafts == drafts)
    }
}
