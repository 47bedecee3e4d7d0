public import Kernel

public enum NotificationKind: Identified { public static let idPrefix = "note" }
public typealias NotificationID = ID<NotificationKind>

/// What customers are told, and whether it went out.
public protocol NotificationsService: Sendable {
    /// The caller's own; staff see all.
    func list(_ query: NotificationQuery, _ context: CallContext) async throws -> NotificationPage
}

public enum NotificationsAPI {
    public static let list = Endpoint<NotificationQuery, NotificationPage>(
        "notifications.list", .get, "/api/notifications", summary: "What was sent to me; staff see all",
        access: .customer, priority: .reports)
}

/// Notifications in another process.
public struct RemoteNotifications: NotificationsService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func list(_ query: NotificationQuery, _ context: CallContext) async throws -> NotificationPage {
        try await caller.call(NotificationsAPI.list, query, context).value
    }
}

public struct NotificationQuery: Shaped {
    public var limit: Int?
    public var after: String?

    public init(limit: Int? = nil, after: String? = nil) {
        self.limit = limit
        self.after = after
    }

    public static let schema = Schema.object(
        "NotificationQuery",
        [.optional("limit", .integer(1...200)), .optional("after", NotificationID.schema, "The cursor `next`")])
}

public enum NotificationStatus: String, Codable, Sendable, CaseIterable {
    case queued, sent, failed
}

public struct Notification: Shaped {
    public var id: NotificationID
    /// The event it tells of: `order.confirmed`.
    public var type: String
    public var order: OrderID?
    public var to: String
    public var subject: String
    public var status: NotificationStatus
    public var created_at: Timestamp

    public init(
        id: NotificationID, type: String, order: OrderID?, to: String, subject: String, status: NotificationStatus,
        created_at: Timestamp
    ) {
        self.id = id
        self.type = type
        self.order = order
        self.to = to
        self.subject = subject
        self.status = status
        self.created_at = created_at
    }

    public static let schema = Schema.object(
        "Notification",
        [
            .required("id", NotificationID.schema), .required("type", .text(1...100)),
            .optional("order", OrderID.schema), .required("to", .text(1...254)), .required("subject", .text(1...500)),
            .required("status", .choice(NotificationStatus.allCases.map(\.rawValue))), .required("created_at", .time),
        ])
}

public struct NotificationPage: Shaped {
    public var items: [Notification]
    public var next: String?

    public init(items: [Notification], next: String?) {
        self.items = items
        self.next = next
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }

    public static let schema = Schema.object(
        "NotificationPage",
        [
            .required("items", .array(Notification.schema, 0...200)),
            .required("next", .nullable(.text(1...200))),
        ])
}
