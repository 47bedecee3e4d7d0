public import Contracts
import Database
import Events
public import Kernel
import Logging

extension Orders {
    public func place(_ input: PlaceOrder, _ context: CallContext) async throws -> PlacedOrder {
        guard let key = context.idempotencyKey else {
            throw Problem(.keyMissing, "send an Idempotency-Key header with a value of your own for this order")
        }
        let began = ContinuousClock.now
        let scope = context.caller.userID?.description ?? "guest"
        let fingerprint = Fingerprint.of(try JSON.encode(input))
        crowd.enter(at: clock.now())
        defer { crowd.leave() }
        switch try await begin(input, scope, key, fingerprint, context) {
        case .known(let known): return try await replay(known, fingerprint, context)
        case .written(let order):
            let ended = try await drive(
                Saga(.checkout), of: order, token: input.payment.token, cart: input.cart, context)
            metrics.checkout.recordNanoseconds((ContinuousClock.now - began).microseconds * 1_000)
            return PlacedOrder(order: try await firstAnswer(ended), isReplayed: false)
        }
    }

    private enum Start {
        case known(OrdersStore.KeyRecord)
        case written(Order)
    }

    /// Writes the order down, or finds the one that its key stands for.
    private func begin(
        _ input: PlaceOrder, _ scope: String, _ key: String, _ fingerprint: Int64, _ context: CallContext
    ) async throws -> Start {
        var order: Order?
        do {
            var drafted: Order
            do {
                drafted = try await draft(input, context)
            } catch {
                // What cannot be ordered any more may have been, with this key: its cart is empty since.
                guard let known = try await store.record(scope: scope, key: key) else { throw error }
                return .known(known)
            }
            order = drafted
            let checkout = OrdersStore.Checkout(
                scope: scope, key: key, fingerprint: fingerprint, order: drafted, token: input.payment.token,
                cart: input.cart, owner: owner, leaseUntil: leaseEnd())
            switch try await store.begin(checkout) {
            case .known(let known): return .known(known)
            case .started(let number): drafted.number = String(number)
            }
            return .written(drafted)
        } catch {
            note(error, before: order?.id)
            throw error
        }
    }

    /// Nothing else tells of a checkout that fails so early. Who is refused was told why, and who is turned away in a
    /// crowd is counted.
    private func note(_ error: any Error, before order: OrderID?) {
        let problem = error as? Problem
        if let problem, problem.type.status < 500 { return }
        var metadata: Logger.Metadata = ["step": order == nil ? "quote" : "write", "error": "\(error)"]
        if let order { metadata["order"] = "\(order)" }
        logger.log(
            level: problem?.type == .overloaded ? .debug : .warning,
            "a checkout failed before its order was written", metadata: metadata)
    }

    public func price(_ input: PriceOrder, _ context: CallContext) async throws -> OrderSums {
        let (lines, quotes) = try await wanted(input.cart, input.lines, context)
        return try pricing.sums(
            of: lines.map { line in
                Pricing.Line(sku: line.sku, quantity: line.quantity, unitPrice: quotes[line.sku]?.price ?? .zero(.gbp))
            }, country: input.country, shippingMethod: input.shipping_method, coupon: input.coupon, at: clock.now())
    }

    public func shippingMethods(_ query: ShippingQuery, _ context: CallContext) async throws -> ShippingMethodList {
        let currency = pricing.policy.currency
        return ShippingMethodList(
            items: pricing.shippingMethods(to: query.country, currency: currency).map {
                ShippingMethodList.Entry(id: $0.id, title: $0.title, price: Money($0.price, currency))
            })
    }

    /// The order as it will be written, with everything checked that needs no lock.
    private func draft(_ input: PlaceOrder, _ context: CallContext) async throws -> Order {
        if !context.caller.isStaff {
            if input.placed_at != nil { throw Problem(.forbidden, "/placed_at: only staff may say when") }
            if let index = input.lines?.firstIndex(where: { $0.unit_price != nil }) {
                throw Problem(.forbidden, "/lines/\(index)/unit_price: only staff may set a price")
            }
        }
        let (wanted, quotes) = try await wanted(input.cart, input.lines, context)
        let now = clock.now()
        let priced = wanted.map { line in
            Pricing.Line(
                sku: line.sku, quantity: line.quantity,
                unitPrice: line.unit_price ?? quotes[line.sku]?.price ?? .zero(pricing.policy.currency))
        }
        let sums = try pricing.sums(
            of: priced, country: input.shipping_address.country, shippingMethod: input.shipping_method,
            coupon: input.coupon, at: now)
        let lines = try priced.map { line in
            Order.Line(
                sku: line.sku, title: quotes[line.sku]?.title ?? line.sku, quantity: line.quantity, fulfilled: 0,
                returned: 0, unit_price: line.unitPrice, total: try line.unitPrice.multiplied(by: line.quantity),
                image: quotes[line.sku]?.image)
        }
        return Order(
            id: OrderID(at: now), number: "", status: .pending, payment_status: .pending,
            fulfilment_status: .unfulfilled, email: input.email, customer: context.caller.userID, lines: lines,
            sums: sums, refunded: .zero(sums.total.currency), coupon: input.coupon,
            shipping_method: input.shipping_method, shipping_address: input.shipping_address, reason: nil,
            created_at: input.placed_at ?? now, updated_at: now)
    }

