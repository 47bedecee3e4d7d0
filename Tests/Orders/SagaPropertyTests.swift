import Contracts
import Database
import Kernel
import Testing

@testable import Orders

@Suite struct SagaTests {
    static let refusal = Refusal(Problem(.paymentDeclined, "declined"))

    /// Every way through the machine, by the outcomes of its effects.
    private func walk(_ saga: Saga, _ path: [Saga.Effect] = []) -> [[Saga.Effect]] {
        guard let effect = saga.effect else { return [path] }
        guard path.count < 20 else { return [path + [effect]] }
        let outcomes: [Saga.Outcome] = [.done, .refused(Self.refusal)]
        return outcomes.flatMap { outcome in
            var next = saga
            next.advance(outcome)
            return walk(next, path + [effect])
        }
    }

    @Test func everyWayEndsInOneDecision() {
        let starts = [Saga(.checkout), Saga(.refusal, refusal: Self.refusal), Saga(.cancellation)]
        for path in starts.flatMap({ walk($0) }) {
            let ends = path.filter { effect in
                if case .cancel = effect { return true }
                return effect == .confirm
            }
            #expect(path.count < 10)
            #expect(ends.count == 1 && path.last == ends.first)
        }
    }

    @Test func whatIsGivenBackWasDecidedBefore() {
        for path in walk(Saga(.checkout)) {
            guard let release = path.firstIndex(of: .release) else { continue }
            #expect(path[..<release].last == .decide(Self.refusal))
        }
    }

    @Test func nothingHappensAfterTheEnd() {
        var saga = Saga(.checkout)
        for _ in 0..<3 { saga.advance(.done) }
        #expect(saga.state == .ended)
        saga.advance(.refused(Self.refusal))
        #expect(saga.state == .ended)
    }
}

/// Orders whose processes die anywhere, and whose peers lose answers and hear things twice, on the real database.
@Suite struct SagaPropertyTests {
    // 10,000 lives.
    static let batches = 20
    static let schedulesPerBatch = 500

    @Test func everyOrderComesToOneEndWhateverDies() async throws {
        let seed = UInt64.random(in: 1...UInt64(UInt32.max))
        print("seed \(seed)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for batch in 0..<Self.batches {
                if batch >= 4 { try await group.next() }
                group.addTask { try await Self.run(batch: seed &+ UInt64(batch), seed: seed) }
            }
            try await group.waitForAll()
        }
    }

    private static func run(batch: UInt64, seed: UInt64) async throws {
        var random = SeededGenerator(seed: batch &* 7_919)
        let shop = try await Shop()
        // Enough for most; the last ones find it sold out.
        shop.world.put("HOT-1", Money(1_999, .gbp), 600)
        shop.world.put("MUG-1", Money(333, .gbp), 250)
        let start = shop.world.now.onHand
        var held: [String: Int64] = [:]
        var sold: [String: Int64] = [:]
        var ends: [String: Int] = [:]
        for index in 0..<schedulesPerBatch {
            let schedule = Schedule(shop: shop, key: "key-\(index)", seed: random.next())
            let end = try await schedule.run()
            if !end.violations.isEmpty {
                Issue.record("seed \(seed), batch \(batch), schedule \(index): \(end.violations)")
                return
            }
            ends[end.kind, default: 0] += 1
            for line in end.held { held[line.sku, default: 0] += line.quantity }
            for line in end.sold { sold[line.sku, default: 0] += line.quantity }
        }
        // Every batch reaches every end there is, each dozens of times.
        for kind in ["confirmed", "refused", "cancelled"] {
            #expect(ends[kind, default: 0] > 5, "seed \(seed): \(ends)")
        }
        let world = shop.world.now
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
        for (sku, stock) in start {
            #expect(world.onHand[sku, default: 0] + sold[sku, default: 0] == stock, "seed \(seed): \(sku)")
            #expect(world.reserved[sku, default: 0] == held[sku, default: 0], "seed \(seed): \(sku)")
        }
        let checks = try await OrdersAudit(database: shop.database, clock: shop.clock).checks()
        #expect(checks.filter { $0.name != "orders.delivered" }.flatMap(\.violations).isEmpty, "seed \(seed)")
        let numbers = try await shop.database.read { try $0.rows("SELECT number FROM orders").map { try $0.int(0) } }
        #expect(numbers.sorted() == Array(1001..<1001 + numbers.count), "seed \(seed)")
    }
}

/// One order's life, drawn from a seed.
struct Schedule {
    struct End {
        var violations: [String] = []
        var kind = "never written"
        var held: [StockLine] = []
        var sold: [StockLine] = []
    }

    let shop: Shop
    let key: String
    let seed: UInt64

