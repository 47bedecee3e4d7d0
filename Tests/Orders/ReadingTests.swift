import Contracts
import Database
import Kernel
import Testing

@testable import Orders

@Suite struct ReadingTests {
    @Test func anAccountsOrderIsItsOwnersAndStaffs() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let hers = OrderByID(id: try await orders.place(.of(), .customer(ada, "k")).order.id)
        let guests = OrderByID(id: try await orders.place(.of(), .guest("k")).order.id)
        for context in [CallContext.customer(ada), .staff()] {
            #expect(try await orders.order(hers, context).id == hers.id)
        }
        for context in [CallContext.customer(bob), .guest()] {
            #expect(await problem { _ = try await orders.order(hers, context) }?.type == .notFound)
            #expect(try await orders.order(guests, context).id == guests.id)
        }
        let none = OrderByID(id: OrderID(at: shop.clock.now()))
        #expect(await problem { _ = try await orders.order(none, .staff()) }?.type == .notFound)
    }

    @Test func aListIsTheCallersOwnAndTheNewestFirst() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        for index in 0..<7 {
            shop.clock.advance(by: .seconds(1))
            _ = try await orders.place(.of(), .customer(index % 7 == 3 ? bob : ada, "k\(index)"))
        }
        var query = OrderQuery(limit: 2)
        var numbers: [String] = []
        repeat {
            let page = try await orders.list(query, .customer(ada))
            #expect(page.total == 6 && page.items.count <= 2)
            numbers += page.items.map(\.number)
            query.after = page.next
        } while query.after != nil
        #expect(numbers == ["1007", "1006", "1005", "1003", "1002", "1001"])
        #expect(try await orders.list(OrderQuery(), .staff()).total == 7)
        #expect(await problem { _ = try await orders.list(OrderQuery(), .guest()) }?.type == .unauthenticated)
        let told = await problem { _ = try await orders.list(OrderQuery(q: "1001"), .customer(ada)) }
        #expect(told?.type == .forbidden)
        #expect(try await orders.list(OrderQuery(q: "1004"), .staff()).items.map(\.number) == ["1004"])
        #expect(try await orders.list(OrderQuery(q: "ada@example.com"), .staff()).total == 7)
        #expect(try await orders.list(OrderQuery(q: "' OR 1=1 --"), .staff()).total == 0)
        #expect(try await orders.list(OrderQuery(payment_status: .captured), .staff()).items.isEmpty)
    }

    @Test func salesAreWhatWasConfirmedAndNotCancelled() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        for (index, day) in [1, 1, 2, 3].enumerated() {
            var input = PlaceOrder.of([("HOT-1", 1), ("MUG-1", 2)])
            input.placed_at = Timestamp(year: 2020, month: 5, day: day, hour: 23)
            let order = try await orders.place(input, .staff("k\(index)")).order
            if day == 3 { _ = try await orders.cancel(CancelOrder(id: order.id), .staff()) }
            if day == 2 { _ = try await orders.refund(RefundOrder(id: order.id, amount: Money(65, .gbp)), .staff()) }
        }
        var euros = PlaceOrder.of([("EURO-1", 1)])
        euros.placed_at = Timestamp(year: 2020, month: 5, day: 2)
        _ = try await orders.place(euros, .staff("e"))
        _ = await problem { _ = try await orders.place(.of(token: "tok_declined"), .guest("d")) }
        let report = try await orders.sales(
            SalesQuery(
                from: Timestamp(year: 2020, month: 5, day: 1), to: Timestamp(year: 2020, month: 5, day: 4)), .staff())
        #expect(report.orders == 4 && report.lines == 7 && report.pieces == 10 && report.cancelled == 1)
        #expect(report.revenue == [Money(500, .eur), Money(3 * 2_665, .gbp)])
        #expect(report.refunded == [Money(0, .eur), Money(65, .gbp)])
        #expect(report.days.map(\.day) == ["2020-05-01", "2020-05-02", "2020-05-02"])
        #expect(report.days.map(\.orders) == [2, 1, 1])
        let first = try await orders.sales(SalesQuery(to: Timestamp(year: 2020, month: 5, day: 2)), .staff())
        #expect(first.orders == 2)
    }

    @Test func shippingMethodsAreThoseOfTheCountry() async throws {
        let shop = try await Shop(
            policy: ShopPolicy(shipping: [
                .init(id: "standard", title: "S", price: 399, countries: ["GB"]),
                .init(id: "world", title: "W", price: 999),
            ]))
        let french = try await shop.orders().shippingMethods(ShippingQuery(country: "FR"), .guest())
        #expect(french.items.map(\.id) == ["world"])
        #expect(try await shop.orders().shippingMethods(ShippingQuery(), .guest()).items.count == 2)
    }
}

