public import Kernel

public enum WebhookKind: Identified { public static let idPrefix = "hook" }
public typealias WebhookID = ID<WebhookKind>
public enum WebhookDeliveryKind: Identified { public static let idPrefix = "delivery" }
public typealias WebhookDeliveryID = ID<WebhookDeliveryKind>

/// What happens in the shop, told to merchants' own servers after Standard Webhooks
/// (https://www.standardwebhooks.com).
public protocol WebhooksService: Sendable {
    func list(_ query: Nothing, _ context: CallContext) async throws -> WebhookList
    /// The answer alone has the secret: it is never shown again.
    /// - Throws: `webhookTargetRefused`, `tooManyWebhooks`.
    func create(_ draft: WebhookDraft, _ context: CallContext) async throws -> CreatedWebhook
    /// Forgets its deliveries, too.
    func delete(_ webhook: WebhookByID, _ context: CallContext) async throws -> Nothing
    /// The newest first.
    func deliveries(_ query: WebhookDeliveryQuery, _ context: CallContext) async throws -> WebhookDeliveryPage
    /// Sends a message again under its own id, whatever became of it, with a schedule of its own.
    /// - Throws: `webhookDisabled`.
    func replay(_ replay: WebhookReplay, _ context: CallContext) async throws -> WebhookDelivery
}

public enum WebhooksAPI {
    public static let list = Endpoint<Nothing, WebhookList>(
        "webhooks.list", .get, "/api/webhooks", summary: "Where the shop's events are told", access: .staff,
        priority: .reports)
    public static let create = Endpoint<WebhookDraft, CreatedWebhook>(
        "webhooks.create", .post, "/api/webhooks", summary: "Tell events to a server; shows its secret, once",
        access: .staff, priority: .reports, success: 201, idempotency: .none,
        problems: [.webhookTargetRefused, .tooManyWebhooks])
    public static let delete = Endpoint<WebhookByID, Nothing>(
        "webhooks.delete", .delete, "/api/webhooks/{id}", summary: "Tell it no more, and forget what was told",
        access: .staff, priority: .reports, success: 204, problems: [.notFound])
    public static let deliveries = Endpoint<WebhookDeliveryQuery, WebhookDeliveryPage>(
        "webhooks.deliveries", .get, "/api/webhooks/{id}/deliveries", summary: "What was told, and what became of it",
        access: .staff, priority: .reports, problems: [.notFound])
    public static let replay = Endpoint<WebhookReplay, WebhookDelivery>(
        "webhooks.replay", .post, "/api/webhooks/{id}/deliveries/{delivery}/replays", summary: "Tell it again",
        access: .staff, priority: .reports, success: 202, problems: [.notFound, .webhookDisabled])
}

/// Webhooks in another process.
public struct RemoteWebhooks: WebhooksService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func list(_ query: Nothing, _ context: CallContext) async throws -> WebhookList {
        try await caller.call(WebhooksAPI.list, query, context).value
    }

    public func create(_ draft: WebhookDraft, _ context: CallContext) async throws -> CreatedWebhook {
        try await caller.call(WebhooksAPI.create, draft, context).value
    }

    public func delete(_ webhook: WebhookByID, _ context: CallContext) async throws -> Nothing {
        try await caller.call(WebhooksAPI.delete, webhook, context).value
    }

    public func deliveries(
        _ query: WebhookDeliveryQuery, _ context: CallContext
    ) async throws -> WebhookDeliveryPage {
        try await caller.call(WebhooksAPI.deliveries, query, context).value
    }

    public func replay(_ replay: WebhookReplay, _ context: CallContext) async throws -> WebhookDelivery {
        try await caller.call(WebhooksAPI.replay, replay, context).value
    }
}

extension ProblemType {
    public static let webhookTargetRefused = ProblemType(
        "webhook-target-refused", 422, "Webhooks are not sent to that address")
    public static let tooManyWebhooks = ProblemType("too-many-webhooks", 409, "There are too many webhooks already")
    public static let webhookDisabled = ProblemType("webhook-disabled", 409, "This webhook is disabled")
}

public enum WebhookStatus: String, Codable, Sendable, CaseIterable {
    case enabled
    /// The server said that it is gone (410).
    case disabled
}

public struct Webhook: Shaped {
    /// What can be told.
    public static let types = [
        EventTypes.orderConfirmed, EventTypes.orderCancelled, EventTypes.orderFulfilled, EventTypes.orderRefunded,
    ]

    public var id: WebhookID
    public var url: String
    public var types: [String]
    public var status: WebhookStatus
    public var created_at: Timestamp

    public init(id: WebhookID, url: String, types: [String], status: WebhookStatus, created_at: Timestamp) {
        self.id = id
        self.url = url
        self.types = types
        self.status = status
        self.created_at = created_at
    }

    static let typesSchema = Schema.array(.choice(types), 1...types.count)
    public static let schema = Schema.object(
        "Webhook",
        [
            .required("id", WebhookID.schema), .required("url", .text(1...2_000)), .required("types", typesSchema),
            .required("status", .choice(WebhookStatus.allCases.map(\.rawValue))), .required("created_at", .time),
        ])
}

