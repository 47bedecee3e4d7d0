import Contracts
import Kernel
import Synchronization

/// How the way to the peers misbehaves.
final class Mishaps: Sendable {
    enum Kind { case none, lostBefore, lostAfter, twice }

    private let state: Mutex<(generator: SeededGenerator, percent: Int)>

    /// So many calls in a hundred are lost, before or after their effect, or arrive twice.
    init(seed: UInt64 = 0, percent: Int = 0) { state = Mutex((SeededGenerator(seed: seed), percent)) }

    func next() -> Kind {
        state.withLock { state in
            guard Int.random(in: 0..<100, using: &state.generator) < state.percent else { return .none }
            return [.lostBefore, .lostAfter, .twice][Int.random(in: 0..<3, using: &state.generator)]
        }
    }
}

/// Stock and money as they really are, whatever those hear who asked for them.
final class World: Sendable {
    enum Hold: Equatable { case held, released, sold, refused }

    struct Reservation {
        var lines: [StockLine]
        var hold: Hold
        var restocked: [StockLine] = []
    }

    struct State {
        var prices: [String: Money] = [:]
        var onHand: [String: Int64] = [:]
        var reserved: [String: Int64] = [:]
        var reservations: [OrderID: Reservation] = [:]
        var restocks: Set<String> = []
        var payments: [OrderID: Payment] = [:]
        var voided: Set<OrderID> = []
        var refunds: Set<String> = []
        /// Refunds that the provider refuses for good.
        var refusesRefunds = false
        /// Everything is refused to us: our secret is wrong.
        var isShut = false
        /// What asking for prices ends with.
        var quoteError: (any Error & Sendable)?
        var violations: [String] = []
    }

    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    func put(_ sku: String, _ price: Money, _ stock: Int64) {
        state.withLock {
            $0.prices[sku] = price
            $0.onHand[sku] = stock
        }
    }

    func run<T>(_ body: (inout State) throws -> T) throws -> T {
        try state.withLock { state in
            if state.isShut { throw Problem(.forbidden, "the secret is wrong") }
            return try body(&state)
        }
    }
}

extension World.State {
    mutating func reserve(_ input: ReserveStock) throws {
        switch reservations[input.order]?.hold {
        case .held, .sold: return
        case .refused, .released: throw outOfStock(input.lines)
        case nil: break
        }
        let lacking = input.lines.filter { onHand[$0.sku, default: 0] - reserved[$0.sku, default: 0] < $0.quantity }
        guard lacking.isEmpty else {
            reservations[input.order] = World.Reservation(lines: [], hold: .refused)
            throw outOfStock(lacking)
        }
        for line in input.lines { reserved[line.sku, default: 0] += line.quantity }
        reservations[input.order] = World.Reservation(lines: input.lines, hold: .held)
    }

    private func outOfStock(_ lines: [StockLine]) -> Problem {
        var problem = Problem(.outOfStock, "too few of " + lines.map(\.sku).joined(separator: ", "))
        problem.extensions["lines"] = .array(lines.map { .string($0.sku) })
        return problem
    }

    mutating func release(_ order: OrderID) {
        guard let reservation = reservations[order] else {
            reservations[order] = World.Reservation(lines: [], hold: .released)
            return
        }
        if reservation.hold == .sold { violations.append("\(order): released after the sale") }
        guard reservation.hold == .held else { return }
        for line in reservation.lines { reserved[line.sku, default: 0] -= line.quantity }
        reservations[order]?.hold = .released
    }

    mutating func commit(_ orders: [OrderID]) {
        for order in orders {
            guard let reservation = reservations[order], reservation.hold == .held else { continue }
            for line in reservation.lines {
                reserved[line.sku, default: 0] -= line.quantity
                onHand[line.sku, default: 0] -= line.quantity
            }
            reservations[order]?.hold = .sold
        }
    }

    mutating func restock(_ input: Restock) {
        guard restocks.insert(input.reference).inserted else { return }
        if reservations[input.order]?.hold != .sold { violations.append("\(input.order): restocked without a sale") }
        for line in input.lines { onHand[line.sku, default: 0] += line.quantity }
        reservations[input.order]?.restocked += input.lines
    }

    mutating func authorize(_ input: Authorize) throws -> Payment {
        if let known = payments[input.order] {
            if known.amount != input.amount { violations.append("\(input.order): authorised for two amounts") }
            if known.status == .declined || known.status == .voided {
                throw Problem(.paymentDeclined, "the card was declined")
            }
            return known
        }
        let isDeclined = input.token == "tok_declined" || voided.contains(input.order)
        let payment = Payment(
            id: PaymentID(at: Timestamp(seconds: 1)), order: input.order, status: isDeclined ? .declined : .authorized,
            amount: input.amount, captured: .zero(input.amount.currency), refunded: .zero(input.amount.currency),
            provider: "stand-in", reference: nil, reason: nil, created_at: Timestamp(seconds: 1))
        payments[input.order] = payment
        if isDeclined { throw Problem(.paymentDeclined, "the card was declined") }
        return payment
    }

