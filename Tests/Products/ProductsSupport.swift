import Contracts
import Database
import Kernel
import PostgresPeer
import Logging
import Synchronization

@testable import Products

/// A catalogue on a database in memory, and what it told the edge.
struct Warehouse {
    let clock = ManualClock()
    let edge = RecordedStaleness()
    let database: any Database
    let products: Products

    init() async throws {
        database = try await TestDatabase.open()
        try await database.migrate(Products.migrations)
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        products = Products(database: database, staleness: edge, clock: clock, logger: quiet)
    }

    static let shopper = CallContext()
    static let staff = CallContext.service("test")

    func order() -> OrderID { OrderID(at: clock.now()) }

    @discardableResult
    func put(_ drafts: ProductDraft...) async throws -> ImportResult {
        try await products.importProducts(ProductBatch(products: drafts), Self.staff)
    }

    func reserve(_ order: OrderID, _ lines: [String: Int64], for time: Duration = .seconds(900)) async throws {
        let lines = lines.map { StockLine(sku: $0.key, quantity: $0.value) }
        _ = try await products.reserve(
            ReserveStock(order: order, lines: lines, expires_at: clock.now() + time), Self.staff)
    }

    func release(_ order: OrderID) async throws {
        _ = try await products.release(StockOfOrder(order: order), Self.staff)
    }

    func commit(_ orders: OrderID...) async throws {
        _ = try await products.commit(StockOfOrders(orders: orders), Self.staff)
    }

    func restock(_ order: OrderID, _ reference: String, _ lines: [String: Int64]) async throws {
        let lines = lines.map { StockLine(sku: $0.key, quantity: $0.value) }
        _ = try await products.restock(
            Restock(order: order, reference: reference, lines: lines, reason: "returned"), Self.staff)
    }

    func level(_ sku: String) async throws -> StockLevel {
        try await products.inventory(StockBySKU(sku: sku), Self.staff)
    }

    func search(_ query: ProductQuery) async throws -> ProductPage {
        try await products.search(query, Self.shopper)
    }

    /// What the audit finds wrong.
    func violations() async throws -> [String] {
        try await ProductsAudit(database: database, clock: clock).checks().flatMap(\.violations)
    }
}

final class RecordedStaleness: Staleness {
    private let tags = Mutex<[String]>([])
    func markStale(_ tags: [String]) { self.tags.withLock { $0 += tags } }
    /// What was told since this was asked last.
    func told() -> Set<String> {
        tags.withLock { tags in
            defer { tags = [] }
            return Set(tags)
        }
    }
}

extension ProductDraft {
    /// A product of one variant.
    static func simple(
        _ handle: String, price: Int64 = 1_000, stock: Int64? = 10, title: String? = nil, vendor: String? = nil,
        category: [String] = [], was: Int64? = nil, status: ProductStatus = .active
    ) -> ProductDraft {
        ProductDraft(
            handle: handle, title: title ?? handle, vendor: vendor, category: category, status: status,
            variants: [
                ProductDraft.Variant(
                    sku: handle.uppercased(), price: Money(price, .gbp),
                    compare_at_price: was.map { Money($0, .gbp) }, stock: stock)
            ])
    }
}
