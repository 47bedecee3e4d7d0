public import Contracts
public import Database
public import Kernel
public import Logging
public import Mail
import Metrics

/// What customers are told by mail, and whether it went out.
public struct Notifications: NotificationsService {
    /// Its durable position among the consumers of events.
    public static let consumer = "notifications"
    public static let eventTypes: Set<String> = [
        EventTypes.orderConfirmed, EventTypes.orderCancelled, EventTypes.orderFulfilled, EventTypes.orderRefunded,
        EventTypes.userRegistered,
    ]

    let store: NotificationsStore
    let mailer: any Mailer
    let letters: Letters
    let clock: any WallClock
    let logger: Logger
    /// Handed to the mailer; can never be sent; and those that nobody took, which are tried again.
    let sent = Counter(label: "souk_letters_total", dimensions: [("outcome", "sent")])
    let unsendable = Counter(label: "souk_letters_total", dimensions: [("outcome", "unsendable")])
    let deferred = Counter(label: "souk_letters_total", dimensions: [("outcome", "deferred")])

    /// - Parameters:
    ///   - shop: the shop's name, in subjects and greetings.
    ///   - publicURL: where its pages are, without a slash at the end: `https://shop.example`.
    ///   - sender: the address mail comes from; nil for `orders@` the URL's host.
    /// - Throws: the parser's error if a template is malformed.
    public init(
        database: any Database, mailer: any Mailer, shop: String, publicURL: String, sender: String? = nil,
        clock: any WallClock = SystemClock(), logger: Logger = Logger(label: "souk.notifications")
    ) throws {
        store = NotificationsStore(database: database)
        self.mailer = mailer
        letters = try Letters(shop: shop, publicURL: publicURL, sender: sender)
        self.clock = clock
        self.logger = logger
    }

    public static let migrations = NotificationsMigrations.all

    public var routes: [Route] {
        [
            Route(
                NotificationsAPI.list,
                reply: { query, context in
                    let page = try await list(query, context)
                    return Reply(page).with(\.next, page.next)
                })
        ]
    }

    public func list(_ query: NotificationQuery, _ context: CallContext) async throws -> NotificationPage {
        let limit = min(max(query.limit ?? 50, 1), 200)
        var customer: UserID?
        if !context.caller.isStaff {
            guard let id = context.caller.userID else {
                throw Problem(.unauthenticated, "log in to see what was sent to you")
            }
            customer = id
        }
        return try await store.list(of: customer, after: query.after, limit: limit)
    }
}
