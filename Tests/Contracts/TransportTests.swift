import Contracts
import Kernel
import Testing

@testable import Orders

/// What a contract promises holds in one process and over HTTP: the services cannot tell.
@Suite("Contracts over both transports") struct TransportTests {
    // No test depends on how fast the machine is.
    private static let timeout = Duration.seconds(3_600)
    private let anybody = CallContext(timeout: timeout)
    private let staff = CallContext(caller: .user(UserID(at: .init(seconds: 1)), .staff), timeout: timeout)
    private let shopper = CallContext(caller: .user(UserID(at: .init(seconds: 2)), .customer), timeout: timeout)

    private func fill(_ roles: Roles) async throws {
        let price = Money(1999, .gbp)
        let drafts = [("hot-item", "HOT-1", 5), ("rare-item", "RARE-1", 1)].map { handle, sku, stock in
            ProductDraft(
                handle: handle, title: "A \(handle)", variants: [.init(sku: sku, price: price, stock: Int64(stock))])
        }
        let result = try await roles.products.importProducts(ProductBatch(products: drafts), staff)
        #expect(result.created == 2)
    }

    private func order(_ sku: String, _ quantity: Int64 = 1, token: String = "tok_approved") -> PlaceOrder {
        PlaceOrder(
            lines: [OrderLineInput(sku: sku, quantity: quantity)], email: "ada@example.com",
            shipping_address: Address(name: "Ada", line1: "1 High St", city: "Leeds", country: "GB"),
            payment: PaymentInput(token: token))
    }

    private func keyed(_ key: String, _ given: CallContext? = nil) -> CallContext {
        var context = given ?? anybody
        context.idempotencyKey = key
        return context
    }

    private func problem(_ body: () async throws -> Void) async throws -> Problem? {
        do { try await body() } catch let problem as Problem { return problem }
        return nil
    }

    @Test("an order goes its whole way", arguments: Transport.allCases) func order(_ transport: Transport) async throws
    {
        try await Roles.with(transport) { roles in
            try await fill(roles)
            let placed = try await roles.orders.place(order("HOT-1", 2), keyed("first", shopper))
            #expect(placed.order.status == .confirmed && placed.order.total == Money(3998, .gbp))
            #expect(!placed.isReplayed)
            let again = try await roles.orders.place(order("HOT-1", 2), keyed("first", shopper))
            #expect(again.order.id == placed.order.id && again.isReplayed)
            let other = try await problem { _ = try await roles.orders.place(order("HOT-1"), keyed("first", shopper)) }
            #expect(other?.type == .keyReused)
            let level = try await roles.products.inventory(StockBySKU(sku: "HOT-1"), staff)
            #expect(level.reserved == 2 && level.available == 3)
            let payment = try await roles.payments.payments(
                PaymentsOfOrders(orders: [placed.order.id]), .service("orders", timeout: Self.timeout)
            ).items.first
            #expect(payment?.status == .authorized && payment?.amount == placed.order.total)
            #expect(try await roles.orders.list(OrderQuery(), shopper).items.map(\.id) == [placed.order.id])
            let cancelled = try await roles.orders.cancel(
                CancelOrder(id: placed.order.id, reason: "changed my mind"), shopper)
            #expect(cancelled.status == .cancelled && cancelled.payment_status == .voided)
            #expect(try await roles.products.inventory(StockBySKU(sku: "HOT-1"), staff).available == 5)
        }
    }

    @Test("a refusal arrives whole, and leaves nothing behind", arguments: Transport.allCases)
    func refusals(_ transport: Transport) async throws {
        try await Roles.with(transport) { roles in
            try await fill(roles)
            let declined = try await problem {
                _ = try await roles.orders.place(order("RARE-1", token: "tok_declined"), keyed("declined"))
            }
            #expect(declined?.type == .paymentDeclined && declined?.extensions["order"]?.stringValue != nil)
            let lacking = try await problem { _ = try await roles.orders.place(order("RARE-1", 2), keyed("lacking")) }
            #expect(lacking?.type == .outOfStock)
            #expect(lacking?.extensions["lines"]?[0]?["sku"]?.stringValue == "RARE-1")
            let unknown = try await problem { _ = try await roles.orders.place(order("NONE"), keyed("unknown")) }
            #expect(unknown?.type == .unknownSKU)
            let level = try await roles.products.inventory(StockBySKU(sku: "RARE-1"), staff)
            #expect(level.reserved == 0 && level.available == 1)
            let theirs = try await problem { _ = try await roles.orders.list(OrderQuery(), anybody) }
            #expect(theirs?.type == .unauthenticated)
        }
    }

    @Test("a cart is filled, priced and ordered", arguments: Transport.allCases)
    func carts(_ transport: Transport) async throws {
        try await Roles.with(transport) { roles in
            try await fill(roles)
            let cart = try await roles.carts.create(CreateCart(), anybody)
            _ = try await roles.carts.putLine(
                PutCartLine(id: cart.id, sku: "HOT-1", quantity: 3), anybody)
            let sums = try await roles.orders.price(PriceOrder(cart: cart.id, country: "GB"), anybody)
            #expect(sums.total == Money(5997, .gbp))
            var input = order("HOT-1")
            input.lines = nil
            input.cart = cart.id
            let placed = try await roles.orders.place(input, keyed("cart"))
            #expect(placed.order.total == sums.total)
            #expect(try await roles.carts.cart(CartByID(id: cart.id), anybody).lines.isEmpty)
        }
    }

    @Test("what everybody buys at once is sold as often as it is there", arguments: Transport.allCases)
    func crowd(_ transport: Transport) async throws {
        try await Roles.with(transport) { roles in
            try await fill(roles)
            let answers = try await withThrowingTaskGroup(of: ProblemType?.self) { group in
                for number in 0..<30 {
                    group.addTask {
                        try await problem {
                            _ = try await roles.orders.place(order("HOT-1"), keyed("buyer-\(number)"))
                        }?.type
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0 == nil } == 5)
            #expect(answers.count { $0 == .outOfStock } == 25)
        }
    }

    @Test("pages of results go on where the last one ended", arguments: Transport.allCases)
    func pages(_ transport: Transport) async throws {
        try await Roles.with(transport) { roles in
            try await fill(roles)
            var handles: [String] = []
            var query = ProductQuery()
            query.limit = 1
            repeat {
                let page = try await roles.products.search(query, anybody)
                handles += page.items.map(\.handle)
                query.after = page.next
            } while query.after != nil && handles.count < 9
            #expect(handles.sorted() == ["hot-item", "rare-item"])
        }
    }
}
