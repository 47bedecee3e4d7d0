import Contracts
import Events
import Kernel
import Mail

/// One message, and what is remembered of it.
struct Letter: Sendable {
    /// What is told once.
    var key: String
    var type: String
    var order: OrderID?
    var customer: UserID?
    var message: Message
}

/// Writes letters for events, from the templates in `Resources/`.
struct Letters: Sendable {
    /// Longer orders are told of by their first lines: the page has them all.
    private static let longestOrder = 100

    private let text: Template
    private let html: Template
    private let shop: String
    private let home: String
    private let host: String
    private let sender: String

    init(shop: String, publicURL: String, sender: String?) throws {
        text = try Template(PackageResources.mail_text_mustache, escapesHTML: false)
        html = try Template(PackageResources.mail_html_mustache, escapesHTML: true)
        self.shop = shop.onOneLine
        home = publicURL
        host = Self.host(of: publicURL)
        self.sender = "\(self.shop) <\(sender ?? "orders@" + host)>"
    }

    /// An order is confirmed and cancelled once, but delivered and refunded in parts.
    static func key(of event: Event) -> String {
        switch event.type {
        case EventTypes.orderFulfilled, EventTypes.orderRefunded: "\(event.type):\(event.id)"
        default: "\(event.type):\(event.subject)"
        }
    }

    /// - Throws: `JSONError` or `JSONDecodingError` if the event does not carry what its type says.
    func letter(for event: Event) throws -> Letter {
        if event.type == EventTypes.userRegistered {
            let user = try event.payload(as: UserEvent.self).user
            let wording = Wording(
                subject: "Welcome to \(shop)", paragraphs: ["Your account is open. You can log in with \(user.email)."],
                link: ("Your account", home + "/account"))
            return letter(event, wording, name: user.name, to: user.email, order: nil, customer: user.id)
        }
        let order = try event.payload(as: OrderEvent.self).order
        return letter(
            event, wording(event.type, order), name: order.shipping_address.name, to: order.email, order: order,
            customer: order.customer)
    }

    private struct Wording {
        var subject: String
        var paragraphs: [String]
        var link: (label: String, url: String)
    }

    private func wording(_ type: String, _ order: Order) -> Wording {
        let link = ("See your order", "\(home)/orders/\(order.id)")
        switch type {
        case EventTypes.orderConfirmed:
            return Wording(
                subject: "Your order \(order.number) is confirmed",
                paragraphs: ["Thank you for your order. We will tell you when it is on its way."], link: link)
        case EventTypes.orderCancelled:
            var paragraphs = ["Your order was cancelled."]
            if let reason = order.reason, !reason.isEmpty { paragraphs.append("Reason: \(reason.onOneLine)") }
            paragraphs.append("What was held of your money is let go of, and what was taken is given back.")
            return Wording(subject: "Your order \(order.number) is cancelled", paragraphs: paragraphs, link: link)
        case EventTypes.orderFulfilled:
            let isWhole = order.fulfilment_status == .fulfilled
            return Wording(
                subject: isWhole
                    ? "Your order \(order.number) is on its way" : "A part of your order \(order.number) is on its way",
                paragraphs: [
                    isWhole ? "All of it has been sent." : "A part of it has been sent, the rest will follow."
                ],
                link: link)
        default:
            return Wording(
                subject: "A refund for your order \(order.number)",
                paragraphs: ["So far \(order.refunded.shown) of \(order.total.shown) has been given back to you."],
                link: link)
        }
    }

    private func letter(
        _ event: Event, _ wording: Wording, name: String, to: String, order: Order?, customer: UserID?
    ) -> Letter {
        let name = name.onOneLine
        let view = Template.View(
            [
                "subject": wording.subject, "shop": shop, "home": home,
                "greeting": name.isEmpty ? "Hello," : "Hello \(name),",
            ],
            lists: [
                "paragraphs": wording.paragraphs.map { Template.View([".": $0]) },
                "link": [Template.View(["label": wording.link.label, "url": wording.link.url])],
                "order": order.map { [Self.view(of: $0)] } ?? [],
            ])
        let key = Self.key(of: event)
        let message = Message(
            // The address alone: a name is anything that a customer typed, and has no place in a header.
            to: to, from: sender, subject: wording.subject, text: text.render(view), html: html.render(view),
            messageID: key.split(separator: ":").joined(separator: ".") + "@" + host, date: event.time)
        return Letter(key: key, type: event.type, order: order?.id, customer: customer, message: message)
    }

    private static func view(of order: Order) -> Template.View {
        let lines = order.lines.prefix(longestOrder).map { line in
            Template.View([
                "quantity": String(line.quantity), "title": line.title.onOneLine, "total": line.total.shown,
            ])
        }
        let address = order.shipping_address
        let place = [address.postal_code, address.city].compactMap { $0 }.joined(separator: " ")
        let parts = [address.name, address.line1, address.line2, place, address.region, address.country]
            .compactMap { $0?.onOneLine }.filter { !$0.isEmpty }
        return Template.View(
            ["number": order.number],
            lists: [
                "lines": lines, "sums": sums(of: order).map { Template.View(["label": $0, "amount": $1]) },
                "address": parts.map { Template.View([".": $0]) },
            ])
    }

    private static func sums(of order: Order) -> [(label: String, amount: String)] {
        var sums: [(label: String, amount: String)] = []
        if order.lines.count > longestOrder {
            sums.append(("and \(order.lines.count - longestOrder) further lines", ""))
        }
        sums.append(("Subtotal", order.subtotal.shown))
        if order.discount.amount != 0 {
            sums.append(("Discount", "-" + Money(abs(order.discount.amount), order.discount.currency).shown))
        }
        sums.append(("Delivery", order.shipping.amount == 0 ? "free" : order.shipping.shown))
        if order.tax.amount > 0 { sums.append(("Tax", order.tax.shown)) }
        sums.append(("Total", order.total.shown))
        if order.tax_included.amount > 0 { sums.append(("of which tax", order.tax_included.shown)) }
        return sums
    }

    /// `shop.example` of `https://shop.example:8080/path`; what is no name of a host becomes `localhost`.
    private static func host(of url: String) -> String {
        let rest = url.split(separator: "/", omittingEmptySubsequences: true).dropFirst(url.contains("://") ? 1 : 0)
        let host = rest.first.map { $0.prefix { $0 != ":" } } ?? ""
        let isName =
            !host.isEmpty
            && host.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            }
        return isName ? String(host) : "localhost"
    }
}

extension String {
    /// Control characters become spaces: what a customer typed stays on its line.
    fileprivate var onOneLine: String {
        guard utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return self }
        return String(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }
}

extension Money {
    /// `£19.99`, or `19.99 CHF` where the symbol is not everybody's.
    fileprivate var shown: String {
        switch currency {
        case .gbp: (amount < 0 ? "-£" : "£") + Money(abs(amount), currency).decimal
        case .eur: (amount < 0 ? "-€" : "€") + Money(abs(amount), currency).decimal
        case .usd: (amount < 0 ? "-$" : "$") + Money(abs(amount), currency).decimal
        default: description
        }
    }
}
