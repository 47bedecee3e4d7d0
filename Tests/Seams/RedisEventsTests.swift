import Database
import Events
import Kernel
import Redis
import Testing

/// What Redis and other processes may do to the bus.
@Suite(.enabled(if: RedisServer.isInstalled, RedisServer.reason)) struct RedisEventsTests {
    private static let stream = "souk:events:orders"

    private func rows(_ database: any Database) async throws -> Int {
        try await database.read { try $0.row("SELECT count(*) FROM outbox")?.int(0) ?? -1 }
    }

    enum Misfortune: CaseIterable { case flush, death, hang, olderState, lostGroup, deletion }

    private func strike(_ misfortune: Misfortune, _ server: RedisServer, _ client: RedisClient) async throws {
        switch misfortune {
        case .flush: _ = try await client.send(RedisCommand("FLUSHALL"))
        case .deletion: _ = try await client.send(RedisCommand("DEL", Self.stream))
        case .lostGroup: _ = try? await client.send(RedisCommand("XGROUP", "DESTROY", Self.stream, "second"))
        case .death:
            server.kill()
            try await server.start()
        case .hang:
            server.pause()
            await until { (try? await client.check()) == nil }
            server.resume()
        case .olderState:
            let state = try await client.send(RedisCommand("DUMP", Self.stream))
            guard !state.isNull else { return }
            let bytes = try state.bytes()
            _ = try await client.send(RedisCommand("PUBLISH", "anything", "passes the time"))
            _ = try await client.send(RedisCommand("RESTORE", Self.stream, 0, bytes, "REPLACE"))
        }
        await until { (try? await client.check()) != nil }
    }

    /// Two processes publish and consume; Redis loses everything, hangs or dies again and again.
    @Test(arguments: Misfortune.allCases)
    func nothingIsLostWhateverHappensToRedis(_ misfortune: Misfortune) async throws {
        var options = RedisClient.Options()
        options.answerTimeout = .milliseconds(200)
        let support = try await EventsSupport(.redis, options: options)
        let (server, client) = (try #require(support.server), try #require(support.client))
        let database = try await support.database()
        let names = ["first", "second"]
        let (first, second) = (Consumer(flaky: true), Consumer())
        let buses = (0..<2).map { _ in support.bus(database, names, lease: .milliseconds(300)) }
        for bus in buses {
            bus.subscribe(consumer: "first", to: ["order.confirmed"]) { try first.handle($0) }
            bus.subscribe(consumer: "second", to: ["order.confirmed"]) { try second.handle($0) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let isOver = Tally()
            group.addTask {
                try await support.run(buses[0], buses[1]) {
                    guard isOver.count > 0 else { return false }
                    return try await support.isIdle(database, names)
                }
            }
            for part in 0..<8 {
                try await support.append((part * 100)..<(part * 100 + 100), to: database)
                buses[part % 2].wake("orders")
                // At another moment each time: while they are on their way, or were finished.
                await until { first.seen.count >= part * 100 + [0, 1, 50, 100][part % 4] }
                try await strike(misfortune, server, client)
            }
            isOver.add()
            try await group.waitForAll()
        }
        for consumer in [first, second] { #expect(consumer.seen == Set(0..<800)) }
        #expect(Set(first.completed) == Set(0..<800) && Set(second.completed) == Set(0..<800))
        #expect(try await database.read { try Outbox.deadLetters(in: $0) }.isEmpty)
        await client.close()
        await database.close()
    }

    @Test func whileRedisIsAwayEventsWaitAndThenArrive() async throws {
        let support = try await EventsSupport(.redis)
        let (server, client) = (try #require(support.server), try #require(support.client))
        let database = try await support.database()
        server.kill()
        let consumer = Consumer()
        let bus = support.bus(database, ["mail"])
        bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
        let isBack = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await support.run(bus) {
                    guard isBack.count > 0 else { return false }
                    return try await support.isIdle(database, ["mail"])
                }
            }
            for number in 0..<50 {
                try await support.append(number..<(number + 1), to: database)
                bus.wake("orders")
            }
            #expect(consumer.seen.isEmpty)
            try await server.start()
            isBack.add()
            try await group.waitForAll()
        }
        #expect(consumer.completed == Array(0..<50))
        await client.close()
        await database.close()
    }

    /// The publisher in one process, the consumers in two others; the one that has them stops, then the other.
    @Test func anotherProcessTakesOverInOrder() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let database = try await support.database()
        let consumer = Consumer()
        let publisher = support.bus(database, ["mail"])
        let isOver = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await support.run(publisher) { isOver.count > 0 } }
            for part in 0..<6 {
                let numbers = (part * 100)..<(part * 100 + 100)
                // Both at work, then the second one alone.
                let buses = (0..<2).map { _ in support.bus(nil, ["mail"]) }
                for bus in buses {
                    bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await support.run(buses[1]) { consumer.completed.count >= numbers.upperBound } }
                    group.addTask {
                        try await support.run(buses[0]) { consumer.completed.count >= numbers.lowerBound + 50 }
                    }
                    for number in numbers {
                        try await support.append(number..<(number + 1), to: database)
                        publisher.wake("orders")
                    }
                    try await group.waitForAll()
                }
            }
            isOver.add()
            try await group.waitForAll()
        }
        #expect(consumer.completed == Array(0..<600))
        #expect(try await support.isIdle(database, ["mail"]))
        await client.close()
        await database.close()
    }

    /// A process took events and was never heard of again.
    @Test func whatADeadProcessLeftIsTakenUpWhenItsLeaseHasRunOut() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let database = try await support.database()
        try await support.append(0..<20, to: database)
        let publisher = support.bus(database, ["mail"])
        try await support.run(publisher) { try await client.send(RedisCommand("XLEN", Self.stream)).integer() == 20 }
        let taken = try await client.send([
            RedisCommand("SET", Self.stream + ":holder:mail", "the dead one", "PX", 500),
            RedisCommand(
                "XREADGROUP", "GROUP", "mail", "feed", "COUNT", 15, "STREAMS", Self.stream, ">"),
        ])
        #expect(try taken[1].array().count == 1)
        let consumer = Consumer()
        let bus = support.bus(database, ["mail"])
        bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { events in
            #expect(try await client.send(RedisCommand("GET", Self.stream + ":holder:mail")).text() != "the dead one")
            try consumer.handle(events)
        }
        try await support.run(bus) { try await support.isIdle(database, ["mail"]) }
        #expect(consumer.completed == Array(0..<20))
        await client.close()
        await database.close()
    }

    @Test func severalRelaysOfOneOutboxKeepTheOrderAndDoubleNothing() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let database = try await support.database()
        let consumer = Consumer()
        let buses = (0..<3).map { _ in support.bus(database, ["mail"]) }
        buses[0].subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await support.run(buses[0], buses[1], buses[2]) { consumer.completed.count >= 900 } }
            for number in 0..<900 {
                try await support.append(number..<(number + 1), to: database)
                buses[number % 3].wake("orders")
            }
            try await group.waitForAll()
        }
        #expect(consumer.completed == Array(0..<900))
        await client.close()
        await database.close()
    }

    @Test func theDeadOfAnotherProcessAreListedAndReplayedByThePublisher() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let database = try await support.database()
        try await support.append(0..<300, to: database)
        let (sick, cured) = (Consumer(poison: Set(0..<250)), Consumer())
        func pair(_ consumer: Consumer) -> (any EventBus, any EventBus) {
            let bus = support.bus(nil, ["mail"])
            bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
            return (support.bus(database, ["mail"]), bus)
        }
        let first = pair(sick)
        try await support.run(first.0, first.1) { try await support.isIdle(database, ["mail"]) }
        #expect(sick.completed == Array(250..<300))
        let dead = try await database.read { transaction in
            try Outbox.deadLetters(in: transaction) + Outbox.deadLetters(in: transaction, after: 200)
        }
        #expect(Set(try dead.map { try $0.event.payload(as: Int.self) }) == Set(0..<250))
        #expect(dead.allSatisfy { $0.consumer == "mail" && $0.error.contains("Failure") && $0.event.trace != nil })
        #expect(try await client.send(RedisCommand("XLEN", Self.stream + ":dead")).integer() == 0)
        let numbers = dead.prefix(10).map(\.number)
        let isReplayed = try await database.write { transaction in
            try numbers.allSatisfy { try Outbox.replay($0, in: transaction) }
        }
        #expect(isReplayed)
        let second = pair(cured)
        try await support.run(second.0, second.1) { try await support.isIdle(database, ["mail"]) }
        #expect(cured.completed.count == 10)
        await client.close()
        await database.close()
    }

    /// The stream knows more than the database, which was restored from a backup.
    @Test func aRestoredDatabaseGoesBeforeWhatRedisRemembers() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let (before, restored) = (try await support.database(), try await support.database())
        try await support.append(0..<100, to: before)
        try await support.append(500..<530, to: restored)
        let (old, new) = (Consumer(), Consumer())
        for (database, consumer, numbers) in [(before, old, 0..<100), (restored, new, 500..<530)] {
            let bus = support.bus(database, ["mail"])
            bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
            try await support.run(bus) { try await support.isIdle(database, ["mail"]) }
            #expect(consumer.completed == Array(numbers))
        }
        await client.close()
        await before.close()
        await restored.close()
    }

    /// The restored outbox is as long as it was, and its consumers have finished less than Redis remembers.
    @Test func whatRestoredConsumersLackComesAgain() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let (before, restored) = (try await support.database(), try await support.database())
        for database in [before, restored] {
            try await support.append(0..<50, to: database)
            let consumer = Consumer()
            let bus = support.bus(database, ["mail"])
            bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
            try await support.run(bus) { try await support.isIdle(database, ["mail"]) }
            #expect(consumer.completed == Array(0..<50))
        }
        await client.close()
        await before.close()
        await restored.close()
    }

    @Test func whatIsNoEventIsPassedOverAndWhatAllFinishedIsTrimmed() async throws {
        let support = try await EventsSupport(.redis)
        let client = try #require(support.client)
        let database = try await support.database()
        let consumer = Consumer()
        func bus() -> any EventBus {
            let bus = support.bus(database, ["mail"])
            bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
            return bus
        }
        try await support.append(0..<10, to: database)
        try await support.run(bus()) { try await rows(database) == 0 }
        _ = try await client.send(RedisCommand("XADD", Self.stream, "10-7", "hello", "world"))
        try await support.append(10..<20, to: database)
        try await support.run(bus()) { try await rows(database) == 0 }
        #expect(consumer.completed == Array(0..<20))
        try await support.run(bus()) { try await client.send(RedisCommand("XLEN", Self.stream)).integer() == 0 }
        await client.close()
        await database.close()
    }
}
