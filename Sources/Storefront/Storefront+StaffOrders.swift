import Contracts
import Kernel
import Wire

/// The staff's list of orders, and what staff do with one: send, refund, take back, cancel.
extension Storefront {
    /// Lines offered one by one in a form; an order with more is sent and taken back through the HTTP interface.
    private static let linesInForms = 50

    var staffOrderRoutes: [PageRoute] {
        [
            personal(.get, "/staff/orders", priority: .reports, role: .staff, staffOrders),
            personal(.get, "/staff/orders/{id}", priority: .reports, role: .staff) { visit in
                await staffOrder(visit, try await order(visit), notice: Self.notice(visit.request.query.first("done")))
            },
            act("fulfilments") { id, visit in
                let lines = try Self.quantities(visit)
                let order = FulfilOrder(id: id, lines: lines.isEmpty ? nil : lines, tracking: visit.filled("tracking"))
                let context = visit.keyed(visit.filled("key"))
                _ = try await services.orders.fulfil(try checked(order, as: OrdersAPI.fulfil, context), context)
            },
            act("refunds") { id, visit in
                let amount = try Self.money(visit, "amount", try await order(visit).total.currency)
                let refund = RefundOrder(id: id, amount: amount, reason: visit.filled("reason"))
                let context = visit.keyed(visit.filled("key"))
                _ = try await services.orders.refund(try checked(refund, as: OrdersAPI.refund, context), context)
            },
            act("returns") { id, visit in
                let taken = ReturnOrder(
                    id: id, lines: try Self.quantities(visit), restock: visit.form("restock") != "no",
                    reason: visit.filled("reason"))
                let context = visit.keyed(visit.filled("key"))
                _ = try await services.orders.takeBack(try checked(taken, as: OrdersAPI.takeBack, context), context)
            },
            act("cancellation") { id, visit in
                let context = visit.keyed(visit.filled("key"))
                let cancellation = CancelOrder(id: id, reason: visit.filled("reason"))
                _ = try await services.orders.cancel(try checked(cancellation, as: OrdersAPI.cancel, context), context)
            },
        ]
    }

    /// A deed on an order: then back to its page, which says that it is done or why it is not.
    private func act(
        _ noun: String, _ deed: @escaping @Sendable (OrderID, Visit) async throws -> Void
    ) -> PageRoute {
        personal(.post, "/staff/orders/{id}/\(noun)", priority: .reports, role: .staff) { visit in
            let id = try Self.orderID(visit)
            do {
                try await deed(id, visit)
                return redirect("/staff/orders/\(id)?done=\(noun)")
            } catch let problem as Problem where (400..<500).contains(problem.type.status) && problem.type != .notFound
            {
                let errors = FormErrors(problem, fields: [])
                return await staffOrder(visit, try await order(visit), errors: errors, status: problem.type.status)
            }
        }
    }

    private static func notice(_ noun: String?) -> String? {
        switch noun {
        case "fulfilments": "Recorded as sent."
        case "refunds": "The money is on its way back."
        case "returns": "The pieces are taken back."
        case "cancellation": "The order is cancelled."
        default: nil
        }
    }

    // MARK: The list

    private func staffOrders(_ visit: Visit) async throws -> PageResponse {
        func text(_ name: String) -> String? {
            visit.request.query.first(name).flatMap { $0.isEmpty ? nil : $0.trimmed }
        }
        let status = text("status").flatMap(OrderStatus.init)
        let fulfilment = text("fulfilment_status").flatMap(FulfilmentStatus.init)
        let payment = text("payment_status").flatMap(OrderPaymentStatus.init)
        let query = OrderQuery(
            status: status, payment_status: payment, fulfilment_status: fulfilment, q: text("q"),
            limit: Self.staffRows, after: text("after"))
        let found = try await services.orders.list(try checked(query, as: OrdersAPI.list, visit.context), visit.context)
        func choices<Value: CaseIterable & RawRepresentable<String>>(_ type: Value.Type) -> Field.Control {
            .select([("", "Any")] + type.allCases.map { ($0.rawValue, Texts.words($0.rawValue)) })
        }
        let filters = [
            Field(name: "q", label: "Number or e-mail", value: query.q ?? "", maxlength: 254, id: "filter-q"),
            Field(name: "status", label: "Status", control: choices(OrderStatus.self), value: status?.rawValue ?? ""),
            Field(
                name: "payment_status", label: "Payment", control: choices(OrderPaymentStatus.self),
                value: payment?.rawValue ?? ""),
            Field(
                name: "fulfilment_status", label: "Sent", control: choices(FulfilmentStatus.self),
                value: fulfilment?.rawValue ?? ""),
        ]
        let more = found.next.map { next in
            Links.path(
                "/staff/orders",
                [
                    ("q", query.q), ("status", status?.rawValue), ("payment_status", payment?.rawValue),
                    ("fulfilment_status", fulfilment?.rawValue), ("after", next),
                ])
        }
        return await staffPage(
            "staff_orders", "Orders", tab: "Orders",
            [
                "filters": filters.map { Self.filter($0) },
                "resultCount": Texts.count(Int64(found.total), "order", "orders"),
                "orders": found.items.map { Self.row($0, base: "/staff/orders/") }, "hasOrders": !found.items.isEmpty,
                "more": more.orFalse,
            ], visit: visit)
    }

