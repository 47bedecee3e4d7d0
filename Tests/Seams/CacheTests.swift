import Cache
import Kernel
import Redis
import Testing

/// A cache of either form, and time that passes when the test says so: hours, beside which the real time is nothing.
private struct CacheForm: Sendable {
    let cache: any Cache
    let pass: @Sendable (Duration) async throws -> Void

    enum Name: String, CaseIterable { case memory, redis }
    static let installed: [Name] = RedisServer.isInstalled ? Name.allCases : [.memory]

    static func using(_ name: Name, _ work: (CacheForm) async throws -> Void) async throws {
        switch name {
        case .memory:
            let clock = ManualClock()
            try await work(CacheForm(cache: MemoryCache(clock: clock)) { clock.advance(by: $0) })
        case .redis:
            let server = try await RedisServer.start()
            let client = try server.client()
            try await work(CacheForm(cache: RedisCache(client)) { try await client.age(by: $0) })
            await client.close()
        }
    }
}

extension RedisClient {
    /// Takes that much from the time that each key has left.
    fileprivate func age(by duration: Duration) async throws {
        let script = """
            for _, key in ipairs(redis.call('KEYS', '*')) do
                local left = redis.call('PTTL', key)
                if left >= 0 then redis.call('PEXPIRE', key, left - tonumber(ARGV[1])) end
            end
            """
        _ = try await send(.script(script, keys: [], [duration.microseconds / 1_000]))
    }
}

struct CacheTests {
    private let clock = ManualClock()

    @Test(arguments: CacheForm.installed)
    fileprivate func aValueIsKeptUntilItsTimeHasPassed(_ name: CacheForm.Name) async throws {
        try await CacheForm.using(name) { form in
            let cache = form.cache
            try await cache.set("a", [1, 2, 3], ttl: .seconds(36_000))
            try await cache.set("b", [4], ttl: nil)
            try await form.pass(.seconds(32_400))
            #expect(try await cache.get("a") == [1, 2, 3])
            try await form.pass(.seconds(3_600))
            #expect(try await cache.get("a") == nil)
            #expect(try await cache.get("b") == [4])
            try await cache.remove("b")
            try await cache.remove("never there")
            #expect(try await cache.get("b") == nil)
        }
    }

    @Test func theEntryUsedLongestAgoMakesRoom() async throws {
        let cache = MemoryCache(maxEntries: 3, clock: clock)
        for key in ["a", "b", "c"] { try await cache.set(key, [0]) }
        _ = try await cache.get("a")
        try await cache.set("d", [0])
        #expect(try await cache.get("b") == nil)
        for key in ["a", "c", "d"] { #expect(try await cache.get(key) != nil) }
    }

    @Test func boundsHoldAndTheBooksAgreeUnderRandomUse() async throws {
        let (maxBytes, maxEntries) = (20_000, 50)
        let cache = MemoryCache(maxBytes: maxBytes, maxEntries: maxEntries, clock: clock)
        var generator = SystemRandomNumberGenerator()
        var model: [String: [UInt8]] = [:]
        for _ in 0..<5_000 {
            let key = "key\(Int.random(in: 0..<120, using: &generator))"
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                try await cache.remove(key)
                model[key] = nil
            case 1:
                // What is there must be what was set last.
                if let found = try await cache.get(key) { #expect(found == model[key]) }
            default:
                let value = [UInt8](repeating: .random(in: 0...255), count: .random(in: 0...1_500, using: &generator))
                try await cache.set(key, value)
                model[key] = value
            }
            #expect(cache.bytes <= maxBytes && cache.count <= maxEntries)
        }
        for key in model.keys { try await cache.remove(key) }
        #expect(cache.bytes == 0 && cache.count == 0)
    }

    @Test func aValueLargerThanTheCacheIsNotKeptAndReplacesWhatWasThere() async throws {
        let cache = MemoryCache(maxBytes: 1_000, clock: clock)
        try await cache.set("a", [1])
        try await cache.set("a", [UInt8](repeating: 0, count: 2_000))
        #expect(try await cache.get("a") == nil)
    }

    @Test(arguments: CacheForm.installed)
    fileprivate func aCounterCountsInOneStepAndKeepsItsFirstTime(_ name: CacheForm.Name) async throws {
        try await CacheForm.using(name) { form in
            let cache = form.cache
            #expect(try await cache.increment("n", by: 2, ttl: .seconds(36_000)) == 2)
            try await form.pass(.seconds(32_400))
            #expect(try await cache.increment("n", by: -5, ttl: .seconds(36_000)) == -3)
            try await form.pass(.seconds(3_600))
            #expect(try await cache.increment("n", by: 1, ttl: .seconds(36_000)) == 1)
            await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { _ = try await cache.increment("m", by: 1, ttl: nil) } }
            }
            #expect(try await cache.get("m") == Array("100".utf8))
        }
    }

    @Test(arguments: CacheForm.installed)
    fileprivate func whatIsNoCounterIsRefused(_ name: CacheForm.Name) async throws {
        try await CacheForm.using(name) { form in
            let cache = form.cache
            try await cache.set("a", Array("text".utf8))
            await #expect(throws: CacheError.notACounter(key: "a")) { try await cache.increment("a", by: 1, ttl: nil) }
            try await cache.set("b", Array("\(Int64.max)".utf8))
            await #expect(throws: CacheError.overflow(key: "b")) { try await cache.increment("b", by: 1, ttl: nil) }
        }
    }
}
