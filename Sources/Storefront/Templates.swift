import Mustache

/// What a template is filled with. A value that is absent is `false`, never missing: a missing name is looked for in
/// the surrounding values, and a card without a badge would show its neighbour's.
typealias View = [String: any Sendable]

extension Optional where Wrapped: Sendable {
    /// The value, or what a template takes for "there is none".
    var orFalse: any Sendable { if let self { self } else { false } }
}

/// The parsed templates of `Resources/`, read once when the program starts.
struct Templates: Sendable {
    private let library: MustacheLibrary

    /// - Throws: the parser's error, naming what is wrong, if a template is malformed.
    init() throws {
        MustacheContentTypes.register(EscapedHTML(), named: EscapedHTML.name)
        var library = MustacheLibrary()
        for (name, bytes) in Self.sources {
            // The pragma puts Souk's escaping in the place of the package's, which leaves a quote alone that is
            // followed by a combining mark (Swift sees one character there, a browser sees the end of the attribute).
            let text = "{{% CONTENT_TYPE:\(EscapedHTML.name)}}" + String(decoding: bytes, as: UTF8.self)
            try library.register(text, named: name)
        }
        self.library = library
    }

    /// The page as UTF-8. A template that does not exist is a programmer's error.
    func render(_ name: String, _ view: View) -> [UInt8] {
        guard let text = library.render(view, withTemplate: name) else {
            preconditionFailure("there is no template \(name)")
        }
        return Array(text.utf8)
    }

    static let sources: [(name: String, bytes: [UInt8])] = [
        ("head", PackageResources.head_mustache), ("foot", PackageResources.foot_mustache),
        ("card", PackageResources.card_mustache), ("price", PackageResources.price_mustache),
        ("crumbs", PackageResources.crumbs_mustache), ("field", PackageResources.field_mustache),
        ("problems", PackageResources.problems_mustache), ("lines", PackageResources.lines_mustache),
        ("sums", PackageResources.sums_mustache), ("home", PackageResources.home_mustache),
        ("listing", PackageResources.listing_mustache), ("product", PackageResources.product_mustache),
        ("cart", PackageResources.cart_mustache), ("checkout", PackageResources.checkout_mustache),
        ("order", PackageResources.order_mustache), ("form", PackageResources.form_mustache),
        ("account", PackageResources.account_mustache), ("message", PackageResources.message_mustache),
        ("docs", PackageResources.docs_mustache), ("staff_tabs", PackageResources.staff_tabs_mustache),
        ("staff_order_table", PackageResources.staff_order_table_mustache),
        ("staff_dashboard", PackageResources.staff_dashboard_mustache),
        ("staff_orders", PackageResources.staff_orders_mustache),
        ("staff_order", PackageResources.staff_order_mustache),
        ("staff_products", PackageResources.staff_products_mustache),
        ("staff_product", PackageResources.staff_product_mustache),
        ("staff_notifications", PackageResources.staff_notifications_mustache),
        ("staff_events", PackageResources.staff_events_mustache),
        ("staff_webhooks", PackageResources.staff_webhooks_mustache),
        ("staff_webhook", PackageResources.staff_webhook_mustache),
        ("staff_topology", PackageResources.staff_topology_mustache),
    ]
}

/// Escapes byte by byte, so that no combining mark can hide a character that HTML looks for.
struct EscapedHTML: MustacheContentType {
    static let name = "ESCAPED_HTML"

    func escapeText(_ text: String) -> String { Self.escape(text) }

    static func escape(_ text: String) -> String {
        guard text.utf8.contains(where: isSpecial) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 32)
        append(text.utf8, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    static func append(_ text: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
            case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
            case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
            default: bytes.append(byte)
            }
        }
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "&")
            || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }
}
