public import Database
import Kernel
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
        consumer: String, to types: Set<String>, handler: @escaping @Sendable ([Event]) async throws -> Void)

    /// The service `source` appends to the outbox of this database.
    func publishes(from database: any Database, as source: String, patience: Patience?)

    /// Call it after a commit that appended. Cheap, and many calls become one.
    func wake(_ source: String)
}

extension EventBus {
    public func publishes(from database: any Database, as source: String) {
        publishes(from: database, as: source, patience: nil)
    }
}

/// What follows from a service's events can wait while the service is busy with what cannot, but not for ever.
///
/// After `limit` events go out at the pace at which they come in, so that the backlog grows no further. It is the
/// publisher that holds them back: only its process knows how busy it is, and consumers may be in others.
public struct Patience: Sendable {
    /// How old an event may become.
    public var limit: Duration
    public var isBusy: @Sendable () -> Bool

    public init(limit: Duration, while isBusy: @escaping @Sendable () -> Bool) {
        self.limit = limit
        self.isBusy = isBusy
    }

    /// Whether an event of that time is still held back; not one from the future, where a clock is wrong: it could wait
    /// until then.
    func holds(_ time: Timestamp, at now: Timestamp) -> Bool { isBusy() && time <= now && now - time < limit }
}
