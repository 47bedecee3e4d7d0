public import Database
public import Kernel
public import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// The bus inside one process: consumers read the outboxes' tables themselves. One process at a time may run it on a
/// database, which the lock on the data folder sees to.
public final class LocalEventBus: EventBus {
    /// Between two looks at what nobody woke the bus for, and at what can be trimmed.
    public static let interval = Duration.seconds(5)

    private struct State {
        var subscriptions: [Subscription] = []
        var sources: [(name: String, database: any Database, patience: Patience?)] = []
        var feeds: [String: [Feed]] = [:]
        var isRunning = false
    }
    private let state = Mutex(State())
    private let end = Signal()
    private let clock: any WallClock
    private let logger: Logger

    public init(clock: any WallClock = SystemClock(), logger: Logger = Logger(label: "events")) {
        self.clock = clock
        self.logger = logger
    }

    public func subscribe(
        consumer: String, to types: Set<String>, handler: @escaping @Sendable ([Event]) async throws -> Void
    ) {
        state.withLock { state in
            precondition(!state.isRunning, "subscriptions are made before the bus runs")
            precondition(!state.subscriptions.contains { $0.consumer == consumer }, "\(consumer) subscribes twice")
            state.subscriptions.append(Subscription(consumer: consumer, types: types, handler: handler))
        }
    }

    public func publishes(from database: any Database, as source: String, patience: Patience?) {
        state.withLock { state in
            precondition(!state.isRunning, "sources are named before the bus runs")
            precondition(!state.sources.contains { $0.name == source }, "\(source) publishes twice")
            state.sources.append((source, database, patience))
        }
    }

    public func wake(_ source: String) {
        guard let feeds = state.withLock({ $0.feeds[source] }) else { return }
        for feed in feeds { feed.signal.raise() }
    }

    /// Until the graceful shutdown: batches on their way are finished, then it returns.
    public func run() async throws {
        let feeds = start()
        await withTaskCancellationOrGracefulShutdownHandler {
            async let house: Void = keepHouse()
            await withTaskGroup(of: Void.self) { group in
                for feed in feeds { group.addTask { await feed.run() } }
                await group.waitForAll()
                // With no feeds at all it still runs until it is told to stop.
                while !end.isStopped { await end.wait() }
            }
            await house
        } onCancelOrGracefulShutdown: { [end] in
            end.stop()
            for feed in feeds { feed.signal.stop() }
        }
    }

    private func start() -> [Feed] {
        state.withLock { state in
            precondition(!state.isRunning, "the bus runs already")
            state.isRunning = true
            for source in state.sources {
                state.feeds[source.name] = state.subscriptions.map { subscription in
                    Feed(
                        subscription, of: source.name, patience: source.patience,
                        log: OutboxLog(consumer: subscription.consumer, database: source.database), clock: clock,
                        logger: logger)
                }
            }
            return state.feeds.values.flatMap { $0 }
        }
    }

    /// Every few seconds: wakes the feeds, in case a call was lost with its process; measures; trims.
    private func keepHouse() async {
        let (sources, subscriptions, feeds) = state.withLock { ($0.sources, $0.subscriptions, $0.feeds) }
        let keepers = sources.map { source in
            OutboxKeeper(
                source: source.name, consumers: subscriptions.map(\.consumer), database: source.database, clock: clock)
        }
        while !end.isStopped {
            do {
                try await cancelWhenGracefulShutdown { [clock] in try await clock.sleep(for: Self.interval) }
            } catch {
                return
            }
            for keeper in keepers where !end.isStopped {
                for feed in feeds[keeper.source] ?? [] { feed.signal.raise() }
                do {
                    try await keeper.look { !end.isStopped }
                } catch {
                    logger.error(
                        "the outbox cannot be measured or trimmed",
                        metadata: ["source": "\(keeper.source)", "error": "\(error)"])
                }
            }
        }
    }
}
