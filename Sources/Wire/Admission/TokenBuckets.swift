package import Kernel

/// A bucket of tokens for each key: `burst` when full, filled at `rate` a second. Bounded: past `most` keys those that
/// were not asked for the longest are forgotten, and begin anew with a full bucket.
package struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
    private struct Bucket {
        var tokens: Double
        var time: Timestamp
    }

    private let rate: Double
    private let burst: Double
    private let most: Int
    private var recent: [Key: Bucket] = [:]
    private var older: [Key: Bucket] = [:]

    package init(rate: Double, burst: Double, most: Int = 100_000) {
        self.rate = rate
        self.burst = max(1, burst)
        self.most = max(2, most)
    }

    package var count: Int { recent.count + older.count }

    /// - Parameter cost: 1 takes a token, 0 only looks whether there is one.
    /// - Returns: seconds until there is a token; nil if there was one.
    package mutating func take(_ key: Key, cost: Double = 1, now: Timestamp) -> Double? {
        var bucket = recent[key] ?? older.removeValue(forKey: key) ?? Bucket(tokens: burst, time: now)
        let elapsed = max(0, (now - bucket.time).inSeconds)
        bucket.tokens = min(burst, bucket.tokens + elapsed * rate)
        bucket.time = now
        let isRefused = bucket.tokens < 1
        if !isRefused { bucket.tokens -= cost }
        recent[key] = bucket
        if recent.count >= most / 2 {
            older = recent
            recent = [:]
        }
        return isRefused ? (1 - bucket.tokens) / max(rate, 1e-9) : nil
    }
}
