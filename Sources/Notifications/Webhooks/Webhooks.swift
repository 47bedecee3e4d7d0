public import Contracts
public import Database
public import Events
public import Kernel
public import Logging

/// Tells merchants' own servers what happens in the shop, after Standard Webhooks: signed, at least once, each message
/// under one id, tried again for three days.
///
/// Events become deliveries, one for each webhook that wants it, in the database; `WebhookDispatcher` sends them.
public struct Webhooks: WebhooksService {
    /// Its durable position among the consumers of events.
    public static let consumer = "webhooks"
    public static let eventTypes = Set(Webhook.types)
    /// Each has its own share of the dispatcher, so that none waits for another: hence a bound.
    public static let mostWebhooks = 32

    let store: WebhooksStore
    let targets: WebhookTargets
    let clock: any WallClock
    let logger: Logger
    /// One that waits is enough: who is woken looks at everything.
    let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// - Parameter database: Notifications' own.
    public init(
        database: any Database, targets: WebhookTargets, clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "souk.webhooks")
    ) {
        store = WebhooksStore(database: database)
        self.targets = targets
        self.clock = clock
        self.logger = logger
        (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    public var routes: [Route] {
        [
            Route(WebhooksAPI.list, list), Route(WebhooksAPI.delete, delete), Route(WebhooksAPI.replay, replay),
            Route(
                WebhooksAPI.create,
                reply: { draft, context in
                    let created = try await create(draft, context)
                    return Reply(created).with(\.location, "/api/webhooks")
                }),
            Route(
                WebhooksAPI.deliveries,
                reply: { query, context in
                    let page = try await deliveries(query, context)
                    return Reply(page).with(\.next, page.next)
                }),
        ]
    }

    /// Has the dispatcher look at once.
    func wake() { waker.yield() }
    func endWakes() { waker.finish() }

    // MARK: - Events

    /// Writes down what is to be told of the events. Safe to be given the same events again.
    public func handle(_ events: [Event]) async throws {
        let wanted = events.filter { Self.eventTypes.contains($0.type) }
        let targets = try await store.targets()
        let messages = targets.flatMap { target in
            wanted.filter { target.types.contains($0.type) }.map { Self.message(of: $0, to: target.id) }
        }
        guard !messages.isEmpty else { return }
        try await store.insert(messages, at: clock.now())
        wake()
    }

    /// The event's data is JSON already: it is put into the envelope as it is.
    private static func message(of event: Event, to webhook: WebhookID) -> WebhooksStore.Message {
        let envelope = JSON.object(["type": .string(event.type), "timestamp": .string(event.time.rfc3339)])
        let body = envelope.serialized().dropLast() + Array(",\"data\":".utf8) + event.data + [UInt8(ascii: "}")]
        return WebhooksStore.Message(
            webhook: webhook, id: event.id.description, type: event.type, subject: event.subject, body: Array(body))
    }

    // MARK: - Staff

    public func list(_ query: Nothing, _ context: CallContext) async throws -> WebhookList {
        WebhookList(items: try await store.all())
    }

    public func create(_ draft: WebhookDraft, _ context: CallContext) async throws -> CreatedWebhook {
        let url = try WebhookURL(draft.url)
        try await targets.check(url)
        let secret = WebhookSecret()
        let now = clock.now()
        let types = Webhook.types.filter(draft.types.contains)
        let webhook = Webhook(id: WebhookID(at: now), url: url.text, types: types, status: .enabled, created_at: now)
        guard try await store.insert(webhook, secret: secret, limit: Self.mostWebhooks) else {
            throw Problem(.tooManyWebhooks, "there may be \(Self.mostWebhooks) webhooks: delete one first")
        }
        return CreatedWebhook(webhook: webhook, secret: secret.reveal())
    }

    public func delete(_ webhook: WebhookByID, _ context: CallContext) async throws -> Nothing {
        guard try await store.delete(webhook.id) else { throw Self.unknown(webhook.id) }
        return Nothing()
    }

    public func deliveries(
        _ query: WebhookDeliveryQuery, _ context: CallContext
    ) async throws -> WebhookDeliveryPage {
        guard try await store.status(query.id) != nil else { throw Self.unknown(query.id) }
        return try await store.deliveries(query, limit: min(max(query.limit ?? 50, 1), 200))
    }

    public func replay(_ replay: WebhookReplay, _ context: CallContext) async throws -> WebhookDelivery {
        switch try await store.status(replay.id) {
        case nil: throw Self.unknown(replay.id)
        case .disabled: throw Problem(.webhookDisabled, "\(replay.id) is disabled: its server said that it is gone")
        case .enabled: break
        }
        guard try await store.replay(replay, at: clock.now()), let delivery = try await store.delivery(replay) else {
            throw Problem(.notFound, "\(replay.id) has no delivery \(replay.delivery)")
        }
        wake()
        return delivery
    }

    private static func unknown(_ id: WebhookID) -> Problem { Problem(.notFound, "there is no webhook \(id)") }
}
