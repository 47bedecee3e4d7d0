import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("The index in memory follows the tables") struct IndexTests {
    private static let words = ["linen", "oak", "wool", "glass", "brass", "clay"]

    @Test("after any changes it finds what an index made anew finds", arguments: 1...6 as ClosedRange<UInt64>)
    func follows(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let shop = try await Warehouse()
        for _ in 0..<40 {
            var drafts: [ProductDraft] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let number = Int.random(in: 0..<30, using: &random)
                let title = (0..<2).map { _ in Self.words[Int.random(in: 0..<6, using: &random)] }
                drafts.append(
                    .simple(
                        "p\(number)", price: Int64.random(in: 1...3, using: &random) * 1_000,
                        stock: Int64.random(in: 0...1, using: &random), title: title.joined(separator: " "),
                        vendor: Self.words[Int.random(in: 0..<6, using: &random)],
                        status: ProductStatus.allCases[Int.random(in: 0..<3, using: &random)]))
            }
            let batch = ProductBatch(products: drafts)
            #expect(try await shop.products.importProducts(batch, Warehouse.staff).refused == [])
            try await compare(shop)
        }
    }

    private func compare(_ shop: Warehouse) async throws {
        let fresh = Products(database: shop.database, staleness: shop.edge, clock: shop.clock)
        for word in Self.words + ["", "o", "zzz"] {
            for query in [
                ProductQuery(q: word, sort: .title, limit: 200),
                ProductQuery(q: word, vendor: "oak", available: true, sort: .price_ascending, limit: 200),
            ] {
                let (kept, new) = (try await shop.search(query), try await fresh.search(query, Warehouse.shopper))
                #expect(kept.items.map(\.handle) == new.items.map(\.handle))
                #expect(kept.total == new.total)
                #expect(try JSON.encode(kept.facets) == JSON.encode(new.facets))
            }
        }
    }

    @Test(
        "segments merge to one with the words of both",
        arguments: [(["b a", "c"], ["a d"]), (["x"], ["y"]), (["same"], ["same"])])
    func merge(_ first: [String], _ second: [String]) {
        func segment(_ texts: [String], from slot: Int32) -> Segment {
            var builder = Segment.Builder()
            for (index, text) in texts.enumerated() {
                builder.add(text, weight: 1)
                builder.endDocument(slot: slot + Int32(index))
            }
            return builder.finish()
        }
        let merged = segment(first, from: 0).merged(with: segment(second, from: Int32(first.count)))
        let whole = segment(first + second, from: 0)
        #expect(merged.words == whole.words)
        for word in merged.words.indices {
            #expect(merged.slots[merged.entries(of: word)] == whole.slots[whole.entries(of: word)])
            #expect(merged.weights[merged.entries(of: word)] == whole.weights[whole.entries(of: word)])
        }
    }
}
