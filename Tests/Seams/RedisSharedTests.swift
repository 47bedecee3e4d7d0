import Cache
import Kernel
import Redis
import ServiceLifecycle
import Synchronization
import Testing

/// What processes share through Redis beside events: what is stale, and how much one client may ask for.
@Suite(.enabled(if: RedisServer.isInstalled, RedisServer.reason)) struct RedisSharedTests {
    private final class Edge: Staleness {
        private let marked = Mutex<[String]>([])
        var tags: [String] { marked.withLock { $0 } }
        func markStale(_ tags: [String]) { marked.withLock { $0 += tags } }
    }

    private struct Process {
        let edge: Edge
        let staleness: RedisStaleness

        init(_ client: RedisClient) {
            edge = Edge()
            staleness = RedisStaleness(client, local: edge, logger: .silent)
        }
    }

    @Test func aWriteIsStaleHereAtOnceAndElsewhereSoon() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        let (here, there) = (Process(client), Process(client))
        let group = ServiceGroup(services: [here.staleness, there.staleness], logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await until { here.edge.tags == ["*"] && there.edge.tags == ["*"] }
            here.staleness.markStale(["product:a", "catalogue"])
            #expect(here.edge.tags == ["*", "product:a", "catalogue"])
            await until { there.edge.tags.suffix(2) == ["catalogue", "product:a"] }
            // One's own message is not heard again, and nonsense makes everything stale.
            _ = try await client.send(RedisCommand("PUBLISH", RedisStaleness.channel, "nonsense"))
            await until { here.edge.tags.count == 4 && there.edge.tags.count == 4 }
            #expect(here.edge.tags.last == "*" && there.edge.tags.last == "*")
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        await client.close()
    }

    @Test func whileRedisIsAwayEachKnowsItsOwnAndAfterwardsAllKnowAll() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        let (here, there) = (Process(client), Process(client))
        let group = ServiceGroup(services: [here.staleness, there.staleness], logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await until { here.edge.tags.count == 1 && there.edge.tags.count == 1 }
            server.kill()
            for number in 0..<3_000 { here.staleness.markStale(["product:\(number)"]) }
            #expect(here.edge.tags.count == 3_001 && here.edge.tags.last == "product:2999")
            #expect(there.edge.tags == ["*"])
            try await server.start()
            // For having been away; and once more if the other one tells it afterwards.
            await until { there.edge.tags.count >= 2 }
            #expect(Set(there.edge.tags) == ["*"])
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        await client.close()
    }

    @Test func aBucketIsSharedAndFillsAgain() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        // Slow enough that nothing is added while the test runs.
        let processes = (0..<3).map { _ in RedisBuckets(client, rate: 0.001, burst: 30) }
        let waits = try await withThrowingTaskGroup(of: Double?.self) { group in
            for number in 0..<100 { group.addTask { try await processes[number % 3].take("address:1") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(waits.count { $0 == nil } == 30)
        #expect(waits.allSatisfy { $0.map { $0 > 0 && $0 <= 1_000 } ?? true })
        let life = try await client.send(RedisCommand("PTTL", "souk:bucket:address:1")).integer()
        #expect(life > 0 && life <= 30_000_000)
        // As if it had been left alone for long.
        _ = try await client.send(RedisCommand("HSET", "souk:bucket:address:1", "at", "0"))
        #expect(try await processes[1].take("address:1") == nil)
        let tokens = try await client.send(RedisCommand("HGET", "souk:bucket:address:1", "tokens")).text()
        #expect(Double(tokens) == 29)
        await client.close()
    }

    @Test func whenRedisIsAwayTheBucketAndTheCacheSaySo() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        server.kill()
        let buckets = RedisBuckets(client, rate: 1, burst: 1)
        let error = await #expect(throws: RedisError.self) { try await buckets.take("address:1") }
        #expect(error?.isOutage == true)
        let cache = RedisCache(client)
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await cache.get("a") }, { try await cache.set("a", [1]) }, { try await cache.remove("a") },
            { _ = try await cache.increment("a", by: 1, ttl: nil) },
        ]
        for call in calls {
            let error = await #expect(throws: CacheError.self) { try await call() }
            guard case .unavailable = error else {
                Issue.record("\(String(describing: error)) instead of an outage")
                continue
            }
        }
        await client.close()
    }

    @Test func keysHaveTheirPrefixAndLargeValuesAreNotKept() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        let (one, other) = (RedisCache(client, prefix: "one:"), RedisCache(client, prefix: "other:"))
        try await one.set("a", [1])
        #expect(try await other.get("a") == nil)
        #expect(try await client.send(RedisCommand("EXISTS", "one:a")).integer() == 1)
        try await one.set("a", [UInt8](repeating: 0, count: RedisCache.largestValue + 1))
        #expect(try await one.get("a") == nil)
        try await one.set("b", [1], ttl: .seconds(Int64.max / 4))
        try await one.set("c", [1], ttl: .zero)
        #expect(try await one.get("b") == [1])
        #expect(try await one.get("c") == nil)
        await client.close()
    }
}
