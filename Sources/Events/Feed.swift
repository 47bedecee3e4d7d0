import Database
import Kernel
import Logging
import Metrics
import ServiceLifecycle

/// One consumer on one outbox: reads, hands on, moves the position; all by itself, so that a slow consumer holds back
/// nobody but itself.
struct Feed: Sendable {
    let source: String
    let consumer: String
    let types: Set<String>
    let handler: @Sendable ([Event]) async throws -> Void
    let database: any Database
    let patience: Patience?
    let clock: any WallClock
    let logger: Logger
    let signal = Signal()
    let lag: Gauge
    private let delivered: Counter
    private let retried: Counter
    private let buried: Counter

    init(
        source: String, consumer: String, types: Set<String>, database: any Database, patience: Patience?,
        clock: any WallClock, logger: Logger, handler: @escaping @Sendable ([Event]) async throws -> Void
    ) {
        self.source = source
        self.consumer = consumer
        self.types = types
        self.handler = handler
        self.database = database
        self.patience = patience
        self.clock = clock
        var logger = logger
        logger[metadataKey: "source"] = "\(source)"
        logger[metadataKey: "consumer"] = "\(consumer)"
        self.logger = logger
        let labels = [("source", source), ("consumer", consumer)]
        lag = Gauge(label: "souk_outbox_lag", dimensions: labels)
        delivered = Counter(label: "souk_events_delivered_total", dimensions: labels)
        retried = Counter(label: "souk_event_batches_retried_total", dimensions: labels)
        buried = Counter(label: "souk_dead_letters_total", dimensions: labels)
    }

    /// Until the signal is stopped. The batch on its way is finished first; one that waits to be tried again is left
    /// for the next start.
    func run() async {
        var pace = Pace()
        var position: Int64?
        while !signal.isStopped {
            do {
                if let reached = position {
                    try await waitForQuiet(after: reached)
                    let entries = try await database.read { transaction in
                        try Outbox.entries(after: reached, limit: Pace.largestBatch, in: transaction)
                    }
                    position = try await deliver(entries, from: reached, &pace)
                    // A full batch may have left more behind it; otherwise what comes later raises the signal.
                    if entries.count < Pace.largestBatch { await signal.wait() }
                } else {
                    position = try await database.write { try Outbox.register(consumer, in: $0) }
                }
            } catch {
                if signal.isStopped || Task.isCancelled { return }
                logger.error("the outbox cannot be read or moved on", metadata: ["error": "\(error)"])
                if case .retry(let delay) = pace.failed(0, isOutage: true, jitter: .random(in: 0...1)) {
                    await pause(delay)
                }
            }
        }
    }

    /// While the shop is busy, until the oldest event has waited for as long as it may.
    private func waitForQuiet(after position: Int64) async throws {
        guard let patience, patience.isBusy() else { return }
        let oldest = try await database.read { try Outbox.entries(after: position, limit: 1, in: $0).first?.event.time }
        guard let oldest else { return }
        while patience.isBusy(), !signal.isStopped, clock.now() - oldest < patience.limit {
            await pause(Self.lookAgain)
        }
    }
    private static let lookAgain = Duration.milliseconds(100)

    /// Gives the position reached: the last entry's, or an earlier one if it was stopped.
    private func deliver(_ entries: [Outbox.Entry], from start: Int64, _ pace: inout Pace) async throws -> Int64 {
        var position = start
        var rest = entries[...]
        while let last = rest.last, !signal.isStopped {
            let (events, end) = Self.next(pace.batch, of: rest) { isWanted($0) }
            let slice = end == rest.endIndex ? last.sequence : rest[end - 1].sequence
            if try await hand(events, reaching: slice, &pace) {
                position = slice
                rest = rest[end...]
            }
        }
        return position
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

    /// Whether the position has moved to `reached`: the events are delivered, or the only one is buried.
    private func hand(_ events: [Event], reaching reached: Int64, _ pace: inout Pace) async throws -> Bool {
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
                return false
            case .bury:
                try await bury(events, reached, error)
                return true
            }
        }
        try await database.write { try Outbox.move(consumer, to: reached, in: $0) }
        pace.succeeded()
        delivered.increment(by: events.count)
        return true
    }

    private func bury(_ events: [Event], _ reached: Int64, _ error: any Error) async throws {
        let (reason, now) = ("\(error)", clock.now())
        try await database.write { transaction in
            for event in events { try Outbox.bury(event, of: consumer, because: reason, at: now, in: transaction) }
            try Outbox.move(consumer, to: reached, in: transaction)
        }
        buried.increment(by: events.count)
        for event in events {
            logger.error("an event is a dead letter", metadata: ["event": "\(event.id)", "error": "\(reason)"])
        }
    }

    /// Ends early when the bus stops.
    private func pause(_ delay: Duration) async {
        try? await cancelWhenGracefulShutdown { try await clock.sleep(for: delay) }
    }
}
