import Contracts
public import Kernel

extension Orders {
    public var routes: [Route] {
        [
            Route(
                OrdersAPI.place,
                reply: { input, context in
                    let placed = try await place(input, context)
                    return Reply(placed.order).with(\.location, "/api/orders/\(placed.order.id)")
                        .with(\.isReplayed, placed.isReplayed)
                }),
            Route(OrdersAPI.price, price), Route(OrdersAPI.shippingMethods, shippingMethods),
            Route(
                OrdersAPI.list,
                reply: { query, context in
                    let page = try await list(query, context)
                    return Reply(page).with(\.next, page.next)
                }),
            Route(OrdersAPI.order, order), Route(OrdersAPI.cancel, cancel), Route(OrdersAPI.fulfil, fulfil),
            Route(OrdersAPI.refund, refund), Route(OrdersAPI.takeBack, takeBack), Route(OrdersAPI.sales, sales),
        ]
    }
}
