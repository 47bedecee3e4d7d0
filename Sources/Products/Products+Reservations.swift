public import Contracts
import Database
public import Events
public import Kernel

/// Stock held for orders. An order's reservation is one row: `held`, then `committed`, `released` or `expired`; or
/// `refused` from the start. Each state is remembered, so that a repeated message answers as the first did.
extension Products {
    public func reserve(_ reservation: ReserveStock, _ context: CallContext) async throws -> Nothing {
        let lines = try StockLines(reservation.lines)
        let (order, expiry, now) = (reservation.order, reservation.expires_at, clock.now())
        let outcome = try await database.write { transaction in
            try Self.hold(lines, for: order, until: expiry, in: StockBook(transaction, at: now))
        }
        switch outcome {
        case .held(let changes): tell(changes, reservations: .held)
        case .lacking(let lacks):
            counts.add(1, .refused)
            throw Self.outOfStock(lacks)
        case .over(let state):
            throw Problem(.outOfStock, "the stock of \(order) was \(state) before: it cannot be held again")
        case .otherLines:
            throw Problem(.conflict, "\(order) has a reservation of other lines: an order is reserved once")
        }
        return Nothing()
    }

    private enum Outcome: Sendable {
        case held(StockChanges)
        case lacking([Lack])
        case over(String)
        case otherLines
    }

    /// A line that cannot be held.
    struct Lack: Codable, Sendable, Equatable {
        var sku: String
        var requested: Int64
        var available: Int64
    }

    /// Three statements for an order of one line. It refuses by its result and not by throwing, because the refusal is
    /// written too.
    private static func hold(
        _ lines: StockLines, for order: OrderID, until expiry: Timestamp, in stock: StockBook
    ) throws -> Outcome {
        var stock = stock
        let transaction = stock.transaction
        let isNew = try transaction.execute(
            """
            INSERT INTO reservations (order_id, state, lines, expires_at, at) VALUES ($1, 'held', $2, $3, $4)
            ON CONFLICT (order_id) DO NOTHING
            """, order, lines.text, expiry, stock.now)
        guard isNew == 1 else { return try earlierOutcome(of: order, lines, transaction) }
        // One line is taken or not by its own statement; of several, none may be taken unless all can be.
        var lacks = lines.lines.count == 1 ? [] : try lines.lines.compactMap { try lack($0, transaction) }
        if lacks.isEmpty {
            for line in lines.lines {
                let entry = StockBook.Entry(kind: .reserved, reserved: line.quantity, order: order)
                if try stock.move(line.sku, entry, fromShelf: true) != nil { continue }
                guard let lack = try lack(line, transaction), lines.lines.count == 1 else {
                    throw Problem(.internalError, "the stock of \(line.sku) changed within a transaction")
                }
                lacks.append(lack)
            }
        }
        guard lacks.isEmpty else {
            try transaction.execute(
                "UPDATE reservations SET state = 'refused', lacking = $2 WHERE order_id = $1", order,
                String(decoding: try JSON.encode(lacks), as: UTF8.self))
            return .lacking(lacks)
        }
        stock.changes.reservations = 1
        return .held(stock.changes)
    }

    private static func earlierOutcome(
        of order: OrderID, _ lines: StockLines, _ transaction: Transaction
    ) throws -> Outcome {
        let earlier = "SELECT state, lines, lacking FROM reservations WHERE order_id = $1"
        guard let row = try transaction.row(earlier, order) else {
            throw Problem(.internalError, "the reservation of \(order) vanished")
        }
        let state = try row.text(0)
        if state == "released" || state == "expired" { return .over(state) }
        guard try row.text(1) == lines.text else { return .otherLines }
        guard state == "refused" else { return .held(StockChanges()) }
        return .lacking(try JSON.decode([Lack].self, from: Array((row.optionalText(2) ?? "[]").utf8)))
    }

    private static func lack(_ line: StockLine, _ transaction: Transaction) throws -> Lack? {
        let available =
            try transaction.row(
                """
                SELECT v.on_hand - v.reserved FROM variants v JOIN products p ON p.id = v.product
                WHERE v.sku = $1 AND v.is_archived = 0 AND p.status = 'active'
                """, line.sku)?.int64(0) ?? 0
        return available >= line.quantity ? nil : Lack(sku: line.sku, requested: line.quantity, available: available)
    }

