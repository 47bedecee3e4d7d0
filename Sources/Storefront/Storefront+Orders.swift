import Contracts
import Kernel
import Wire

/// The page of one order: where it stands, what is in it, and the way out.
extension Storefront {
    var orderRoutes: [PageRoute] {
        [
            personal(.get, "/orders/{id}", priority: .browse) { visit in
                let order = try await order(visit)
                let isCancelled = visit.request.query.first("cancelled") != nil && order.status == .cancelled
                return await orderPage(visit, order, notice: isCancelled ? "The order is cancelled." : nil)
            },
            personal(.post, "/orders/{id}/cancellation", priority: .checkout) { visit in
                let id = try Self.orderID(visit)
                do {
                    let cancellation = CancelOrder(id: id, reason: "cancelled by the customer")
                    _ = try await services.orders.cancel(cancellation, visit.keyed(visit.filled("key")))
                    return redirect(Links.order(id) + "?cancelled=1")
                } catch let problem as Problem where problem.type == .notCancellable {
                    var errors = FormErrors()
                    errors.add(nil, "It can no longer be cancelled: \(problem.detail).")
                    return await orderPage(visit, try await order(visit), errors: errors, status: 409)
                }
            },
        ]
    }

    static func orderID(_ visit: Visit) throws -> OrderID {
        guard let id = OrderID(visit.request.parameters["id"] ?? "") else {
            throw Problem(.notFound, "that is not the address of an order")
        }
        return id
    }

    func order(_ visit: Visit) async throws -> Order {
        try await services.orders.order(OrderByID(id: try Self.orderID(visit)), visit.context)
    }

    private func orderPage(
        _ visit: Visit, _ order: Order, notice: String? = nil, errors: FormErrors = FormErrors(), status: Int = 200
    ) async -> PageResponse {
        let (heading, lead) = Self.words(for: order)
        var head = Head("Order \(order.number)")
        head.shelves = await headerShelves(visit.context)
        var view = Self.parts(of: order)
        view.merge(
            [
                "heading": heading, "lead": lead, "steps": Self.steps(order), "payment": Self.payment(order),
                "paymentTone": Self.tone(order.status), "notice": notice.orFalse, "problems": errors.view,
                "canCancel": Self.canCancel(order), "key": Self.newKey(),
                "cancelAction": Links.order(order.id) + "/cancellation",
            ]
        ) { _, new in new }
        return page("order", head, view, status: status)
    }

    /// What the shopper's and the staff's page of an order have in common.
    static func parts(of order: Order) -> View {
        let sums = OrderSums(
            subtotal: order.subtotal, discount: order.discount, shipping: order.shipping, tax: order.tax,
            tax_included: order.tax_included, total: order.total)
        var views = Self.sums(sums, coupon: order.coupon)
        if order.refunded.amount != 0 { views.append(sum("Refunded", order.refunded)) }
        let address = order.shipping_address
        let place = [address.city, address.region ?? "", address.postal_code ?? ""].filter { !$0.isEmpty }
        let lines = [
            address.name, address.line1, address.line2 ?? "", place.joined(separator: ", "),
            Countries.name(address.country),
        ]
        return [
            "number": order.number, "placed": Texts.time(order.created_at), "sums": views, "shipTo": true,
            "addressLines": lines.filter { !$0.isEmpty },
            "lines": order.lines.map { line -> View in
                [
                    "name": line.title, "variant": line.sku, "link": false, "quantity": String(line.quantity),
                    "image": Links.image(line.image).orFalse, "unitPrice": Texts.money(line.unit_price),
                    "lineTotal": Texts.money(line.total), "warning": false,
                ]
            },
        ]
    }

    static func canCancel(_ order: Order) -> Bool {
        (order.status == .confirmed || order.status == .pending) && order.fulfilment_status == .unfulfilled
    }

    static func tone(_ status: OrderStatus) -> String {
        switch status {
        case .confirmed, .partially_fulfilled, .fulfilled: "good"
        case .pending: "warn"
        case .cancelled, .returned: "bad"
        }
    }

    private static func words(for order: Order) -> (heading: String, lead: String) {
        switch order.status {
        case .pending: ("We are on it.", "Your order is safe with us and being settled. This page will tell.")
        case .confirmed: ("Thank you, it is yours.", "The confirmation goes to \(order.email).")
        case .partially_fulfilled: ("Some of it is on its way.", "The rest follows.")
        case .fulfilled: ("It is on its way.", "Everything in this order has been sent.")
        case .returned: ("It came back to us.", "Your return has been taken in.")
        case .cancelled:
            ("This order is cancelled.", "Nothing is owed for it." + (order.reason.map { " Reason: \($0)." } ?? ""))
        }
    }

    private static func payment(_ order: Order) -> String {
        switch order.payment_status {
        case .pending: "Payment being settled"
        case .authorized: "Payment authorised"
        case .captured: "Paid"
        case .partially_refunded: "Partly refunded"
        case .refunded: "Refunded"
        case .declined: "Payment declined"
        case .voided: "Nothing charged"
        }
    }

    /// Placed, confirmed, sent: what is behind, and what comes next. A cancelled order ends where it was cancelled.
    private static func steps(_ order: Order) -> [View] {
        func step(_ label: String, _ state: String, _ note: String = "") -> View {
            ["label": label, "state": state, "isNow": state == "now", "note": note]
        }
        let placed = step("Placed", "done", Texts.time(order.created_at))
        let changed = Texts.time(order.updated_at)
        switch order.status {
        case .cancelled: return [placed, step("Cancelled", "stopped", changed)]
        case .pending: return [placed, step("Confirmed", "now", "a moment, please"), step("Sent", "")]
        case .confirmed: return [placed, step("Confirmed", "done"), step("Sent", "now", "being packed")]
        case .partially_fulfilled:
            return [placed, step("Confirmed", "done"), step("Partly sent", "now", changed)]
        case .fulfilled: return [placed, step("Confirmed", "done"), step("Sent", "done", changed)]
        case .returned:
            return [placed, step("Confirmed", "done"), step("Sent", "done"), step("Returned", "done", changed)]
        }
    }
}
