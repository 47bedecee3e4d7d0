import Contracts
import Database
import Events
import Kernel
import PostgresPeer
@testable import Mail
import Synchronization
import Testing

@testable import Notifications

/// Keeps messages by their id, as a spool does, and refuses when told to.
final class StubMailer: Mailer {
    struct Away: Error {}
    private let state = Mutex((kept: [String: Message](), handed: 0, isAway: false))

    func send(_ messages: [Message]) async throws {
        try state.withLock { state in
            if state.isAway { throw Away() }
            if let wrong = messages.first(where: { $0.to.hasPrefix("unsendable") }) {
                throw MailError(messageID: wrong.messageID, field: "To", reason: "nobody")
            }
            state.handed += messages.count
            for message in messages { state.kept[message.messageID] = message }
        }
    }

    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
    var kept: [Message] { state.withLock { $0.kept.values.sorted { $0.messageID < $1.messageID } } }
    var handed: Int { state.withLock { $0.handed } }
}

/// A shop's post office.
struct Post {
    let clock = ManualClock()
    let database: any Database
    let mailer = StubMailer()
    let notifications: Notifications

    init() async throws {
        database = try await TestDatabase.open()
        try await database.migrate(Notifications.migrations)
        notifications = try Notifications(
            database: database, mailer: mailer, shop: "Souk", publicURL: "https://shop.example", clock: clock)
    }

    func order(
        to email: String = "ada@example.com", name: String = "Ada L.", customer: UserID? = nil, title: String = "Hat",
        reason: String? = nil
    ) -> Order {
        let sums = OrderSums(
            subtotal: Money(1_999, .gbp), discount: Money(0, .gbp), shipping: Money(350, .gbp), tax: Money(0, .gbp),
            tax_included: Money(0, .gbp), total: Money(2_349, .gbp))
        let line = Order.Line(
            sku: "HOT-1", title: title, quantity: 1, fulfilled: 0, returned: 0, unit_price: Money(1_999, .gbp),
            total: Money(1_999, .gbp), image: nil)
        return Order(
            id: OrderID(at: clock.now()), number: "1001", status: .confirmed, payment_status: .authorized,
            fulfilment_status: .unfulfilled, email: email, customer: customer, lines: [line], sums: sums,
            refunded: Money(0, .gbp), coupon: nil, shipping_method: "standard",
            shipping_address: Address(name: name, line1: "1 High St", city: "Leeds", country: "GB"), reason: reason,
            created_at: clock.now(), updated_at: clock.now())
    }

    func event(_ type: String, _ order: Order) throws -> Event {
        try Event(type, about: order.id.description, at: clock.now(), carrying: OrderEvent(order: order))
    }

    func all() async throws -> [Contracts.Notification] {
        try await notifications.list(NotificationQuery(limit: 200), .service("test")).items
    }
}

@Suite("Notifications") struct NotificationsTests {
    @Test("a confirmed order is told of once, however often its event comes")
    func once() async throws {
        let post = try await Post()
        let event = try post.event(EventTypes.orderConfirmed, post.order())
        let repeated = try post.event(EventTypes.orderConfirmed, try event.payload(as: OrderEvent.self).order)
        try await post.notifications.handle([event, event])
        try await post.notifications.handle([event])
        try await post.notifications.handle([repeated])
        #expect(post.mailer.handed == 1)
        let notes = try await post.all()
        #expect(notes.map(\.status) == [.sent])
        #expect(notes[0].to == "ada@example.com" && notes[0].subject == "Your order 1001 is confirmed")
        let audit = NotificationsAudit(database: post.database)
        #expect(try await audit.checks().allSatisfy(\.holds))
        #expect(try await audit.confirmedOrders() == [notes[0].order])
    }

    @Test("the letter says the order, in text and in HTML, with a link to it")
    func letter() async throws {
        let post = try await Post()
        let order = post.order()
        try await post.notifications.handle([try post.event(EventTypes.orderConfirmed, order)])
        let message = try #require(post.mailer.kept.first)
        #expect(message.from == "Souk <orders@shop.example>")
        for body in [message.text, message.html ?? ""] {
            for part in [
                "Hello Ada L.,", "1001", "Hat", "£19.99", "£3.50", "£23.49", "1 High St",
                "https://shop.example/orders/\(order.id)",
            ] {
                #expect(body.contains(part), "\(part)")
            }
            #expect(!body.contains("{{"))
        }
    }

    @Test("what a customer typed cannot add a header, a line or a tag")
    func injection() async throws {
        let post = try await Post()
        let name = "Ada\r\nBcc: everybody@example.com\r\n\r\n<script>alert(1)</script>"
        let order = post.order(name: name, title: "Hat \"><img src=x onerror=alert(1)>", reason: "because\r\nX: y")
        try await post.notifications.handle([
            try post.event(EventTypes.orderConfirmed, order), try post.event(EventTypes.orderCancelled, order),
        ])
        #expect(post.mailer.kept.count == 2)
        for message in post.mailer.kept {
            for header in [message.to, message.from, message.subject, message.messageID] {
                #expect(!header.utf8.contains { $0 < 0x20 })
                #expect(!header.contains("Bcc"))
            }
            let lines = message.text.split(whereSeparator: \.isNewline)
            #expect(!lines.contains { $0.hasPrefix("Bcc:") || $0.hasPrefix("X:") })
            let html = try #require(message.html)
            #expect(!html.contains("<script") && !html.contains("<img"))
            #expect(html.contains("&lt;script&gt;"))
        }
    }

