import Kernel
public import Redis

/// A cache that all processes share. Its bound in memory and what makes room are the server's settings (`maxmemory`).
public struct RedisCache: Cache {
    /// Larger values are not kept: they would hold up the others on the same connection.
    public static let largestValue = 1 << 20
    static let longestTime = Duration.seconds(10 * 365 * 86_400)

    private let client: RedisClient
    private let prefix: String

    /// - Parameter prefix: of all its keys, so that several can share a server.
    public init(_ client: RedisClient, prefix: String = "souk:cache:") {
        self.client = client
        self.prefix = prefix
    }

    public func get(_ key: String) async throws -> [UInt8]? {
        do {
            let value = try await client.send(RedisCommand("GET", prefix + key))
            return value.isNull ? nil : try value.bytes()
        } catch {
            throw cacheError(error, key)
        }
    }

    public func set(_ key: String, _ value: [UInt8], ttl: Duration?) async throws {
        guard value.count <= Self.largestValue, ttl.map({ $0 > .zero }) ?? true else { return try await remove(key) }
        do {
            var arguments: [any RedisArgument] = [prefix + key, value]
            if let ttl { arguments += ["PX", Self.milliseconds(ttl)] }
            _ = try await client.send(RedisCommand("SET", arguments))
        } catch {
            throw cacheError(error, key)
        }
    }

    public func remove(_ key: String) async throws {
        do {
            _ = try await client.send(RedisCommand("DEL", prefix + key))
        } catch {
            throw cacheError(error, key)
        }
    }

    public func increment(_ key: String, by amount: Int64, ttl: Duration?) async throws -> Int64 {
        do {
            let time = ttl.map(Self.milliseconds) ?? 0
            let script = RedisCommand.script(Self.increment, keys: [prefix + key], [amount, time])
            return try await client.send(script).integer()
        } catch {
            throw cacheError(error, key)
        }
    }

    /// The sum comes back as text: Lua's numbers are floating.
    private static let increment = """
        local isNew = redis.call('EXISTS', KEYS[1]) == 0
        redis.call('INCRBY', KEYS[1], ARGV[1])
        if isNew and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
        return redis.call('GET', KEYS[1])
        """

    /// Rounded up: what is to be kept for a moment is kept for one.
    private static func milliseconds(_ ttl: Duration) -> Int64 {
        max(1, (min(ttl, longestTime).microseconds + 999) / 1_000)
    }

    private func cacheError(_ error: RedisError, _ key: String) -> any Error {
        guard case .refused(let text) = error else {
            return error.isOutage ? CacheError.unavailable(reason: "\(error)") : error
        }
        if text.contains("would overflow") { return CacheError.overflow(key: key) }
        let isOtherKind = text.contains("WRONGTYPE") || text.contains("not an integer")
        return isOtherKind ? CacheError.notACounter(key: key) : error
    }
}