public struct WebhookList: Shaped {
    public var items: [Webhook]
    public init(items: [Webhook]) { self.items = items }
    public static let schema = Schema.object("WebhookList", [.required("items", .array(Webhook.schema, 0...100))])
}

public struct WebhookDraft: Shaped {
    public var url: String
    public var types: [String]

    public init(url: String, types: [String]) {
        self.url = url
        self.types = types
    }

    public static let schema = Schema.object(
        "WebhookDraft",
        [
            .required("url", .text(1...2_000), "https; http on loopback only, where the settings allow it"),
            .required("types", Webhook.typesSchema, "Which events"),
        ])
}

public struct CreatedWebhook: Shaped {
    public var webhook: Webhook
    /// `whsec_` and base64: what receivers verify signatures with.
    public var secret: String

    public init(webhook: Webhook, secret: String) {
        self.webhook = webhook
        self.secret = secret
    }

    public static let schema = Schema.object(
        "CreatedWebhook",
        [
            .required("webhook", Webhook.schema),
            .required("secret", .text(1...200), "For verifying signatures; never shown again"),
        ])
}

public struct WebhookByID: Shaped {
    public var id: WebhookID
    public init(id: WebhookID) { self.id = id }
    public static let schema = Schema.object("WebhookByID", [.required("id", WebhookID.schema)])
}

public enum WebhookDeliveryStatus: String, Codable, Sendable, CaseIterable {
    /// Will be tried, or tried again.
    case pending
    case delivered
    /// Not tried again unless it is replayed.
    case failed
}

/// One message for one webhook.
public struct WebhookDelivery: Shaped {
    public var id: WebhookDeliveryID
    public var webhook: WebhookID
    /// The event's id: the message's `webhook-id`, the same at each attempt.
    public var message: String
    public var type: String
    /// What the event is about, an order's identifier.
    public var subject: String
    public var status: WebhookDeliveryStatus
    /// Attempts made since it was written, or replayed.
    public var attempts: Int
    /// The HTTP status of the last answer; none where there was no answer.
    public var response_status: Int?
    /// Why the last attempt failed.
    public var error: String?
    /// When it will be tried, if it is pending.
    public var next_attempt_at: Timestamp?
    public var created_at: Timestamp
    public var finished_at: Timestamp?

    public init(
        id: WebhookDeliveryID, webhook: WebhookID, message: String, type: String, subject: String,
        status: WebhookDeliveryStatus, attempts: Int, response_status: Int?, error: String?,
        next_attempt_at: Timestamp?, created_at: Timestamp, finished_at: Timestamp?
    ) {
        self.id = id
        self.webhook = webhook
        self.message = message
        self.type = type
        self.subject = subject
        self.status = status
        self.attempts = attempts
        self.response_status = response_status
        self.error = error
        self.next_attempt_at = next_attempt_at
        self.created_at = created_at
        self.finished_at = finished_at
    }

    public static let schema = Schema.object(
        "WebhookDelivery",
        [
            .required("id", WebhookDeliveryID.schema), .required("webhook", WebhookID.schema),
            .required("message", .text(1...100), "The webhook-id header"), .required("type", .text(1...100)),
            .required("subject", .text(1...200)),
            .required("status", .choice(WebhookDeliveryStatus.allCases.map(\.rawValue))),
            .required("attempts", .integer(0...1_000)), .optional("response_status", .integer(100...999)),
            .optional("error", .text(0...500)), .optional("next_attempt_at", .time), .required("created_at", .time),
            .optional("finished_at", .time),
        ])
}

public struct WebhookDeliveryQuery: Shaped {
    public var id: WebhookID
    public var status: WebhookDeliveryStatus?
    public var limit: Int?
    public var after: String?

    public init(id: WebhookID, status: WebhookDeliveryStatus? = nil, limit: Int? = nil, after: String? = nil) {
        self.id = id
        self.status = status
        self.limit = limit
        self.after = after
    }

    public static let schema = Schema.object(
        "WebhookDeliveryQuery",
        [
            .required("id", WebhookID.schema),
            .optional("status", .choice(WebhookDeliveryStatus.allCases.map(\.rawValue))),
            .optional("limit", .integer(1...200)), .optional("after", WebhookDeliveryID.schema, "The cursor `next`"),
        ])
}

public struct WebhookDeliveryPage: Shaped {
    public var items: [WebhookDelivery]
    public var next: String?

    public init(items: [WebhookDelivery], next: String?) {
        self.items = items
        self.next = next
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }

    public static let schema = Schema.object(
        "WebhookDeliveryPage",
        [
            .required("items", .array(WebhookDelivery.schema, 0...200)),
            .required("next", .nullable(.text(1...200))),
        ])
}

public struct WebhookReplay: Shaped {
    public var id: WebhookID
    public var delivery: WebhookDeliveryID

    public init(id: WebhookID, delivery: WebhookDeliveryID) {
        self.id = id
        self.delivery = delivery
    }

    public static let schema = Schema.object(
        "WebhookReplay", [.required("id", WebhookID.schema), .required("delivery", WebhookDeliveryID.schema)])
}
