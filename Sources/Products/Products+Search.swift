public import Contracts
import Database
public import Kernel

/// Finding products: words, filters, counts, pages.
extension Products {
    public func search(_ query: ProductQuery, _ context: CallContext) async throws -> ProductPage {
        let status = context.caller.isStaff ? query.status : .active
        let words = Words.query(query.q)
        let sort = query.sort ?? .relevance
        let fingerprint = Cursor.fingerprint(query, words: words, sort: sort, status: status?.rawValue ?? "")
        let (low, high) = (query.price_min ?? 0, query.price_max ?? Int64.max)
        guard low <= high else {
            throw Problem.invalid("/price_min", "expected at most price_max, found \(low) with price_max \(high)")
        }
        let selection = Selection(
            words: words, sort: sort, status: status.map(CatalogueIndex.Status.init), inStock: query.available,
            onSale: query.on_sale, price: low...high, category: query.category, vendor: query.vendor,
            after: try query.after.map { try Cursor($0, for: fingerprint) },
            limit: min(max(query.limit ?? ProductQuery.defaultLimit, 1), ProductQuery.limits.upperBound),
            priceSteps: priceSteps)
        let kept = index
        return try await database.read { transaction in
            let result = selection.run(on: try kept.current(in: transaction))
            return ProductPage(
                items: try result.products.compactMap { try ProductsStore.summary($0, transaction) },
                next: result.next.map { Cursor(fingerprint: fingerprint, key: $0.key, product: $0.product).text },
                total: result.total, facets: result.facets)
        }
    }

    /// 10, 25, 50, 100, 250 and 500 major units; a hundred times as many of a currency without minor ones.
    private var priceSteps: [Int64] {
        let unit = rules.currency.map { $0.exponent == 0 ? 100 : $0.minorUnits } ?? 100
        return [0, 10, 25, 50, 100, 250, 500].map { $0 * unit }
    }
}