    /// The lines asked for, and what their SKUs cost.
    private func wanted(
        _ cart: CartID?, _ lines: [OrderLineInput]?, _ context: CallContext
    ) async throws -> (lines: [OrderLineInput], quotes: [String: Quote]) {
        let wanted: [OrderLineInput]
        switch (cart, lines) {
        case (let cart?, nil):
            wanted = try await CartsStore(database: store.database).lines(of: cart).map {
                OrderLineInput(sku: $0.sku, quantity: $0.quantity)
            }
        case (nil, let lines?): wanted = lines
        default: throw Problem.invalid("", "expected either cart or lines")
        }
        guard !wanted.isEmpty else { throw Problem(.emptyOrder, "there are no lines, expected one or more") }
        let skus = wanted.count == 1 ? [wanted[0].sku] : Array(Set(wanted.map(\.sku)))
        let found = try await products.quote(QuoteQuery(skus: skus), context.acting(as: "orders")).items
        let quotes = Dictionary(found.map { ($0.sku, $0) }, uniquingKeysWith: { first, _ in first })
        if quotes.count < skus.count {
            let unknown = wanted.enumerated().filter { quotes[$0.element.sku] == nil }
            var problem = Problem(
                .unknownSKU,
                "not for sale: " + unknown.prefix(5).map(\.element.sku).joined(separator: ", ")
                    + (unknown.count > 5 ? " and \(unknown.count - 5) more" : ""))
            problem.extensions["pointers"] = .array(unknown.prefix(100).map { .string("/lines/\($0.offset)/sku") })
            throw problem
        }
        return (wanted, quotes)
    }

    /// A key that was seen before: the first answer once more, or what stands in its way.
    private func replay(
        _ known: OrdersStore.KeyRecord, _ fingerprint: Int64, _ context: CallContext
    ) async throws -> PlacedOrder {
        guard known.fingerprint == fingerprint else {
            throw Problem(.keyReused, "this Idempotency-Key was used for another order; take a new key")
        }
        guard let order = try await store.order(known.order) else { throw Problem(.notFound, "the order is gone") }
        guard order.status == .pending else {
            return PlacedOrder(order: try await firstAnswer(order), isReplayed: true)
        }
        let taken = try await store.take(
            order.id, owner: owner, takesOverAll: isAlone, at: leases.now(), until: leaseEnd())
        guard let taken else {
            let leaseEnd = try await store.leaseEnd(of: order.id)
            throw Problem(.keyInUse, "the order with this key is being placed", retryAfter: retryAfter(leaseEnd))
        }
        metrics.recovered.increment()
        let ended = try await drive(
            Saga(taken.kind, refusal: try await store.refusal(of: order.id)), of: order, token: taken.token ?? "",
            cart: taken.cart, context)
        return PlacedOrder(order: try await firstAnswer(ended), isReplayed: true)
    }

    /// Seconds after which asking for an order again makes sense. Who drives it renews the lease each second, and may
    /// be done at any moment. Where that was not done nobody goes on before the lease ends: whoever is told less than
    /// that asks in vain, and has given up by the time that the order can be finished.
    private func retryAfter(_ leaseEnd: Timestamp?) -> Int {
        guard let rest = leaseEnd.map({ $0 - leases.now() }) else { return 1 }
        let isDriven = rest > Self.lease - Self.renewal && rest <= Self.lease
        return isDriven ? 1 : max(1, Int((rest.microseconds + 999_999) / 1_000_000))
    }

    /// A confirmed order, or the refusal that ended it.
    private func answer(_ order: Order) async throws -> Order {
        guard order.status == .cancelled, let refusal = try await store.refusal(of: order.id) else { return order }
        throw refusal.problem(order: order.id)
    }

    /// What was answered when the order was placed, whatever became of it since.
    private func firstAnswer(_ order: Order) async throws -> Order {
        if order.isJustConfirmed { return order }
        var first = try await answer(order)
        first.status = .confirmed
        first.payment_status = .authorized
        first.fulfilment_status = .unfulfilled
        first.refunded = .zero(order.total.currency)
        first.reason = nil
        first.updated_at = try await store.confirmation(of: order.id) ?? order.updated_at
        for index in first.lines.indices {
            first.lines[index].fulfilled = 0
            first.lines[index].returned = 0
        }
        return first
    }
}

extension Order {
    /// Nothing has become of it since its confirmation.
    fileprivate var isJustConfirmed: Bool {
        status == .confirmed && payment_status == .authorized && fulfilment_status == .unfulfilled
            && refunded.amount == 0
    }
}

/// Tells one request body from another: FNV-1a.
enum Fingerprint {
    static func of(_ bytes: [UInt8]) -> Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int64(bitPattern: hash)
    }
}
