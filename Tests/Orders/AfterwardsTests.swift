import Contracts
import Kernel
import Testing

@testable import Orders

@Suite struct CancellationTests {
    @Test(arguments: [false, true]) func stockAndMoneyGoBack(isSettled: Bool) async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let order = try await orders.place(.of([("HOT-1", 2)]), .guest("k")).order
        let events = try await shop.confirmation(of: order.id)
        if isSettled { try await orders.settle(events) }
        let cancelled = try await orders.cancel(CancelOrder(id: order.id, reason: "too late"), .guest())
        #expect(cancelled.status == .cancelled && cancelled.reason == "too late")
        #expect(cancelled.payment_status == (isSettled ? .refunded : .voided))
        #expect(cancelled.refunded == (isSettled ? order.total : .zero(.gbp)))
        // The confirmation may be delivered late, or once more.
        try await orders.settle(events)
        let again = try await orders.cancel(CancelOrder(id: order.id), .guest())
        #expect(again.reason == "too late" && again.payment_status == cancelled.payment_status)
        let world = shop.world.now
        #expect(world.onHand["HOT-1"] == 1_000 && world.reserved["HOT-1"] == 0 && world.violations.isEmpty)
        #expect(world.payments[order.id].map { $0.captured == $0.refunded } == true)
        #expect(try await shop.count(EventTypes.orderCancelled, of: order.id) == 1)
    }

    @Test func whatWasSentOrRefundedIsNotCancelled() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let sent = try await orders.place(.of(), .guest("a")).order
        _ = try await orders.fulfil(FulfilOrder(id: sent.id), .staff())
        let refunded = try await orders.place(.of(), .guest("b")).order
        _ = try await orders.refund(RefundOrder(id: refunded.id, amount: Money(1, .gbp)), .staff())
        for id in [sent.id, refunded.id] {
            let told = await problem { _ = try await orders.cancel(CancelOrder(id: id), .staff()) }
            #expect(told?.type == .notCancellable)
        }
    }

    @Test func onlyItsOwnerAndStaffCancelAnAccountsOrder() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let first = try await orders.place(.of(), .customer(ada, "a")).order.id
        for stranger in [CallContext.guest(), .customer(bob)] {
            #expect(await problem { _ = try await orders.cancel(CancelOrder(id: first), stranger) }?.type == .notFound)
        }
        #expect(try await orders.cancel(CancelOrder(id: first), .customer(ada)).status == .cancelled)
        let second = try await orders.place(.of(), .customer(ada, "b")).order.id
        #expect(try await orders.cancel(CancelOrder(id: second), .staff()).reason == "cancelled by the shop")
    }

    /// A slow process that wakes up after others settled the order does not undo what they decided.
    @Test func aSlowProcessDoesNotForgetACancellation() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let order = try await orders.place(.of(), .guest("k")).order
        shop.world.change { $0.isShut = true }
        #expect(await problem { _ = try await orders.cancel(CancelOrder(id: order.id), .guest()) } != nil)
        shop.world.change { $0.isShut = false }
        var late = order
        late.status = .pending
        let told = try await orders.drive(Saga(.checkout), of: late, token: "", cart: nil, .guest()).status
        #expect(told == .cancelled)
        #expect(try await orders.store.pendingSagas() == 1)
    }
}

@Suite struct FulfilmentTests {
    @Test func piecesAreSentInPartsAndNeverTwice() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let id = try await orders.place(.of([("HOT-1", 2), ("MUG-1", 1), ("HOT-1", 1)]), .guest("k")).order.id
        let part = FulfilOrder(id: id, lines: [StockLine(sku: "HOT-1", quantity: 2)])
        for _ in 0..<2 {
            let order = try await orders.fulfil(part, .staff("first"))
            #expect(order.status == .partially_fulfilled && order.lines.map(\.fulfilled) == [2, 0, 0])
        }
        let tooMany = await problem { _ = try await orders.fulfil(part, .staff("second")) }
        #expect(tooMany?.type == .notFulfillable)
        let whole = try await orders.fulfil(FulfilOrder(id: id), .staff("third"))
        #expect(whole.status == .fulfilled && whole.fulfilment_status == .fulfilled)
        #expect(whole.lines.map(\.fulfilled) == [2, 1, 1])
        #expect(await problem { _ = try await orders.fulfil(FulfilOrder(id: id), .staff()) }?.type == .notFulfillable)
        #expect(try await shop.count(EventTypes.orderFulfilled, of: id) == 2)
    }

    @Test func aKeyStandsForOneFulfilment() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let id = try await orders.place(.of([("HOT-1", 2)]), .guest("k")).order.id
        _ = try await orders.fulfil(FulfilOrder(id: id, lines: [StockLine(sku: "HOT-1", quantity: 1)]), .staff("f"))
        let other = FulfilOrder(id: id, lines: [StockLine(sku: "HOT-1", quantity: 2)])
        #expect(await problem { _ = try await orders.fulfil(other, .staff("f")) }?.type == .keyReused)
    }

    @Test func aCancelledOrderIsNotSent() async throws {
        let shop = try await Shop()
        let id = try await shop.orders().place(.of(), .guest("k")).order.id
        _ = try await shop.orders().cancel(CancelOrder(id: id), .guest())
        let told = await problem { _ = try await shop.orders().fulfil(FulfilOrder(id: id), .staff()) }
        #expect(told?.type == .notFulfillable)
    }

    @Test func onlyStaffSendRefundAndTakeBack() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let id = try await orders.place(.of(), .customer(ada, "k")).order.id
        let lines = [StockLine(sku: "HOT-1", quantity: 1)]
        let told = [
            await problem { _ = try await orders.fulfil(FulfilOrder(id: id), .customer(ada)) },
            await problem { _ = try await orders.refund(RefundOrder(id: id), .customer(ada)) },
            await problem { _ = try await orders.takeBack(ReturnOrder(id: id, lines: lines), .customer(ada)) },
            await problem { _ = try await orders.sales(SalesQuery(), .customer(ada)) },
        ]
        #expect(told.map { $0?.type } == Array(repeating: .forbidden, count: 4))
    }
}

