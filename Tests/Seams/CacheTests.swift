import Cache
import Kernel
import Testing

struct CacheTests {
    private let clock = ManualClock()

    @Test func aValueIsKeptUntilItsTimeHasPassed() async throws {
        let cache = MemoryCache(clock: clock)
        try await cache.set("a", [1, 2, 3], ttl: .seconds(10))
        try await cache.set("b", [4], ttl: nil)
        clock.advance(by: .seconds(9))
        #expect(try await cache.get("a") == [1, 2, 3])
        clock.advance(by: .seconds(1))
        #expect(try await cache.get("a") == nil)
        #expect(try await cache.get("b") == [4])
        try await cache.remove("b")
        try await cache.remove("never there")
        #expect(cache.count == 0)
        #expect(cache.bytes == 0)
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

    @Test func aCounterCountsInOneStepAndKeepsItsFirstTime() async throws {
        let cache = MemoryCache(clock: clock)
        #expect(try await cache.increment("n", by: 2, ttl: .seconds(60)) == 2)
        clock.advance(by: .seconds(59))
        #expect(try await cache.increment("n", by: -5, ttl: .seconds(60)) == -3)
        clock.advance(by: .seconds(1))
        #expect(try await cache.increment("n", by: 1, ttl: .seconds(60)) == 1)
        await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { _ = try await cache.increment("m", by: 1, ttl: nil) } }
        }
        #expect(try await cache.get("m") == Array("100".utf8))
    }

    @Test func whatIsNoCounterIsRefused() async throws {
        let cache = MemoryCache(clock: clock)
        try await cache.set("a", Array("text".utf8))
        await #expect(throws: CacheError.notACounter(key: "a")) { try await cache.increment("a", by: 1, ttl: nil) }
        try await cache.set("b", Array("\(Int64.max)".utf8))
        await #expect(throws: CacheError.overflow(key: "b")) { try await cache.increment("b", by: 1, ttl: nil) }
    }
}
