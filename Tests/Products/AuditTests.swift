import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("The audit finds what was changed behind the shop's back") struct AuditTests {
    /// Two SKUs: of one an order holds 2 and another bought 1.
    private func shop() async throws -> Warehouse {
        let shop = try await Warehouse()
        try await shop.put(.simple("mug"), .simple("lamp"))
        try await shop.reserve(shop.order(), ["MUG": 2])
        let sold = shop.order()
        try await shop.reserve(sold, ["MUG": 1])
        try await shop.commit(sold)
        return shop
    }

    @Test("nothing, where nothing was") func clean() async throws {
        let shop = try await shop()
        let checks = try await ProductsAudit(database: shop.database, clock: shop.clock).checks()
        #expect(checks.filter { !$0.holds }.map(\.name) == [])
        #expect(checks.filter { $0.checked == 0 }.map(\.name) == [])
    }

    @Test(
        "each by the check that is there for it",
        arguments: [
            ("UPDATE variants SET on_hand = on_hand + 1 WHERE sku = 'MUG'", "stock.movements", "MUG"),
            ("UPDATE stock_movements SET on_hand = 11 WHERE kind = 'adjusted'", "stock.movements", "LAMP"),
            ("DELETE FROM stock_movements WHERE kind = 'sold'", "stock.movements", "MUG"),
            ("UPDATE reservations SET state = 'committed'", "stock.reservations", "MUG"),
            ("UPDATE reservations SET lines = '2 CUP' WHERE state = 'held'", "stock.reservations", "CUP"),
            ("UPDATE products SET in_stock = 0 WHERE handle = 'lamp'", "catalogue.in-stock", "lamp"),
        ])
    func doctored(_ statement: String, _ check: String, _ named: String) async throws {
        let shop = try await shop()
        try await shop.database.write { try $0.execute(statement) }
        let broken = try await ProductsAudit(database: shop.database, clock: shop.clock).checks().filter { !$0.holds }
        let found = try #require(broken.first { $0.name == check })
        #expect(found.violations.contains { $0.contains(named) }, "\(found.violations)")
    }

    @Test("what is held of an order, page by page in their order") func facts() async throws {
        let shop = try await shop()
        let late = shop.order()
        try await shop.release(late)
        let audit = ProductsAudit(database: shop.database)
        var facts: [ReservationFact] = []
        while true {
            let page = try await audit.facts(after: facts.last?.order, limit: 2)
            if page.isEmpty { break }
            facts += page
        }
        #expect(facts.map(\.order.description) == facts.map(\.order.description).sorted())
        #expect(Set(facts.map(\.state)) == [.held, .committed, .released])
        #expect(facts.first { $0.state == .held }?.lines == [StockLine(sku: "MUG", quantity: 2)])
    }
}
