import DequeModule
import NIOCore
import Synchronization

/// A part of the edge's store behind one lock. What was not asked for since the hand of the clock last passed goes
/// first when the bytes run out.
///
/// What was written is stale: it is found no more, but stays where it is, as any that nobody asks for, until it is
/// replaced, its bytes are needed, or it stands in for one that cannot be made.
final class EdgeShard: Sendable {
    /// One answer may take this part of the shard.
    private static let largestPart = 4

    fileprivate struct Store {
        var entries: [Int: EdgeEntry] = [:]
        var tagged: [String: Set<Int>] = [:]
        var clock: Deque<EdgeEntry> = []
        var bytes = 0
        /// How many of the entries are stale.
        var stale = 0
    }

    private let store = Mutex(Store())
    private let maxBytes: Int

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// What is not stale, and the bytes of all.
    var contents: (entries: Int, bytes: Int) { store.withLock { ($0.entries.count - $0.stale, $0.bytes) } }

    func hit(
        _ hash: Int, _ target: UnsafeRawBufferPointer, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer,
        evenStale: Bool
    ) -> EdgeHit? {
        store.withLock { store in
            guard let entry = store.entries[hash],
                evenStale ? entry.isLeftover(target) : entry.isServable(target)
            else { return nil }
            return entry.hit(head, bytes, needsGzip: !evenStale)
        }
    }

    func answer(_ hash: Int, _ target: [UInt8]) -> Answer? {
        store.withLock { store in
            guard let entry = store.entries[hash], target.withUnsafeBytes(entry.isServable) else { return nil }
            return entry.answer
        }
    }

    /// What was kept last under the target, stale or not, if it may stand in for a newer one.
    func leftover(_ hash: Int, _ target: [UInt8]) -> Answer? {
        store.withLock { store in
            guard let entry = store.entries[hash], target.withUnsafeBytes(entry.isLeftover) else { return nil }
            return entry.answer
        }
    }

    func forget(_ hash: Int, _ target: [UInt8]) {
        store.withLock { store in
            guard let entry = store.entries[hash], target.withUnsafeBytes(entry.isOf) else { return }
            store.remove(entry)
        }
    }

    func insert(_ entry: EdgeEntry) {
        store.withLock { store in
            if let old = store.entries[entry.hash] { store.remove(old) }
            guard entry.size <= maxBytes / Self.largestPart else { return }
            store.insert(entry)
            store.evict(to: maxBytes)
        }
    }

    func add(_ gzip: EdgeEntry.Ready, to hash: Int, _ target: [UInt8], _ etag: String) {
        store.withLock { store in
            guard let entry = store.entries[hash], target.withUnsafeBytes(entry.isServable),
                entry.etag.elementsEqual(etag.utf8)
            else { return }
            store.bytes -= entry.size
            entry.add(gzip: gzip)
            store.bytes += entry.size
            store.evict(to: maxBytes)
        }
    }

    func markStale(_ tags: [String]) {
        store.withLock { store in
            for tag in tags {
                for hash in store.tagged[tag] ?? [] {
                    if let entry = store.entries[hash] { store.markStale(entry) }
                }
            }
        }
    }

    func markAllStale() {
        store.withLock { store in
            for entry in store.entries.values where !entry.isImmutable { store.markStale(entry) }
        }
    }
}

extension EdgeShard.Store {
    fileprivate mutating func insert(_ entry: EdgeEntry) {
        entries[entry.hash] = entry
        for tag in entry.tags { tagged[tag, default: []].insert(entry.hash) }
        clock.append(entry)
        bytes += entry.size
    }

    fileprivate mutating func markStale(_ entry: EdgeEntry) {
        guard entry.staleSince == nil else { return }
        entry.becomeStale()
        stale += 1
        untag(entry)
    }

    private mutating func untag(_ entry: EdgeEntry) {
        for tag in entry.tags {
            tagged[tag]?.remove(entry.hash)
            if tagged[tag]?.isEmpty == true { tagged[tag] = nil }
        }
    }

    fileprivate mutating func remove(_ entry: EdgeEntry) {
        entries[entry.hash] = nil
        entry.isRemoved = true
        bytes -= entry.size
        if entry.staleSince == nil { untag(entry) } else { stale -= 1 }
        // Those removed wait in the clock for its hand; they must not become the most.
        if clock.count > 2 * entries.count + 64 { clock.removeAll { $0.isRemoved } }
    }

    fileprivate mutating func evict(to limit: Int) {
        while bytes > limit, let entry = clock.popFirst() {
            if entry.isRemoved { continue }
            if entry.isReferenced {
                entry.isReferenced = false
                clock.append(entry)
            } else {
                remove(entry)
            }
        }
    }
}