    static func outOfStock(_ lacks: [Lack]) -> Problem {
        let named = lacks.prefix(20).map { "\($0.sku) (\($0.requested) asked for, \($0.available) available)" }
        var extensions = JSONObject()
        extensions["lines"] = .array(
            lacks.map {
                ["sku": .string($0.sku), "requested": .integer($0.requested), "available": .integer($0.available)]
            })
        let more = lacks.count > named.count ? " and \(lacks.count - named.count) more" : ""
        return Problem(
            .outOfStock, "out of stock: " + named.joined(separator: ", ") + more, extensions: extensions)
    }

    public func release(_ order: StockOfOrder, _ context: CallContext) async throws -> Nothing {
        let (order, now) = (order.order, clock.now())
        tell(
            try await database.write { transaction in
                var stock = StockBook(transaction, at: now)
                if try Self.giveBack(order, as: "released", &stock) { return stock.changes }
                // Nothing is held. Where there is no row, this one refuses the reservation that is still to come.
                try transaction.execute(
                    """
                    INSERT INTO reservations (order_id, state, lines, expires_at, at)
                    VALUES ($1, 'released', '', $2, $2) ON CONFLICT (order_id) DO NOTHING
                    """, order, now)
                return stock.changes
            }, reservations: .released)
        return Nothing()
    }

    private static func giveBack(_ order: OrderID, as state: String, _ stock: inout StockBook) throws -> Bool {
        let end = "UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = 'held' RETURNING lines"
        guard let row = try stock.transaction.row(end, order, state) else { return false }
        for line in try StockLines(text: row.text(0)).lines {
            let entry = StockBook.Entry(
                kind: .released, reserved: -line.quantity, order: order, reason: state == "expired" ? "expired" : nil)
            guard try stock.move(line.sku, entry) != nil else {
                throw Problem(.internalError, "less of \(line.sku) is reserved than \(order) holds")
            }
        }
        stock.changes.reservations += 1
        return true
    }

    public func commit(_ orders: StockOfOrders, _ context: CallContext) async throws -> Nothing {
        let (ids, now) = (orders.orders, clock.now())
        let (changes, unheld) = try await database.write { transaction in
            var stock = StockBook(transaction, at: now)
            var unheld: [String] = []
            for order in ids {
                if let failure = try Self.sell(order, &stock) { unheld.append(failure) }
            }
            return (stock.changes, unheld)
        }
        tell(changes, reservations: .committed)
        for failure in unheld {
            logger.error("an order was confirmed without stock", metadata: ["detail": "\(failure)"])
        }
        return Nothing()
    }

    /// Why it could not be sold; nil where it was, now or before.
    private static func sell(_ order: OrderID, _ stock: inout StockBook) throws -> String? {
        let end = "UPDATE reservations SET state = 'committed' WHERE order_id = $1 AND state = 'held' RETURNING lines"
        if let row = try stock.transaction.row(end, order) {
            for line in try StockLines(text: row.text(0)).lines {
                let entry = StockBook.Entry(
                    kind: .sold, onHand: -line.quantity, reserved: -line.quantity, order: order)
                guard try stock.move(line.sku, entry) != nil else {
                    throw Problem(.internalError, "less of \(line.sku) is reserved than \(order) holds")
                }
            }
            stock.changes.reservations += 1
            return nil
        }
        let earlier = "SELECT state, lines FROM reservations WHERE order_id = $1"
        guard let row = try stock.transaction.row(earlier, order) else { return "\(order) has no reservation" }
        switch try row.text(0) {
        case "committed": return nil
        case "expired": return try sellAfterExpiry(order, StockLines(text: row.text(1)), &stock)
        case let state: return "the reservation of \(order) is \(state)"
        }
    }