    @Test("parts that are sent or refunded are each told of; a cancellation once")
    func parts() async throws {
        let post = try await Post()
        let order = post.order()
        for type in [EventTypes.orderFulfilled, EventTypes.orderRefunded, EventTypes.orderCancelled] {
            for _ in 0..<2 { try await post.notifications.handle([try post.event(type, order)]) }
        }
        let types = try await post.all().map(\.type).sorted()
        #expect(
            types == [
                EventTypes.orderCancelled, EventTypes.orderFulfilled, EventTypes.orderFulfilled,
                EventTypes.orderRefunded, EventTypes.orderRefunded,
            ])
    }

    @Test("a new account is welcomed")
    func welcome() async throws {
        let post = try await Post()
        let user = User(
            id: UserID(at: post.clock.now()), email: "ada@example.com", name: "Ada", role: .customer, address: nil,
            created_at: post.clock.now())
        let event = try Event(
            EventTypes.userRegistered, about: user.id.description, at: post.clock.now(), carrying: UserEvent(user: user)
        )
        try await post.notifications.handle([event])
        #expect(post.mailer.kept.map(\.subject) == ["Welcome to Souk"])
        #expect(try await post.all().map(\.order) == [nil])
    }

    @Test("while mail cannot be handed on nothing is written down, and the events' next coming sends all")
    func away() async throws {
        let post = try await Post()
        let events = try (0..<30).map { _ in try post.event(EventTypes.orderConfirmed, post.order()) }
        post.mailer.setAway(true)
        let refused = await #expect(throws: Problem.self) { try await post.notifications.handle(events) }
        #expect(refused?.type == .unavailable)
        #expect(try await post.all().isEmpty)
        post.mailer.setAway(false)
        try await post.notifications.handle(events)
        #expect(try await post.all().count == 30)
    }

    @Test("a crash after the mail and before its row sends the same message again, under the same id")
    func crash() async throws {
        let post = try await Post()
        let event = try post.event(EventTypes.orderConfirmed, post.order())
        try await post.notifications.handle([event])
        try await post.database.write { _ = try $0.execute("DELETE FROM notifications") }
        post.clock.advance(by: .seconds(60))
        try await post.notifications.handle([event])
        #expect(post.mailer.handed == 2)
        #expect(post.mailer.kept.count == 1)
        #expect(try await post.all().count == 1)
    }

    @Test("a message that can never be sent is written down as failed and holds nobody up")
    func unsendable() async throws {
        let post = try await Post()
        let events = try ["ada@example.com", "unsendable@example.com", "bob@example.com"].map {
            try post.event(EventTypes.orderConfirmed, post.order(to: $0))
        }
        for _ in 0..<2 { try await post.notifications.handle(events) }
        #expect(post.mailer.handed == 2)
        let statuses = try await post.all().reduce(into: [:]) { $0[$1.to] = $1.status }
        #expect(
            statuses == [
                "ada@example.com": .sent, "unsendable@example.com": .failed, "bob@example.com": .sent,
            ])
    }

    @Test("customers see their own, page by page and the newest first; staff see all; others nothing")
    func list() async throws {
        let post = try await Post()
        let ada = UserID(at: post.clock.now())
        for number in 0..<7 {
            post.clock.advance(by: .seconds(1))
            let order = post.order(customer: number < 5 ? ada : nil)
            try await post.notifications.handle([try post.event(EventTypes.orderConfirmed, order)])
        }
        let context = CallContext(caller: .user(ada, .customer))
        var seen: [Contracts.Notification] = []
        var after: String?
        repeat {
            let page = try await post.notifications.list(NotificationQuery(limit: 2, after: after), context)
            #expect(page.items.count <= 2)
            seen += page.items
            after = page.next
        } while after != nil
        #expect(seen.count == 5)
        #expect(seen.map(\.created_at) == seen.map(\.created_at).sorted(by: >))
        let staff = CallContext(caller: .user(UserID(at: post.clock.now()), .staff))
        #expect(try await post.notifications.list(NotificationQuery(), staff).items.count == 7)
        await #expect(throws: Problem.self) { try await post.notifications.list(NotificationQuery(), CallContext()) }
    }

    @Test("every letter has a wire form", arguments: Notifications.eventTypes.subtracting([EventTypes.userRegistered]))
    func wireForm(type: String) async throws {
        let post = try await Post()
        let order = post.order(name: "Zoë\r\n\u{202E}", title: String(repeating: "long ", count: 200))
        try await post.notifications.handle([try post.event(type, order)])
        let bytes = try #require(post.mailer.kept.first).formatted()
        #expect(String(decoding: bytes, as: UTF8.self).contains("To: ada@example.com\r\n"))
    }
}
