import Contracts
import Crypto
import Database
import Events
import FoundationEssentials
import Kernel
import Logging
import LoopbackPeer
import ServiceLifecycle
import Synchronization
import Testing
import Wire

@testable import Notifications

/// A shop that tells, with a clock that stands still.
struct Teller {
    let clock: ManualClock
    let post: Post
    let webhooks: Webhooks
    let http = OutboundHTTP()

    static func with(
        clock: (any WallClock)? = nil, resolve: WebhookTargets.Resolver? = nil,
        _ body: (Teller) async throws -> Void
    ) async throws {
        let post = try await Post()
        let allowed = "127.0.0.0/8"
        let teller = Teller(
            clock: post.clock, post: post,
            webhooks: Webhooks(
                database: post.database,
                targets: try resolve.map { try WebhookTargets(allowing: allowed, resolve: $0) }
                    ?? WebhookTargets(allowing: allowed),
                clock: clock ?? post.clock))
        do {
            try await body(teller)
        } catch {
            Issue.record(error)
        }
        try await teller.http.shutdown()
    }

    /// - Parameter timeout: instead of the dispatcher's own.
    func dispatcher(jitter: Double = 0, timeout: Duration? = nil) -> WebhookDispatcher {
        WebhookDispatcher(webhooks, jitter: { jitter }) { [http] request in
            var request = request
            if let timeout { request.timeout = timeout }
            return try await http.send(request)
        }
    }

    func register(_ url: String, _ types: [String] = Webhook.types) async throws -> CreatedWebhook {
        try await webhooks.create(WebhookDraft(url: url, types: types), CallContext())
    }

    func tell(_ count: Int = 1, _ type: String = EventTypes.orderConfirmed) async throws -> [Event] {
        let events = try (0..<count).map { _ in try post.event(type, post.order()) }
        try await webhooks.handle(events)
        return events
    }

    func deliveries(_ webhook: CreatedWebhook) async throws -> [WebhookDelivery] {
        try await webhooks.deliveries(WebhookDeliveryQuery(id: webhook.webhook.id, limit: 200), CallContext()).items
    }
}

extension LoopbackPeer {
    static func answering(
        _ reply: Reply = .answer(204), _ body: (LoopbackPeer) async throws -> Void
    ) async throws {
        try await answering({ _ in reply }, body)
    }

    static func answering(
        _ answer: @escaping @Sendable (Request) -> Reply, _ body: (LoopbackPeer) async throws -> Void
    ) async throws {
        let peer = try LoopbackPeer(answer)
        defer { peer.stop() }
        try await body(peer)
    }

    func waitForRequests(_ count: Int) async { while requests.count < count { await Task.yield() } }
}

@Suite("Webhooks: telling") struct WebhookTests {
    /// As a receiver does it, from the specification alone.
    private static func isSigned(_ request: LoopbackPeer.Request, _ secret: String) throws -> Bool {
        let id = try #require(request.headers["webhook-id"])
        let time = try #require(request.headers["webhook-timestamp"])
        let key = try #require(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(id).\(time).\(request.text)".utf8), using: SymmetricKey(data: key))
        return request.headers["webhook-signature"] == "v1,\(Data(code).base64EncodedString())"
    }

