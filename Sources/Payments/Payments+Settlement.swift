public import Contracts
public import Kernel

extension Payments {
    public func capture(_ orders: PaymentsOfOrders, _ context: CallContext) async throws -> Nothing {
        let captured = try await gateway.capture(orders.orders.map(\.description))
        let left = try await store.capture(orders.orders, taken: captured, at: clock.now())
        for order in left {
            logger.error("the gateway holds nothing of an authorised payment", metadata: ["order": "\(order)"])
        }
        return Nothing()
    }

    public func void(_ order: PaymentOfOrder, _ context: CallContext) async throws -> Nothing {
        let order = order.order
        switch try await gateway.void(key: order.description) {
        case .voided: try await store.void(order, at: clock.now())
        case .captured:
            _ = try await store.capture([order], taken: [order.description], at: clock.now())
            for refund in try await store.beginRefundOfAll(order, reference: "void", at: clock.now()) {
                _ = try await finish(refund)
            }
        }
        return Nothing()
    }

    /// Written down first, so that refunds at the same moment cannot add up to more than was captured; then the gateway
    /// is asked; then it is entered. Asked again with its reference, it goes on where it stopped.
    public func refund(_ refund: RefundPayment, _ context: CallContext) async throws -> Payment {
        if try await store.payment(refund.order)?.payment?.status == .authorized {
            _ = try await capture(PaymentsOfOrders(orders: [refund.order]), context)
        }
        switch try await store.beginRefund(refund, at: clock.now()) {
        case .unknown: throw Problem(.notFound, "nothing was captured for \(refund.order)")
        case .tooLarge(let left):
            throw Problem(.refundTooLarge, "\(refund.amount) is more than the \(left) that can still be given back")
        case .otherAmount(let amount):
            throw Problem(.conflict, "the refund \(refund.reference) is known with \(amount), not \(refund.amount)")
        case .done(let payment): return payment
        case .begun: return try await finish(refund)
        }
    }

    private func finish(_ refund: RefundPayment) async throws -> Payment {
        if refund.amount.amount > 0 {
            try await gateway.refund(
                key: refund.order.description, amount: refund.amount, refundKey: refund.reference)
        }
        return try await store.endRefund(refund, at: clock.now())
    }
}
