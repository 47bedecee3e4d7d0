import Database
import Events
import Kernel
import Logging
import PostgresPeer
import Redis
import ServiceLifecycle
import Synchronization
import Testing

/// What a consumer saw and made of it.
final class Consumer: Sendable {
    struct Failure: Error {}
    private struct State {
        var completed: [Int] = []
        var seen: Set<Int> = []
        var failuresAlone: [Int: Int] = [:]
    }
    private let state = Mutex(State())
    private let poison: Set<Int>
    private let flaky: Bool

    init(poison: Set<Int> = [], flaky: Bool = false) {
        self.poison = poison
        self.flaky = flaky
    }

    var completed: [Int] { state.withLock { $0.completed } }
    var seen: Set<Int> { state.withLock { $0.seen } }

    func handle(_ events: [Event]) throws {
        let numbers = try events.map { try $0.payload(as: Int.self) }
        try state.withLock { state in
            state.seen.formUnion(numbers)
            if !poison.isDisjoint(with: numbers) { throw Failure() }
            // Alone, an event fails at most 7 times, so that only the poisonous ones fail for ever.
            if flaky, Int.random(in: 0..<3) == 0 {
                let alone = numbers.count == 1 ? state.failuresAlone[numbers[0], default: 0] : 0
                if numbers.count == 1 { state.failuresAlone[numbers[0]] = alone + 1 }
                if alone < 7 { throw Failure() }
            }
            state.completed += numbers
        }
    }
}

/// Which bus.
enum EventsForm: String, CaseIterable {
    case local, redis
    static let installed: [EventsForm] = RedisServer.isInstalled ? allCases : [.local]
}

/// Buses of one form, their outbox and their clock.
struct EventsSupport: Sendable {
    let clock = ManualClock()
    let logger = Logger.silent
    let server: RedisServer?
    let client: RedisClient?

    init(_ form: EventsForm, durable: Bool = false, options: RedisClient.Options = .patient) async throws {
        server = form == .redis ? try await RedisServer.start(isDurable: durable) : nil
        client = try server?.client(options)
    }

    func database() async throws -> any Database {
        let database = try await TestDatabase.open()
        try await database.migrate([Outbox.migration(1)])
        return database
    }

    func append(_ numbers: Range<Int>, type: String = "order.confirmed", to database: any Database) async throws {
        let now = clock.now()
        try await database.write { transaction in
            for number in numbers {
                let event = try Event(type, about: "order_\(number)", at: now, carrying: number, trace: .root())
                try Outbox.append(event, in: transaction)
            }
        }
    }

    /// A bus of one process; without a database one that only consumes.
    func bus(
        _ database: (any Database)?, _ consumers: [String], lease: Duration = .seconds(10), patience: Patience? = nil
    ) -> any EventBus {
        let bus: any EventBus =
            if let client {
                RedisEventBus(
                    client, sources: ["orders"], consumers: consumers, lease: lease, clock: clock, logger: logger)
            } else {
                LocalEventBus(clock: clock, logger: logger)
            }
        if let database { bus.publishes(from: database, as: "orders", patience: patience) }
        return bus
    }

    /// Runs the buses in a service group until `isDone`, moving the clock on whenever somebody sleeps, then stops them
    /// gracefully.
    func run(_ buses: any EventBus..., until isDone: @escaping @Sendable () async throws -> Bool) async throws {
        let services = ServiceGroup(services: buses, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            while try await !isDone() {
                await Task.yield()
                if clock.sleepers > 0 { clock.advance(by: .seconds(1)) }
            }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    func isIdle(_ database: any Database, _ consumers: [String]) async throws -> Bool {
        try await database.read { try Outbox.oldestUndelivered(in: $0, consumers: consumers) == nil }
    }
}