    @Test("an event is told once to each server that wants it, signed, however often the event comes")
    func told() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let all = try await teller.register(peer.url + "/all")
                let refunds = try await teller.register(peer.url + "/refunds", [EventTypes.orderRefunded])
                let events = try await teller.tell()
                try await teller.webhooks.handle(events)
                for _ in 0..<2 { await teller.dispatcher().deliverDue() }
                let request = try #require(peer.requests.first)
                #expect(peer.requests.count == 1 && request.target == "/all" && request.method == "POST")
                #expect(try Self.isSigned(request, all.secret))
                #expect(try !Self.isSigned(request, refunds.secret))
                #expect(request.headers["webhook-id"] == events[0].id.description)
                #expect(request.headers["webhook-timestamp"] == String(teller.clock.now().seconds))
                #expect(request.headers["content-type"] == "application/json")
                let json = try JSON.parse(request.body)
                #expect(json["type"] == "order.confirmed" && json["timestamp"]?.stringValue == events[0].time.rfc3339)
                #expect(json["data"]?["order"]?["id"]?.stringValue == events[0].subject)
                let delivery = try #require(try await teller.deliveries(all).first)
                #expect(delivery.status == .delivered && delivery.attempts == 1 && delivery.response_status == 204)
                #expect(delivery.subject == events[0].subject && delivery.finished_at == teller.clock.now())
                #expect(try await teller.deliveries(refunds).isEmpty)
            }
        }
    }

    @Test("an attempt that fails is made again at its time, under the same id, with a signature of its own time")
    func retried() async throws {
        try await Teller.with { teller in
            let peer = try LoopbackPeer { _ in .answer(500, "out of order") }
            let created = try await teller.register(peer.url)
            _ = try await teller.tell()
            let dispatcher = teller.dispatcher()
            for (attempt, delay) in WebhookAttempt.delays.enumerated() {
                await dispatcher.deliverDue()
                let delivery = try #require(try await teller.deliveries(created).first)
                #expect(delivery.status == .pending && delivery.attempts == attempt + 1)
                #expect(delivery.error == "the server answered 500" && delivery.response_status == 500)
                #expect(delivery.next_attempt_at == teller.clock.now() + delay)
                teller.clock.advance(by: delay - .seconds(1))
                await dispatcher.deliverDue()
                #expect(peer.requests.count == attempt + 1)
                teller.clock.advance(by: .seconds(1))
            }
            await dispatcher.deliverDue()
            #expect(peer.requests.count == 10)
            #expect(Set(peer.requests.map { $0.headers["webhook-id"] }).count == 1)
            #expect(Set(peer.requests.map { $0.headers["webhook-timestamp"] }).count == 10)
            for request in peer.requests { #expect(try Self.isSigned(request, created.secret)) }
            #expect(try await teller.deliveries(created).map(\.status) == [.failed])
            teller.clock.advance(by: .seconds(86_400))
            await dispatcher.deliverDue()
            #expect(peer.requests.count == 10)
            peer.stop()
        }
    }

    @Test("staff replay what was told or failed, under its own id, with a schedule of its own")
    func replayed() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                let id = created.webhook.id
                _ = try await teller.tell()
                let dispatcher = teller.dispatcher()
                await dispatcher.deliverDue()
                let delivery = try #require(try await teller.deliveries(created).first)
                let replay = WebhookReplay(id: id, delivery: delivery.id)
                let again = try await teller.webhooks.replay(replay, CallContext())
                #expect(again.status == .pending && again.attempts == 0 && again.finished_at == nil)
                await dispatcher.deliverDue()
                #expect(Set(peer.requests.map { $0.headers["webhook-id"] }).count == 1 && peer.requests.count == 2)
                #expect(try await teller.deliveries(created).map(\.status) == [.delivered])
                let other = WebhookReplay(id: id, delivery: WebhookDeliveryID(at: teller.clock.now()))
                await #expect(throws: Problem.self) { try await teller.webhooks.replay(other, CallContext()) }
            }
        }
    }

    @Test("410 disables the webhook: nothing more is sent, written down or replayed")
    func gone() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering(.answer(410)) { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell(20)
                let dispatcher = teller.dispatcher()
                await dispatcher.deliverDue()
                #expect(peer.requests.count == WebhookDispatcher.sendsAtOnce)
                #expect(try await teller.webhooks.list(Nothing(), CallContext()).items.map(\.status) == [.disabled])
                let deliveries = try await teller.deliveries(created)
                #expect(deliveries.count == 20 && deliveries.allSatisfy { $0.status == .failed })
                _ = try await teller.tell()
                await dispatcher.deliverDue()
                #expect(try await teller.deliveries(created).count == 20)
                let refused = await #expect(throws: Problem.self) {
                    let replay = WebhookReplay(id: created.webhook.id, delivery: deliveries[0].id)
                    return try await teller.webhooks.replay(replay, CallContext())
                }
                #expect(refused?.type == .webhookDisabled)
            }
        }
    }

    @Test(
        "whatever is no answer of 2xx is tried again",
        arguments: [
            LoopbackPeer.Reply.silence, .cut, .bytes(Array("garbage\r\n\r\n".utf8)), .bytes([0xFF, 0, 1]),
            .answer(302, headers: ["location": "http://127.0.0.1:1/"]), .answer(404), .answer(503),
            .bytes(Array("HTTP/1.1 200 OK\r\ncontent-le".utf8)),
        ])
    func badAnswers(reply: LoopbackPeer.Reply) async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering(reply) { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell()
                await teller.dispatcher(timeout: .milliseconds(300)).deliverDue()
                let delivery = try #require(try await teller.deliveries(created).first)
                #expect(delivery.status == .pending && delivery.attempts == 1 && delivery.error != nil)
                #expect(peer.requests.count == 1)
            }
        }
    }

    @Test(
        "2xx is success, whatever comes behind it",
        arguments: [
            LoopbackPeer.Reply.head(200), .answer(200, "not JSON"),
            .answer(202, String(repeating: "x", count: 8 << 20)),
        ])
    func goodAnswers(reply: LoopbackPeer.Reply) async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering(reply) { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell()
                await teller.dispatcher(timeout: .milliseconds(500)).deliverDue()
                #expect(try await teller.deliveries(created).map(\.status) == [.delivered])
            }
        }
    }

    @Test("a server that is away is tried again")
    func away() async throws {
        try await Teller.with { teller in
            let peer = try LoopbackPeer { _ in .answer(204) }
            let created = try await teller.register(peer.url)
            peer.stop()
            _ = try await teller.tell()
            await teller.dispatcher().deliverDue()
            let delivery = try #require(try await teller.deliveries(created).first)
            #expect(delivery.status == .pending && delivery.response_status == nil)
        }
    }

    @Test("a slow server holds back only itself")
    func slow() async throws {
        try await Teller.with { teller in
            let slow = try LoopbackPeer { _ in .silence }
            try await LoopbackPeer.answering { fast in
                let late = try await teller.register(slow.url)
                let prompt = try await teller.register(fast.url)
                _ = try await teller.tell(100)
                async let passes: Void = teller.dispatcher().deliverDue()
                await slow.waitForRequests(WebhookDispatcher.sendsAtOnce)
                await fast.waitForRequests(100)
                slow.stop()
                await passes
                #expect(try await teller.deliveries(prompt).allSatisfy { $0.status == .delivered })
                #expect(try await teller.deliveries(late).allSatisfy { $0.status == .pending && $0.attempts == 1 })
            }
        }
    }

    @Test("two processes send each message once")
    func twoWorkers() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell(200)
                let workers = [teller.dispatcher(), teller.dispatcher()]
                await withTaskGroup(of: Void.self) { group in
                    for worker in workers { group.addTask { await worker.deliverDue() } }
                }
                #expect(peer.requests.count == 200)
                #expect(Set(peer.requests.compactMap { $0.headers["webhook-id"] }).count == 200)
                #expect(try await teller.deliveries(created).allSatisfy { $0.status == .delivered })
            }
        }
    }

    @Test("what a process took and never finished is sent by another after the lease; the first one's word is late")
    func crashed() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell()
                let store = teller.webhooks.store
                let now = teller.clock.now()
                let taken = try await store.claim(
                    created.webhook.id, limit: 10, at: now, lease: now + WebhookDispatcher.lease)
                #expect(taken.count == 1)
                await teller.dispatcher().deliverDue()
                #expect(peer.requests.isEmpty)
                teller.clock.advance(by: WebhookDispatcher.lease)
                await teller.dispatcher().deliverDue()
                #expect(peer.requests.count == 1)
                let late = WebhookAttempt(noAnswer: "it died", after: 0, jitter: 0)
                try await store.finish([(taken[0], late)], of: created.webhook.id, at: teller.clock.now())
                #expect(try await teller.deliveries(created).map(\.status) == [.delivered])
            }
        }
    }

    @Test("a name that leads into the private network by the time of sending is not called")
    func rebinding() async throws {
        let name = try #require(IPAddress("8.8.8.8"))
        let inside = try #require(IPAddress("10.0.0.1"))
        let lookups = Lookups()
        try await Teller.with(resolve: { _ in lookups.count() == 1 ? [name] : [inside] }) { teller in
            let created = try await teller.register("https://merchant.example/")
            _ = try await teller.tell()
            await teller.dispatcher().deliverDue()
            let delivery = try #require(try await teller.deliveries(created).first)
            #expect(delivery.error == "merchant.example is 10.0.0.1, which is not public")
        }
    }

    @Test("the name's own address is called, with the name it was asked by")
    func pinned() async throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        try await Teller.with(resolve: { _ in [loopback] }) { teller in
            try await LoopbackPeer.answering { peer in
                _ = try await teller.register("http://merchant.example:\(peer.port)/hook")
                _ = try await teller.tell(3)
                await teller.dispatcher().deliverDue()
                #expect(peer.requests.count == 3)
                #expect(peer.requests.first?.headers["host"] == "merchant.example:\(peer.port)")
            }
        }
    }

    @Test("the service tells as soon as there is something to tell, and ends when it is told to")
    func service() async throws {
        try await Teller.with(clock: SystemClock()) { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
                let group = ServiceGroup(services: [teller.dispatcher()], logger: logger)
                async let running: Void = group.run()
                _ = try await teller.tell(5)
                await peer.waitForRequests(5)
                await group.triggerGracefulShutdown()
                try await running
                #expect(try await teller.deliveries(created).allSatisfy { $0.status == .delivered })
            }
        }
    }

    @Test("deliveries that ended a month ago are forgotten, others are not")
    func trimmed() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                _ = try await teller.tell(3)
                await teller.dispatcher().deliverDue()
                teller.clock.advance(by: .seconds(1))
                _ = try await teller.tell(2)
                let store = teller.webhooks.store
                #expect(try await store.trim(before: teller.clock.now(), limit: 2) == 2)
                #expect(try await store.trim(before: teller.clock.now(), limit: 2) == 1)
                #expect(try await teller.deliveries(created).count == 2)
            }
        }
    }
}

