import Contracts
import Kernel
import Wire

/// The staff's side: the dashboard and what was sent to customers.
extension Storefront {
    private static let latestOrders = 10
    private static let stockOuts = 20
    static let staffRows = 50
    private static let reportPatience = Duration.seconds(5)

    var staffRoutes: [PageRoute] {
        [
            personal(.get, "/staff", priority: .reports, role: .staff, dashboard),
            personal(.get, "/staff/notifications", priority: .reports, role: .staff, notificationList),
        ]
    }

    private static let tabs = [
        ("Dashboard", "/staff"), ("Orders", "/staff/orders"), ("Products", "/staff/products"),
        ("Notifications", "/staff/notifications"), ("Webhooks", "/staff/webhooks"), ("Events", "/staff/events"),
        ("Topology", "/topology"),
    ]

    /// A page of the staff's side; `tab` is the one it belongs to.
    func staffPage(
        _ template: String, _ title: String, tab: String, _ view: View, visit: Visit, status: Int = 200
    ) async -> PageResponse {
        var head = Head(title)
        head.shelves = await headerShelves(visit.context)
        var view = view
        view["tabs"] = Self.tabs.map { name, link -> View in ["name": name, "link": link, "current": name == tab] }
        return page(template, head, view, status: status)
    }

    // MARK: The dashboard

    private func dashboard(_ visit: Visit) async throws -> PageResponse {
        let context = visit.context
        // The whole catalogue and every order are looked through: more patience than for a header.
        let patience = Self.reportPatience
        async let report = optional(context, within: patience) { try await services.orders.sales(SalesQuery(), $0) }
        async let latest = optional(context, within: patience) {
            try await services.orders.list(OrderQuery(limit: Self.latestOrders), $0)
        }
        async let toSend = optional(context, within: patience) {
            try await services.orders.list(OrderQuery(status: .confirmed, limit: 1), $0)
        }
        async let empty = optional(context, within: patience) {
            try await products.inventoryList(StockQuery(available_max: 0, limit: Self.stockOuts), $0)
        }
        let (sales, orders, waiting, outs) = try await (report, latest, toSend, empty)
        guard sales != nil || orders != nil || waiting != nil || outs != nil else { throw Self.away("the dashboard") }
        return await staffPage(
            "staff_dashboard", "Dashboard", tab: "Dashboard",
            [
                "tiles": tiles(sales, toSend: waiting?.total), "knowsSales": sales != nil,
                "chart": sales.map { chart($0) } ?? false,
                "knowsOrders": orders != nil, "hasOrders": orders?.items.isEmpty == false,
                "orders": orders?.items.map { Self.row($0, base: "/staff/orders/") } ?? [],
                "knowsOuts": outs != nil, "hasOuts": outs?.items.isEmpty == false,
                "outs": (outs?.items ?? []).map { level -> View in
                    [
                        "sku": level.sku, "link": Links.path("/staff/products", [("q", level.sku)]),
                        "note": level.reserved > 0 ? "\(level.reserved) held for orders" : false,
                    ]
                },
            ], visit: visit)
    }

    private func chart(_ sales: SalesReport) -> any Sendable {
        Chart.view(sales.days, in: sales.revenue.first?.currency ?? settings.currency)
    }

    private func tiles(_ sales: SalesReport?, toSend: Int?) -> [View] {
        func tile(_ label: String, _ text: String?, _ note: String?) -> View {
            ["label": label, "text": text ?? "Unknown", "note": (text == nil ? "it cannot be had now" : note).orFalse]
        }
        let today = String(clock.now().rfc3339.prefix(10))
        let day = sales?.days.last { $0.day == today }
        let revenue = sales.map { $0.revenue.isEmpty ? [Money.zero(settings.currency)] : $0.revenue }
        return [
            tile("Orders", sales.map { Texts.count($0.orders) }, "\(Texts.count(day?.orders ?? 0)) today"),
            tile(
                "Revenue", revenue.map { $0.prefix(3).map(Texts.money).joined(separator: " + ") },
                day.map { Texts.money($0.revenue) + " today" }),
            tile("To send", toSend.map { Texts.count($0) }, "confirmed, nothing sent yet"),
            tile(
                "Pieces sold", sales.map { Texts.count($0.pieces) },
                sales.map { "\(Texts.count($0.cancelled)) orders cancelled" }),
        ]
    }