    mutating func void(_ order: OrderID) {
        voided.insert(order)
        guard var payment = payments[order] else { return }
        if payment.status == .authorized { payment.status = .voided }
        if payment.captured.amount > 0 {
            payment.refunded = payment.captured
            payment.status = .refunded
        }
        payments[order] = payment
    }

    mutating func capture(_ orders: [OrderID]) {
        for order in orders {
            guard var payment = payments[order], payment.status == .authorized else { continue }
            payment.status = .captured
            payment.captured = payment.amount
            payments[order] = payment
        }
    }

    mutating func refund(_ input: RefundPayment) throws -> Payment {
        guard var payment = payments[input.order] else { throw Problem(.notFound, "no payment") }
        if refunds.contains(input.reference) { return payment }
        let sum = payment.refunded.amount + input.amount.amount
        guard !refusesRefunds, sum <= payment.captured.amount else { throw Problem(.refundTooLarge, "too much") }
        refunds.insert(input.reference)
        payment.refunded = Money(sum, payment.amount.currency)
        payment.status = sum == payment.amount.amount ? .refunded : .partially_refunded
        payments[input.order] = payment
        return payment
    }
}

/// The peers as one process reaches them.
struct Peers: ProductsService, PaymentsService {
    let world: World
    let power: Power
    let mishaps: Mishaps

    private func call<T>(_ effect: (inout World.State) throws -> T) throws -> T {
        try power.point()
        let mishap = mishaps.next()
        if mishap == .lostBefore { throw Lost() }
        if mishap == .twice { _ = try? world.run(effect) }
        let answer = Result { try world.run(effect) }
        try power.point()
        if mishap == .lostAfter { throw Lost() }
        return try answer.get()
    }

    func quote(_ query: QuoteQuery, _ context: CallContext) async throws -> QuoteList {
        let state = world.now
        if let error = state.quoteError { throw error }
        return QuoteList(
            items: query.skus.compactMap { sku in
                state.prices[sku].map {
                    Quote(
                        sku: sku, handle: sku, title: "The \(sku)", price: $0,
                        available: state.onHand[sku, default: 0] - state.reserved[sku, default: 0], image: nil)
                }
            })
    }

    func reserve(_ reservation: ReserveStock, _ context: CallContext) async throws -> Nothing {
        try call { try $0.reserve(reservation) }
        return Nothing()
    }
    func release(_ order: StockOfOrder, _ context: CallContext) async throws -> Nothing {
        try call { $0.release(order.order) }
        return Nothing()
    }
    func commit(_ orders: StockOfOrders, _ context: CallContext) async throws -> Nothing {
        try call { $0.commit(orders.orders) }
        return Nothing()
    }
    func restock(_ restock: Restock, _ context: CallContext) async throws -> Nothing {
        try call { $0.restock(restock) }
        return Nothing()
    }
    func authorize(_ authorization: Authorize, _ context: CallContext) async throws -> Payment {
        try call { try $0.authorize(authorization) }
    }
    func void(_ order: PaymentOfOrder, _ context: CallContext) async throws -> Nothing {
        try call { $0.void(order.order) }
        return Nothing()
    }
    func capture(_ orders: PaymentsOfOrders, _ context: CallContext) async throws -> Nothing {
        try call { $0.capture(orders.orders) }
        return Nothing()
    }
    func refund(_ refund: RefundPayment, _ context: CallContext) async throws -> Payment {
        try call { try $0.refund(refund) }
    }
    func payments(_ query: PaymentsOfOrders, _ context: CallContext) async throws -> PaymentList {
        try call { state in PaymentList(items: query.orders.compactMap { state.payments[$0] }) }
    }

    // Nothing that orders ask for.
    private var unasked: Problem { Problem(.notFound, "orders do not ask for this") }
    func payment(_ query: PaymentByID, _ context: CallContext) async throws -> Payment { throw unasked }
    func webhook(_ delivery: PaymentWebhook, _ context: CallContext) async throws -> Nothing { throw unasked }
    func search(_ query: ProductQuery, _ context: CallContext) async throws -> ProductPage { throw unasked }
    func product(_ query: ProductByHandle, _ context: CallContext) async throws -> Product { throw unasked }
    func categories(_ input: Nothing, _ context: CallContext) async throws -> CategoryList { throw unasked }
    func put(_ draft: PutProduct, _ context: CallContext) async throws -> Product { throw unasked }
    func importProducts(_ batch: ProductBatch, _ context: CallContext) async throws -> ImportResult { throw unasked }
    func export(_ query: ExportQuery, _ context: CallContext) async throws -> ExportPage { throw unasked }
    func inventory(_ query: StockBySKU, _ context: CallContext) async throws -> StockLevel { throw unasked }
    func inventoryList(_ query: StockQuery, _ context: CallContext) async throws -> StockPage { throw unasked }
    func adjust(_ adjustment: StockAdjustment, _ context: CallContext) async throws -> StockLevel { throw unasked }
    func movements(_ query: StockBySKU, _ context: CallContext) async throws -> MovementList { throw unasked }
}
