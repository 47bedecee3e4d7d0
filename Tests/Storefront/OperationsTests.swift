import Contracts
import Kernel
import Storefront
import Testing
import Wire

/// What staff see of how the shop runs: webhooks, dead letters, processes.
@Suite struct OperationsTests {
    let shop = Shop()
    private let order = "order_01h455vb4pex5vsknk084sn02q"

    private func staff() throws -> Browser {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.staff.id, .staff)
        return browser
    }

    private func webhook(_ status: WebhookStatus = .enabled) -> Webhook {
        let webhook = Webhook(
            id: WebhookID(at: shop.clock.now()), url: "https://merchant.example/<hooks>", types: [Webhook.types[0]],
            status: status, created_at: shop.clock.now())
        let delivery = WebhookDelivery(
            id: WebhookDeliveryID(at: shop.clock.now()), webhook: webhook.id, message: "event_1",
            type: "order.confirmed", subject: order, status: .pending, attempts: 3, response_status: 500,
            error: "said <no>", next_attempt_at: shop.clock.now(), created_at: shop.clock.now(), finished_at: nil)
        shop.state.withLock { state in
            state.webhooks = [webhook]
            state.deliveries = [delivery]
        }
        return webhook
    }

    // MARK: Webhooks

    @Test func aWebhooksSecretIsShownOnce() async throws {
        var browser = try staff()
        let form = [
            ("url", "https://merchant.example/hooks"), ("types", "order.confirmed"), ("types", "order.refunded"),
        ]
        let created = try await browser.post("/staff/webhooks", form)
        #expect(created.status == 200 && created.cache == .none)
        #expect(created.text.contains("whsec_once"))
        #expect(faults(in: created.text) == [])
        #expect(shop.state.withLock { $0.webhooks[0].types } == ["order.confirmed", "order.refunded"])
        let after = try await browser.get("/staff/webhooks").text
        #expect(after.contains("https://merchant.example/hooks") && !after.contains("whsec_once"))
    }

    @Test func theSecretIsShownThoughTheListIsAway() async throws {
        var browser = try staff()
        shop.state.withLock { $0.away = ["webhooks.list"] }
        let form = [("url", "https://merchant.example/hooks"), ("types", "order.confirmed")]
        #expect(try await browser.post("/staff/webhooks", form).text.contains("whsec_once"))
    }

    @Test(arguments: [
        ([("url", "http://merchant.example"), ("types", "order.confirmed")], "Address: expected https"),
        ([("url", ""), ("types", "order.confirmed")], "Address is needed"),
        ([("url", "https://merchant.example")], "choose at least one kind of event"),
        ([("url", "https://merchant.example"), ("types", "order.painted")], "expected"),
    ])
    func aWebhookThatCannotBeIsSaidAtItsField(form: [(String, String)], message: String) async throws {
        var browser = try staff()
        let response = try await browser.post("/staff/webhooks", form)
        #expect(response.status == 422)
        #expect(response.text.contains(message), "\(response.text)")
        #expect(faults(in: response.text) == [])
        #expect(shop.state.withLock { $0.webhooks.isEmpty })
    }

    @Test func whatWasToldIsShownAndToldAgain() async throws {
        let webhook = webhook()
        var browser = try staff()
        let path = "/staff/webhooks/\(webhook.id)"
        let page = try await browser.get(path).text
        for text in ["said &lt;no&gt;", "It said 500", "Next try", "/staff/orders/\(order)", "after=delivery_"] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(faults(in: page) == [])
        #expect(try await browser.get(path + "?status=failed").text.contains("Nothing here"))
        let delivery = shop.state.withLock { $0.deliveries[0].id }
        let again = try await browser.post(path + "/deliveries/\(delivery)/replay", [])
        #expect(again.location == path + "?done=replayed")
        _ = self.webhook(.disabled)
        let disabled = shop.state.withLock { ($0.webhooks[0].id, $0.deliveries[0].id) }
        let refused = try await browser.post("/staff/webhooks/\(disabled.0)/deliveries/\(disabled.1)/replay", [])
        #expect(refused.status == 409 && refused.text.contains("It is disabled"))
        #expect(!(try await browser.get("/staff/webhooks/\(disabled.0)").text.contains("Tell it again")))
    }

    @Test func deletingTwiceIsDeletingOnce() async throws {
        let webhook = webhook()
        var browser = try staff()
        for _ in 0..<2 {
            let path = "/staff/webhooks/\(webhook.id)/deletion"
            #expect(try await browser.post(path, []).location == "/staff/webhooks?done=deleted")
        }
        #expect(shop.state.withLock { $0.webhooks.isEmpty })
        await #expect(throws: Problem.self) { try await browser.get("/staff/webhooks/\(webhook.id)") }
    }

    // MARK: Dead letters

    @Test func anEventIsDeliveredAgainOnce() async throws {
        shop.state.withLock { $0.deadLetters = ["orders": [.sample(7), .sample(9)]] }
        var browser = try staff()
        let page = try await browser.get("/staff/events").text
        #expect(faults(in: page) == [])
        #expect(page.contains("could not read &lt;it&gt;") && page.contains("/staff/orders/\(order)"))
        #expect(page.contains("/staff/events?orders=7"), "the way to the next ones")
        #expect(page.contains("None: everything was taken."), "of the users'")
        let path = "/staff/events/orders/7/replay"
        #expect(try await browser.post(path, []).location == "/staff/events?done=replayed")
        #expect(try await browser.post(path, []).location == "/staff/events?done=gone")
        #expect(shop.state.withLock { $0.replayed } == [7])
        #expect(try await browser.get("/staff/events?orders=7").text.contains("/staff/events/orders/9/replay"))
        for path in ["/staff/events/kitchen/7/replay", "/staff/events/orders/x/replay"] {
            await #expect(throws: Problem.self) { try await browser.post(path, []) }
        }
    }

    @Test func aPublisherThatIsAwayIsSaidToBe() async throws {
        shop.state.withLock { state in
            state.deadLetters = ["users": [.sample(3, subject: "user_x")]]
            state.away = ["events.orders"]
        }
        var browser = try staff()
        let page = try await browser.get("/staff/events")
        #expect(page.status == 200 && page.text.contains("Away: this part") && page.text.contains("user_x"))
        #expect(faults(in: page.text) == [])
    }

    // MARK: Topology

    @Test(arguments: [Set<String>(), ["products"], ["payments", "users", "auth", "orders"]])
    func processesAreDrawn(away: Set<String>) async throws {
        shop.state.withLock { $0.topology = .sample(away: away) }
        var browser = try staff()
        let page = try await browser.get("/topology")
        #expect(page.status == 200)
        #expect(faults(in: page.text) == [])
        #expect(page.text.split(separator: "<g class=\"process").count - 1 == 7, "one box a role")
        #expect(page.text.split(separator: "<g class=\"process away\"").count - 1 == away.count)
        #expect(page.text.contains("everything answers") == away.isEmpty)
        #expect(page.text.contains("cannot be &lt;reached&gt;") == !away.isEmpty)
    }

    @Test func oneProcessIsTheWholeShop() async throws {
        let roles = ["storefront", "users", "auth", "products", "orders", "payments", "notifications"]
        let cache = ShopProcess.BackEnd(
            setting: "SOUK_CACHE", kind: "redis", address: "redis://cache", answers: false, error: "refused")
        let process = ShopProcess(
            name: "laptop:8080", roles: roles, version: "1", started_at: shop.clock.now(), back_ends: [cache], peers: []
        )
        shop.state.withLock {
            $0.topology = Topology(
                processes: [.init(roles: roles, url: nil, answers: true, error: nil, process: process)])
        }
        var browser = try staff()
        let page = try await browser.get("/topology").text
        #expect(page.contains("None: one process is the whole shop"))
        #expect(page.contains("SOUK_CACHE does not answer"), "what it lacks is said")
        #expect(faults(in: page) == [])
    }
}
