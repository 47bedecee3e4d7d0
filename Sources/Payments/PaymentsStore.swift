import Contracts
import Database
import Kernel

/// The SQL of payments. Closures write rows and postings together, so that the book and the statuses cannot part.
struct PaymentsStore: Sendable {
    let database: any Database

    /// The provider of payments that need none.
    static let noProvider = "none"

    struct Stored: Sendable {
        /// Nil: voided before it was authorised.
        var payment: Payment?
        var customer: UserID?
    }

    enum Recorded: Sendable {
        case payment(Payment)
        case voided
        case otherAmount(Money)
    }

    /// A payment's identifier is its order's under another prefix: one order has one payment.
    static func id(of order: OrderID) -> PaymentID? { PaymentID("pay_" + order.description.dropFirst(6)) }
    static func order(of id: PaymentID) -> OrderID? { OrderID("order_" + id.description.dropFirst(4)) }

    // MARK: Reading

    func payment(_ order: OrderID?) async throws -> Stored? {
        guard let order else { return nil }
        return try await database.read { try Self.row(order, in: $0) }
    }

    func payments(_ orders: [OrderID]) async throws -> [Stored] {
        try await database.read { transaction in try orders.compactMap { try Self.row($0, in: transaction) } }
    }

    static func row(_ order: OrderID, in transaction: Transaction) throws -> Stored? {
        try transaction.row(
            """
            SELECT status, amount, currency, captured, refunded, provider, reference, reason, customer, created_at
            FROM payments WHERE order_id = $1
            """, order
        ).map { row in
            let customer: UserID? = try row.optionalID(8)
            guard let amount = try row.optionalInt64(1) else { return Stored(payment: nil, customer: customer) }
            guard let currency = Currency(try row.text(2)), let status = PaymentStatus(rawValue: try row.text(0)),
                let id = id(of: order)
            else {
                throw DatabaseError.column(index: 2, expected: "a currency", found: try row.text(2), sql: "payments")
            }
            let payment = Payment(
                id: id, order: order, status: status, amount: Money(amount, currency),
                captured: Money(try row.int64(3), currency), refunded: Money(try row.int64(4), currency),
                provider: try row.text(5), reference: try row.optionalText(6), reason: try row.optionalText(7),
                created_at: try row.timestamp(9))
            return Stored(payment: payment, customer: customer)
        }
    }

    // MARK: Authorising

    /// Writes down what the gateway answered. What is there and final stays as it is.
    func record(
        _ answer: GatewayAnswer, _ authorization: Authorize, provider: String, at time: Timestamp
    ) async throws -> Recorded {
        let order = authorization.order
        let amount = authorization.amount
        let fresh = try Self.payment(answer, authorization, provider: provider, at: time)
        return try await database.write { transaction in
            if try Self.insert(fresh, authorization.customer, in: transaction) {
                try Self.hold(fresh, time, transaction)
                return .payment(fresh)
            }
            guard let stored = try Self.row(order, in: transaction)?.payment else { return .voided }
            guard stored.amount == amount else { return .otherAmount(stored.amount) }
            switch stored.status {
            case .voided: return .voided
            case .pending:
                try transaction.execute(
                    "UPDATE payments SET status = $2, reference = $3, reason = $4, updated_at = $5 WHERE order_id = $1",
                    order, fresh.status.rawValue, fresh.reference, fresh.reason, time)
                try Self.hold(fresh, time, transaction)
                return .payment(fresh)
            case .authorized where fresh.status == .declined:
                // A void got as far as the gateway and no further: what was held is not held any more.
                try Self.release(stored, time, transaction)
                return .voided
            default: return .payment(stored)
            }
        }
    }