/// How often a name was looked up.
final class Lookups: Sendable {
    private let state = Mutex(0)
    func count() -> Int {
        state.withLock { count in
            count += 1
            return count
        }
    }
}

@Suite("Webhooks: the interface") struct WebhookInterfaceTests {
    @Test("staff make, see, replay and remove webhooks; the secret is shown once; others may not")
    func staff() async throws {
        try await Teller.with { teller in
            let staff = UserID(at: teller.clock.now())
            let webhooks = teller.webhooks
            try await Served.with(
                webhooks.routes, identity: { $0 == "staff" ? .user(staff, .staff) : .user(staff, .customer) }
            ) { base, http in
                func call(
                    _ method: HTTPMethod, _ path: String, _ body: JSON? = nil, as who: String? = "staff"
                ) async throws -> (status: Int, json: JSON, location: String?) {
                    var headers = [(name: "content-type", value: "application/json")]
                    if let who { headers.append(("authorization", "Bearer \(who)")) }
                    let answer = try await http.send(
                        OutboundRequest(
                            method, base + path, headers: headers, body: body?.serialized() ?? [],
                            timeout: .seconds(10), largestAnswer: 1 << 20))
                    return (answer.status, (try? JSON.parse(answer.body)) ?? .null, answer.headers["location"])
                }
                let draft: JSON = ["url": "http://127.0.0.1:9/", "types": ["order.refunded", "order.confirmed"]]
                #expect(try await call(.post, "/api/webhooks", draft, as: nil).status == 401)
                #expect(try await call(.post, "/api/webhooks", draft, as: "customer").status == 403)
                let made = try await call(.post, "/api/webhooks", draft)
                #expect(made.status == 201 && made.location == "/api/webhooks")
                let secret = try #require(made.json["secret"]?.stringValue)
                let id = try #require(made.json["webhook"]?["id"]?.stringValue)
                let listed = try await call(.get, "/api/webhooks").json
                #expect(listed["items"]?[0]?["types"] == ["order.confirmed", "order.refunded"])
                #expect(!listed.description.contains(secret))
                let own = "/api/webhooks/\(id)"
                #expect(try await call(.get, own + "/deliveries").json["items"] == [])
                let nobody = "/api/webhooks/\(WebhookID(at: Timestamp(seconds: 1)))"
                #expect(try await call(.get, nobody + "/deliveries").status == 404)
                let nothing = WebhookDeliveryID(at: Timestamp(seconds: 1))
                #expect(try await call(.post, own + "/deliveries/\(nothing)/replays").status == 404)
                for (body, status) in [
                    (["url": "https://10.0.0.1/", "types": ["order.confirmed"]], 422),
                    (["url": "http://merchant.example/", "types": ["order.confirmed"]], 422),
                    (["url": "https://127.0.0.1/", "types": []], 422),
                    (["url": "https://127.0.0.1/", "types": ["user.registered"]], 422),
                ] as [(JSON, Int)] {
                    #expect(try await call(.post, "/api/webhooks", body).status == status, "\(body)")
                }
                #expect(try await call(.delete, own).status == 204)
                #expect(try await call(.delete, own).status == 404)
            }
        }
    }

