import Kernel

/// The events that services publish, and what they carry. One event, one fact; consumers may see it twice.
public enum EventTypes {
    public static let orderConfirmed = "order.confirmed"
    public static let orderCancelled = "order.cancelled"
    public static let orderFulfilled = "order.fulfilled"
    public static let orderRefunded = "order.refunded"
    public static let userRegistered = "user.registered"
}

/// What `order.*` events carry: the order as it then was.
public struct OrderEvent: Codable, Sendable {
    public var order: Order
    public init(order: Order) { self.order = order }
}

public struct UserEvent: Codable, Sendable {
    public var user: User
    public init(user: User) { self.user = user }
}
