import Database
import Kernel
import ServiceLifecycle
import Synchronization
import Testing

@testable import Events

struct EventsTests {
    @Test(arguments: EventsForm.installed)
    func everyConsumerGetsItsTypesInOrder(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        try await support.append(0..<700, to: database)
        try await support.append(700..<800, type: "order.cancelled", to: database)
        try await support.append(800..<900, to: database)
        let (all, some) = (Consumer(), Consumer())
        let bus = support.bus(database, ["all", "some"])
        bus.subscribe(consumer: "all", to: ["order.confirmed", "order.cancelled"]) { try all.handle($0) }
        bus.subscribe(consumer: "some", to: ["order.cancelled"]) { events in
            #expect(events.count <= 500 && events.allSatisfy { $0.type == "order.cancelled" && $0.trace != nil })
            try some.handle(events)
        }
        try await support.run(bus) { try await support.isIdle(database, ["all", "some"]) }
        #expect(all.completed == Array(0..<900))
        #expect(some.completed == Array(700..<800))
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func aWakeDeliversWithoutTheClock(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        let consumer = Consumer()
        let bus = support.bus(database, ["mail"])
        bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { try consumer.handle($0) }
        let services = ServiceGroup(services: [bus], logger: support.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            for number in 0..<50 {
                try await support.append(number..<(number + 1), to: database)
                bus.wake("orders")
                while consumer.completed.count <= number { await Task.yield() }
            }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
        #expect(consumer.completed == Array(0..<50))
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func whatCanWaitWaitsWhileTheShopIsBusyButNotForEver(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let clock = support.clock
        let database = try await support.database()
        try await support.append(0..<10, to: database)
        let letters = Consumer()
        let handedOver = Mutex<Duration?>(nil)
        let start = clock.now()
        let bus = support.bus(database, ["letters"], patience: Patience(limit: .seconds(60)) { true })
        bus.subscribe(consumer: "letters", to: ["order.confirmed"]) { events in
            handedOver.withLock { $0 = $0 ?? clock.now() - start }
            try letters.handle(events)
        }
        try await support.run(bus) { letters.completed.count == 10 }
        #expect(handedOver.withLock { $0 } ?? .zero >= .seconds(60))
        await database.close()
    }

    @Test("an event from the future, where a clock is wrong, does not wait until then")
    func theFutureIsNotWaitedFor() {
        let patience = Patience(limit: .seconds(5)) { true }
        let now = Timestamp(seconds: 1_000)
        #expect(patience.holds(now, at: now))
        #expect(patience.holds(now - .seconds(4), at: now))
        #expect(!patience.holds(now - .seconds(5), at: now))
        #expect(!patience.holds(now + .seconds(240), at: now))
    }

    @Test(arguments: EventsForm.installed)
    func whatCanWaitGoesOnWhenTheCrowdIsGone(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let clock = support.clock
        let database = try await support.database()
        try await support.append(0..<10, to: database)
        let letters = Consumer()
        let isBusy = Mutex(true)
        let start = clock.now()
        let patience = Patience(limit: .seconds(3_600)) { isBusy.withLock { $0 } }
        let bus = support.bus(database, ["letters"], patience: patience)
        bus.subscribe(consumer: "letters", to: ["order.confirmed"]) { try letters.handle($0) }
        try await support.run(bus) {
            if clock.now() - start > .seconds(20) { isBusy.withLock { $0 = false } }
            if isBusy.withLock({ $0 }) { #expect(letters.completed.isEmpty) }
            return letters.completed.count == 10
        }
        await database.close()
    }

    /// Random failures, poisonous events, and a process that dies again and again at any moment.
    @Test(arguments: EventsForm.installed, 0..<12)
    func crashesAndFailuresLoseNothingAndBuryOnlyWhatAlwaysFails(_ form: EventsForm, _: Int) async throws {
        let support = try await EventsSupport(form)
        let clock = support.clock
        let database = try await support.database()
        let poison = Set((0..<4).map { _ in Int.random(in: 0..<300) })
        let (good, flaky, sick) = (Consumer(), Consumer(flaky: true), Consumer(poison: poison, flaky: true))
        let names = ["good", "flaky", "sick"]
        func make() -> any EventBus {
            let bus = support.bus(database, names)
            for (name, consumer) in zip(names, [good, flaky, sick]) {
                bus.subscribe(consumer: name, to: ["order.confirmed"]) { events in
                    await Task.yield()
                    try consumer.handle(events)
                }
            }
            return bus
        }
        for part in 0..<6 {
            try await support.append((part * 50)..<(part * 50 + 50), to: database)
            let steps = Int.random(in: 0..<400)
            let bus = make()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await bus.run() }
                for _ in 0..<steps {
                    await Task.yield()
                    if clock.sleepers > 1 { clock.advance(by: .seconds(1)) }
                }
                group.cancelAll()
            }
        }
        try await support.run(make()) { try await support.isIdle(database, names) }
        #expect(good.seen == Set(0..<300))
        // Completed in order: what comes again after a crash is the tail that was not acknowledged.
        let expected: [(Consumer, Set<Int>)] = [(good, []), (flaky, []), (sick, poison)]
        for (consumer, missing) in expected {
            #expect(consumer.seen == Set(0..<300))
            #expect(Set(consumer.completed) == Set(0..<300).subtracting(missing))
            var furthest = -1
            for number in consumer.completed {
                let next = ((furthest + 1)..<300).first { !missing.contains($0) }
                #expect(number <= furthest || number == next)
                furthest = max(furthest, number)
            }
        }
        let dead = try await database.read { try Outbox.deadLetters(in: $0) }
        #expect(Set(try dead.map { try $0.event.payload(as: Int.self) }) == poison)
        #expect(dead.count == poison.count && dead.allSatisfy { $0.consumer == "sick" && !$0.error.isEmpty })
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func aDeadLetterIsReplayedForItsConsumerAlone(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        try await support.append(0..<3, to: database)
        let (sick, other) = (Consumer(poison: [1]), Consumer())
        let first = support.bus(database, ["sick", "other"])
        first.subscribe(consumer: "sick", to: ["order.confirmed"]) { try sick.handle($0) }
        first.subscribe(consumer: "other", to: ["order.confirmed"]) { try other.handle($0) }
        try await support.run(first) { try await support.isIdle(database, ["sick", "other"]) }
        #expect(sick.completed == [0, 2])
        let isReplayed = try await database.write { transaction in
            let dead = try Outbox.deadLetters(in: transaction)
            #expect(dead.count == 1)
            return try dead.allSatisfy { try Outbox.replay($0.number, in: transaction) }
        }
        #expect(isReplayed)
        let cured = Consumer()
        let second = support.bus(database, ["sick", "other"])
        second.subscribe(consumer: "sick", to: ["order.confirmed"]) { try cured.handle($0) }
        second.subscribe(consumer: "other", to: ["order.confirmed"]) { try other.handle($0) }
        try await support.run(second) { try await support.isIdle(database, ["sick", "other"]) }
        #expect(cured.completed == [1])
        #expect(other.completed == [0, 1, 2])
        #expect(try await database.read { try Outbox.deadLetters(in: $0) }.isEmpty)
        #expect(try await database.write { try !Outbox.replay(99, in: $0) })
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func anOutageBuriesNothingHoweverLongItLasts(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        try await support.append(0..<10, to: database)
        let consumer = Consumer()
        let tries = Mutex(0)
        let bus = support.bus(database, ["mail"])
        bus.subscribe(consumer: "mail", to: ["order.confirmed"]) { events in
            let number = tries.withLock { tries in
                tries += 1
                return tries
            }
            if number <= 30 { throw Problem(.unavailable, "the mail server is away") }
            try consumer.handle(events)
        }
        try await support.run(bus) { try await support.isIdle(database, ["mail"]) }
        #expect(consumer.completed == Array(0..<10))
        #expect(try await database.read { try Outbox.deadLetters(in: $0) }.isEmpty)
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func whatAllHaveSeenIsTrimmedAndNothingElse(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        try await support.append(0..<1_200, to: database)
        // A consumer of an older release, which is not running now.
        let quick = Consumer()
        let rows: @Sendable () async throws -> Int = {
            try await database.read { try $0.row("SELECT count(*) FROM outbox")?.int(0) ?? -1 }
        }
        try await database.write {
            _ = try $0.execute("INSERT INTO outbox_positions (consumer, position) VALUES ('away', 700)")
        }
        let first = support.bus(database, ["quick"])
        first.subscribe(consumer: "quick", to: ["order.confirmed"]) { try quick.handle($0) }
        try await support.run(first) { try await rows() == 500 }
        #expect(quick.completed == Array(0..<1_200))
        try await database.write { try Outbox.forget("away", in: $0) }
        let second = support.bus(database, ["quick"])
        second.subscribe(consumer: "quick", to: ["order.confirmed"]) { try quick.handle($0) }
        try await support.run(second) { try await rows() == 0 }
        // Numbers go on: a position is never ahead of what comes.
        try await support.append(1_200..<1_201, to: database)
        let third = support.bus(database, ["quick"])
        third.subscribe(consumer: "quick", to: ["order.confirmed"]) { try quick.handle($0) }
        try await support.run(third) { quick.completed.count == 1_201 }
        await database.close()
    }

    @Test(arguments: EventsForm.installed)
    func theBatchOnItsWayIsFinishedBeforeTheBusStops(_ form: EventsForm) async throws {
        let support = try await EventsSupport(form)
        let database = try await support.database()
        try await support.append(0..<5, to: database)
        let (started, release) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
        let bus = support.bus(database, ["slow"])
        bus.subscribe(consumer: "slow", to: ["order.confirmed"]) { _ in
            started.continuation.yield()
            for await _ in release.stream { break }
        }
        let services = ServiceGroup(services: [bus], logger: support.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            for await _ in started.stream { break }
            await services.triggerGracefulShutdown()
            release.continuation.yield()
            try await group.waitForAll()
        }
        #expect(try await support.isIdle(database, ["slow"]))
        await database.close()
    }

    @Test func anEventIsThereIfItsTransactionIs() async throws {
        let support = try await EventsSupport(.local)
        struct Refused: Error {}
        let database = try await support.database()
        let time = support.clock.now()
        await #expect(throws: Refused.self) {
            try await database.write { transaction in
                try Outbox.append(try Event("t", about: "s", at: time, carrying: 1), in: transaction)
                throw Refused()
            }
        }
        #expect(try await support.isIdle(database, ["any"]))
        try await support.append(0..<1, to: database)
        #expect(try await database.read { try Outbox.oldestUndelivered(in: $0, consumers: ["any"]) } == time)
        await database.close()
    }
}
