public import Contracts
import Database
import Events
public import Kernel

extension Orders {
    public func fulfil(_ input: FulfilOrder, _ context: CallContext) async throws -> Order {
        try Access.staff.check(context.caller)
        let reference = "\(input.id):\(context.idempotencyKey ?? OrderID(at: clock.now()).description)"
        let now = clock.now()
        let order = try await store.fulfil(input, reference: reference, at: now) { order in
            try Event(
                EventTypes.orderFulfilled, about: order.id.description, at: now, carrying: OrderEvent(order: order))
        }
        wake()
        return order
    }
}

extension OrdersStore {
    func fulfil(
        _ input: FulfilOrder, reference: String, at now: Timestamp, event: @escaping @Sendable (Order) throws -> Event
    ) async throws -> Order {
        try await database.write { transaction in
            guard let order = try Self.order(input.id, transaction) else {
                throw Problem(.notFound, "there is no order \(input.id)")
            }
            let recorded = "SELECT lines, tracking FROM fulfilments WHERE reference = $1"
            if let known = try transaction.row(recorded, reference) {
                let lines = try input.lines.map { String(decoding: try JSON.encode($0), as: UTF8.self) }
                guard try lines == nil || lines == known.text(0), input.tracking == (try known.optionalText(1)) else {
                    throw Problem(.keyReused, "this Idempotency-Key was used for another fulfilment; take a new key")
                }
                return order
            }
            guard order.status == .confirmed || order.status == .partially_fulfilled else {
                throw Problem(.notFulfillable, "the order is \(order.status.rawValue), expected confirmed")
            }
            let wanted = input.lines ?? Self.unsent(order.lines)
            let spread = try Self.spread(wanted, over: order.lines, \.fulfilled, \.quantity) { sku, wanted, left in
                Problem(.notFulfillable, "\(sku): \(wanted) to send, \(left) are left")
            }
            for (position, quantity) in spread {
                try transaction.execute(
                    "UPDATE order_lines SET fulfilled = fulfilled + $3 WHERE order_id = $1 AND position = $2",
                    input.id, position, quantity)
            }
            let isWhole =
                try transaction.row(
                    "SELECT 1 FROM order_lines WHERE order_id = $1 AND fulfilled < quantity LIMIT 1", input.id) == nil
            let status = isWhole ? "fulfilled" : "partially_fulfilled"
            try transaction.execute(
                "UPDATE orders SET status = $2, fulfilment_status = $2, updated_at = $3 WHERE id = $1", input.id,
                status, now)
            try transaction.execute(
                "INSERT INTO fulfilments (reference, order_id, lines, tracking, at) VALUES ($1, $2, $3, $4, $5)",
                reference, input.id, String(decoding: try JSON.encode(wanted), as: UTF8.self), input.tracking, now)
            guard let changed = try Self.order(input.id, transaction) else { return order }
            try Outbox.append(try event(changed), in: transaction)
            return changed
        }
    }

    private static func unsent(_ lines: [Order.Line]) -> [StockLine] {
        Orders.bySKU(lines).compactMap { line in
            let sent = lines.reduce(Int64(0)) { $0 + ($1.sku == line.sku ? $1.fulfilled : 0) }
            return line.quantity > sent ? StockLine(sku: line.sku, quantity: line.quantity - sent) : nil
        }
    }

    /// Pieces by SKU, laid on the lines of that SKU as far as `done` is below `limit`.
    static func spread(
        _ wanted: [StockLine], over lines: [Order.Line], _ done: KeyPath<Order.Line, Int64>,
        _ limit: KeyPath<Order.Line, Int64>, lacking: (String, Int64, Int64) -> Problem
    ) throws -> [(position: Int, quantity: Int64)] {
        var done = lines.map { $0[keyPath: done] }
        var result: [(Int, Int64)] = []
        for want in wanted {
            var left = want.quantity
            for (position, line) in lines.enumerated() where line.sku == want.sku && left > 0 {
                let quantity = min(left, line[keyPath: limit] - done[position])
                guard quantity > 0 else { continue }
                done[position] += quantity
                left -= quantity
                result.append((position, quantity))
            }
            if left > 0 { throw lacking(want.sku, want.quantity, want.quantity - left) }
        }
        guard !result.isEmpty else { throw Problem(.notFulfillable, "nothing is left to do") }
        return result
    }
}
