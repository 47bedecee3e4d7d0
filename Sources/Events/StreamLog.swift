import Logging
import Redis

/// A source's stream, as one consumer meets it.
///
/// A consumer belongs to one process at a time, so that its events stay in their order; another process takes it over
/// when that one stops, or when nothing was heard of it for the time of the lease. Two processes that both believe to
/// have it, after a pause of one, do no more harm than to hand some events on twice.
struct StreamLog: EventLog {
    let stream: EventStream
    let consumer: String
    let logger: Logger

    mutating func next() async throws -> [Outbox.Entry] {
        do {
            let (entries, unreadable) = try await stream.read(for: consumer, count: Pace.largestBatch)
            guard unreadable.isEmpty else {
                // The relay writes nothing like it, and what it wrote is still in the outbox.
                logger.error(
                    "entries that are no events are passed over",
                    metadata: ["source": "\(stream.source)", "entries": "\(unreadable.joined(separator: " "))"])
                _ = try await stream.finish(unreadable, of: consumer)
                return entries
            }
            return entries
        } catch let error as RedisError where error.isOutage {
            // The client says so, and the bell is rung when it is back.
            return []
        }
    }

    mutating func finish(_ entries: ArraySlice<Outbox.Entry>, burying dead: [Burial]) async throws -> Bool {
        try await stream.finish(entries.map { EventStream.id($0.sequence) }, of: consumer, burying: dead)
    }

    func close() async {
        // If it cannot be said, the lease runs out.
        try? await stream.release(consumer)
    }
}
