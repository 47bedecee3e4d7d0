public import Kernel
public import Logging
public import Redis
public import ServiceLifecycle
import Synchronization

/// Tells every process what was written. In this one it is stale when `markStale` returns; in the others as soon as the
/// message arrives, within a second while Redis answers.
///
/// While Redis is away, each process knows of its own writes only. A process that had lost its connection marks
/// everything stale when it has it again, for it cannot know what it missed; what it has to tell itself is told then.
public final class RedisStaleness: Staleness, Service {
    public static let channel = "souk:stale"
    /// That many are remembered for telling; when there are more, everything is told to be stale.
    static let mostTags = 1_000
    /// Between two attempts to tell.
    static let pause = Duration.milliseconds(200)

    private struct Message: Codable {
        var from: String
        var tags: [String]
    }

    private let name = "\(UInt64.random(in: 0 ... .max))"
    private let client: RedisClient
    private let local: any Staleness
    private let everything: String
    private let clock: any WallClock
    private let logger: Logger
    private let untold = Mutex<Set<String>>([])
    private let doorbell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - local: this process's kept copies.
    ///   - everything: the tag that stands for all.
    public init(
        _ client: RedisClient, local: any Staleness, everything: String = "*", clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "souk.staleness")
    ) {
        self.client = client
        self.local = local
        self.everything = everything
        self.clock = clock
        self.logger = logger
    }

    public func markStale(_ tags: [String]) {
        local.markStale(tags)
        guard !tags.isEmpty else { return }
        remember(tags)
        doorbell.continuation.yield()
    }

    /// Tells and listens until the graceful shutdown.
    public func run() async throws {
        let listener = client.listener(to: [Self.channel]) { [self] in hear($0) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run() }
            await cancelWhenGracefulShutdown { [self] in
                for await _ in doorbell.stream { await tell() }
            }
            group.cancelAll()
        }
        // What was written last.
        if untold.withLock({ !$0.isEmpty }) { try? await publish() }
    }

    private func tell() async {
        while untold.withLock({ !$0.isEmpty }), !Task.isCancelled {
            do {
                try await publish()
            } catch {
                // The client says that Redis is away; the others learn it when it is back.
                if let error = error as? RedisError, !error.isOutage {
                    logger.error("what is stale cannot be told", metadata: ["error": "\(error)"])
                }
                try? await clock.sleep(for: Self.pause)
            }
        }
    }

    private func publish() async throws {
        let tags = untold.withLock { untold in
            defer { untold = [] }
            return untold
        }
        do {
            let message = try JSON.encode(Message(from: name, tags: tags.sorted()))
            _ = try await client.send(RedisCommand("PUBLISH", Self.channel, message))
        } catch {
            remember(tags)
            throw error
        }
    }

    private func remember(_ tags: some Sequence<String>) {
        untold.withLock { untold in
            untold.formUnion(tags)
            if untold.count > Self.mostTags || untold.contains(everything) { untold = [everything] }
        }
    }

    private func hear(_ occurrence: RedisListener.Occurrence) {
        switch occurrence {
        case .connected: local.markStale([everything])
        case .message(_, let content):
            guard let message = try? JSON.decode(Message.self, from: content) else {
                logger.error("a message about stale copies cannot be read; all count as stale")
                return local.markStale([everything])
            }
            if message.from != name { local.markStale(message.tags) }
        }
    }
}