    /// The hold ran out before the sale came: it is sold all the same where there are pieces left.
    private static func sellAfterExpiry(
        _ order: OrderID, _ lines: StockLines, _ stock: inout StockBook
    ) throws -> String? {
        for line in lines.lines {
            let available =
                try stock.transaction.row(
                    "SELECT on_hand - reserved FROM variants WHERE sku = $1", line.sku)?.int64(0) ?? 0
            guard available >= line.quantity else {
                return "the reservation of \(order) expired, and only \(available) of \(line.sku) are left"
            }
        }
        for line in lines.lines {
            try stock.move(line.sku, StockBook.Entry(kind: .sold, onHand: -line.quantity, order: order))
        }
        try stock.transaction.execute("UPDATE reservations SET state = 'committed' WHERE order_id = $1", order)
        stock.changes.reservations += 1
        return nil
    }

    public func restock(_ restock: Restock, _ context: CallContext) async throws -> Nothing {
        let (lines, now) = (try StockLines(restock.lines), clock.now())
        tell(
            try await database.write { transaction in
                var stock = StockBook(transaction, at: now)
                let isNew = try transaction.execute(
                    "INSERT INTO restocks (reference, order_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    restock.reference, restock.order, now)
                guard isNew == 1 else { return stock.changes }
                for line in lines.lines {
                    let entry = StockBook.Entry(
                        kind: .restocked, onHand: line.quantity, order: restock.order, reason: restock.reason)
                    guard try stock.move(line.sku, entry) != nil else {
                        throw Problem(.notFound, "there is no SKU \(line.sku)")
                    }
                }
                return stock.changes
            })
        return Nothing()
    }

    /// Gives back what nobody committed or released until `expires_at`, at most `limit` orders. Whoever reserves
    /// chooses a time by which it has certainly confirmed or cancelled: what is confirmed must still be held.
    /// - Returns: how many were given back.
    @discardableResult
    public func releaseExpired(now: Timestamp, limit: Int = 500) async throws -> Int {
        let (changes, count) = try await database.write { transaction in
            var stock = StockBook(transaction, at: now)
            let expired = try transaction.rows(
                """
                SELECT order_id FROM reservations WHERE state = 'held' AND expires_at <= $1
                ORDER BY expires_at LIMIT $2
                """, now, limit)
            for row in expired { _ = try Self.giveBack(row.id(0), as: "expired", &stock) }
            return (stock.changes, expired.count)
        }
        tell(changes, reservations: .expired)
        return count
    }

    /// `order.confirmed`: what is held for these orders is sold. Seeing an event twice changes nothing.
    public func handle(_ events: [Event]) async throws {
        let orders = try events.lazy.filter { $0.type == EventTypes.orderConfirmed }.map { event in
            try OrderID(event.subject) ?? event.payload(as: OrderEvent.self).order.id
        }
        guard !orders.isEmpty else { return }
        _ = try await commit(StockOfOrders(orders: Array(orders)), .service("products"))
    }
}

/// Lines with each SKU once, and their text in a reservation's row.
struct StockLines: Sendable {
    let lines: [StockLine]

    init(_ given: [StockLine]) throws {
        guard given.count > 1 else {
            lines = given
            try check()
            return
        }
        var quantities: [String: Int64] = [:]
        for line in given {
            let (sum, overflow) = (quantities[line.sku] ?? 0).addingReportingOverflow(line.quantity)
            guard !overflow else { throw Problem.invalid("/lines", "too many pieces of \(line.sku)") }
            quantities[line.sku] = sum
        }
        // Sorted, so that two transactions that lock rows never wait for each other.
        lines = quantities.map { StockLine(sku: $0.key, quantity: $0.value) }.sorted { $0.sku < $1.sku }
        try check()
    }

    private func check() throws {
        guard !lines.isEmpty else { throw Problem.invalid("/lines", "expected at least one line") }
        for line in lines where !(1...Money.limit).contains(line.quantity) {
            throw Problem.invalid(
                "/lines", "expected 1 to \(Money.limit) pieces of \(line.sku), found \(line.quantity)")
        }
    }

    /// Reads what `text` wrote.
    init(text: String) throws {
        lines = try text.split(separator: "\n").map { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let quantity = Int64(parts[0]) else {
                throw Problem(.internalError, "a reservation's line is damaged: \(line)")
            }
            return StockLine(sku: String(parts[1]), quantity: quantity)
        }
    }

    /// A SKU holds no line break, and may hold spaces.
    var text: String { lines.map { "\($0.quantity) \($0.sku)" }.joined(separator: "\n") }
}