    func run() async throws -> End {
        var random = SeededGenerator(seed: seed)
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        /// A process that dies soon, later, or not at all, and is heard badly.
        func mortal() -> Orders {
            let power = Power(points: chance(70) ? Int.random(in: 0...24, using: &random) : nil)
            let percent = [0, 10, 40, 80].randomElement(using: &random) ?? 0
            return shop.orders(power, mishaps: Mishaps(seed: random.next(), percent: percent))
        }
        let lines =
            [("HOT-1", Int64.random(in: 1...3, using: &random))]
            + (chance(50) ? [("MUG-1", Int64.random(in: 1...2, using: &random)), ("HOT-1", 1)] : [])
        let order = PlaceOrder.of(lines, token: chance(25) ? "tok_declined" : "tok_approved")
        var acknowledged: OrderID?
        var cancelled = false
        var settled = 0

        var process = mortal()
        for _ in 0...(chance(30) ? 1 : 0) {
            do { acknowledged = try await process.place(order, .guest(key)).order.id } catch {}
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            if chance(50) { process = mortal() }
            shop.clock.advance(by: .seconds(Int.random(in: 0...40, using: &random)))
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                do { acknowledged = try await process.place(order, .guest(key)).order.id } catch {}
            case 1:
                if let acknowledged {
                    cancelled = true
                    do { _ = try await process.cancel(CancelOrder(id: acknowledged), .guest()) } catch {}
                }
            case 2:
                if let acknowledged, settled < 2 {
                    let events = try await shop.confirmation(of: acknowledged)
                    if (try? await process.settle(events)) != nil { settled += 1 }
                }
            default: _ = try? await process.recover()
            }
        }
        // At last one process that lives, and peers that hear well.
        let survivor = shop.orders()
        for _ in 0..<5 where try await survivor.store.pendingSagas() > 0 {
            shop.clock.advance(by: .seconds(120))
            try await survivor.recover()
        }
        guard let known = try await survivor.store.record(scope: "guest", key: key) else {
            return End(violations: acknowledged == nil ? [] : ["acknowledged and forgotten"])
        }
        if settled == 0, chance(50) {
            try await survivor.settle(try await shop.confirmation(of: known.order))
            settled = 1
        }
        return try await check(known.order, acknowledged, cancelled, settled, order, survivor)
    }

    private func check(
        _ id: OrderID, _ acknowledged: OrderID?, _ mayBeCancelled: Bool, _ settled: Int, _ input: PlaceOrder,
        _ survivor: Orders
    ) async throws -> End {
        var end = End()
        func require(_ holds: Bool, _ promise: String) { if !holds { end.violations.append("\(id): \(promise)") } }
        guard let order = try await survivor.store.order(id) else { return End(violations: ["no order"]) }
        let (confirmations, undone) = (
            try await shop.count(EventTypes.orderConfirmed, of: id),
            try await shop.count(EventTypes.orderCancelled, of: id)
        )
        let world = shop.world.now
        let payment = world.payments[id]
        let reservation = world.reservations[id]
        let lines = Orders.bySKU(order.lines)
        require(try await survivor.store.pendingSagas() == 0, "unfinished")
        require(acknowledged == nil || acknowledged == id, "two orders for one key")
        end.kind = order.status == .cancelled && confirmations == 0 ? "refused" : order.status.rawValue
        switch order.status {
        case .confirmed:
            require(reservation?.lines == lines, "holds other lines than ordered")
            require(reservation?.hold == .held || reservation?.hold == .sold, "confirmed without stock")
            require(payment?.status == .authorized || payment?.status == .captured, "confirmed without money")
            require(payment?.amount == order.total, "another amount is held than the total")
            require(confirmations == 1 && undone == 0, "\(confirmations) confirmations, \(undone) cancellations")
            if settled > 0 {
                require(payment?.status == .captured && reservation?.hold == .sold, "settled in vain")
                require(order.payment_status == .captured, "\(order.payment_status) after settlement")
            }
            if reservation?.hold == .sold { end.sold += lines } else { end.held += lines }
            require(try await survivor.place(input, .guest(key)).order.id == id, "the key answers another order")
        case .cancelled:
            require(reservation?.hold != .held, "cancelled and held")
            require(reservation?.hold != .sold || reservation?.restocked == lines, "cancelled and sold")
            require(payment?.status != .authorized && payment?.status != .captured, "cancelled and money stands")
            require(payment.map { $0.refunded == $0.captured } ?? true, "not all money went back")
            require(order.reason != nil, "cancelled without a reason")
            if confirmations > 0 {
                require(mayBeCancelled && confirmations == 1 && undone == 1, "cancelled unasked, or told twice")
                require(order.payment_status == .voided || order.payment_status == .refunded, "its payment stands")
            } else {
                require(undone == 0 && acknowledged == nil, "acknowledged and refused")
                let told = await problem { _ = try await survivor.place(input, .guest(key)) }
                require(told?.type == .outOfStock || told?.type == .paymentDeclined, "\(String(describing: told))")
            }
        default: require(false, "\(order.status) at the end")
        }
        return end
    }
}
