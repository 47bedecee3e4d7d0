public import Database
public import ServiceLifecycle

/// Carries events from the outboxes of services to their consumers: at least once, for each consumer in the order in
/// which they were appended, consumers independent of each other.
///
/// Subscriptions and sources are all made before the bus runs.
public protocol EventBus: Service {
    /// `consumer` names a durable position: keep it from release to release. The handler gets 1 to 500 events of those
    /// types at a time; when it returns, they are delivered. When it throws, they come again later, in smaller batches;
    /// an event that goes on failing alone becomes a dead letter, and the consumer goes on. Failures that are not the
    /// event's (`503`, `504`, a full or busy database) are tried again for as long as they last.
    func subscribe(
        consumer: String, to types: Set<String>, patience: Patience?,
        handler: @escaping @Sendable ([Event]) async throws -> Void)

    /// The service `source` appends to the outbox of this database.
    func publishes(from database: any Database, as source: String)

    /// Call it after a commit that appended. Cheap, and many calls become one.
    func wake(_ source: String)
}

extension EventBus {
    public func subscribe(
        consumer: String, to types: Set<String>, handler: @escaping @Sendable ([Event]) async throws -> Void
    ) {
        subscribe(consumer: consumer, to: types, patience: nil, handler: handler)
    }
}

/// What a consumer does can wait while the shop is busy with what cannot, but not for ever.
///
/// After `limit` events go out at the pace at which they come in, so that the backlog grows no further.
public struct Patience: Sendable {
    /// How old an event may become.
    public var limit: Duration
    public var isBusy: @Sendable () -> Bool

    public init(limit: Duration, while isBusy: @escaping @Sendable () -> Bool) {
        self.limit = limit
        self.isBusy = isBusy
    }
}