    @Test("there may be so many webhooks and no more, and removing one forgets what it was told")
    func bounds() async throws {
        try await Teller.with { teller in
            var made: [CreatedWebhook] = []
            for _ in 0..<Webhooks.mostWebhooks { made.append(try await teller.register("http://127.0.0.1:9/")) }
            let refused = await #expect(throws: Problem.self) { try await teller.register("http://127.0.0.1:9/") }
            #expect(refused?.type == .tooManyWebhooks)
            _ = try await teller.tell(3)
            _ = try await teller.webhooks.delete(WebhookByID(id: made[0].webhook.id), CallContext())
            let left = try await teller.post.database.read {
                try $0.row("SELECT count(*) FROM webhook_deliveries")?.int(0)
            }
            #expect(left == 3 * (Webhooks.mostWebhooks - 1))
        }
    }

    @Test("deliveries are listed the newest first, page by page, by status")
    func pages() async throws {
        try await Teller.with { teller in
            try await LoopbackPeer.answering { peer in
                let created = try await teller.register(peer.url)
                for _ in 0..<5 {
                    teller.clock.advance(by: .seconds(1))
                    _ = try await teller.tell()
                }
                await teller.dispatcher().deliverDue()
                teller.clock.advance(by: .seconds(1))
                _ = try await teller.tell()
                var query = WebhookDeliveryQuery(id: created.webhook.id, limit: 2)
                var seen: [WebhookDelivery] = []
                repeat {
                    let page = try await teller.webhooks.deliveries(query, CallContext())
                    #expect(page.items.count <= 2)
                    seen += page.items
                    query.after = page.next
                } while query.after != nil
                #expect(seen.count == 6 && seen.map(\.created_at) == seen.map(\.created_at).sorted(by: >))
                query.status = .pending
                #expect(try await teller.webhooks.deliveries(query, CallContext()).items.count == 1)
            }
        }
    }
}
