public import Kernel

/// Values that may be forgotten at any time: never the only place where something is known.
///
/// One that is shared may be away: then everything throws `CacheError.unavailable`, soon, and callers do without.
public protocol Cache: Sendable {
    /// Nil where nothing is kept, or its time has passed.
    func get(_ key: String) async throws -> [UInt8]?

    /// Keeps the value, at most for `ttl`; nil for as long as there is room. A value above the cache's bounds is not
    /// kept.
    func set(_ key: String, _ value: [UInt8], ttl: Duration?) async throws

    func remove(_ key: String) async throws

    /// Adds to a counter in one step and gives its new value. One that is missing, or whose time has passed, starts
    /// from zero and lives for `ttl`; one that is there keeps the time it has. Throws `CacheError.notACounter` if the
    /// key holds something else.
    func increment(_ key: String, by amount: Int64, ttl: Duration?) async throws -> Int64
}

extension Cache {
    public func set(_ key: String, _ value: [UInt8]) async throws { try await set(key, value, ttl: nil) }
}

public enum CacheError: OutageError, Sendable, Equatable {
    /// The value is not an integer in decimal digits.
    case notACounter(key: String)
    /// The sum leaves the range of 64 bits.
    case overflow(key: String)
    /// The cache is away or too slow: do without it.
    case unavailable(reason: String)

    public var isOutage: Bool {
        if case .unavailable = self { true } else { false }
    }
}

extension CacheError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notACounter(let key): "the cache holds something other than a counter under '\(key)'"
        case .overflow(let key): "the counter '\(key)' would leave the range of 64 bits"
        case .unavailable(let reason): "the cache is away: \(reason)"
        }
    }
}
