import ArgumentParser
import Contracts
import Kernel
import Products

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fill an empty shop with made-up products and drawn pictures.",
        discussion: """
            The same every time for the same seed. A shop that has products is left as it is.

            Example:
              souk demo --products 10000 --seed 1
            """)

    @OptionGroup var options: DataOptions
    @Option(help: "How many products, 1 to 1000000.") var products = 10_000
    @Option(help: "What the randomness begins with.") var seed: UInt64 = 1
    @Flag(help: "Print the result as JSON.") var json = false

    func validate() throws {
        guard (1...1_000_000).contains(products) else {
            throw ValidationError("--products is \(products), expected 1 to 1000000")
        }
    }

    struct Summary: Codable {
        var created = 0
        var pictures = 0
    }

    func run() async throws {
        let settings = try await options.settings()
        let summary = try await Shop.using(settings) { shop in
            let existing = try await shop.products.search(
                ProductQuery(limit: 1), .service("demo", timeout: .seconds(600)))
            guard existing.items.isEmpty else {
                Console.complain("the shop has products already, and is left as it is: demo fills only an empty one")
                return Summary()
            }
            return try await fill(shop, settings)
        }
        if json {
            try Console.print(json: summary)
        } else {
            Console.say("\(summary.created) products and \(summary.pictures) pictures are in \(settings.data)")
        }
    }

    private func fill(_ shop: Shop, _ settings: Settings) async throws -> Summary {
        let catalogue = DemoCatalogue(seed: seed, currency: settings.shop.currency)
        let progress = Progress("demo", total: products)
        var summary = Summary()
        var drawn: Set<DemoCatalogue.Picture> = []
        for start in stride(from: 0, to: products, by: ProductBatch.limit) {
            let items = (start..<min(start + ProductBatch.limit, products)).map { catalogue.item($0) }
            for picture in items.flatMap(\.pictures) where drawn.insert(picture).inserted {
                try await shop.objects.put(picture.key, Array(picture.svg.utf8), contentType: "image/svg+xml")
            }
            let result = try await shop.products.importProducts(
                ProductBatch(products: items.map(\.draft)), .service("demo", timeout: .seconds(600)))
            if let refusal = result.refused.first { throw Failure("\(refusal.handle): \(refusal.detail)") }
            summary.created += result.created
            progress.advance(by: items.count)
        }
        summary.pictures = drawn.count
        progress.finish()
        return summary
    }
}
