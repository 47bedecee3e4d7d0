import Database
import Kernel
import Logging
import Metrics
import Redis
import Synchronization

/// Carries one outbox into its stream, in the process that has the database, and brings back how far the consumers are.
///
/// Any number of processes may do so at once: a batch goes in only behind the sequence that the relay believes to be
/// the stream's latest, so that exactly one of them succeeds, and nothing is ever left out or out of order.
///
/// The positions beside the outbox are a copy of those in Redis, never ahead of them. The outbox and the stream are
/// trimmed by this copy only. So whatever Redis loses, the stream can be made anew: behind the position that the
/// slowest consumer had at the last look. What was finished since then comes twice.
final class StreamRelay: Sendable {
    let source: String
    let consumers: [String]
    let signal = Signal()
    private let database: any Database
    private let stream: EventStream
    private let keeper: OutboxKeeper
    private let patience: Patience?
    private let clock: any WallClock
    private let logger: Logger
    private let isLookDue = Atomic<Bool>(true)
    private let restored: Counter

    init(
        _ stream: EventStream, consumers: [String], database: any Database, patience: Patience?, clock: any WallClock,
        logger: Logger
    ) {
        source = stream.source
        self.consumers = consumers
        self.database = database
        self.stream = stream
        self.patience = patience
        self.clock = clock
        keeper = OutboxKeeper(source: stream.source, consumers: consumers, database: database, clock: clock)
        var logger = logger
        logger[metadataKey: "source"] = "\(stream.source)"
        self.logger = logger
        restored = Counter(label: "souk_event_streams_restored_total", dimensions: [("source", stream.source)])
    }

    /// Makes the relay look at how far the consumers are.
    func look() {
        isLookDue.store(true, ordering: .releasing)
        signal.raise()
    }

    /// Until the signal is stopped; then it writes down how far the consumers came.
    func run() async {
        // The stream's latest sequence; nil where that must be found out.
        var latest: Int64?
        // The oldest event that is held back while the shop is busy.
        var held: Timestamp?
        var mustLook = false
        while !signal.isStopped {
            do {
                if isLookDue.exchange(false, ordering: .acquiringAndReleasing) {
                    mustLook = true
                    // Before the stream is asked: what waits is to be seen while Redis is away, too.
                    try await keeper.measure()
                }
                let isMore = isHeld(held) ? false : try await append(&latest, &held)
                if mustLook {
                    try await look(&latest)
                    mustLook = false
                }
                if !isMore { await signal.wait() }
            } catch {
                latest = nil
                if signal.isStopped || Task.isCancelled { break }
                if !((error as? RedisError)?.isOutage ?? false) {
                    logger.error("events cannot be handed over; they wait", metadata: ["error": "\(error)"])
                }
                await signal.wait()
            }
        }
        // Where it cannot be done, the next process does it.
        try? await look(&latest)
    }

    /// Whether there may be more to append.
    private func append(_ latest: inout Int64?, _ held: inout Timestamp?) async throws -> Bool {
        let after: Int64
        if let known = latest {
            after = known
        } else {
            after = try await open()
            latest = after
        }
        let entries = try await database.read { try Outbox.entries(after: after, limit: Pace.largestBatch, in: $0) }
        held = entries.first?.event.time
        guard let held else { return false }
        if isHeld(held) { return false }
        let batch = entries.prefix(bytes: EventStream.bytesAtOnce)
        switch try await stream.append(batch, after: after) {
        case .appended: latest = batch.last?.sequence ?? after
        case .overtaken(let other): latest = other
        case .lost: latest = nil
        case .full:
            logger.error("the stream is full: a consumer is away", metadata: ["entries": "\(EventStream.longest)"])
            return false
        }
        return latest != batch.last?.sequence || entries.count == Pace.largestBatch || batch.count < entries.count
    }

    /// Whoever commits and the bus's look every second raise the signal, and so it is asked again.
    private func isHeld(_ oldest: Timestamp?) -> Bool {
        guard let patience, let oldest else { return false }
        return patience.holds(oldest, at: clock.now())
    }

    private func open() async throws -> Int64 {
        // Before the database is asked: while Redis is away, every commit comes by here.
        try await stream.client.check()
        let consumers = consumers
        let (positions, issued, life) = try await database.write { transaction in
            for consumer in consumers { _ = try Outbox.register(consumer, in: transaction) }
            return (
                try Outbox.standing(in: transaction).positions, try Outbox.latestIssued(in: transaction),
                try Migration.began(in: transaction)
            )
        }
        return try await stream.open(positions: positions, issued: issued, life: life)
    }

    /// Copies positions and dead letters from Redis, both of one moment; trims.
    private func look(_ latest: inout Int64?) async throws {
        guard let standing = try await stream.standing() else { return restore(&latest, "the stream is gone") }
        let (known, issued) = try await database.read { transaction in
            (try Outbox.standing(in: transaction).positions, try Outbox.latestIssued(in: transaction))
        }
        if let latest, standing.latest < latest { logger.warning("the stream has an older state") }
        if standing.latest > issued { return restore(&latest, "the stream is ahead of the outbox") }
        if known.keys.contains(where: { standing.positions[$0] == nil }) { return restore(&latest, "a group is gone") }
        try await keep(standing, known)
        let kept = try await keeper.look { !signal.isStopped }
        if let floor = kept.positions.values.min() {
            try await stream.trim(through: floor, letters: standing.dead.map(\.id))
        }
        if standing.hasMoreDead { look() }
    }

    private func keep(_ standing: EventStream.Standing, _ known: [String: Int64]) async throws {
        let letters = standing.dead.compactMap(\.content)
        if letters.count < standing.dead.count {
            logger.error("entries that are no dead letters are dropped")
        }
        // A position moves only when the dead letters before it are in the database.
        let moved = standing.hasMoreDead ? [:] : standing.positions.filter { $0.value > known[$0.key] ?? .max }
        guard !letters.isEmpty || !moved.isEmpty else { return }
        try await database.write { transaction in
            for (consumer, burial) in letters { try Outbox.bury(burial, of: consumer, in: transaction) }
            for (consumer, position) in moved { try Outbox.move(consumer, to: position, in: transaction) }
        }
    }

    private func restore(_ latest: inout Int64?, _ reason: String) {
        latest = nil
        restored.increment()
        logger.warning("the stream is made anew from the outbox", metadata: ["reason": "\(reason)"])
        signal.raise()
    }
}

extension [Outbox.Entry] {
    /// The first of them, with so many bytes of data at the most; one at least.
    fileprivate func prefix(bytes limit: Int) -> ArraySlice<Outbox.Entry> {
        var bytes = 0
        let end = firstIndex { entry in
            bytes += entry.event.data.count
            return bytes > limit
        }
        return self[..<Swift.max(1, end ?? endIndex)]
    }
}
