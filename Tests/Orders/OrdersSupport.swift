import Contracts
import Database
import Events
import InMemoryLogging
import Kernel
import Logging
import PostgresPeer
import Synchronization

@testable import Orders

/// A process has died: nothing that it does afterwards happens.
struct Crash: Error {}
/// A peer's answer was lost.
struct Lost: Error {}

/// What keeps a process running, for so many of the points at which it may die.
final class Power: Sendable {
    private let left: Mutex<Int?>

    init(points: Int? = nil) { left = Mutex(points) }

    func point() throws {
        try left.withLock { left in
            guard let points = left else { return }
            if points == 0 { throw Crash() }
            left = points - 1
        }
    }

    func check() throws { try left.withLock { if $0 == 0 { throw Crash() } } }
}

/// The database as a process sees it that may die before and after each transaction.
struct MortalDatabase: Database {
    let inner: any Database
    let power: Power

    var dialect: Dialect { inner.dialect }

    func write<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try power.point()
        let result = try await inner.write(work)
        try power.point()
        return result
    }

    func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try power.check()
        return try await inner.read(work)
    }

    func migrate(_ migrations: [Migration]) async throws { try await inner.migrate(migrations) }
    func check() async throws { try await inner.check() }
    func backup(to path: String) async throws { try await inner.backup(to: path) }
    func close() async {}
}

/// A clock on which sleeping takes no time: the time moves on instead.
final class JumpingClock: WallClock {
    private let time = Mutex(Timestamp(year: 2026, month: 1, day: 1))

    func now() -> Timestamp { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        advance(by: duration)
    }
}

/// A shop's orders on a real database, with stand-ins for the peers.
struct Shop {
    let clock = JumpingClock()
    let world = World()
    let database: any Database
    let log = InMemoryLogHandler()
    var policy = ShopPolicy()

    init(path: String? = nil, policy: ShopPolicy = ShopPolicy()) async throws {
        self.policy = policy
        if let path {
            database = try await SQLiteDatabase.open(path: path)
        } else {
            database = try await TestDatabase.open()
        }
        try await database.migrate(Orders.migrations)
        world.put("HOT-1", Money(1_999, .gbp), 1_000)
        world.put("MUG-1", Money(333, .gbp), 1_000)
        world.put("EURO-1", Money(500, .eur), 1_000)
        world.put("RARE-1", Money(5_000, .gbp), 1)
    }

    /// A process of its own.
    func orders(_ power: Power = Power(), mishaps: Mishaps = Mishaps(), isAlone: Bool = true) -> Orders {
        let peers = Peers(world: world, power: power, mishaps: mishaps)
        let log = log
        return Orders(
            database: MortalDatabase(inner: database, power: power), products: peers, payments: peers, policy: policy,
            isAlone: isAlone, clock: clock,
            logger: Logger(label: "orders.tests") { _ in log })
    }

    var carts: Carts {
        Carts(
            database: database, products: Peers(world: world, power: Power(), mishaps: Mishaps()), policy: policy,
            clock: clock)
    }

    func count(_ type: String, of order: OrderID) async throws -> Int {
        try await database.read {
            try $0.row("SELECT count(*) FROM outbox WHERE type = $1 AND subject = $2", type, order)?.int(0) ?? 0
        }
    }

    /// The confirmation of an order, as the bus delivers it.
    func confirmation(of order: OrderID) async throws -> [Event] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT data FROM outbox WHERE type = 'order.confirmed' AND subject = $1", order
            ).map {
                Event(
                    id: ID(at: Timestamp(seconds: 0)), type: EventTypes.orderConfirmed, subject: order.description,
                    time: Timestamp(seconds: 0), data: try $0.blob(0))
            }
        }
    }

    func orderCount() async throws -> Int {
        try await database.read { try $0.row("SELECT count(*) FROM orders")?.int(0) ?? 0 }
    }
}

let ada = UserID(at: Timestamp(seconds: 1))
let bob = UserID(at: Timestamp(seconds: 2))
let clerk = UserID(at: Timestamp(seconds: 3))

extension CallContext {
    static func guest(_ key: String? = nil) -> CallContext { CallContext(idempotencyKey: key) }
    static func customer(_ id: UserID, _ key: String? = nil) -> CallContext {
        CallContext(caller: .user(id, .customer), idempotencyKey: key)
    }
    static func staff(_ key: String? = nil) -> CallContext {
        CallContext(caller: .user(clerk, .staff), idempotencyKey: key)
    }
}

extension PlaceOrder {
    static func of(
        _ lines: [(String, Int64)] = [("HOT-1", 1)], token: String = "tok_approved", country: String = "GB",
        coupon: String? = nil
    ) -> PlaceOrder {
        PlaceOrder(
            lines: lines.map { OrderLineInput(sku: $0.0, quantity: $0.1) }, email: "ada@example.com",
            shipping_address: .home(country), coupon: coupon, payment: PaymentInput(token: token))
    }
}

extension Address {
    static func home(_ country: String = "GB") -> Address {
        Address(name: "Ada L.", line1: "1 High St", city: "Leeds", country: country)
    }
}

/// The problem that the work ends with; nil if it succeeds.
func problem(_ work: () async throws -> Void) async -> Problem? {
    do {
        try await work()
        return nil
    } catch let problem as Problem { return problem } catch {
        return Problem(.internalError, "\(error)")
    }
}
