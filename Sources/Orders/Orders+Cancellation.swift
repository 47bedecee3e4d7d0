public import Contracts
public import Kernel

extension Orders {
    public func cancel(_ input: CancelOrder, _ context: CallContext) async throws -> Order {
        let order = try await visible(input.id, context)
        if order.status == .cancelled { return order }
        let reason = input.reason ?? (context.caller.isStaff ? "cancelled by the shop" : "cancelled by the customer")
        let began = try await store.beginCancellation(
            order.id, reason: reason, owner: owner, at: clock.now(), until: leaseEnd())
        guard began else {
            throw Problem(
                .notCancellable,
                "the order is \(order.status.rawValue)"
                    + (order.refunded.amount > 0 ? " and partly refunded" : "")
                    + "; only a confirmed one of which nothing was sent or refunded can be cancelled")
        }
        guard let decided = try await store.order(order.id) else { return order }
        return try await drive(Saga(.cancellation), of: decided, token: "", cart: nil, context)
    }

    /// The order if this caller may see it. A guest's order may be seen by who knows its identifier.
    func visible(_ id: OrderID, _ context: CallContext) async throws -> Order {
        guard let order = try await store.order(id),
            order.customer == nil || context.caller.isStaff || order.customer == context.caller.userID
        else { throw Problem(.notFound, "there is no order \(id)") }
        return order
    }

    public func order(_ query: OrderByID, _ context: CallContext) async throws -> Order {
        try await visible(query.id, context)
    }

    public func list(_ query: OrderQuery, _ context: CallContext) async throws -> OrderPage {
        if context.caller.isStaff { return try await store.list(query, customer: nil) }
        guard let customer = context.caller.userID else {
            throw Problem(.unauthenticated, "log in to see your orders")
        }
        if query.q != nil { throw Problem(.forbidden, "/q: only staff may look orders up") }
        return try await store.list(query, customer: customer)
    }

    public func sales(_ query: SalesQuery, _ context: CallContext) async throws -> SalesReport {
        try Access.staff.check(context.caller)
        return try await store.sales(from: query.from, to: query.to)
    }
}
