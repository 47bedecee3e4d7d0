public import Contracts
public import Database
public import Kernel
import Metrics

/// Carts. What they cost is asked at every reading; nothing is held for them.
public struct Carts: CartsService {
    /// Of one SKU, as a line of an order may have.
    static let maximumQuantity: Int64 = 1_000_000
    /// A cart that nobody touched for this long is forgotten.
    static let lifetime = Duration.seconds(30 * 86_400)

    private let store: CartsStore
    private let products: any ProductsService
    private let currency: Currency
    private let clock: any WallClock
    private let created = Counter(label: "souk_carts_total")

    public init(
        database: any Database, products: any ProductsService, policy: ShopPolicy = ShopPolicy(),
        clock: any WallClock = SystemClock()
    ) {
        store = CartsStore(database: database)
        self.products = products
        currency = policy.currency
        self.clock = clock
    }

    public var routes: [Route] {
        [
            Route(
                CartsAPI.create,
                reply: { input, context in
                    let cart = try await create(input, context)
                    return Reply(cart).with(\.location, "/api/carts/\(cart.id)")
                }),
            Route(CartsAPI.cart, cart), Route(CartsAPI.putLine, putLine), Route(CartsAPI.removeLine, removeLine),
        ]
    }

    public func create(_ input: CreateCart, _ context: CallContext) async throws -> Cart {
        let now = clock.now()
        let id = CartID(at: now)
        var lines: [StockLine] = []
        for line in input.lines ?? [] {
            if let index = lines.firstIndex(where: { $0.sku == line.sku }) {
                lines[index].quantity += line.quantity
            } else {
                lines.append(line)
            }
        }
        if let index = lines.firstIndex(where: { $0.quantity > Self.maximumQuantity }) {
            throw Problem.invalid("/lines/\(index)/quantity", "expected at most \(Self.maximumQuantity) of one SKU")
        }
        let quotes = try await quotes(of: lines, context)
        if let index = lines.firstIndex(where: { quotes[$0.sku] == nil }) {
            throw Problem(.unknownSKU, "/lines/\(index)/sku: \(lines[index].sku) is not for sale")
        }
        try Self.checkCurrency(quotes.values.map(\.price))
        try await store.create(id, lines, at: now)
        created.increment()
        return try cart(id, lines, quotes, now)
    }

    public func cart(_ query: CartByID, _ context: CallContext) async throws -> Cart {
        let (lines, updated) = try await store.cart(query.id)
        return try cart(query.id, lines, try await quotes(of: lines, context), updated)
    }

    public func putLine(_ input: PutCartLine, _ context: CallContext) async throws -> Cart {
        let (before, _) = try await store.cart(input.id)
        let wanted = before.filter { $0.sku != input.sku } + [StockLine(sku: input.sku, quantity: input.quantity)]
        guard wanted.count <= Cart.maximumLines else {
            throw Problem(.cartFull, "a cart has at most \(Cart.maximumLines) lines")
        }
        let quotes = try await quotes(of: wanted, context)
        guard quotes[input.sku] != nil else { throw Problem(.unknownSKU, "/sku: \(input.sku) is not for sale") }
        try Self.checkCurrency(quotes.values.map(\.price))
        let now = clock.now()
        try await store.put(input.id, StockLine(sku: input.sku, quantity: input.quantity), at: now)
        let (lines, _) = try await store.cart(input.id)
        return try cart(input.id, lines, quotes, now)
    }

    public func removeLine(_ input: RemoveCartLine, _ context: CallContext) async throws -> Cart {
        let now = clock.now()
        try await store.remove(input.id, input.sku, at: now)
        let (lines, _) = try await store.cart(input.id)
        return try cart(input.id, lines, try await quotes(of: lines, context), now)
    }

    private static func checkCurrency(_ prices: [Money]) throws {
        guard let first = prices.first, let other = prices.first(where: { $0.currency != first.currency }) else {
            return
        }
        throw Problem(.mixedCurrencies, "a cart holds one currency, not \(first.currency) and \(other.currency)")
    }

