import Contracts
import Kernel
import Synchronization

/// What shoppers find in a shop: learnt from it, as a shopper would.
public struct Catalogue: Sendable, Equatable {
    public struct Piece: Sendable, Equatable {
        public var sku: String
        public var handle: String
    }
    /// Of products, in the shop's order.
    public var handles: [String] = []
    public var categories: [String] = []
    /// Of titles, in small letters, each once.
    public var words: [String] = []
    /// What can be bought.
    public var pieces: [Piece] = []

    /// So many products are learnt at the most, and of so many what can be bought.
    static let mostProducts = 1_000
    static let mostPieces = 200
    private static let pageSize = 200
    private static let shortestWord = 4

    fileprivate static func learn(for other: LoadPlan) async throws -> Catalogue {
        let target = other.target
        let survey = Survey(target, other.headers)
        var plan = LoadPlan(target: target, arrivals: .closed(visits: 1), errand: .page)
        plan.authorities = other.authorities
        plan.connections = 1
        plan.attempts = 5
        let result = try await LoadRun(plan, survey).run()
        let catalogue = survey.found.withLock { $0 }
        guard result.total.failed == 0, result.visits.unfinished == 0 else {
            let statuses = result.total.statuses.keys.sorted().filter { $0 != "200" }
            let failures = result.total.failures.keys.sorted()
            throw DrillError(
                "the products of \(target.authority) cannot be learnt from /api/products: "
                    + (statuses.map { "status \($0)" } + failures).joined(separator: ", "))
        }
        guard !catalogue.handles.isEmpty else {
            throw DrillError("\(target.authority) has no products; `souk demo` fills an empty shop")
        }
        return catalogue
    }

    mutating func note(_ page: ProductPage) {
        handles += page.items.map(\.handle)
        if categories.isEmpty { categories = page.facets.category.map(\.value) }
        var known = Set(words)
        for item in page.items {
            for word in item.title.lowercased().split(whereSeparator: { !$0.isLetter }) {
                let word = String(word)
                if word.utf8.count >= Self.shortestWord, known.insert(word).inserted { words.append(word) }
            }
        }
    }

    mutating func note(_ product: Product) {
        pieces += product.variants.filter { $0.available > 0 }.map { Piece(sku: $0.sku, handle: product.handle) }
    }

    /// One visit that reads the catalogue.
    private final class Survey: Work {
        let steps = ["survey"]
        let found = Mutex(Catalogue())
        private let writer: RequestWriter

        init(_ target: Target, _ headers: [String]) { writer = RequestWriter(target, headers: headers) }

        func course(_ number: Int) -> any Course { Reading(survey: self) }

        fileprivate func ask(_ path: String) -> Move {
            .ask(Request(step: 0, bytes: writer.request("GET", path), keepsBody: true), after: 0)
        }

        fileprivate func page(after cursor: String?) -> Move {
            ask("/api/products?limit=\(pageSize)" + (cursor.map { "&after=" + $0.percentEncoded() } ?? ""))
        }
    }

    private struct Reading: Course {
        let survey: Survey
        var rest: ArraySlice<String>?
        var hasBegun = false

        mutating func next(_ answer: Answered?) -> Move {
            guard let answer else { return survey.page(after: nil) }
            if rest == nil {
                guard let page = try? JSON.decode(ProductPage.self, from: answer.body) else { return .leave }
                let known = survey.found.withLock { found in
                    found.note(page)
                    return found.handles
                }
                if let next = page.next, known.count < mostProducts { return survey.page(after: next) }
                rest = known.prefix(mostPieces)
            } else if let product = try? JSON.decode(Product.self, from: answer.body) {
                survey.found.withLock { $0.note(product) }
            }
            guard let handle = rest?.popFirst() else { return .leave }
            return survey.ask("/api/products/" + handle.percentEncoded())
        }
    }
}

extension LoadPlan {
    /// What its target sells: asks the shop, one request after the other.
    ///
    /// - Throws: `DrillError` if it does not answer as a Souk does, or sells nothing.
    public func catalogue() async throws -> Catalogue { try await Catalogue.learn(for: self) }
}
