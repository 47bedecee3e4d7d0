import Kernel
import Logging
import Metrics
import ServiceLifecycle

/// Who takes which events, and how.
struct Subscription: Sendable {
    let consumer: String
    let types: Set<String>
    let handler: @Sendable ([Event]) async throws -> Void
}

/// One consumer on the events of one source: reads, hands on, moves on; all by itself, so that a slow consumer holds
/// back nobody but itself.
struct Feed: Sendable {
    let source: String
    let consumer: String
    let types: Set<String>
    let handler: @Sendable ([Event]) async throws -> Void
    let patience: Patience?
    let log: any EventLog
    let clock: any WallClock
    let logger: Logger
    let signal = Signal()
    private let delivered: Counter
    private let retried: Counter
    private let buried: Counter

    init(
        _ subscription: Subscription, of source: String, patience: Patience?, log: any EventLog, clock: any WallClock,
        logger: Logger
    ) {
        self.source = source
        consumer = subscription.consumer
        types = subscription.types
        handler = subscription.handler
        self.patience = patience
        self.log = log
        self.clock = clock
        var logger = logger
        logger[metadataKey: "source"] = "\(source)"
        logger[metadataKey: "consumer"] = "\(consumer)"
        self.logger = logger
        let labels = [("source", source), ("consumer", consumer)]
        delivered = Counter(label: "souk_events_delivered_total", dimensions: labels)
        retried = Counter(label: "souk_event_batches_retried_total", dimensions: labels)
        buried = Counter(label: "souk_dead_letters_total", dimensions: labels)
    }

    /// Until the signal is stopped. The batch on its way is finished first; one that waits to be tried again is left
    /// for the next start.
    func run() async {
        var pace = Pace()
        var log = log
        while !signal.isStopped {
            do {
                var entries = try await log.next()
                // More may have come meanwhile: the larger the batch, the less its work.
                if await waitForQuiet(entries.first) { entries = try await log.next() }
                try await deliver(entries, of: &log, &pace)
                // A full batch may have left more behind it; otherwise what comes later raises the signal.
                if entries.count < Pace.largestBatch { await signal.wait() }
            } catch {
                if signal.isStopped || Task.isCancelled { break }
                logger.error("the events cannot be read or moved on", metadata: ["error": "\(error)"])
                if case .retry(let delay) = pace.failed(0, isOutage: true, jitter: .random(in: 0...1)) {
                    await pause(delay)
                }
            }
        }
        await log.close()
    }

    /// While the shop is busy, until the oldest event has waited for as long as it may. Gives whether it waited.
    private func waitForQuiet(_ oldest: Outbox.Entry?) async -> Bool {
        guard let patience, let time = oldest?.event.time else { return false }
        var hasWaited = false
        while patience.holds(time, at: clock.now()), !signal.isStopped {
            hasWaited = true
            await pause(Self.lookAgain)
        }
        return hasWaited
    }
    private static let lookAgain = Duration.milliseconds(100)

    /// Until all are finished, it is stopped, or the rest is another process's.
    private func deliver(
        _ entries: [Outbox.Entry], of log: inout any EventLog, _ pace: inout Pace
    ) async throws {
        var rest = entries[...]
        while !rest.isEmpty, !signal.isStopped {
            let (events, end) = Self.next(pace.batch, of: rest) { isWanted($0) }
            switch try await hand(events, in: rest[..<end], of: &log, &pace) {
            case .again: break
            case .done: rest = rest[end...]
            case .taken: return
            }
        }
    }

    private func isWanted(_ entry: Outbox.Entry) -> Bool {
        types.contains(entry.event.type) && (entry.consumer == nil || entry.consumer == consumer)
    }

    /// At most `count` wanted events, and the end of the entries up to which nothing else is wanted.
    private static func next(
        _ count: Int, of entries: ArraySlice<Outbox.Entry>, where isWanted: (Outbox.Entry) -> Bool
    ) -> (events: [Event], end: Int) {
        var events: [Event] = []
        events.reserveCapacity(min(count, entries.count))
        for index in entries.indices where isWanted(entries[index]) {
            if events.count == count { return (events, index) }
            events.append(entries[index].event)
        }
        return (events, entries.endIndex)
    }

    private enum Outcome {
        /// The events are delivered, or the only one is buried.
        case done
        /// The same, and what follows is another process's.
        case taken
        case again
    }

    private func hand(
        _ events: [Event], in entries: ArraySlice<Outbox.Entry>, of log: inout any EventLog, _ pace: inout Pace
    ) async throws -> Outcome {
        do {
            if !events.isEmpty { try await handler(events) }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            let isOutage = Pace.isOutage(error)
            switch pace.failed(events.count, isOutage: isOutage, jitter: .random(in: 0...1)) {
            case .retry(let delay):
                retried.increment()
                logger.warning(
                    "events are tried again", metadata: ["events": "\(events.count)", "error": "\(error)"])
                await pause(delay)
                return .again
            case .bury:
                return try await bury(events, in: entries, of: &log, "\(error)")
            }
        }
        let isOurs = try await log.finish(entries, burying: [])
        pace.succeeded()
        delivered.increment(by: events.count)
        return isOurs ? .done : .taken
    }

    private func bury(
        _ events: [Event], in entries: ArraySlice<Outbox.Entry>, of log: inout any EventLog, _ reason: String
    ) async throws -> Outcome {
        let now = clock.now()
        let dead = events.map { Burial(event: $0, reason: reason, time: now) }
        let isOurs = try await log.finish(entries, burying: dead)
        buried.increment(by: events.count)
        for event in events {
            logger.error("an event is a dead letter", metadata: ["event": "\(event.id)", "error": "\(reason)"])
        }
        return isOurs ? .done : .taken
    }

    /// Ends early when the bus stops.
    private func pause(_ delay: Duration) async {
        try? await cancelWhenGracefulShutdown { try await clock.sleep(for: delay) }
    }
}
