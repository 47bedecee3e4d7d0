import Contracts
import InMemoryLogging
import Kernel
import Testing

@testable import Orders

@Suite struct CheckoutTests {
    @Test func anOrderIsConfirmedWithItsStockAndMoney() async throws {
        let shop = try await Shop()
        let placed = try await shop.orders().place(.of([("HOT-1", 2), ("MUG-1", 1)]), .customer(ada, "k"))
        #expect(placed.isReplayed == false)
        #expect(placed.order.status == .confirmed && placed.order.number == "1001" && placed.order.customer == ada)
        #expect(placed.order.total == Money(4_331, .gbp))
        #expect(shop.world.now.payments[placed.order.id]?.amount == placed.order.total)
        #expect(shop.world.now.reserved == ["HOT-1": 2, "MUG-1": 1])
    }

    @Test func aKeyIsNeededAndStandsForOneBody() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        #expect(await problem { _ = try await orders.place(.of(), .guest()) }?.type == .keyMissing)
        _ = try await orders.place(.of(), .guest("k"))
        let other = await problem { _ = try await orders.place(.of([("HOT-1", 2)]), .guest("k")) }
        #expect(other?.type == .keyReused)
        #expect(try await shop.orderCount() == 1)
    }

    /// However long its provider takes; and no longer than a lease when its process is gone.
    @Test func aSagaStaysWithWhoeverWorksOnItAndPassesOnWhenHeDies() async throws {
        let shop = try await Shop()
        let dying = shop.orders(Power(points: 3), isAlone: false)
        _ = try? await dying.place(.of(), .guest("k"))
        shop.clock.advance(by: Orders.lease)
        let (working, waiting) = (shop.orders(isAlone: false), shop.orders(isAlone: false))
        let abandoned = try await working.store.abandoned(
            owner: working.owner, takesOverAll: false, at: shop.clock.now(), limit: 10)
        let id = try #require(abandoned.first)
        _ = try await working.store.take(
            id, owner: working.owner, takesOverAll: false, at: shop.clock.now(), until: working.leaseEnd())
        working.driving.begin(id, at: shop.clock.now())
        for _ in 0..<10 {
            shop.clock.advance(by: .seconds(3))
            try await working.renewLeases()
            #expect(try await waiting.recover() == 0)
            #expect(await problem { _ = try await waiting.place(.of(), .guest("k")) }?.type == .keyInUse)
        }
        shop.clock.advance(by: Orders.lease)
        #expect(try await waiting.recover() == 1)
        #expect(try await waiting.place(.of(), .guest("k")).order.id == id)
    }

    @Test("whoever asks again when told to has the order at the third time, though its process is gone")
    func patience() async throws {
        let shop = try await Shop()
        _ = try? await shop.orders(Power(points: 3), isAlone: false).place(.of(), .guest("k"))
        let other = shop.orders(isAlone: false)
        var waits: [Int?] = []
        while let refusal = await problem({ _ = try await other.place(.of(), .guest("k")) }), waits.count < 10 {
            #expect(refusal.type == .keyInUse)
            waits.append(refusal.retryAfter)
            shop.clock.advance(by: .seconds(refusal.retryAfter ?? 1))
        }
        #expect(waits == [1, 4])
    }

    @Test("a checkout that fails before its order is written leaves a line; one that is refused or shed does not")
    func unwritten() async throws {
        let shop = try await Shop()
        let refusals = [Problem(.overloaded, "a crowd"), Problem(.notFound, "no such thing")]
        let failures: [any Error] = [
            OutcomeUnknown("the peer did not answer"), Problem(.unavailable, "the peer is away"), CancellationError(),
        ]
        for (errors, lines) in [(refusals, 0), (failures, failures.count)] {
            for error in errors {
                shop.world.change { $0.quoteError = error }
                _ = try? await shop.orders().place(.of(), .guest("k"))
            }
            #expect(shop.log.entries.count == lines)
        }
        shop.world.change { $0.quoteError = nil }
        _ = try? await shop.orders(Power(points: 0)).place(.of(), .guest("k"))
        #expect(Set(shop.log.entries.map(\.message.description)) == ["a checkout failed before its order was written"])
        #expect(shop.log.entries.map { $0.metadata["step"] } == ["quote", "quote", "quote", "write"])
        #expect(shop.log.entries.last?.metadata["order"] != nil)
        _ = try await shop.orders().place(.of(), .guest("k"))
        #expect(shop.log.entries.count == failures.count + 1)
    }

    @Test func aKeyBelongsToWhoSentIt() async throws {
        let shop = try await Shop()
        let first = try await shop.orders().place(.of(), .customer(ada, "k")).order
        let second = try await shop.orders().place(.of(), .customer(bob, "k")).order
        #expect(first.id != second.id && first.number == "1001" && second.number == "1002")
    }

    @Test func aRepetitionGetsTheFirstAnswerWhateverBecameOfTheOrder() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let first = try await orders.place(.of([("HOT-1", 2)]), .guest("k")).order
        func again() async throws -> [UInt8] {
            shop.clock.advance(by: .seconds(60))
            let placed = try await orders.place(.of([("HOT-1", 2)]), .guest("k"))
            #expect(placed.isReplayed)
            return try JSON.encode(placed.order)
        }
        let answer = try JSON.encode(first)
        #expect(try await again() == answer)
        try await orders.settle(try await shop.confirmation(of: first.id))
        #expect(try await again() == answer)
        _ = try await orders.fulfil(FulfilOrder(id: first.id), .staff())
        #expect(try await again() == answer)
        _ = try await orders.takeBack(
            ReturnOrder(id: first.id, lines: [StockLine(sku: "HOT-1", quantity: 1)]), .staff())
        _ = try await orders.refund(RefundOrder(id: first.id), .staff())
        #expect(try await again() == answer)
    }

    @Test func aCancelledOrdersKeyAnswersAsAtFirst() async throws {
        let shop = try await Shop()
        let first = try await shop.orders().place(.of(), .guest("k")).order
        _ = try await shop.orders().cancel(CancelOrder(id: first.id), .guest())
        let again = try await shop.orders().place(.of(), .guest("k")).order
        #expect(try JSON.encode(again) == JSON.encode(first))
    }

    @Test(arguments: [("tok_declined", Int64(1), "payment-declined"), ("tok_approved", 2_000, "out-of-stock")])
    func aRefusalIsToldAgain(token: String, quantity: Int64, slug: String) async throws {
        let shop = try await Shop()
        let input = PlaceOrder.of([("HOT-1", quantity)], token: token)
        let first = await problem { _ = try await shop.orders().place(input, .guest("k")) }
        shop.world.put("HOT-1", Money(1_999, .gbp), 10_000)
        let again = await problem { _ = try await shop.orders().place(input, .guest("k")) }
        #expect(first?.type.slug == slug)
        #expect(first?.json == again?.json)
        #expect(first?.extensions["order"] != nil)
        #expect(shop.world.now.reserved["HOT-1", default: 0] == 0)
        #expect(try await shop.orders().list(OrderQuery(status: .cancelled), .staff()).total == 1)
    }

    @Test func manyWithOneKeyAreOneOrder() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let answers = await withTaskGroup(of: Result<PlacedOrder, any Error>.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do { return .success(try await orders.place(.of(), .guest("k"))) } catch { return .failure(error) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var firsts = 0
        var identifiers: Set<OrderID> = []
        for answer in answers {
            switch answer {
            case .success(let placed):
                firsts += placed.isReplayed ? 0 : 1
                identifiers.insert(placed.order.id)
            case .failure(let error): #expect((error as? Problem)?.type == .keyInUse)
            }
        }
        #expect(firsts == 1 && identifiers.count == 1)
        #expect(try await shop.orderCount() == 1)
        #expect(shop.world.now.reserved == ["HOT-1": 1])
    }

    @Test func theLastPieceIsSoldOnceAndNumbersAreUnique() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let confirmed = await withTaskGroup(of: Int.self) { group in
            for index in 0..<50 {
                group.addTask { (try? await orders.place(.of([("RARE-1", 1)]), .guest("k\(index)"))) == nil ? 0 : 1 }
            }
            return await group.reduce(0, +)
        }
        #expect(confirmed == 1)
        let numbers = try await orders.list(OrderQuery(limit: 200), .staff()).items.compactMap { Int($0.number) }
        #expect(numbers.sorted() == Array(1001...1050))
    }

    @Test func whatOnlyStaffMaySayIsForbiddenToOthers() async throws {
        let shop = try await Shop()
        var dated = PlaceOrder.of()
        dated.placed_at = Timestamp(year: 2020, month: 2, day: 3)
        var cheap = PlaceOrder.of()
        cheap.lines = [OrderLineInput(sku: "HOT-1", quantity: 1, unit_price: Money(1, .gbp))]
        for (index, input) in [dated, cheap].enumerated() {
            let told = await problem { _ = try await shop.orders().place(input, .customer(ada, "k\(index)")) }
            #expect(told?.type == .forbidden)
        }
        #expect(try await shop.orderCount() == 0)
        let order = try await shop.orders().place(cheap, .staff("a")).order
        #expect(order.total == Money(1, .gbp))
        #expect(try await shop.orders().place(dated, .staff("b")).order.created_at == dated.placed_at)
    }

    @Test func whatCannotBeOrderedIsNamed() async throws {
        let shop = try await Shop()
        let both = PlaceOrder(
            cart: CartID(at: shop.clock.now()), lines: [OrderLineInput(sku: "HOT-1", quantity: 1)],
            email: "ada@example.com", shipping_address: .home(), payment: PaymentInput(token: "tok_approved"))
        var neither = both
        neither.cart = nil
        neither.lines = nil
        let cases: [(PlaceOrder, ProblemType)] = [
            (.of([("NONE-1", 1)]), .unknownSKU), (.of([("HOT-1", 1), ("EURO-1", 1)]), .mixedCurrencies),
            (.of([]), .emptyOrder), (both, .invalid), (neither, .invalid), (.of(coupon: "NONE"), .unknownCoupon),
            (.of([("HOT-1", Int64.max)]), .amountTooLarge),
        ]
        for (input, expected) in cases {
            #expect(await problem { _ = try await shop.orders().place(input, .guest("k")) }?.type == expected)
        }
        #expect(try await shop.orderCount() == 0)
    }

    @Test func aPriceIsWhatTheOrderCosts() async throws {
        let shop = try await Shop(
            policy: ShopPolicy(
                shipping: [.init(id: "standard", title: "S", price: 399)],
                taxes: [.init(country: "GB", name: "VAT", basis_points: 2_000, inclusive: false)],
                coupons: [.init(code: "TEN", basis_points: 1_000)]))
        let price = try await shop.orders().price(
            PriceOrder(lines: [OrderLineInput(sku: "HOT-1", quantity: 3)], country: "GB", coupon: "TEN"), .guest())
        let order = try await shop.orders().place(.of([("HOT-1", 3)], coupon: "TEN"), .guest("k")).order
        #expect(order.total == price.total && order.tax == price.tax && order.discount == price.discount)
    }

    @Test func aPeerThatDoesNotLetUsInDecidesNothing() async throws {
        let shop = try await Shop()
        shop.world.change { $0.isShut = true }
        let told = await problem { _ = try await shop.orders().place(.of(), .guest("k")) }
        #expect(told?.type == .orderUnsettled && told?.retryAfter == 1)
        shop.world.change { $0.isShut = false }
        #expect(try await shop.orders().place(.of(), .guest("k")).order.status == .confirmed)
    }

    @Test func anOrderOutlivesItsFile() async throws {
        let path = "/tmp/orders-\(OrderID(at: SystemClock().now())).sqlite"
        let shop = try await Shop(path: path)
        let order = try await shop.orders().place(.of(), .guest("k")).order
        await shop.database.close()
        let later = try await Shop(path: path)
        #expect(try await later.orders().order(OrderByID(id: order.id), .guest()).status == .confirmed)
        await later.database.close()
    }

    @Test func keysAreForgottenAfterADay() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let first = try await orders.place(.of(), .guest("k")).order
        try await orders.tidy()
        #expect(try await orders.place(.of(), .guest("k")).order.id == first.id)
        shop.clock.advance(by: .seconds(86_401))
        try await orders.tidy()
        #expect(try await orders.place(.of(), .guest("k")).order.id != first.id)
    }
}