@Suite struct CartTests {
    @Test func aCartHoldsWhatWasPutIntoIt() async throws {
        let shop = try await Shop()
        let carts = shop.carts
        let twice = [StockLine(sku: "HOT-1", quantity: 1), StockLine(sku: "HOT-1", quantity: 2)]
        let cart = try await carts.create(CreateCart(lines: twice), .guest())
        #expect(cart.lines.map(\.quantity) == [3] && cart.subtotal.amount == 5_997)
        shop.clock.advance(by: .seconds(1))
        let more = try await carts.putLine(PutCartLine(id: cart.id, sku: "MUG-1", quantity: 2), .guest())
        #expect(more.lines.map(\.sku) == ["HOT-1", "MUG-1"])
        let fewer = try await carts.putLine(PutCartLine(id: cart.id, sku: "HOT-1", quantity: 1), .guest())
        #expect(fewer.lines.map(\.quantity) == [1, 2])
        let left = try await carts.removeLine(RemoveCartLine(id: cart.id, sku: "HOT-1"), .guest())
        #expect(left.lines.map(\.sku) == ["MUG-1"] && left.subtotal.amount == 666)
        let read = try await carts.cart(CartByID(id: cart.id), .guest())
        #expect(read.lines.map(\.sku) == ["MUG-1"])
    }

    @Test func whatACartCannotHoldIsRefused() async throws {
        let shop = try await Shop()
        let carts = shop.carts
        let id = try await carts.create(CreateCart(lines: [StockLine(sku: "HOT-1", quantity: 1)]), .guest()).id
        let cases: [(PutCartLine, ProblemType)] = [
            (PutCartLine(id: id, sku: "NONE-1", quantity: 1), .unknownSKU),
            (PutCartLine(id: id, sku: "EURO-1", quantity: 1), .mixedCurrencies),
            (PutCartLine(id: CartID(at: shop.clock.now()), sku: "HOT-1", quantity: 1), .notFound),
        ]
        for (input, expected) in cases {
            #expect(await problem { _ = try await carts.putLine(input, .guest()) }?.type == expected)
        }
        for index in 0..<Cart.maximumLines { shop.world.put("S-\(index)", Money(1, .gbp), 1) }
        let full = (1..<Cart.maximumLines).map { StockLine(sku: "S-\($0)", quantity: 1) }
        let cart = try await carts.create(CreateCart(lines: full), .guest()).id
        _ = try await carts.putLine(PutCartLine(id: cart, sku: "S-0", quantity: 1), .guest())
        let another = PutCartLine(id: cart, sku: "HOT-1", quantity: 1)
        let told = await problem { _ = try await carts.putLine(another, .guest()) }
        #expect(told?.type == .cartFull)
        let million = [StockLine(sku: "HOT-1", quantity: 1_000_000), StockLine(sku: "HOT-1", quantity: 1)]
        #expect(await problem { _ = try await carts.create(CreateCart(lines: million), .guest()) }?.type == .invalid)
    }

