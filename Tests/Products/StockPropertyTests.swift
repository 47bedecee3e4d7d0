import Contracts
import Database
import Kernel
import Testing

@testable import Products

@Suite("Stock: whatever comes in whatever order") struct StockPropertyTests {
    /// What stock must be, in the plainest words.
    private struct Model {
        enum State { case held, committed, released, refused }
        var onHand: [String: Int64]
        var states: [OrderID: State] = [:]
        var lines: [OrderID: [String: Int64]] = [:]
        var restocked: Set<String> = []

        func reserved(_ sku: String) -> Int64 {
            states.filter { $0.value == .held }.reduce(0) { $0 + (lines[$1.key]?[sku] ?? 0) }
        }

        mutating func reserve(_ order: OrderID) {
            guard states[order] == nil else { return }
            let fits = (lines[order] ?? [:]).allSatisfy { (onHand[$0.key] ?? 0) - reserved($0.key) >= $0.value }
            states[order] = fits ? .held : .refused
        }

        mutating func commit(_ order: OrderID) {
            guard states[order] == .held else { return }
            states[order] = .committed
            for (sku, quantity) in lines[order] ?? [:] { onHand[sku, default: 0] -= quantity }
        }

        mutating func release(_ order: OrderID) {
            if states[order] == nil || states[order] == .held { states[order] = .released }
        }

        mutating func adjust(_ sku: String, _ quantity: Int64) {
            let sum = (onHand[sku] ?? 0) + quantity
            if quantity != 0, sum >= reserved(sku) { onHand[sku] = sum }
        }

        mutating func restock(_ order: OrderID, _ reference: String) {
            guard restocked.insert(reference).inserted else { return }
            for (sku, quantity) in lines[order] ?? [:] { onHand[sku, default: 0] += quantity }
        }
    }

    @Test("levels are what the plain model says, and the audit is clean", arguments: 1...40 as ClosedRange<UInt64>)
    func schedules(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let shop = try await Warehouse()
        let skus = ["A", "B", "C"]
        try await shop.put(.simple("a", stock: 6), .simple("b", stock: 3), .simple("c", stock: 0))
        var model = Model(onHand: ["A": 6, "B": 3, "C": 0])
        let orders = (0..<6).map { _ in shop.order() }
        for order in orders {
            let chosen = skus.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
            model.lines[order] = Dictionary(
                uniqueKeysWithValues: chosen.map { ($0, Int64.random(in: 1...3, using: &random)) })
        }
        for _ in 0..<60 {
            let order = orders[Int.random(in: 0..<orders.count, using: &random)]
            let lines = model.lines[order] ?? [:]
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                model.reserve(order)
                let isHeld = await succeeds { try await shop.reserve(order, lines) }
                #expect(isHeld == (model.states[order] == .held || model.states[order] == .committed))
            case 4, 5:
                model.commit(order)
                try await shop.commit(order)
            case 6:
                model.release(order)
                try await shop.release(order)
            case 7:
                guard model.states[order] == .committed else { continue }
                model.restock(order, "r-\(order)")
                try await shop.restock(order, "r-\(order)", lines)
            default:
                let (sku, pieces) = (
                    skus[Int.random(in: 0..<3, using: &random)], Int64.random(in: -3...3, using: &random)
                )
                model.adjust(sku, pieces)
                _ = await succeeds {
                    _ = try await shop.products.adjust(
                        StockAdjustment(sku: sku, quantity: pieces, reason: "count"), Warehouse.staff)
                }
            }
            for sku in skus {
                let expected = StockLevel(sku: sku, on_hand: model.onHand[sku] ?? 0, reserved: model.reserved(sku))
                #expect(try await shop.level(sku) == expected, "seed \(seed)")
            }
        }
        #expect(try await shop.violations() == [])
    }

    private func succeeds(_ work: () async throws -> Void) async -> Bool {
        do {
            try await work()
            return true
        } catch {
            #expect(error is Problem)
            return false
        }
    }

    @Test("many at once, each again and again: the audit stays clean", arguments: 1...5 as ClosedRange<UInt64>)
    func concurrent(seed: UInt64) async throws {
        let shop = try await Warehouse()
        try await shop.put(.simple("a", stock: 20), .simple("b", stock: 20))
        let orders = (0..<30).map { _ in shop.order() }
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    var random = SeededGenerator(seed: seed &* 31 &+ UInt64(worker))
                    for _ in 0..<40 {
                        let number = Int.random(in: 0..<orders.count, using: &random)
                        let order = orders[number]
                        switch Int.random(in: 0..<3, using: &random) {
                        case 0: try? await shop.reserve(order, ["A": 1, "B": Int64(number % 3 + 1)])
                        case 1: try? await shop.commit(order)
                        default: try? await shop.release(order)
                        }
                    }
                }
            }
        }
        #expect(try await shop.violations() == [])
    }
}
