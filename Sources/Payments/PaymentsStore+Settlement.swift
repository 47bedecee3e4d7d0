import Contracts
import Database
import Kernel

extension PaymentsStore {
    enum RefundBegun: Sendable {
        case begun
        case done(Payment)
        case unknown
        case tooLarge(left: Money)
        case otherAmount(Money)
    }

    /// Enters captures: of those the gateway took, and of those that cost nothing. Answers with authorised ones that it
    /// did not take.
    func capture(_ orders: [OrderID], taken: Set<String>, at time: Timestamp) async throws -> [OrderID] {
        try await database.write { transaction in
            var left: [OrderID] = []
            for order in orders {
                let isTaken = taken.contains(order.description)
                if isTaken {
                    try transaction.post(
                        """
                        INSERT INTO postings (order_id, entry, account, amount, currency, at)
                        SELECT order_id, 'capture', 'holds', -amount, currency, $2 FROM payments
                        WHERE order_id = $1 AND status = 'authorized' AND amount > 0
                        UNION ALL
                        SELECT order_id, 'capture', 'captured', amount, currency, $2 FROM payments
                        WHERE order_id = $1 AND status = 'authorized' AND amount > 0
                        """, order, time)
                }
                let changed = try transaction.execute(
                    """
                    UPDATE payments SET status = 'captured', captured = amount, updated_at = $2
                    WHERE order_id = $1 AND status = 'authorized' AND (amount = 0 OR $3 = 1)
                    """, order, time, isTaken)
                if changed == 0, !isTaken, try Self.row(order, in: transaction)?.payment?.status == .authorized {
                    left.append(order)
                }
            }
            return left
        }
    }

    /// The gateway holds nothing of the order any more.
    func void(_ order: OrderID, at time: Timestamp) async throws {
        try await database.write { transaction in
            let isNew = try transaction.execute(
                """
                INSERT INTO payments (order_id, status, provider, created_at, updated_at)
                VALUES ($1, 'voided', $3, $2, $2) ON CONFLICT (order_id) DO NOTHING
                """, order, time, Self.noProvider)
            guard isNew == 0, let payment = try Self.row(order, in: transaction)?.payment else { return }
            switch payment.status {
            case .authorized: try Self.release(payment, time, transaction)
            case .pending, .captured:
                guard payment.captured.amount == 0 else { return }
                try transaction.execute(
                    "UPDATE payments SET status = 'voided', updated_at = $2 WHERE order_id = $1", order, time)
            default: return
            }
        }
    }

    func beginRefund(_ refund: RefundPayment, at time: Timestamp) async throws -> RefundBegun {
        try await database.write { transaction in
            guard let payment = try Self.row(refund.order, in: transaction)?.payment,
                [.captured, .partially_refunded, .refunded].contains(payment.status)
            else { return .unknown }
            let known = try transaction.row(
                "SELECT amount, is_done FROM refunds WHERE order_id = $1 AND reference = $2", refund.order,
                refund.reference)
            if let known {
                let amount = Money(try known.int64(0), payment.amount.currency)
                guard amount == refund.amount else { return .otherAmount(amount) }
                return try known.bool(1) ? .done(payment) : .begun
            }
            let left = try Self.left(of: payment, in: transaction)
            guard refund.amount.currency == left.currency, refund.amount <= left else { return .tooLarge(left: left) }
            try Self.begin(refund, at: time, in: transaction)
            return .begun
        }
    }

    /// Begins a refund of what is left, and gives all that are begun and not ended.
    func beginRefundOfAll(
        _ order: OrderID, reference: String, at time: Timestamp
    ) async throws -> [RefundPayment] {
        try await database.write { transaction in
            guard let payment = try Self.row(order, in: transaction)?.payment else { return [] }
            let left = try Self.left(of: payment, in: transaction)
            if left.amount > 0 {
                let rest = RefundPayment(order: order, amount: left, reference: reference)
                try Self.begin(rest, at: time, in: transaction)
            }
            return try transaction.rows(
                "SELECT amount, reference FROM refunds WHERE order_id = $1 AND is_done = 0 ORDER BY reference", order
            ).map { row in
                let amount = Money(try row.int64(0), payment.amount.currency)
                return RefundPayment(order: order, amount: amount, reference: try row.text(1))
            }
        }
    }

    /// What was captured, less all refunds that are done or begun.
    private static func left(of payment: Payment, in transaction: Transaction) throws -> Money {
        let begun = try transaction.row(
            "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM refunds WHERE order_id = $1", payment.order)?.int64(0)
        return try payment.captured.subtracting(Money(begun ?? 0, payment.amount.currency))
    }

    private static func begin(_ refund: RefundPayment, at time: Timestamp, in transaction: Transaction) throws {
        try transaction.execute(
            "INSERT INTO refunds (order_id, reference, amount, at) VALUES ($1, $2, $3, $4)", refund.order,
            refund.reference, refund.amount.amount, time)
    }

    func endRefund(_ refund: RefundPayment, at time: Timestamp) async throws -> Payment {
        try await database.write { transaction in
            let ended = try transaction.execute(
                "UPDATE refunds SET is_done = 1 WHERE order_id = $1 AND reference = $2 AND is_done = 0", refund.order,
                refund.reference)
            if ended == 1, refund.amount.amount > 0 {
                try transaction.execute(
                    """
                    UPDATE payments SET refunded = refunded + $2, updated_at = $3,
                        status = CASE WHEN refunded + $2 = captured THEN 'refunded' ELSE 'partially_refunded' END
                    WHERE order_id = $1
                    """, refund.order, refund.amount.amount, time)
                try Self.post(
                    "refund:" + refund.reference, .refunds, .customers, refund.amount, refund.order, time, transaction)
            }
            guard let payment = try Self.row(refund.order, in: transaction)?.payment else {
                throw Problem(.notFound, "there is no payment of \(refund.order)")
            }
            return payment
        }
    }
}
