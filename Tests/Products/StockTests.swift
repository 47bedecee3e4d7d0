import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("Stock is held, sold and taken back, each once") struct StockTests {
    private func problem(_ work: () async throws -> Void) async -> Problem? {
        do {
            try await work()
            return nil
        } catch {
            return error as? Problem
        }
    }

    @Test("a reservation holds all of its lines or none, and names what lacks") func allOrNothing() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5), .simple("b", stock: 1))
        let order = shop.order()
        for _ in 0..<2 {
            let refusal = await problem { try await shop.reserve(order, ["A": 2, "B": 2]) }
            #expect(refusal?.type == .outOfStock)
            let line = refusal?.extensions["lines"]?[0]
            #expect(refusal?.extensions["lines"]?.arrayValue?.count == 1)
            #expect(line?["sku"]?.stringValue == "B")
            #expect(line?["requested"]?.integerValue == 2)
            #expect(line?["available"]?.integerValue == 1)
            #expect(refusal?.detail.contains("B") == true)
        }
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 5, reserved: 0))
        // The refusal is remembered: more stock later does not change what was answered.
        try await shop.put(.simple("b", stock: 9))
        #expect(await problem { try await shop.reserve(order, ["A": 2, "B": 2]) }?.type == .outOfStock)
        #expect(try await shop.violations() == [])
    }

    @Test("asking again for the same order holds nothing more") func idempotent() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        let order = shop.order()
        try await shop.reserve(order, ["A": 2])
        try await shop.reserve(order, ["A": 2])
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 5, reserved: 2))
        try await shop.commit(order)
        try await shop.commit(order, order)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 3, reserved: 0))
        try await shop.release(order)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 3, reserved: 0))
        try await shop.restock(order, "return-1", ["A": 1])
        try await shop.restock(order, "return-1", ["A": 1])
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 4, reserved: 0))
        #expect(try await shop.violations() == [])
    }

    @Test("a release before its reservation makes that one refuse") func lateReservation() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        let order = shop.order()
        try await shop.release(order)
        let refusal = await problem { try await shop.reserve(order, ["A": 1]) }
        #expect(refusal?.type.status == 409)
        #expect(refusal?.detail.contains("released") == true)
        try await shop.commit(order)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 5, reserved: 0))
        #expect(try await shop.violations() == [])
    }

    @Test("what nobody ended is given back after its time, and not before") func expiry() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        try await shop.reserve(shop.order(), ["A": 2], for: .seconds(60))
        #expect(try await shop.products.releaseExpired(now: shop.clock.now()) == 0)
        shop.clock.advance(by: .seconds(61))
        #expect(try await shop.products.releaseExpired(now: shop.clock.now()) == 1)
        #expect(try await shop.products.releaseExpired(now: shop.clock.now()) == 0)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 5, reserved: 0))
        #expect(try await shop.violations() == [])
    }

    @Test("the audit names a reservation that is held ten minutes after its time") func overdue() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        let order = shop.order()
        try await shop.reserve(order, ["A": 2], for: .seconds(60))
        shop.clock.advance(by: .seconds(661))
        #expect(try await shop.violations().contains { $0.contains("\(order)") })
    }

    @Test("500 at once for 100 pieces: 100 get one, 400 are refused, nothing is left") func rush() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 100))
        let held = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<500 {
                group.addTask {
                    do {
                        try await shop.reserve(shop.order(), ["A": 1])
                        return true
                    } catch let problem as Problem where problem.type == .outOfStock {
                        return false
                    }
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(held == 100)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 100, reserved: 100))
        #expect(try await shop.violations() == [])
    }

    @Test("an adjustment cannot take what is reserved, and says how much it can") func belowReserved() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        try await shop.reserve(shop.order(), ["A": 3])
        let take = { (pieces: Int64) in
            _ = try await shop.products.adjust(
                StockAdjustment(sku: "A", quantity: -pieces, reason: "broken"), Warehouse.staff)
        }
        let refusal = await problem { try await take(3) }
        #expect(refusal?.type == .stockBelowZero)
        #expect(refusal?.detail.contains("2") == true)
        try await take(2)
        #expect(try await shop.level("A") == StockLevel(sku: "A", on_hand: 3, reserved: 3))
        let unknown = await problem {
            _ = try await shop.products.adjust(StockAdjustment(sku: "X", quantity: 1, reason: "?"), Warehouse.staff)
        }
        #expect(unknown?.type == .notFound)
        #expect(try await shop.violations() == [])
    }

    @Test("an adjustment with a key happens once; the key is good for nothing else") func adjustOnce() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        var context = Warehouse.staff
        context.idempotencyKey = "k"
        let adjustment = StockAdjustment(sku: "A", quantity: 4, reason: "found")
        let first = try await shop.products.adjust(adjustment, context)
        #expect(first.on_hand == 9)
        #expect(try await shop.products.adjust(adjustment, context) == first)
        let other = StockAdjustment(sku: "A", quantity: 5, reason: "found")
        let reused = await problem { [context] in _ = try await shop.products.adjust(other, context) }
        #expect(reused?.type == .keyReused)
        #expect(try await shop.level("A").on_hand == 9)
    }

    @Test("movements are the newest first and add up to the level") func book() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 5))
        let order = shop.order()
        try await shop.reserve(order, ["A": 2])
        try await shop.commit(order)
        let items = try await shop.products.movements(StockBySKU(sku: "A"), Warehouse.staff).items
        #expect(items.map(\.kind) == [.sold, .reserved, .adjusted])
        #expect(items.reduce(0) { $0 + $1.on_hand } == 3)
        #expect(items.reduce(0) { $0 + $1.reserved } == 0)
        #expect(items[0].order == order)
    }

    @Test("the product is told stale every time, the catalogue only when it sells out or comes back")
    func staleness() async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 2))
        #expect(shop.edge.told() == [Tags.product("a"), Tags.catalogue])
        let (first, second) = (shop.order(), shop.order())
        try await shop.reserve(first, ["A": 1])
        #expect(shop.edge.told() == [Tags.product("a")])
        try await shop.reserve(second, ["A": 1])
        #expect(shop.edge.told() == [Tags.product("a"), Tags.catalogue])
        #expect(try await shop.search(ProductQuery(available: true)).total == 0)
        try await shop.release(second)
        #expect(shop.edge.told() == [Tags.product("a"), Tags.catalogue])
        #expect(try await shop.search(ProductQuery(available: true)).total == 1)
    }

    @Test("the list of stock goes on where it ended, and begins with what is asked for") func list() async throws {
        let shop = try await Warehouse()
        for number in 0..<7 { try await shop.put(.simple("p\(number)", stock: Int64(number))) }
        var (seen, after) = ([String](), String?.none)
        repeat {
            let page = try await shop.products.inventoryList(StockQuery(limit: 3, after: after), Warehouse.staff)
            seen += page.items.map(\.sku)
            after = page.next
        } while after != nil
        #expect(seen == (0..<7).map { "P\($0)" })
        let low = try await shop.products.inventoryList(StockQuery(q: "P", available_max: 2), Warehouse.staff)
        #expect(low.items.map(\.sku) == ["P0", "P1", "P2"])
    }
}
