import Contracts
import Database
import Kernel

/// What a transaction changed of stock, for whoever must be told once it is on disk.
struct StockChanges: Sendable {
    /// The products whose `available` is another one now.
    var handles: Set<String> = []
    /// Whether one went from in stock to out of stock, or back: lists show that.
    var hasFlipped = false
    var movements = 0
    /// SKUs of which the last piece went.
    var soldOut = 0
    /// Reservations that came into another state.
    var reservations = 0
}

/// Levels and the book of movements: every change of a level goes through `move`, which writes its entry.
struct StockBook {
    let transaction: Transaction
    let now: Timestamp
    var changes = StockChanges()

    init(_ transaction: Transaction, at now: Timestamp) {
        self.transaction = transaction
        self.now = now
    }

    struct Entry {
        var kind: StockMovement.Kind
        var onHand: Int64 = 0
        var reserved: Int64 = 0
        var order: OrderID?
        var reason: String?
    }

    /// Changes the levels of a SKU if they allow it.
    /// - Parameter fromShelf: only a SKU that is for sale.
    /// - Returns: the new level; nil where the SKU is unknown, not for sale, or has too few pieces: nothing changed.
    @discardableResult
    mutating func move(_ sku: String, _ entry: Entry, fromShelf: Bool = false) throws -> StockLevel? {
        let updated =
            fromShelf
            ? try transaction.row(Self.takeFromShelf, sku, entry.onHand, entry.reserved)
            : try transaction.row(Self.change, sku, entry.onHand, entry.reserved)
        guard let updated else { return nil }
        let level = StockLevel(sku: sku, on_hand: try updated.int64(3), reserved: try updated.int64(4))
        try transaction.post(
            Self.write, try updated.int64(0), try updated.int64(2), entry.kind.rawValue, entry.onHand, entry.reserved,
            entry.order, entry.reason, now)
        changes.movements += 1
        let difference = entry.onHand - entry.reserved
        guard difference != 0 else { return level }
        changes.handles.insert(try updated.text(5))
        if level.available == 0 { changes.soldOut += 1 }
        if level.available == 0 || level.available == difference { try checkFlip(product: updated.int64(1)) }
        return level
    }

    /// Brings the product's `in_stock` up to date. Called only where a SKU came to zero or left it.
    private mutating func checkFlip(product: Int64) throws {
        guard let row = try transaction.row(Self.inStock, product) else { return }
        let isInStock = try row.bool(0)
        guard isInStock != (try row.bool(1)) else { return }
        changes.hasFlipped = true
        try transaction.execute(
            "UPDATE products SET in_stock = $2, change = $3 WHERE id = $1", product, isInStock,
            CatalogueVersion.next(transaction))
    }

    private static let change = """
        UPDATE variants SET on_hand = on_hand + $2, reserved = reserved + $3, movements = movements + 1
        WHERE sku = $1 AND reserved + $3 >= 0 AND on_hand + $2 >= reserved + $3
        RETURNING id, product, movements, on_hand, reserved,
            (SELECT handle FROM products WHERE products.id = variants.product)
        """
    private static let takeFromShelf = """
        UPDATE variants SET on_hand = on_hand + $2, reserved = reserved + $3, movements = movements + 1
        WHERE sku = $1 AND reserved + $3 >= 0 AND on_hand + $2 >= reserved + $3 AND is_archived = 0
            AND EXISTS (SELECT 1 FROM products WHERE products.id = variants.product AND status = 'active')
        RETURNING id, product, movements, on_hand, reserved,
            (SELECT handle FROM products WHERE products.id = variants.product)
        """
    private static let write = """
        INSERT INTO stock_movements (variant, number, kind, on_hand, reserved, order_id, reason, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """
    private static let inStock = """
        SELECT CASE WHEN EXISTS (SELECT 1 FROM variants
            WHERE product = $1 AND is_archived = 0 AND on_hand > reserved) THEN 1 ELSE 0 END, in_stock
        FROM products WHERE id = $1
        """
}

enum CatalogueVersion {
    /// The number of a change that searches see.
    static func next(_ transaction: Transaction) throws -> Int64 {
        try transaction.row("UPDATE catalogue SET version = version + 1 WHERE id = 1 RETURNING version")?.int64(0) ?? 0
    }

    static func current(_ transaction: Transaction) throws -> Int64 {
        try transaction.row("SELECT version FROM catalogue WHERE id = 1")?.int64(0) ?? 0
    }
}
