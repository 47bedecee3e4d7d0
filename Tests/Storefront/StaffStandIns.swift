import Contracts
import Kernel
import Storefront

/// What staff alone see of the shop in memory.
extension Shop: WebhooksService {
    func list(_ query: Nothing, _ context: CallContext) async throws -> WebhookList {
        try arrive("webhooks.list", context)
        return WebhookList(items: state.withLock { $0.webhooks })
    }

    func create(_ draft: WebhookDraft, _ context: CallContext) async throws -> CreatedWebhook {
        guard draft.url.hasPrefix("https:") else { throw Problem(.webhookTargetRefused, "expected https") }
        let webhook = Webhook(
            id: WebhookID(at: clock.now()), url: draft.url, types: draft.types, status: .enabled,
            created_at: clock.now())
        state.withLock { $0.webhooks.append(webhook) }
        return CreatedWebhook(webhook: webhook, secret: "whsec_once")
    }

    func delete(_ webhook: WebhookByID, _ context: CallContext) async throws -> Nothing {
        let count = state.withLock { state in
            let before = state.webhooks.count
            state.webhooks.removeAll { $0.id == webhook.id }
            return before - state.webhooks.count
        }
        guard count == 1 else { throw Problem(.notFound, "there is no such webhook") }
        return Nothing()
    }

    func deliveries(_ query: WebhookDeliveryQuery, _ context: CallContext) async throws -> WebhookDeliveryPage {
        try arrive("webhooks.deliveries", context)
        let found = state.withLock { $0.deliveries.filter { query.status == nil || $0.status == query.status } }
        return WebhookDeliveryPage(items: found, next: found.isEmpty ? nil : found[0].id.description)
    }

    func replay(_ replay: WebhookReplay, _ context: CallContext) async throws -> WebhookDelivery {
        let (webhooks, deliveries) = state.withLock { ($0.webhooks, $0.deliveries) }
        guard webhooks.first(where: { $0.id == replay.id })?.status == .enabled else {
            throw Problem(.webhookDisabled, "it is disabled")
        }
        guard let delivery = deliveries.first(where: { $0.id == replay.delivery }) else {
            throw Problem(.notFound, "there is no such delivery")
        }
        return delivery
    }
}

struct ShopPublisher: DeadLettersService {
    let shop: Shop
    let name: String

    func list(_ query: DeadLetterQuery, _ context: CallContext) async throws -> DeadLetterPage {
        try shop.arrive("events.\(name)", context)
        let all = shop.state.withLock { $0.deadLetters[name] ?? [] }.filter { $0.number > query.after ?? 0 }
        return DeadLetterPage(items: Array(all.prefix(1)), next: all.count > 1 ? "\(all[0].number)" : nil)
    }

    func replay(_ letter: DeadLetterByNumber, _ context: CallContext) async throws -> Nothing {
        let isThere = shop.state.withLock { state in
            guard let index = state.deadLetters[name]?.firstIndex(where: { $0.number == letter.number }) else {
                return false
            }
            state.deadLetters[name]?.remove(at: index)
            state.replayed.append(letter.number)
            return true
        }
        guard isThere else { throw Problem(.notFound, "there is no dead letter \(letter.number)") }
        return Nothing()
    }
}

extension Shop: TopologyService {
    func topology(_ query: Nothing, _ context: CallContext) async throws -> Topology {
        state.withLock { $0.topology }
    }
}

extension DeadLetterSummary {
    static func sample(_ number: Int64, subject: String = "order_01h455vb4pex5vsknk084sn02q") -> DeadLetterSummary {
        let time = Timestamp(year: 2026, month: 3, day: 1)
        return DeadLetterSummary(
            number: number, consumer: "webhooks", event: "event_\(number)", type: "order.confirmed", subject: subject,
            time: time, error: "could not read <it>", died_at: time)
    }
}

extension Topology {
    /// Seven roles in seven processes, some of which may be away.
    static func sample(away: Set<String> = []) -> Topology {
        let calls = [
            "storefront": ["users", "auth", "products", "orders", "notifications"], "auth": ["users"],
            "orders": ["auth", "products", "payments"], "users": ["auth"], "products": ["auth"], "payments": ["auth"],
            "notifications": ["auth"],
        ]
        let roles = ["storefront", "users", "auth", "products", "orders", "payments", "notifications"]
        return Topology(
            processes: roles.map { role in
                guard !away.contains(role) else {
                    return Entry(
                        roles: [role], url: "http://\(role)", answers: false, error: "cannot be <reached>",
                        process: nil)
                }
                let peers = (calls[role] ?? []).map { peer in
                    ShopProcess.Peer(
                        role: peer, url: "http://\(peer)", answers: !away.contains(peer),
                        breaker: away.contains(peer) ? .open : .closed, error: nil)
                }
                let database = ShopProcess.BackEnd(
                    setting: "SOUK_DATABASE", kind: "postgres", address: "postgres://…@db/souk", answers: true,
                    error: nil)
                return Entry(
                    roles: [role], url: role == "storefront" ? nil : "http://\(role)", answers: true, error: nil,
                    process: ShopProcess(
                        name: "\(role)-7c9:8080", roles: [role], version: "1.2.3",
                        started_at: Timestamp(year: 2026, month: 3, day: 1), back_ends: [database], peers: peers))
            })
    }
}
