public import Contracts
import Database
public import Kernel

/// What is sold: products with their variants, and the tree that they hang in.
extension Products {
    static let exportLimits = 1...500
    static let defaultExport = 100

    public func product(_ query: ProductByHandle, _ context: CallContext) async throws -> Product {
        let stored = try await database.read { try ProductsStore.product(query.handle, $0)?.product }
        guard let stored, stored.status == .active || context.caller.isStaff else {
            throw Problem(.notFound, "there is no product '\(query.handle)'")
        }
        return stored
    }

    public func put(_ draft: PutProduct, _ context: CallContext) async throws -> Product {
        let (draft, now, expected) = (draft.draft, clock.now(), context.expectedVersion)
        try rules.check(draft)
        let (product, changes, handles) = try await database.write { transaction in
            var writer = CatalogueWriter(transaction, at: now, reason: "set with the product")
            _ = try writer.write(draft, expecting: expected)
            guard let stored = try ProductsStore.product(draft.handle, transaction) else {
                throw Problem(.internalError, "the product \(draft.handle) vanished")
            }
            return (stored.product, writer.stock.changes, writer.handles)
        }
        tell(changes, and: handles)
        return product
    }

    public func importProducts(_ batch: ProductBatch, _ context: CallContext) async throws -> ImportResult {
        guard batch.products.count <= ProductBatch.limit else {
            throw Problem.invalid(
                "/products", "expected at most \(ProductBatch.limit) products, found \(batch.products.count)")
        }
        let now = clock.now()
        let checked = batch.products.map { draft in
            do {
                try rules.check(draft)
                return Checked(draft: draft, refusal: nil)
            } catch {
                return Checked(draft: draft, refusal: Self.sentence(error))
            }
        }
        let (result, changes, handles) = try await database.write { transaction in
            var writer = CatalogueWriter(transaction, at: now, reason: "import")
            var result = ImportResult()
            for item in checked {
                do {
                    if let refusal = item.refusal { throw Refused(detail: refusal) }
                    switch try writer.write(item.draft) {
                    case .created: result.created += 1
                    case .updated: result.updated += 1
                    case .unchanged: result.unchanged += 1
                    }
                } catch let error where Self.isRefusal(error) {
                    let handle = String(item.draft.handle.unicodeScalars.prefix(200))
                    result.refused.append(ImportResult.Refusal(handle: handle, detail: Self.sentence(error)))
                }
            }
            return (result, writer.stock.changes, writer.handles)
        }
        tell(changes, and: handles)
        return result
    }

    private struct Checked: Sendable {
        let draft: ProductDraft
        let refusal: String?
    }

    private struct Refused: Error { let detail: String }

    /// Of the draft, and not of something broken here.
    private static func isRefusal(_ error: any Error) -> Bool {
        if let problem = error as? Problem { return problem.type.status < 500 }
        return error is Refused
    }

    private static func sentence(_ error: any Error) -> String {
        let text =
            switch error {
            case let problem as Problem: DraftRules.sentence(problem)
            case let refused as Refused: refused.detail
            default: "\(error)"
            }
        return String(text.unicodeScalars.prefix(2_000))
    }

    private func tell(_ stock: StockChanges, and handles: Set<String>) {
        var changes = stock
        changes.handles.formUnion(handles)
        changes.hasFlipped = changes.hasFlipped || !handles.isEmpty
        tell(changes)
    }

    public func export(_ query: ExportQuery, _ context: CallContext) async throws -> ExportPage {
        let limit = min(
            max(query.limit ?? Self.defaultExport, Self.exportLimits.lowerBound), Self.exportLimits.upperBound)
        return try await database.readStale { transaction in
            let items = try ProductsStore.products(after: query.after ?? "", limit: limit, transaction).map(\.draft)
            return ExportPage(items: items, next: items.count == limit ? items.last?.handle : nil)
        }
    }

    public func categories(_ input: Nothing, _ context: CallContext) async throws -> CategoryList {
        let kept = index
        return try await database.read { transaction in
            try kept.categories(in: transaction) { index in
                let (counts, newest) = index.categoryCounts()
                let tree = index.tree
                return CategoryList(
                    items: try tree.order.map { number in
                        let category = tree.categories[number]
                        let image = try newest[number].flatMap { try ProductsStore.summary($0, transaction)?.image }
                        return CategoryList.Entry(
                            handle: category.handle, title: category.title,
                            parent: category.parent.map { tree.categories[$0].handle }, products: counts[number],
                            image: image)
                    })
            }
        }
    }
}