    @Test func aConfirmationEmptiesTheCartAndARefusalDoesNot() async throws {
        let shop = try await Shop()
        let lines = [StockLine(sku: "HOT-1", quantity: 2), StockLine(sku: "MUG-1", quantity: 1)]
        let cart = try await shop.carts.create(CreateCart(lines: lines), .guest()).id
        func place(_ token: String, _ key: String) async throws -> Order {
            let input = PlaceOrder(
                cart: cart, email: "ada@example.com", shipping_address: .home(), payment: PaymentInput(token: token))
            return try await shop.orders().place(input, .guest(key)).order
        }
        #expect(await problem { _ = try await place("tok_declined", "a") }?.type == .paymentDeclined)
        #expect(try await shop.carts.cart(CartByID(id: cart), .guest()).lines.count == 2)
        #expect(try await place("tok_approved", "b").total.amount == 4_331)
        #expect(try await shop.carts.cart(CartByID(id: cart), .guest()).lines.isEmpty)
        // Its key still answers, though the cart is empty; another key has nothing to order.
        #expect(try await place("tok_approved", "b").total.amount == 4_331)
        #expect(await problem { _ = try await place("tok_approved", "c") }?.type == .emptyOrder)
    }

    @Test func oldCartsAreForgotten() async throws {
        let shop = try await Shop()
        let lines = [StockLine(sku: "HOT-1", quantity: 2)]
        let cart = try await shop.carts.create(CreateCart(lines: lines), .guest()).id
        shop.clock.advance(by: .seconds(31 * 86_400))
        try await shop.orders().tidy()
        #expect(await problem { _ = try await shop.carts.cart(CartByID(id: cart), .guest()) }?.type == .notFound)
    }
}

@Suite struct OrdersAuditTests {
    private func broken(_ sql: String?, after: Duration = .zero) async throws -> [String] {
        let shop = try await Shop()
        for index in 0..<3 { _ = try await shop.orders().place(.of([("HOT-1", 2)]), .guest("k\(index)")) }
        if let sql {
            try await shop.database.write { transaction in
                _ = try transaction.execute(sql)
            }
        }
        shop.clock.advance(by: after)
        let checks = try await OrdersAudit(database: shop.database, clock: shop.clock).checks()
        #expect(checks.allSatisfy { $0.checked > 0 || $0.name == "orders.settled" })
        return checks.filter { !$0.holds }.map(\.name)
    }

    @Test func whatIsSoundHolds() async throws { #expect(try await broken(nil).isEmpty) }

    @Test(arguments: [
        ("UPDATE order_lines SET unit_price = unit_price + 1, total = (unit_price + 1) * quantity", "orders.sums"),
        ("DELETE FROM order_lines", "orders.sums"),
        ("UPDATE orders SET subtotal = subtotal + 1, total = total + 1", "orders.sums"),
        ("UPDATE orders SET status = 'pending' WHERE number = 1002", "orders.settled"),
    ])
    func whatWasDoctoredIsFound(sql: String, name: String) async throws {
        #expect(try await broken(sql) == [name])
    }

    @Test func whatWaitsTooLongIsFound() async throws {
        let shop = try await Shop()
        shop.world.change { $0.isShut = true }
        _ = await problem { _ = try await shop.orders().place(.of(), .guest("k")) }
        shop.clock.advance(by: .seconds(301))
        let checks = try await OrdersAudit(database: shop.database, clock: shop.clock).checks()
        #expect(checks.filter { !$0.holds }.map(\.name) == ["orders.settled"])
    }

    @Test func factsTellWhatMoves() async throws {
        let shop = try await Shop()
        let order = try await shop.orders().place(.of(), .guest("a")).order
        shop.world.change { $0.isShut = true }
        _ = await problem { _ = try await shop.orders().place(.of(), .guest("b")) }
        let audit = OrdersAudit(database: shop.database, clock: shop.clock)
        let facts = try await audit.facts()
        #expect(facts.count == 2 && facts.filter(\.isMoving).count == 1)
        #expect(facts.first { $0.order == order.id }?.total == order.total)
        #expect(try await audit.totals(of: facts.map(\.order)) == [order.id: order.total])
    }
}