    private func quotes(of lines: [StockLine], _ context: CallContext) async throws -> [String: Quote] {
        guard !lines.isEmpty else { return [:] }
        let found = try await products.quote(QuoteQuery(skus: lines.map(\.sku)), context.acting(as: "orders"))
        return Dictionary(found.items.map { ($0.sku, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private func cart(_ id: CartID, _ lines: [StockLine], _ quotes: [String: Quote], _ updated: Timestamp) throws
        -> Cart
    {
        do {
            let priced = try lines.compactMap { line -> Cart.Line? in
                guard let quote = quotes[line.sku] else { return nil }
                return Cart.Line(
                    sku: line.sku, handle: quote.handle, title: quote.title, quantity: line.quantity,
                    unit_price: quote.price, total: try quote.price.multiplied(by: line.quantity),
                    available: quote.available, image: quote.image)
            }
            let zero = Money.zero(priced.first?.total.currency ?? currency)
            return Cart(
                id: id, lines: priced, subtotal: try priced.reduce(zero) { try $0.adding($1.total) },
                updated_at: updated)
        } catch let error as MoneyError {
            throw Problem(.amountTooLarge, "\(error)")
        }
    }
}

/// The SQL of carts. They are kept with the orders, so that a confirmation empties its cart in the same transaction.
struct CartsStore: Sendable {
    let database: any Database

    func create(_ id: CartID, _ lines: [StockLine], at now: Timestamp) async throws {
        try await database.write { transaction in
            try transaction.execute("INSERT INTO carts (id, updated_at) VALUES ($1, $2)", id, now)
            for (position, line) in lines.enumerated() {
                try transaction.execute(
                    "INSERT INTO cart_lines (cart, sku, quantity, added_at) VALUES ($1, $2, $3, $4)", id, line.sku,
                    line.quantity, now.microseconds + Int64(position))
            }
        }
    }

    func cart(_ id: CartID) async throws -> (lines: [StockLine], updated: Timestamp) {
        try await database.read { transaction in
            guard let row = try transaction.row("SELECT updated_at FROM carts WHERE id = $1", id) else {
                throw Problem(.notFound, "there is no cart \(id)")
            }
            return (try Self.lines(of: id, transaction), try row.timestamp(0))
        }
    }

    func lines(of id: CartID) async throws -> [StockLine] { try await cart(id).lines }

    private static func lines(of id: CartID, _ transaction: Transaction) throws -> [StockLine] {
        try transaction.rows("SELECT sku, quantity FROM cart_lines WHERE cart = $1 ORDER BY added_at, sku", id).map {
            StockLine(sku: try $0.text(0), quantity: try $0.int64(1))
        }
    }

    func put(_ id: CartID, _ line: StockLine, at now: Timestamp) async throws {
        try await database.write { transaction in
            try Self.touch(id, now, transaction)
            try transaction.execute(
                """
                INSERT INTO cart_lines (cart, sku, quantity, added_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (cart, sku) DO UPDATE SET quantity = excluded.quantity
                """, id, line.sku, line.quantity, now)
            // Two that are put at the same moment: the limit holds for what is there now.
            let count = try transaction.row("SELECT count(*) FROM cart_lines WHERE cart = $1", id)?.int(0) ?? 0
            guard count <= Cart.maximumLines else {
                throw Problem(.cartFull, "a cart has at most \(Cart.maximumLines) lines")
            }
        }
    }

    func remove(_ id: CartID, _ sku: String, at now: Timestamp) async throws {
        try await database.write { transaction in
            try Self.touch(id, now, transaction)
            try transaction.execute("DELETE FROM cart_lines WHERE cart = $1 AND sku = $2", id, sku)
        }
    }

    private static func touch(_ id: CartID, _ now: Timestamp, _ transaction: Transaction) throws {
        guard try transaction.execute("UPDATE carts SET updated_at = $2 WHERE id = $1", id, now) == 1 else {
            throw Problem(.notFound, "there is no cart \(id)")
        }
    }
}

extension OrdersStore {
    /// At most 1,000 of each at a time.
    func tidy(keysBefore: Timestamp, cartsBefore: Timestamp) async throws {
        try await database.write { transaction in
            try transaction.execute(
                """
                DELETE FROM idempotency_keys WHERE order_id IN (
                    SELECT k.order_id FROM idempotency_keys k WHERE k.order_id < $1
                        AND NOT EXISTS (SELECT 1 FROM sagas s WHERE s.order_id = k.order_id) LIMIT 1000)
                """, OrderID(at: keysBefore))
            try transaction.execute(
                "DELETE FROM carts WHERE id IN (SELECT id FROM carts WHERE updated_at < $1 LIMIT 1000)", cartsBefore)
        }
    }
}
