public import Kernel
import Synchronization

/// A cache in this process, bounded in bytes and in entries: what was used longest ago makes room.
public final class MemoryCache: Cache {
    /// What an entry costs beside its key and value, measured roughly.
    static let entryOverhead = 128

    private let maxBytes: Int
    private let clock: any WallClock
    private let entries: Mutex<Entries>

    public init(maxBytes: Int = 32 << 20, maxEntries: Int = 100_000, clock: any WallClock = SystemClock()) {
        precondition(maxBytes > 0 && maxEntries > 0, "a cache has room for something")
        self.maxBytes = maxBytes
        self.clock = clock
        entries = Mutex(Entries(maxBytes: maxBytes, maxEntries: maxEntries))
    }

    public var count: Int { entries.withLock { $0.count } }
    /// Of keys, values and their bookkeeping.
    public var bytes: Int { entries.withLock { $0.bytes } }

    public func get(_ key: String) async throws -> [UInt8]? {
        let now = clock.now()
        return entries.withLock { $0.value(of: key, at: now) }
    }

    public func set(_ key: String, _ value: [UInt8], ttl: Duration?) async throws {
        let expiry = ttl.map { clock.now() + $0 }
        entries.withLock { $0.set(key, value, expiry: expiry) }
    }

    public func remove(_ key: String) async throws {
        entries.withLock { $0.remove(key) }
    }

    public func increment(_ key: String, by amount: Int64, ttl: Duration?) async throws -> Int64 {
        let now = clock.now()
        return try entries.withLock { entries in
            guard let kept = entries.value(of: key, at: now) else {
                entries.set(key, Array(String(amount).utf8), expiry: ttl.map { now + $0 })
                return amount
            }
            guard let count = Int64(String(decoding: kept, as: UTF8.self)) else {
                throw CacheError.notACounter(key: key)
            }
            let (sum, isOverflow) = count.addingReportingOverflow(amount)
            guard !isOverflow else { throw CacheError.overflow(key: key) }
            entries.set(key, Array(String(sum).utf8), expiry: entries.expiry(of: key))
            return sum
        }
    }
}

/// A table, and a ring through its entries in the order of their last use. The ring's links are positions in one array:
/// no object for each entry. Position 0 is the ring's own: before it the latest, after it the oldest.
private struct Entries {
    private struct Entry {
        var key = ""
        var value: [UInt8] = []
        var expiry: Timestamp?
        var older = 0
        var newer = 0

        var cost: Int { key.utf8.count + value.count + MemoryCache.entryOverhead }
    }

    private let maxBytes: Int
    private let maxEntries: Int
    private var positions: [String: Int] = [:]
    private var ring = [Entry()]
    private var free: [Int] = []
    private(set) var bytes = 0

    init(maxBytes: Int, maxEntries: Int) {
        self.maxBytes = maxBytes
        self.maxEntries = maxEntries
    }

    var count: Int { positions.count }

    mutating func value(of key: String, at now: Timestamp) -> [UInt8]? {
        guard let position = positions[key] else { return nil }
        if let expiry = ring[position].expiry, expiry <= now {
            remove(key)
            return nil
        }
        unlink(position)
        link(position)
        return ring[position].value
    }

    func expiry(of key: String) -> Timestamp? { positions[key].flatMap { ring[$0].expiry } }

    mutating func set(_ key: String, _ value: [UInt8], expiry: Timestamp?) {
        remove(key)
        let entry = Entry(key: key, value: value, expiry: expiry)
        guard entry.cost <= maxBytes else { return }
        while bytes + entry.cost > maxBytes || positions.count >= maxEntries { remove(ring[ring[0].newer].key) }
        let position: Int
        if let reused = free.popLast() {
            position = reused
            ring[position] = entry
        } else {
            position = ring.count
            ring.append(entry)
        }
        positions[key] = position
        bytes += entry.cost
        link(position)
    }

    mutating func remove(_ key: String) {
        guard let position = positions.removeValue(forKey: key) else { return }
        bytes -= ring[position].cost
        unlink(position)
        ring[position] = Entry()
        free.append(position)
    }

    /// As the latest.
    private mutating func link(_ position: Int) {
        let latest = ring[0].older
        ring[position].older = latest
        ring[position].newer = 0
        ring[latest].newer = position
        ring[0].older = position
    }

    private mutating func unlink(_ position: Int) {
        let (older, newer) = (ring[position].older, ring[position].newer)
        ring[older].newer = newer
        ring[newer].older = older
    }
}
