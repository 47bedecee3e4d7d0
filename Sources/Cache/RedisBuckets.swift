public import Kernel
public import Redis

/// Buckets of tokens in Redis: one round trip, by the clock of Redis, so that those of the processes need not agree.
///
/// Give it a client of its own with `RedisBuckets.options`: when Redis is slow, requests wait for a moment at the most
/// and then go by their own process's buckets, until Redis answers again.
public struct RedisBuckets: SharedBuckets {
    /// How long a request may wait for it.
    public static let patience = Duration.milliseconds(50)

    public static var options: RedisClient.Options {
        var options = RedisClient.Options()
        options.answerTimeout = patience
        options.connectTimeout = patience
        return options
    }

    private let client: RedisClient
    private let rate: Double
    private let burst: Double
    private let prefix: String

    /// `burst` tokens when full, filled at `rate` a second.
    public init(_ client: RedisClient, rate: Double, burst: Double, prefix: String = "souk:bucket:") {
        precondition(rate > 0, "a bucket is filled")
        self.client = client
        self.rate = rate
        self.burst = max(1, burst)
        self.prefix = prefix
    }

    public func take(_ key: String) async throws -> Double? {
        let script = RedisCommand.script(Self.take, keys: [prefix + key], [rate, burst])
        let answer = try await client.send(script)
        guard !answer.isNull else { return nil }
        let text = try answer.text()
        guard let wait = Double(text) else { throw RedisError.unexpected("'\(text)' instead of seconds") }
        return wait
    }

    /// A key lives until its bucket is full again. Refusals write nothing.
    private static let take = """
        local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
        local time = redis.call('TIME')
        local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
        local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
        local tokens = tonumber(kept[1] or burst)
        local at = tonumber(kept[2] or now)
        tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
        if tokens < 1 then return string.format('%.6f', (1 - tokens) / rate) end
        tokens = tokens - 1
        redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
        redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((burst - tokens) / rate * 1000)))
        return false
        """
}
