import Contracts
import Database
import Kernel

extension OrdersStore {
    func order(_ id: OrderID) async throws -> Order? {
        try await database.read { try Self.order(id, $0) }
    }

    static func order(_ id: OrderID, _ transaction: Transaction) throws -> Order? {
        guard
            let row = try transaction.row(
                """
                SELECT number, status, payment_status, fulfilment_status, email, customer, currency, subtotal, discount,
                    shipping, tax, tax_included, total, refunded, coupon, shipping_method, address, reason, created_at,
                    updated_at
                FROM orders WHERE id = $1
                """, id)
        else { return nil }
        let currency = try currency(row, 6)
        func money(_ index: Int) throws -> Money { Money(try row.int64(index), currency) }
        return Order(
            id: id, number: String(try row.int64(0)), status: try column(row, 1), payment_status: try column(row, 2),
            fulfilment_status: try column(row, 3), email: try row.text(4), customer: try row.optionalID(5),
            lines: try lines(of: id, currency, transaction),
            sums: OrderSums(
                subtotal: try money(7), discount: try money(8), shipping: try money(9), tax: try money(10),
                tax_included: try money(11), total: try money(12)),
            refunded: try money(13), coupon: try row.optionalText(14), shipping_method: try row.text(15),
            shipping_address: try JSON.decode(Address.self, from: Array(try row.text(16).utf8)),
            reason: try row.optionalText(17), created_at: try row.timestamp(18), updated_at: try row.timestamp(19))
    }

    private static func lines(of id: OrderID, _ currency: Currency, _ transaction: Transaction) throws -> [Order.Line] {
        try transaction.rows(
            """
            SELECT sku, title, quantity, fulfilled, returned, unit_price, total, image
            FROM order_lines WHERE order_id = $1 ORDER BY position
            """, id
        ).map { row in
            Order.Line(
                sku: try row.text(0), title: try row.text(1), quantity: try row.int64(2), fulfilled: try row.int64(3),
                returned: try row.int64(4), unit_price: Money(try row.int64(5), currency),
                total: Money(try row.int64(6), currency), image: try row.optionalText(7))
        }
    }

    static func currency(_ row: Row, _ index: Int) throws -> Currency {
        guard let currency = Currency(try row.text(index)) else {
            throw DatabaseError.column(index: index, expected: "a currency", found: try row.text(index), sql: "orders")
        }
        return currency
    }

    static func column<T: RawRepresentable>(_ row: Row, _ index: Int) throws -> T where T.RawValue == String {
        guard let value = T(rawValue: try row.text(index)) else {
            throw DatabaseError.column(index: index, expected: "\(T.self)", found: try row.text(index), sql: "orders")
        }
        return value
    }

    /// Newest first. `after` is the last order of the page before.
    func list(_ query: OrderQuery, customer: UserID?) async throws -> OrderPage {
        let limit = query.limit ?? 24
        var conditions: [String] = []
        var arguments: [Value] = []
        func require(_ condition: String, _ value: Value) {
            arguments.append(value)
            conditions.append(condition + " $\(arguments.count)")
        }
        if let customer { require("customer =", .text(customer.description)) }
        if let status = query.status { require("status =", .text(status.rawValue)) }
        if let status = query.payment_status { require("payment_status =", .text(status.rawValue)) }
        if let status = query.fulfilment_status { require("fulfilment_status =", .text(status.rawValue)) }
        if let words = query.q, customer == nil {
            if let number = Int64(words) {
                require("number =", .integer(number))
            } else {
                require("email =", .text(words))
            }
        }
        let all = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let countArguments = arguments
        if let after = query.after { require("id <", .text(after)) }
        let rest = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        arguments.append(.integer(Int64(limit + 1)))
        let pageArguments = arguments
        return try await database.read { transaction in
            let total = try transaction.row("SELECT count(*) FROM orders " + all, countArguments)?.int(0) ?? 0
            var items = try transaction.rows(
                """
                SELECT id, number, status, payment_status, fulfilment_status, email, line_count, total, currency,
                    created_at
                FROM orders \(rest) ORDER BY id DESC LIMIT $\(pageArguments.count)
                """, pageArguments
            ).map { row in
                OrderSummary(
                    id: try row.id(0), number: String(try row.int64(1)), status: try Self.column(row, 2),
                    payment_status: try Self.column(row, 3), fulfilment_status: try Self.column(row, 4),
                    email: try row.text(5), lines: try row.int(6),
                    total: Money(try row.int64(7), try Self.currency(row, 8)), created_at: try row.timestamp(9))
            }
            let hasMore = items.count > limit
            if hasMore { items.removeLast() }
            return OrderPage(items: items, next: hasMore ? items.last?.id.description : nil, total: total)
        }
    }

    func sales(from: Timestamp?, to: Timestamp?) async throws -> SalesReport {
        let range: [Value] = [
            .integer(from?.microseconds ?? Int64.min), .integer(to?.microseconds ?? Int64.max),
        ]
        return try await database.readStale { transaction in
            var report = SalesReport(orders: 0, lines: 0, pieces: 0, revenue: [], refunded: [], cancelled: 0, days: [])
            try transaction.forEach(
                """
                SELECT currency, count(*), sum(line_count), sum(pieces), sum(total), sum(refunded) FROM orders
                WHERE status NOT IN ('pending', 'cancelled') AND created_at >= $1 AND created_at < $2
                GROUP BY currency ORDER BY currency
                """, range
            ) { row in
                let currency = try Self.currency(row, 0)
                report.orders += try row.int(1)
                report.lines += try row.int(2)
                report.pieces += try row.int(3)
                report.revenue.append(Money(try row.int64(4), currency))
                report.refunded.append(Money(try row.int64(5), currency))
            }
            report.cancelled =
                try transaction.row(
                    """
                    SELECT count(*) FROM orders WHERE status = 'cancelled' AND created_at >= $1 AND created_at < $2
                    """, range)?.int(0) ?? 0
            try transaction.forEach(
                """
                SELECT created_at / 86400000000, currency, count(*), sum(total) FROM orders
                WHERE status NOT IN ('pending', 'cancelled') AND created_at >= $1 AND created_at < $2
                GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 400
                """, range
            ) { row in
                let day = Timestamp(seconds: try row.int64(0) * 86_400).rfc3339.prefix(10)
                report.days.append(
                    SalesReport.Day(
                        day: String(day), orders: try row.int(2),
                        revenue: Money(try row.int64(3), try Self.currency(row, 1))))
            }
            report.days.reverse()
            return report
        }
    }
}
