public import Database
public import Kernel
public import Logging
public import Redis
import ServiceLifecycle
import Synchronization

/// The bus between processes: outbox → stream → consumers, at least once, for each consumer in order, in whichever
/// process has it at the moment.
///
/// Events stay in the outbox until every consumer has finished them, and the consumers' positions beside it, in the
/// publisher's database; the streams are what carries them. Whatever happens to Redis, nothing is lost: away, events
/// wait; flushed or set back, the streams are made anew from the outbox, and some events come twice. Dead letters are
/// brought back into the publisher's database, where `Outbox.deadLetters` lists and `Outbox.replay` replays them.
public final class RedisEventBus: EventBus {
    /// Between two looks at what nobody rang for.
    public static let interval = Duration.seconds(1)

    private struct State {
        var subscriptions: [Subscription] = []
        var databases: [(name: String, database: any Database, patience: Patience?)] = []
        var relays: [String: StreamRelay] = [:]
        var feeds: [String: [Feed]] = [:]
        var isRunning = false
    }
    private let state = Mutex(State())
    private let end = Signal()
    private let client: RedisClient
    private let sources: [String]
    private let consumers: [String]
    private let prefix: String
    private let lease: Duration
    private let process = "\(UInt64.random(in: 0 ... .max))"
    private let clock: any WallClock
    private let logger: Logger

    /// - Parameters:
    ///   - sources: the services that publish, in whichever process.
    ///   - consumers: all of the shop's, in whichever process, running or not: what is published is kept for them from
    ///     the beginning. One that is no more is taken out here and by `Outbox.forget`.
    ///   - prefix: of all keys and channels.
    ///   - lease: for how long a process that gives no sign of life keeps its consumers from others.
    public init(
        _ client: RedisClient, sources: [String], consumers: [String], prefix: String = "souk:events:",
        lease: Duration = .seconds(10), clock: any WallClock = SystemClock(), logger: Logger = Logger(label: "events")
    ) {
        precondition(!sources.isEmpty && !consumers.isEmpty, "a bus connects somebody with somebody")
        self.client = client
        self.sources = sources
        self.consumers = consumers
        self.prefix = prefix
        self.lease = lease
        self.clock = clock
        self.logger = logger
    }

    public func subscribe(
        consumer: String, to types: Set<String>, handler: @escaping @Sendable ([Event]) async throws -> Void
    ) {
        state.withLock { state in
            precondition(!state.isRunning, "subscriptions are made before the bus runs")
            precondition(!state.subscriptions.contains { $0.consumer == consumer }, "\(consumer) subscribes twice")
            precondition(consumers.contains(consumer), "\(consumer) is not among the bus's consumers")
            state.subscriptions.append(Subscription(consumer: consumer, types: types, handler: handler))
        }
    }

    public func publishes(from database: any Database, as source: String, patience: Patience?) {
        state.withLock { state in
            precondition(!state.isRunning, "sources are named before the bus runs")
            precondition(!state.databases.contains { $0.name == source }, "\(source) publishes twice")
            precondition(sources.contains(source), "\(source) is not among the bus's sources")
            state.databases.append((source, database, patience))
        }
    }

    public func wake(_ source: String) { state.withLock { $0.relays[source] }?.signal.raise() }

    /// Until the graceful shutdown: batches on their way are finished, the positions reached are written down, the
    /// consumers are let go for other processes; then it returns.
    public func run() async throws {
        let (relays, feeds) = start()
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { house in
                house.addTask { await self.listen() }
                house.addTask { await self.keepHouse(relays, feeds) }
                await withTaskGroup(of: Void.self) { group in
                    for relay in relays { group.addTask { await relay.run() } }
                    await Self.finish(feeds)
                    while !end.isStopped { await end.wait() }
                    for relay in relays { relay.signal.stop() }
                }
                house.cancelAll()
            }
        } onCancelOrGracefulShutdown: { [end] in
            end.stop()
            for feed in feeds { feed.signal.stop() }
        }
    }

    private static func finish(_ feeds: [Feed]) async {
        await withTaskGroup(of: Void.self) { group in
            for feed in feeds { group.addTask { await feed.run() } }
        }
    }

    private func start() -> (relays: [StreamRelay], feeds: [Feed]) {
        state.withLock { state in
            precondition(!state.isRunning, "the bus runs already")
            state.isRunning = true
            for source in sources {
                let stream = EventStream(
                    source: source, process: process, client: client, prefix: prefix, lease: lease)
                state.feeds[source] = state.subscriptions.map { subscription in
                    Feed(
                        subscription, of: source, patience: nil,
                        log: StreamLog(stream: stream, consumer: subscription.consumer, logger: logger), clock: clock,
                        logger: logger)
                }
                if let (_, database, patience) = state.databases.first(where: { $0.name == source }) {
                    state.relays[source] = StreamRelay(
                        stream, consumers: consumers, database: database, patience: patience, clock: clock,
                        logger: logger)
                }
            }
            return (Array(state.relays.values), state.feeds.values.flatMap { $0 })
        }
    }

    /// Wakes the feeds of a source when its bell rings, and all when the connection is back.
    private func listen() async {
        let feeds = state.withLock { $0.feeds }
        let bells = Dictionary(sources.map { (EventStream.bell($0, prefix), feeds[$0] ?? []) }) { first, _ in first }
        let relays = state.withLock { Array($0.relays.values) }
        let listener = client.listener(to: Array(bells.keys)) { occurrence in
            switch occurrence {
            case .connected:
                for feed in bells.values.joined() { feed.signal.raise() }
                for relay in relays { relay.look() }
            case .message(let bell, _):
                for feed in bells[bell] ?? [] { feed.signal.raise() }
            }
        }
        await listener.run()
    }

    /// Every second: gives a sign of life for the consumers that this process has, and wakes everybody, in case a ring
    /// was missed. Goes on while the last batches are finished.
    private func keepHouse(_ relays: [StreamRelay], _ feeds: [Feed]) async {
        while (try? await clock.sleep(for: Self.interval)) != nil {
            for feed in feeds { feed.signal.raise() }
            for relay in relays { relay.look() }
            let signs = sources.flatMap { source in
                EventStream(source: source, process: process, client: client, prefix: prefix, lease: lease)
                    .renew(feeds.filter { $0.source == source }.map(\.consumer))
            }
            // While Redis is away, there is nobody to tell.
            _ = try? await client.send(signs)
        }
    }
}
