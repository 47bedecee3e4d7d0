import Contracts
public import Kernel
import Logging
import Metrics
public import ServiceLifecycle
import Synchronization

/// Sends what webhooks are to be told. Any number of processes may run one: each delivery is taken by one of them.
///
/// Each webhook has a lane of its own with at most `sendsAtOnce` messages on their way: a server that is slow, or away,
/// holds back nothing but itself.
public final class WebhookDispatcher: Service {
    /// Standard Webhooks: a server has 15 seconds to say 2xx.
    static let timeout = Duration.seconds(15)
    /// Nobody reads what a server says besides its status; so much lets a connection be used again.
    static let largestAnswer = 64 << 10
    static let sendsAtOnce = 16
    /// When a process dies with a message on its way, another one sends it again after this.
    static let lease = Duration.seconds(60)
    /// Between two looks at what nobody woke the dispatcher for.
    static let interval = Duration.seconds(1)
    /// Ended deliveries are kept so long, and forgotten so many at once.
    static let kept = Duration.seconds(30 * 86_400)
    static let trimmedAtOnce = 500
    static let trimInterval = Duration.seconds(3_600)

    private let webhooks: Webhooks
    private let send: Outbound
    private let jitter: @Sendable () -> Double
    private let lanes = Mutex<Set<WebhookID>>([])
    private let isStopping = Atomic<Bool>(false)
    private let seconds = Timer(label: "souk_webhook_attempt_seconds")
    private let counters = Dictionary(
        uniqueKeysWithValues: ["delivered", "retry", "failed", "gone"].map { outcome in
            (outcome, Counter(label: "souk_webhook_attempts_total", dimensions: [("outcome", outcome)]))
        })

    /// - Parameter send: `OutboundHTTP.send`.
    public convenience init(_ webhooks: Webhooks, send: @escaping Outbound) {
        self.init(webhooks, jitter: { .random(in: 0...1) }, send: send)
    }

    init(_ webhooks: Webhooks, jitter: @escaping @Sendable () -> Double, send: @escaping Outbound) {
        self.webhooks = webhooks
        self.send = send
        self.jitter = jitter
    }

    /// Until the graceful shutdown; then what is on its way is finished.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.tick() }
                for await _ in webhooks.wakes {
                    for target in await due() where open(target.id) {
                        group.addTask { await self.drain(target) }
                    }
                }
                isStopping.store(true, ordering: .relaxed)
            }
        } onGracefulShutdown: {
            self.isStopping.store(true, ordering: .relaxed)
            self.webhooks.endWakes()
        }
    }

    private func tick() async {
        var trimmed: Timestamp?
        while !isStopping.load(ordering: .relaxed) {
            webhooks.wake()
            let now = webhooks.clock.now()
            if trimmed.map({ now - $0 >= Self.trimInterval }) ?? true {
                await trim()
                trimmed = now
            }
            do {
                try await cancelWhenGracefulShutdown { try await self.webhooks.clock.sleep(for: Self.interval) }
            } catch {
                return
            }
        }
    }

    /// Sends all that is due, and returns when it is sent.
    func deliverDue() async {
        await withDiscardingTaskGroup { group in
            for target in await due() where open(target.id) { group.addTask { await self.drain(target) } }
        }
    }

    private func due() async -> [WebhooksStore.Target] {
        do {
            return try await webhooks.store.targets(dueAt: webhooks.clock.now())
        } catch {
            webhooks.logger.error("webhooks cannot be looked for", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func open(_ webhook: WebhookID) -> Bool { lanes.withLock { $0.insert(webhook).inserted } }

    /// Ends when nothing is due for the webhook any more.
    private func drain(_ target: WebhooksStore.Target) async {
        defer { lanes.withLock { _ = $0.remove(target.id) } }
        do {
            while !isStopping.load(ordering: .relaxed) {
                let now = webhooks.clock.now()
                let claimed = try await webhooks.store.claim(
                    target.id, limit: Self.sendsAtOnce, at: now, lease: now + Self.lease)
                guard !claimed.isEmpty else { return }
                let attempts = await attempt(claimed, target)
                try await webhooks.store.finish(attempts, of: target.id, at: webhooks.clock.now())
                if attempts.contains(where: { $0.1.outcome == .gone }) { return }
            }
        } catch {
            // What was claimed is anybody's again when its lease ends.
            webhooks.logger.error(
                "deliveries cannot be taken or written down",
                metadata: ["webhook": "\(target.id)", "error": "\(error)"])
        }
    }

    private func attempt(
        _ claimed: [WebhooksStore.Claimed], _ target: WebhooksStore.Target
    ) async -> [(WebhooksStore.Claimed, WebhookAttempt)] {
        let pin: Result<OutboundRequest.Pin?, Problem>
        do { pin = .success(try await webhooks.targets.check(target.url)) } catch { pin = .failure(error) }
        return await withTaskGroup(of: (WebhooksStore.Claimed, WebhookAttempt).self) { group in
            for delivery in claimed { group.addTask { (delivery, await self.attempt(delivery, target, pin)) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func attempt(
        _ delivery: WebhooksStore.Claimed, _ target: WebhooksStore.Target, _ pin: Result<OutboundRequest.Pin?, Problem>
    ) async -> WebhookAttempt {
        let attempt: WebhookAttempt
        let start = ContinuousClock.now
        do {
            var headers = target.secret.headers(
                id: delivery.message, at: webhooks.clock.now(), body: delivery.body)
            headers += [("content-type", "application/json"), ("user-agent", "Souk-Webhooks/1")]
            let answer = try await send(
                OutboundRequest(
                    .post, target.url.text, headers: headers, body: delivery.body, timeout: Self.timeout,
                    largestAnswer: Self.largestAnswer, pin: try pin.get()))
            attempt = WebhookAttempt(status: answer.status, after: delivery.attempts, jitter: jitter())
        } catch let problem as Problem {
            attempt = WebhookAttempt(noAnswer: problem.detail, after: delivery.attempts, jitter: jitter())
        } catch {
            attempt = WebhookAttempt(
                noAnswer: "there was no answer: \(error)", after: delivery.attempts, jitter: jitter())
        }
        seconds.recordNanoseconds((ContinuousClock.now - start).nanoseconds)
        counters[attempt.outcome.label]?.increment()
        return attempt
    }

    private func trim() async {
        do {
            while try await webhooks.store.trim(
                before: webhooks.clock.now() + (.zero - Self.kept), limit: Self.trimmedAtOnce) == Self.trimmedAtOnce
            {}
        } catch {
            webhooks.logger.warning("old deliveries were not forgotten", metadata: ["error": "\(error)"])
        }
    }
}

extension WebhookAttempt.Outcome {
    fileprivate var label: String {
        switch self {
        case .delivered: "delivered"
        case .retry: "retry"
        case .failed: "failed"
        case .gone: "gone"
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