    // MARK: Notifications

    private func notificationList(_ visit: Visit) async throws -> PageResponse {
        let query = NotificationQuery(limit: Self.staffRows, after: visit.request.query.first("after"))
        let found = try await services.notifications.list(
            try checked(query, as: NotificationsAPI.list, visit.context), visit.context)
        let rows = found.items.map { note -> View in
            [
                "made": Texts.time(note.created_at), "to": note.to, "what": Texts.words(note.type),
                "subject": note.subject, "link": note.order.map { "/staff/orders/\($0)" }.orFalse,
                "status": Texts.words(note.status.rawValue),
                "tone": note.status == .failed ? "bad" : note.status == .sent ? "good" : "",
            ]
        }
        return await staffPage(
            "staff_notifications", "Notifications", tab: "Notifications",
            [
                "rows": rows, "hasRows": !rows.isEmpty,
                "more": found.next.map { Links.path("/staff/notifications", [("after", $0)]) }.orFalse,
            ], visit: visit)
    }
}

/// The sales by day as bars: SVG in the page, no script.
enum Chart {
    private static let days = 30
    private static let width = 900
    private static let height = 230
    private static let base = 190
    private static let left = 64

    /// The last days that have sales in that currency; `false` if there are none.
    static func view(_ all: [SalesReport.Day], in currency: Currency) -> any Sendable {
        let days = all.filter { $0.revenue.currency == currency }.suffix(days)
        guard let highest = days.map(\.revenue.amount).max(), highest > 0 else { return false }
        let top = roundedUp(highest)
        let step = (width - left) / max(days.count, 7)
        func y(_ amount: Int64) -> Int { base - Int(Double(amount) / Double(top) * Double(base - 16)) }
        var bars: [View] = []
        var marks: [View] = []
        for (index, day) in days.enumerated() {
            let x = left + index * step
            let orders = Texts.count(Int64(day.orders), "order", "orders")
            let text = "\(Texts.day(day.day)): \(Texts.money(day.revenue)), \(orders)"
            let top = y(day.revenue.amount)
            bars.append([
                "x": String(x), "y": String(top), "barWidth": String(max(step * 7 / 10, 2)),
                "barHeight": String(max(base - top, 1)), "text": text,
            ])
            if index % 6 == 0 {
                marks.append([
                    "x": String(x + step / 3), "y": String(base + 20), "text": String(Texts.day(day.day).dropLast(5)),
                ])
            }
        }
        let rules = (0...4).map { part -> View in
            let amount = top / 4 * Int64(part)
            return [
                "x1": "0", "x2": String(width), "y": String(y(amount)), "textY": String(y(amount) - 5),
                "text": Texts.money(Money(amount, currency)),
            ]
        }
        let highestText = Texts.money(Money(highest, currency))
        let view: View = [
            "width": String(width), "height": String(height), "bars": bars, "marks": marks, "rules": rules,
            "label": "Revenue of the last \(days.count) days with sales, at most \(highestText) a day",
            "days": days.reversed().map { day -> View in
                [
                    "day": Texts.day(day.day), "orderCount": Texts.count(day.orders),
                    "revenue": Texts.money(day.revenue),
                ]
            },
        ]
        return view
    }

    /// The next 1, 2, 4 or 8 times a power of ten that quarters evenly.
    private static func roundedUp(_ amount: Int64) -> Int64 {
        var power: Int64 = 100
        while power * 10 < amount { power *= 10 }
        return [1, 2, 4, 8, 10].lazy.map { $0 * power }.first { $0 >= amount } ?? power * 10
    }
}
