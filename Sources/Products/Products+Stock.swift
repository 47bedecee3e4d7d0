public import Contracts
import Database
public import Kernel

/// The stock as staff see and change it.
extension Products {
    /// How long a repeated adjustment is recognised.
    static let keyLifetime = Duration.seconds(24 * 3_600)
    /// Movements in one answer.
    static let movementLimit = 200
    static let stockPageLimits = 1...200

    public func inventory(_ query: StockBySKU, _ context: CallContext) async throws -> StockLevel {
        try await level(query, context).level
    }

    /// The level, and the handle of the product that it belongs to.
    func level(_ query: StockBySKU, _ context: CallContext) async throws -> (level: StockLevel, handle: String) {
        let isStaff = context.caller.isStaff
        return try await database.read { transaction in
            let sql = """
                SELECT v.on_hand, v.reserved, p.status, v.is_archived, p.handle
                FROM variants v JOIN products p ON p.id = v.product WHERE v.sku = $1
                """
            guard let row = try transaction.row(sql, query.sku),
                try isStaff || row.text(2) == ProductStatus.active.rawValue && !row.bool(3)
            else { throw Self.unknown(query.sku) }
            let level = StockLevel(sku: query.sku, on_hand: try row.int64(0), reserved: try row.int64(1))
            return (level, try row.text(4))
        }
    }

    static func unknown(_ sku: String) -> Problem { Problem(.notFound, "there is no SKU \(sku)") }

    public func inventoryList(_ query: StockQuery, _ context: CallContext) async throws -> StockPage {
        let limit = min(max(query.limit ?? 50, Self.stockPageLimits.lowerBound), Self.stockPageLimits.upperBound)
        let prefix = query.q ?? ""
        return try await database.read { transaction in
            // Of printable ASCII, DEL comes after everything that begins with the prefix.
            var rows = try transaction.rows(
                """
                SELECT sku, on_hand, reserved FROM variants
                WHERE sku > $1 AND sku >= $2 AND sku < $3 AND on_hand - reserved <= $4 AND is_archived = 0
                ORDER BY sku LIMIT $5
                """, query.after ?? "", prefix, prefix + "\u{7F}", query.available_max ?? Int64.max, limit + 1)
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            let items = try rows.map {
                StockLevel(sku: try $0.text(0), on_hand: try $0.int64(1), reserved: try $0.int64(2))
            }
            return StockPage(items: items, next: hasMore ? items.last?.sku : nil)
        }
    }

    public func adjust(_ adjustment: StockAdjustment, _ context: CallContext) async throws -> StockLevel {
        try await adjusted(adjustment, context).level
    }

    /// The level afterwards, and whether the key was seen before: then it is the first answer.
    func adjusted(
        _ adjustment: StockAdjustment, _ context: CallContext
    ) async throws -> (level: StockLevel, isReplayed: Bool) {
        guard adjustment.quantity != 0 else {
            throw Problem.invalid("/quantity", "expected pieces to add or, negative, to take away; found 0")
        }
        let now = clock.now()
        let key = context.idempotencyKey.map { AdjustmentKey(caller: "\(context.caller)", key: $0) }
        let (level, changes) = try await database.write { transaction -> (StockLevel, StockChanges?) in
            if let earlier = try key?.earlier(adjustment, since: now - Self.keyLifetime, transaction) {
                return (earlier, nil)
            }
            var stock = StockBook(transaction, at: now)
            let entry = StockBook.Entry(kind: .adjusted, onHand: adjustment.quantity, reason: adjustment.reason)
            try Self.check(adjustment, transaction)
            guard let level = try stock.move(adjustment.sku, entry) else { throw Self.unknown(adjustment.sku) }
            try key?.keep(adjustment, level, now, transaction)
            return (level, stock.changes)
        }
        if let changes { tell(changes) }
        return (level, changes == nil)
    }

    private static func check(_ adjustment: StockAdjustment, _ transaction: Transaction) throws {
        let level = "SELECT on_hand, reserved FROM variants WHERE sku = $1"
        guard let row = try transaction.row(level, adjustment.sku) else { throw unknown(adjustment.sku) }
        let (onHand, reserved) = (try row.int64(0), try row.int64(1))
        let (sum, overflow) = onHand.addingReportingOverflow(adjustment.quantity)
        guard !overflow, sum <= Money.limit else {
            throw Problem.invalid("/quantity", "expected at most \(Money.limit) pieces on hand, \(onHand) are there")
        }
        guard sum >= reserved else {
            throw Problem(
                .stockBelowZero,
                "\(adjustment.sku) has \(onHand) on hand, of which \(reserved) are reserved for orders: at most "
                    + "\(onHand - reserved) can be taken away, not \(adjustment.quantity.magnitude)")
        }
    }

    func forgetKeys(before time: Timestamp) async throws {
        try await database.write { try $0.execute("DELETE FROM adjustments WHERE at < $1", time) }
    }

    public func movements(_ query: StockBySKU, _ context: CallContext) async throws -> MovementList {
        try await database.read { transaction in
            let known = try transaction.row("SELECT id FROM variants WHERE sku = $1", query.sku)
            guard let variant = try known?.int64(0) else { throw Self.unknown(query.sku) }
            let rows = try transaction.rows(
                """
                SELECT kind, on_hand, reserved, reason, order_id, at FROM stock_movements
                WHERE variant = $1 ORDER BY number DESC LIMIT $2
                """, variant, Self.movementLimit)
            return MovementList(
                items: try rows.map { row in
                    StockMovement(
                        kind: try row.choice(0), on_hand: try row.int64(1), reserved: try row.int64(2),
                        reason: try row.optionalText(3), order: try row.optionalID(4), at: try row.timestamp(5))
                })
        }
    }

    public func quote(_ query: QuoteQuery, _ context: CallContext) async throws -> QuoteList {
        try await database.read { transaction in
            QuoteList(items: try query.skus.compactMap { try ProductsStore.quote($0, transaction) })
        }
    }
}

/// One caller's idempotency key, and what it was used for.
private struct AdjustmentKey: Sendable {
    let caller: String
    let key: String

    /// The first answer to the same request.
    func earlier(_ adjustment: StockAdjustment, since: Timestamp, _ transaction: Transaction) throws -> StockLevel? {
        let kept = """
            SELECT sku, quantity, reason, on_hand, reserved FROM adjustments
            WHERE caller = $1 AND key = $2 AND at >= $3
            """
        guard let row = try transaction.row(kept, caller, key, since) else { return nil }
        let isSame =
            try row.text(0) == adjustment.sku && row.int64(1) == adjustment.quantity
            && row.text(2) == adjustment.reason
        guard isSame else {
            throw Problem(.keyReused, "this Idempotency-Key was used for an adjustment of \(try row.text(0)) before")
        }
        return StockLevel(sku: adjustment.sku, on_hand: try row.int64(3), reserved: try row.int64(4))
    }

    func keep(
        _ adjustment: StockAdjustment, _ level: StockLevel, _ now: Timestamp, _ transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO adjustments (caller, key, sku, quantity, reason, on_hand, reserved, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (caller, key) DO UPDATE SET sku = excluded.sku, quantity = excluded.quantity,
                reason = excluded.reason, on_hand = excluded.on_hand, reserved = excluded.reserved, at = excluded.at
            """, caller, key, adjustment.sku, adjustment.quantity, adjustment.reason, level.on_hand,
            level.reserved, now)
    }
}
