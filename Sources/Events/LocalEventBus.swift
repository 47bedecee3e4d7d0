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
    static let trimmedAtOnce = 500
    static let trimsAtOnce = 100

    private struct Subscription: Sendable {
        let consumer: String
        let types: Set<String>
        let patience: Patience?
        let handler: @Sendable ([Event]) async throws -> Void
    }
    private struct State {
        var subscriptions: [Subscription] = []
        var sources: [(name: String, database: any Database)] = []
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
        consumer: String, to types: Set<String>, patience: Patience?,
        handler: @escaping @Sendable ([Event]) async throws -> Void
    ) {
        state.withLock { state in
            precondition(!state.isRunning, "subscriptions are made before the bus runs")
            precondition(!state.subscriptions.contains { $0.consumer == consumer }, "\(consumer) subscribes twice")
            state.subscriptions.append(
                Subscription(consumer: consumer, types: types, patience: patience, handler: handler))
        }
    }

    public func publishes(from database: any Database, as source: String) {
        state.withLock { state in
            precondition(!state.isRunning, "sources are named before the bus runs")
            precondition(!state.sources.contains { $0.name == source }, "\(source) publishes twice")
            state.sources.append((source, database))
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
                        source: source.name, consumer: subscription.consumer, types: subscription.types,
                        database: source.database, patience: subscription.patience, clock: clock, logger: logger,
                        handler: subscription.handler)
                }
            }
            return state.feeds.values.flatMap { $0 }
        }
    }

    /// Every few seconds: wakes the feeds, in case a call was lost with its process; measures; trims.
    private func keepHouse() async {
        let (sources, feeds) = state.withLock { ($0.sources, $0.feeds) }
        let ages = sources.map { Gauge(label: "souk_outbox_oldest_age_seconds", dimensions: [("source", $0.name)]) }
        while !end.isStopped {
            do {
                try await cancelWhenGracefulShutdown { [clock] in try await clock.sleep(for: Self.interval) }
            } catch {
                return
            }
            for (source, age) in zip(sources, ages) where !end.isStopped {
                let feeds = feeds[source.name] ?? []
                for feed in feeds { feed.signal.raise() }
                do {
                    try await look(at: source.database, feeds, age)
                } catch {
                    logger.error(
                        "the outbox cannot be measured or trimmed",
                        metadata: ["source": "\(source.name)", "error": "\(error)"])
                }
            }
        }
    }

    private func look(at database: any Database, _ feeds: [Feed], _ age: Gauge) async throws {
        let standing = try await database.read { try Outbox.standing(in: $0) }
        for feed in feeds { feed.lag.record(max(0, standing.latest - (standing.positions[feed.consumer] ?? 0))) }
        age.record(standing.oldestUndelivered.map { max(0, (clock.now() - $0).inSeconds) } ?? 0)
        guard standing.isTrimmable else { return }
        for _ in 0..<Self.trimsAtOnce where !end.isStopped {
            let trimmed = try await database.write { try Outbox.trim(limit: Self.trimmedAtOnce, in: $0) }
            if trimmed < Self.trimmedAtOnce { break }
        }
    }
}
