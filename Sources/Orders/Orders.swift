public import Contracts
public import Database
import Events
public import Kernel
public import Logging
import Metrics
import Synchronization

/// Orders, from checkout to return.
///
/// An order's life is a saga (`Saga`): what is decided is written down first, then done, and whoever finds it
/// unfinished goes on. A process works on a saga while it holds its lease.
public struct Orders: OrdersService {
    /// How long a process that gives no sign of life keeps a saga from others; while it works on it, it renews the
    /// lease (`OrdersRecovery`). Whose order a killed process had in hand waits for so long.
    static let lease = Duration.seconds(5)
    /// Between one renewal and the next.
    static let renewal = Duration.seconds(1)
    static let keyLifetime = Duration.seconds(24 * 3_600)

    let store: OrdersStore
    let products: any ProductsService
    let payments: any PaymentsService
    let pricing: Pricing
    let clock: any WallClock
    let leases: LeaseClock
    let logger: Logger
    /// Called after a commit that appended to the outbox.
    let wake: @Sendable () -> Void
    /// Names this process in leases.
    let owner: String
    /// No other process works on these orders: a lease of another owner is one of a process that died.
    let isAlone: Bool
    let reservationTime: Duration
    let metrics: OrdersMetrics
    let crowd = Crowd()
    let driving = Driving()

    /// - Parameters:
    ///   - isAlone: true where the data folder is this process's own.
    ///   - reservationTime: how long stock stays held for an order that is not settled. Far longer than a lease, so
    ///     that recovery decides before the expiry does.
    public init(
        database: any Database, products: any ProductsService, payments: any PaymentsService,
        policy: ShopPolicy = ShopPolicy(), isAlone: Bool = true, reservationTime: Duration = .seconds(86_400),
        clock: any WallClock = SystemClock(), logger: Logger = Logger(label: "souk.orders"),
        wake: @escaping @Sendable () -> Void = {}
    ) {
        store = OrdersStore(database: database)
        self.products = products
        self.payments = payments
        pricing = Pricing(policy: policy)
        self.isAlone = isAlone
        self.reservationTime = reservationTime
        self.clock = clock
        leases = LeaseClock(clock)
        self.logger = logger
        self.wake = wake
        owner = ID<ProcessKind>(at: clock.now()).description
        metrics = OrdersMetrics(currency: policy.currency)
    }

    private enum ProcessKind: Identified { static let idPrefix = "process" }

    public static let migrations = OrdersMigrations.all

    func leaseEnd() -> Timestamp { leases.now() + Self.lease }

    /// So many check out at this moment that what can wait should.
    public var isBusy: Bool { crowd.isThere(at: clock.now()) }
}

/// The sagas that this process works on at this moment.
final class Driving: Sendable {
    private let sagas = Mutex<[OrderID: Timestamp]>([:])

    func begin(_ order: OrderID, at now: Timestamp) { sagas.withLock { $0[order] = now } }
    func end(_ order: OrderID) { sagas.withLock { $0[order] = nil } }
    func begun(before time: Timestamp) -> [OrderID] { sagas.withLock { $0.compactMap { $1 < time ? $0 : nil } } }
}

/// Those who check out at this moment and do not wait for the payment provider.
final class Crowd: Sendable {
    /// More than so many are a crowd, and are taken for one until nothing like it was seen for `memory`: one that
    /// comes and goes with each batch is there all the time.
    static let size = 16
    static let memory = Duration.seconds(1)

    private let count = Atomic<Int>(0)
    private let lastSeen = Atomic<Int64>(0)

    func enter(at now: Timestamp) {
        if count.add(1, ordering: .relaxed).newValue > Self.size {
            lastSeen.store(now.microseconds, ordering: .relaxed)
        }
    }

    func leave() { count.subtract(1, ordering: .relaxed) }

    func isThere(at now: Timestamp) -> Bool {
        now - Timestamp(microseconds: lastSeen.load(ordering: .relaxed)) < Self.memory
    }
}

/// What is counted, made once.
struct OrdersMetrics: Sendable {
    let confirmed = Counter(label: "souk_orders_total", dimensions: [("status", "confirmed")])
    let refused = Counter(label: "souk_orders_total", dimensions: [("status", "refused")])
    let cancelled = Counter(label: "souk_orders_total", dimensions: [("status", "cancelled")])
    let recovered = Counter(label: "souk_sagas_recovered_total")
    let pending = Gauge(label: "souk_sagas_pending")
    let checkout = Timer(label: "souk_checkout_seconds")

    private let currency: Currency
    private let inCurrency: Counter

    init(currency: Currency) {
        self.currency = currency
        inCurrency = Self.revenue(in: currency)
    }

    func revenue(_ total: Money) {
        (total.currency == currency ? inCurrency : Self.revenue(in: total.currency)).increment(by: total.amount)
    }

    private static func revenue(in currency: Currency) -> Counter {
        Counter(label: "souk_revenue_minor_units_total", dimensions: [("currency", currency.code)])
    }
}
