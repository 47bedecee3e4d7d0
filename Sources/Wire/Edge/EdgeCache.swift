public import Kernel
import Metrics
import NIOCore
import Synchronization

/// Answers that are ready to be sent, found and written by the event loop itself.
///
/// Kept are answers that are the same for every visitor, under the exact bytes of their target. What was written is
/// told by `markStale`: when it returns, no answer that shows it is found any more in this process, nor is one kept
/// that was being made at that moment. Where other processes write too, `maxAge` bounds for how long nobody hears.
///
/// What became stale is kept on, as long as there is room and for an hour at the most, for when it cannot be made anew
/// (RFC 5861's stale-if-error).
///
/// The store is cut into shards, each behind a lock that is held for a look-up only.
public final class EdgeCache: Staleness {
    /// Stale at once, whatever its tags: everything that is not immutable.
    public static let everything = "*"
    static let longestTarget = 1 << 10
    private static let shardCount = 16
    /// Tags whose last staleness is remembered. When there are more, answers being made at that moment are not kept.
    private static let mostRemembered = 10_000

    /// What is known of writes, for answers that are being made.
    private struct Ledger {
        /// Counts calls of `markStale`.
        var generation: UInt64 = 1
        var staleAt: [String: UInt64] = [:]
        /// Answers begun before this one are not kept, whatever their tags.
        var floor: UInt64 = 0

        func isFresh(_ tags: [String], since ticket: UInt64) -> Bool {
            ticket >= floor && tags.allSatisfy { (staleAt[$0] ?? 0) <= ticket }
        }
    }

    private let ledger = Mutex(Ledger())
    private let shards: [EdgeShard]
    private let maxAge: TimeAmount?
    private let maxBytes: Int
    private let hits = Counter(label: "souk_edge_hits_total")
    private let misses = Counter(label: "souk_edge_misses_total")
    private let leftovers = Counter(label: "souk_edge_leftovers_total")
    private let entryGauge = Gauge(label: "souk_edge_entries")
    private let byteGauge = Gauge(label: "souk_edge_bytes")

    /// - Parameters:
    ///   - maxBytes: of all that is kept.
    ///   - maxAge: after which an answer is made anew; nil where all writers are in this process.
    public init(maxBytes: Int = 32 << 20, maxAge: Duration? = nil) {
        self.maxBytes = maxBytes
        self.maxAge = maxAge.map { TimeAmount($0) }
        shards = (0..<Self.shardCount).map { _ in EdgeShard(maxBytes: maxBytes / Self.shardCount) }
    }

    public func markStale(_ tags: [String]) {
        ledger.withLock { ledger in
            ledger.generation += 1
            if tags.contains(Self.everything) {
                ledger.floor = ledger.generation
                ledger.staleAt.removeAll()
                for shard in shards { shard.markAllStale() }
                return
            }
            for tag in tags { ledger.staleAt[tag] = ledger.generation }
            for shard in shards { shard.markStale(tags) }
            if ledger.staleAt.count > Self.mostRemembered {
                ledger.floor = ledger.generation
                ledger.staleAt.removeAll()
            }
        }
    }

    /// Answers kept that are not stale, and the bytes of all.
    public var contents: (entries: Int, bytes: Int) {
        shards.reduce((0, 0)) { sum, shard in
            let (entries, bytes) = shard.contents
            return (sum.0 + entries, sum.1 + bytes)
        }
    }
}

extension EdgeCache {
    /// Says how things are. Called a few times a second.
    func tick() {
        let (entries, bytes) = contents
        entryGauge.record(entries)
        byteGauge.record(bytes)
    }

    /// To be taken before an answer is made, and given to `keep` with it.
    var ticket: UInt64 { ledger.withLock(\.generation) }

    /// Whether nothing that carries one of these tags was written since the ticket was taken.
    func isFresh(_ tags: [String], since ticket: UInt64) -> Bool {
        ledger.withLock { $0.isFresh(tags, since: ticket) }
    }

    /// Keeps an answer unless it is stale already or its target is too long.
    func keep(_ answer: Answer, for target: String, since ticket: UInt64, _ metrics: RouteMetrics, _ renderer: Renderer)
    {
        guard let keeping = answer.keeping, target.utf8.count <= Self.longestTarget, target.hasPrefix("/") else {
            return
        }
        let bytes = Array(target.utf8)
        let expiry = keeping.isImmutable ? nil : maxAge.map { NIODeadline.now() + $0 }
        let entry = EdgeEntry(bytes, hash(of: bytes), answer, keeping, expiry, metrics, renderer)
        ledger.withLock { ledger in
            guard ledger.isFresh(keeping.tags, since: ticket) else { return }
            shard(entry.hash).insert(entry)
        }
        metrics.isKept.store(true, ordering: .relaxed)
    }

    /// Adds the gzip form to the answer that is kept under the target, if it still is the one with that tag.
    func keep(gzip answer: Answer, for target: String, of etag: String, _ renderer: Renderer) {
        let bytes = Array(target.utf8)
        let hash = hash(of: bytes)
        shard(hash).add(EdgeEntry.Ready(answer, renderer), to: hash, bytes, etag)
    }

    /// The answer that is kept under the target.
    func kept(_ target: String) -> Answer? {
        let bytes = Array(target.utf8)
        let hash = hash(of: bytes)
        return shard(hash).answer(hash, bytes)
    }

    /// What was kept last under the target, for when it cannot be made anew. Nobody else is to keep it.
    func leftover(_ target: String) -> Answer? {
        let bytes = Array(target.utf8)
        let hash = hash(of: bytes)
        guard var answer = shard(hash).leftover(hash, bytes) else { return nil }
        answer.cacheControl = Answer.noStore
        answer.keeping = nil
        answer.etag = nil
        leftovers.increment()
        return answer
    }

    func forget(_ target: String) {
        let bytes = Array(target.utf8)
        let hash = hash(of: bytes)
        shard(hash).forget(hash, bytes)
    }

    /// The bytes that answer a plain GET or HEAD; nil leaves it to the routes. Called on event loops.
    /// - Parameter evenStale: what was kept last will do, for no new one is going to be made.
    func hit(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, evenStale: Bool = false) -> EdgeHit? {
        guard head.target.count <= Self.longestTarget else { return nil }
        let target = UnsafeRawBufferPointer(rebasing: bytes[head.target])
        var hasher = Hasher()
        hasher.combine(bytes: target)
        let hash = hasher.finalize()
        guard let hit = shard(hash).hit(hash, target, head, bytes, evenStale: evenStale) else {
            if !evenStale { misses.increment() }
            return nil
        }
        (evenStale ? leftovers : hits).increment()
        return hit
    }

    private func hash(of target: [UInt8]) -> Int {
        var hasher = Hasher()
        target.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private func shard(_ hash: Int) -> EdgeShard { shards[hash & (Self.shardCount - 1)] }
}

/// What the event loop writes: the bytes, and the rest of them where something was put between head and body.
struct EdgeHit {
    var bytes: ByteBuffer
    var rest: ByteBuffer?
}
