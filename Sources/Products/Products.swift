public import Contracts
public import Database
public import Kernel
public import Logging
import Metrics

/// The catalogue and its stock: what is sold, found and held.
///
/// Searches run on an index in memory that follows the tables (`CatalogueIndex`); everything else is SQL. Whatever was
/// changed is told to `staleness` once it is on disk: the product's own tag every time, the catalogue's only when lists
/// look different, so that a sale does not empty the whole edge cache.
public struct Products: ProductsService {
    let database: any Database
    let staleness: any Staleness
    let clock: any WallClock
    let logger: Logger
    let rules: DraftRules
    let index = KeptIndex()
    let counts = StockCounts()

    /// - Parameters:
    ///   - staleness: told what shoppers now see otherwise, before the call that wrote it returns.
    ///   - currency: the shop's: a product in another one is refused. Nil: each product in one currency of its own.
    public init(
        database: any Database, staleness: any Staleness, clock: any WallClock = SystemClock(),
        currency: Currency? = nil, logger: Logger = Logger(label: "souk.products")
    ) {
        self.database = database
        self.staleness = staleness
        self.clock = clock
        self.logger = logger
        rules = DraftRules(currency: currency)
    }

    public static let migrations = ProductsMigrations.all

    /// Reads the catalogue into the index, so that the first search need not.
    public func warm() async throws {
        let index = index
        try await database.read { _ = try index.current(in: $0) }
    }

    /// Tells what a write did: kept copies are stale, and the counts go up.
    /// - Parameter state: of the reservations among the changes.
    func tell(_ changes: StockChanges, reservations state: ReservationFact.State? = nil) {
        counts.add(changes)
        if let state { counts.add(changes.reservations, state) }
        var tags = changes.handles.map(Tags.product)
        if changes.hasFlipped { tags.append(Tags.catalogue) }
        if !tags.isEmpty { staleness.markStale(tags) }
    }
}

/// What is counted of stock.
struct StockCounts: Sendable {
    private let inventoryUpdates = Counter(label: "souk_inventory_updates_total")
    private let stockOuts = Counter(label: "souk_stock_outs_total")
    private let reservations = Dictionary(
        uniqueKeysWithValues: ReservationFact.State.allCases.map {
            ($0, Counter(label: "souk_reservations_total", dimensions: [("state", $0.rawValue)]))
        })

    func add(_ changes: StockChanges) {
        if changes.movements > 0 { inventoryUpdates.increment(by: changes.movements) }
        if changes.soldOut > 0 { stockOuts.increment(by: changes.soldOut) }
    }

    func add(_ count: Int, _ state: ReservationFact.State) {
        if count > 0 { reservations[state]?.increment(by: count) }
    }
}
