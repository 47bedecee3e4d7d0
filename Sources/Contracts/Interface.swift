public import Kernel

/// The whole interface: every endpoint of every contract, the published and the internal.
public enum Interface {
    public static let endpoints: [EndpointDescription] = catalogue + checkout + accounts + operations

    private static let catalogue: [EndpointDescription] = [
        ProductsAPI.search.description, ProductsAPI.product.description, ProductsAPI.categories.description,
        ProductsAPI.put.description, ProductsAPI.importProducts.description, ProductsAPI.export.description,
        ProductsAPI.inventory.description, ProductsAPI.inventoryList.description, ProductsAPI.adjust.description,
        ProductsAPI.movements.description, ProductsAPI.quote.description, ProductsAPI.reserve.description,
        ProductsAPI.release.description, ProductsAPI.commit.description, ProductsAPI.restock.description,
    ]

    private static let checkout: [EndpointDescription] = [
        CartsAPI.create.description, CartsAPI.cart.description, CartsAPI.putLine.description,
        CartsAPI.removeLine.description, OrdersAPI.place.description, OrdersAPI.price.description,
        OrdersAPI.shippingMethods.description, OrdersAPI.list.description, OrdersAPI.order.description,
        OrdersAPI.cancel.description, OrdersAPI.fulfil.description, OrdersAPI.refund.description,
        OrdersAPI.takeBack.description, OrdersAPI.sales.description, PaymentsAPI.payment.description,
        PaymentsAPI.webhook.description, PaymentsAPI.authorize.description, PaymentsAPI.void.description,
        PaymentsAPI.capture.description, PaymentsAPI.refund.description, PaymentsAPI.payments.description,
    ]

    private static let accounts: [EndpointDescription] = [
        UsersAPI.register.description, UsersAPI.me.description, UsersAPI.update.description,
        UsersAPI.verify.description, UsersAPI.user.description, AuthAPI.logIn.description, AuthAPI.logOut.description,
        AuthAPI.refresh.description, AuthAPI.keys.description, NotificationsAPI.list.description,
        WebhooksAPI.list.description, WebhooksAPI.create.description, WebhooksAPI.delete.description,
        WebhooksAPI.deliveries.description, WebhooksAPI.replay.description,
    ]

    private static let operations: [EndpointDescription] = [
        DeadLettersAPI.orders.list.description, DeadLettersAPI.orders.replay.description,
        DeadLettersAPI.users.list.description, DeadLettersAPI.users.replay.description,
        TopologyAPI.topology.description, TopologyAPI.process.description, TopologyAPI.ping.description,
    ]
}