    /// Notes that the gateway was asked and did not answer. If it had answered before, that answer.
    func markPending(_ authorization: Authorize, provider: String, at time: Timestamp) async throws -> GatewayAnswer? {
        var pending = try Self.payment(.declined(reason: ""), authorization, provider: provider, at: time)
        pending.status = .pending
        pending.reason = nil
        let payment = pending
        return try await database.write { transaction in
            if try Self.insert(payment, authorization.customer, in: transaction) { return nil }
            guard let stored = try Self.row(authorization.order, in: transaction)?.payment else {
                return .declined(reason: "voided")
            }
            switch stored.status {
            case .pending: return nil
            case .declined: return .declined(reason: stored.reason ?? "")
            default: return .approved(reference: stored.reference ?? "")
            }
        }
    }

    private static func payment(
        _ answer: GatewayAnswer, _ authorization: Authorize, provider: String, at time: Timestamp
    ) throws -> Payment {
        guard let id = id(of: authorization.order) else {
            throw Problem(.internalError, "\(authorization.order) gives no payment's identifier")
        }
        let zero = Money.zero(authorization.amount.currency)
        var payment = Payment(
            id: id, order: authorization.order, status: .authorized, amount: authorization.amount, captured: zero,
            refunded: zero, provider: provider, reference: nil, reason: nil, created_at: time)
        switch answer {
        case .approved(let reference): payment.reference = reference.isEmpty ? nil : reference
        case .declined(let reason):
            payment.status = .declined
            payment.reason = reason
        }
        return payment
    }

    private static func insert(
        _ payment: Payment, _ customer: UserID?, in transaction: Transaction
    ) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO payments (order_id, status, amount, currency, provider, reference, reason, customer, created_at,
                updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (order_id) DO NOTHING
            """,
            payment.order, payment.status.rawValue, payment.amount.amount, payment.amount.currency.code,
            payment.provider, payment.reference, payment.reason, customer, payment.created_at) == 1
    }

    // MARK: The book

    enum Account: String {
        /// What customers gave, less what they got back: the other side of the three below.
        case customers
        case holds
        case captured
        case refunds
    }

    /// Moves the payment's amount from one account to another.
    static func post(
        _ entry: String, _ from: Account, _ to: Account, _ payment: Payment, _ time: Timestamp,
        _ transaction: Transaction
    ) throws {
        try post(entry, from, to, payment.amount, payment.order, time, transaction)
    }

    private static func hold(_ payment: Payment, _ time: Timestamp, _ transaction: Transaction) throws {
        guard payment.status == .authorized else { return }
        try post("authorize", .customers, .holds, payment, time, transaction)
    }

    /// Enters that the hold of an authorised payment was let go of.
    static func release(_ payment: Payment, _ time: Timestamp, _ transaction: Transaction) throws {
        try post("void", .holds, .customers, payment, time, transaction)
        try transaction.execute(
            "UPDATE payments SET status = 'voided', updated_at = $2 WHERE order_id = $1", payment.order, time)
    }

    static func post(
        _ entry: String, _ from: Account, _ to: Account, _ amount: Money, _ order: OrderID, _ time: Timestamp,
        _ transaction: Transaction
    ) throws {
        guard amount.amount > 0 else { return }
        try transaction.post(
            """
            INSERT INTO postings (order_id, entry, account, amount, currency, at)
            VALUES ($1, $2, $3, -$5, $6, $7), ($1, $2, $4, $5, $6, $7)
            """,
            order, entry, from.rawValue, to.rawValue, amount.amount, amount.currency.code, time)
    }

    // MARK: Webhooks

    func isNew(_ news: GatewayNews, of provider: String) async throws -> Bool {
        try await database.read { transaction in
            try transaction.row(
                "SELECT 1 FROM webhooks WHERE provider = $1 AND event = $2 AND reference = $3", provider, news.event,
                news.id) == nil
        }
    }

    func remember(_ news: GatewayNews, of provider: String, at time: Timestamp) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO webhooks (provider, event, reference, at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (provider, event, reference) DO NOTHING
                """, provider, news.event, news.id, time)
        }
    }
}
