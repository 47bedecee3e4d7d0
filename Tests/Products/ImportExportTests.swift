import Contracts
import Kernel
import Products
import Testing

@Suite("What is exported is imported the same") struct ImportExportTests {
    @Test("random products come back, in whatever chunks the file is read") func random() throws {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<40 {
            let drafts = (0..<20).map { draft($0, &random) }
            for draft in drafts {
                #expect(ProductDraft.schema.violations(in: try JSON(encoding: draft)).isEmpty)
            }
            let bytes = Array((ShopifyExport.header + drafts.map(ShopifyExport.rows).joined()).utf8)
            let found = try Import(
                CSVReader(bytes, by: random, largest: Int.random(in: 1...5_000, using: &random)),
                ImportOptions(currency: .usd))
            #expect(found.refused == [])
            #expect(found.drafts == drafts)
        }
    }

    @Test("the demo's products come back") func demo() throws {
        for code in ["GBP", "JPY", "KWD"] {
            let demo = DemoCatalogue(seed: 1, currency: try #require(Currency(code)))
            let drafts = (0..<500).map { demo.item($0).draft }
            let found = try Import(ShopifyExport.header + drafts.map(ShopifyExport.rows).joined())
            #expect(found.refused == [])
            #expect(found.drafts == drafts)
            #expect(found.unused == [])
        }
    }

    private func words(_ random: inout SeededGenerator, _ most: Int = 4) -> String {
        let pieces = [
            "Linen", "shirt", "\"best\"", "Größe", "a,b", "'s", "<b>", "&", "😀", "x\ny", "10%", "naïve", "=1+1",
        ]
        let count = Int.random(in: 1...most, using: &random)
        return (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined(separator: " ")
    }

    private func word(_ random: inout SeededGenerator) -> String {
        ["Red", "Ø 12", "\"XL\"", "É", "80 × 150", "'tis", "a/b", "1.5 L"].randomElement(using: &random) ?? "Red"
    }

    private func draft(_ number: Int, _ random: inout SeededGenerator) -> ProductDraft {
        func maybe<T>(_ value: @autoclosure () -> T) -> T? { Bool.random(using: &random) ? value() : nil }
        let currency = [Currency.gbp, .eur, Currency("JPY") ?? .gbp, Currency("KWD") ?? .gbp].randomElement(
            using: &random)
        let names = Array(["Size", "Colour, main", "Fit"].prefix(Int.random(in: 0...3, using: &random)))
        let count = names.isEmpty ? 1 : Int.random(in: 1...6, using: &random)
        let variants = (0..<count).map { index in
            ProductDraft.Variant(
                sku: maybe("\(["'", "S ", "#\""].randomElement(using: &random) ?? "")\(number)-\(index)"),
                options: names.map { _ in word(&random) },
                price: Money(Int64.random(in: 0...1_000_000_000_000, using: &random), currency ?? .gbp),
                compare_at_price: maybe(Money(Int64.random(in: 0...1_000_000, using: &random), currency ?? .gbp)),
                stock: maybe(Int64.random(in: 0...1_000_000_000, using: &random)),
                weight_grams: maybe(Int64.random(in: 0...1_000_000_000, using: &random)),
                barcode: maybe(["'007", "5012345678900", "A,B"].randomElement(using: &random) ?? "1"),
                image: maybe("/images/v-\(index).svg"))
        }
        return ProductDraft(
            handle: ["a-\(number)", "a_\(number)", "a.\(number)", "a\(number)"].randomElement(using: &random) ?? "a",
            title: words(&random), description: Bool.random(using: &random) ? "" : "\n " + words(&random, 40) + "\r\n",
            vendor: maybe(words(&random)),
            category: (0..<Int.random(in: 0...5, using: &random)).map { _ in word(&random) },
            tags: (0..<Int.random(in: 0...5, using: &random)).map { _ in word(&random) },
            status: ProductStatus.allCases.randomElement(using: &random) ?? .active,
            images: (0..<Int.random(in: 0...8, using: &random)).map { index in
                ProductImage(src: "https://example.com/\(index).png?a=1,2", alt: maybe(words(&random)))
            }, options: names, variants: variants)
    }
}