    /// A filter's field: nothing has to be filled in.
    static func filter(_ field: Field) -> View {
        var view = field.view()
        view["required"] = false
        return view
    }

    // MARK: One order

    private func staffOrder(
        _ visit: Visit, _ order: Order, notice: String? = nil, errors: FormErrors = FormErrors(), status: Int = 200
    ) async -> PageResponse {
        let actions = Self.actions(order)
        var view = Self.parts(of: order)
        view.merge(
            [
                "email": order.email, "notice": notice.orFalse, "problems": errors.view, "actions": actions,
                "hasActions": !actions.isEmpty, "reason": order.reason.orFalse,
                "badges": [
                    ["text": Texts.words(order.status.rawValue), "tone": Self.tone(order.status)] as View,
                    ["text": "Payment: " + Texts.words(order.payment_status.rawValue).lowercased(), "tone": ""],
                    ["text": Texts.words(order.fulfilment_status.rawValue), "tone": ""],
                ],
            ]
        ) { _, new in new }
        return await staffPage(
            "staff_order", "Order \(order.number)", tab: "Orders", view, visit: visit, status: status)
    }

    private static func actions(_ order: Order) -> [View] {
        var actions: [View] = []
        func form(_ noun: String, _ button: String, _ style: String, _ fields: [Field]) {
            actions.append([
                "action": "/staff/orders/\(order.id)/\(noun)", "key": newKey(), "button": button, "style": style,
                "fields": fields.map { $0.view() },
            ])
        }
        let toSend = order.lines.filter { $0.quantity > $0.fulfilled }
        if order.status == .confirmed || order.status == .partially_fulfilled, !toSend.isEmpty {
            let lines = pieces(toSend, "send") { $0.quantity - $0.fulfilled }
            form(
                "fulfilments", "Record as sent", "",
                lines + [
                    Field(name: "tracking", label: "Tracking number", maxlength: 200, isOptional: true)
                ])
        }
        let backs = order.lines.filter { $0.fulfilled > $0.returned }
        if !backs.isEmpty, order.status != .cancelled, backs.count <= linesInForms {
            form(
                "returns", "Take back", "quiet",
                pieces(backs, "return") { _ in 0 } + [
                    Field(
                        name: "restock", label: "Fit for sale",
                        control: .select([("yes", "Yes, restock"), ("no", "No")]),
                        value: "yes", id: "return-restock"),
                    reason("return-reason"),
                ])
        }
        let left = (try? order.total.subtracting(order.refunded)) ?? order.total
        if order.payment_status == .captured || order.payment_status == .partially_refunded, left.amount > 0 {
            form(
                "refunds", "Refund", "quiet",
                [
                    Field(
                        name: "amount", label: "Amount in \(left.currency.code)", value: left.decimal,
                        inputmode: "decimal",
                        maxlength: 20),
                    reason("refund-reason"),
                ])
        }
        if canCancel(order) { form("cancellation", "Cancel the order", "danger", [reason("cancel-reason")]) }
        return actions
    }

    private static func reason(_ id: String) -> Field {
        Field(name: "reason", label: "Reason", maxlength: 500, isOptional: true, id: id)
    }

    private static func pieces(_ lines: [Order.Line], _ verb: String, _ value: (Order.Line) -> Int64) -> [Field] {
        guard lines.count <= linesInForms else { return [] }
        return lines.enumerated().map { index, line in
            Field(
                name: "quantity." + line.sku, label: "\(line.title), pieces to \(verb)",
                control: .input(type: "number"), value: String(value(line)), inputmode: "numeric",
                id: "\(verb)-\(index)")
        }
    }

    /// The fields `quantity.<sku>` that say more than nothing.
    private static func quantities(_ visit: Visit) throws -> [StockLine] {
        try visit.request.form.pairs.compactMap { name, value in
            guard name.hasPrefix("quantity."), !value.trimmed.isEmpty else { return nil }
            let sku = String(name.dropFirst("quantity.".count))
            guard let quantity = Int64(value.trimmed), (0...1_000_000).contains(quantity) else {
                throw Problem.invalid("/lines", "\(sku): expected a whole number, found '\(value)'")
            }
            return quantity == 0 ? nil : StockLine(sku: sku, quantity: quantity)
        }
    }

    /// An amount as people write it; nil for an empty field.
    static func money(_ visit: Visit, _ name: String, _ currency: Currency) throws -> Money? {
        guard let text = visit.filled(name) else { return nil }
        do { return try Money(decimal: text, currency) } catch { throw Problem.invalid("/" + name, "\(error)") }
    }
}