@Suite struct RepaymentTests {
    @Test func refundsNeverExceedTheTotal() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let order = try await orders.place(.of(), .guest("k")).order
        let given = await withTaskGroup(of: Int.self) { group in
            for index in 0..<50 {
                group.addTask {
                    let refund = RefundOrder(id: order.id, amount: Money(300, .gbp))
                    return (try? await orders.refund(refund, .staff("r\(index)"))) == nil ? 0 : 1
                }
            }
            return await group.reduce(0, +)
        }
        #expect(given == 6)
        let rest = try await orders.refund(RefundOrder(id: order.id), .staff())
        #expect(rest.refunded == order.total && rest.payment_status == .refunded)
        #expect(shop.world.now.payments[order.id]?.refunded == order.total)
        let more = await problem { _ = try await orders.refund(RefundOrder(id: order.id), .staff()) }
        #expect(more?.type == .refundTooLarge)
    }

    @Test func aRefundIsGivenOnceForItsKey() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let id = try await orders.place(.of(), .guest("k")).order.id
        let refund = RefundOrder(id: id, amount: Money(500, .gbp))
        for _ in 0..<2 {
            let order = try await orders.refund(refund, .staff("r"))
            #expect(order.refunded.amount == 500 && order.payment_status == .partially_refunded)
        }
        let other = RefundOrder(id: id, amount: Money(501, .gbp))
        #expect(await problem { _ = try await orders.refund(other, .staff("r")) }?.type == .keyReused)
        #expect(
            await problem {
                _ = try await orders.refund(RefundOrder(id: id, amount: Money(1, .eur)), .staff())
            }?.type == .refundTooLarge)
    }

    @Test func whatTheProviderRefusesIsRefusedAgain() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let id = try await orders.place(.of(), .guest("k")).order.id
        shop.world.change { $0.refusesRefunds = true }
        for _ in 0..<2 {
            let told = await problem { _ = try await orders.refund(RefundOrder(id: id), .staff("r")) }
            #expect(told?.type == .refundTooLarge)
        }
        #expect(try await orders.order(OrderByID(id: id), .staff()).refunded.amount == 0)
        shop.world.change { $0.refusesRefunds = false }
        #expect(try await orders.refund(RefundOrder(id: id), .staff("s")).payment_status == .refunded)
    }

    @Test func recoveryFinishesWhatACrashInterrupted() async throws {
        let shop = try await Shop()
        let id = try await shop.orders().place(.of(), .guest("k")).order.id
        for points in 2...7 {
            let dying = shop.orders(Power(points: points))
            _ = try? await dying.refund(RefundOrder(id: id, amount: Money(100, .gbp)), .staff("r\(points)"))
        }
        shop.clock.advance(by: .seconds(60))
        try await shop.orders().recover()
        #expect(try await shop.orders().order(OrderByID(id: id), .guest()).refunded.amount == 600)
        #expect(shop.world.now.payments[id]?.refunded.amount == 600)
        #expect(try await shop.count(EventTypes.orderRefunded, of: id) == 6)
    }

    /// Three pieces with a discount and tax, returned one by one: to the penny what was paid for the goods.
    @Test func returnsGiveBackTheirShareOfDiscountAndTax() async throws {
        let shop = try await Shop(
            policy: ShopPolicy(
                shipping: [.init(id: "standard", title: "S", price: 399)],
                taxes: [.init(country: "GB", name: "VAT", basis_points: 2_000, inclusive: false, on_shipping: false)],
                coupons: [.init(code: "TEN", basis_points: 1_000)]))
        let orders = shop.orders()
        let order = try await orders.place(.of([("MUG-1", 3)], coupon: "TEN"), .guest("k")).order
        try await orders.settle(try await shop.confirmation(of: order.id))
        let one = ReturnOrder(id: order.id, lines: [StockLine(sku: "MUG-1", quantity: 1)])
        #expect(await problem { _ = try await orders.takeBack(one, .staff()) }?.type == .notReturnable)
        _ = try await orders.fulfil(FulfilOrder(id: order.id), .staff())
        var last = order
        for index in 1...3 {
            last = try await orders.takeBack(one, .staff("r\(index)"))
            last = try await orders.takeBack(one, .staff("r\(index)"))
            #expect(last.lines[0].returned == Int64(index))
        }
        #expect(last.status == .returned && last.refunded.amount == order.total.amount - 399)
        #expect(shop.world.now.onHand["MUG-1"] == 1_000)
        #expect(await problem { _ = try await orders.takeBack(one, .staff()) }?.type == .notReturnable)
        #expect(try await orders.refund(RefundOrder(id: order.id), .staff()).payment_status == .refunded)
    }

    @Test func whatIsBrokenIsNotSoldAgain() async throws {
        let shop = try await Shop()
        let orders = shop.orders()
        let order = try await orders.place(.of([("HOT-1", 2)]), .guest("k")).order
        try await orders.settle(try await shop.confirmation(of: order.id))
        _ = try await orders.fulfil(FulfilOrder(id: order.id), .staff())
        let broken = ReturnOrder(id: order.id, lines: [StockLine(sku: "HOT-1", quantity: 1)], restock: false)
        let returned = try await orders.takeBack(broken, .staff())
        #expect(returned.refunded.amount == 1_999 && returned.status == .fulfilled)
        #expect(shop.world.now.onHand["HOT-1"] == 998)
    }
}
