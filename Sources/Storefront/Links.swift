import Kernel

/// Addresses, written one way only, so that one page has one address.
enum Links {
    static func product(_ handle: String) -> String { "/products/" + segment(handle) }
    static func category(_ handle: String) -> String { "/categories/" + segment(handle) }
    static func order(_ id: some CustomStringConvertible) -> String { "/orders/" + segment(id.description) }

    /// A path with those of the parameters that have a value.
    static func path(_ path: String, _ parameters: [(name: String, value: String?)]) -> String {
        var link = path
        var separator = "?"
        for case (let name, let value?) in parameters where !value.isEmpty {
            link += separator + name + "=" + segment(value)
            separator = "&"
        }
        return link
    }

    /// Percent-encoded for one segment of a path or one value of a query.
    static func segment(_ text: String) -> String { text.percentEncoded() }

    /// Where to go after a log-in: a path of this shop, nothing that a browser takes for another host.
    static func inside(_ path: String?) -> String? {
        guard let path, path.utf8.count <= 500, path.utf8.first == UInt8(ascii: "/"),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }),
            !path.hasPrefix("//")
        else { return nil }
        return path
    }

    /// An image's source if it is one that a page may show: this shop's own or the web's over TLS; else nil.
    static func image(_ source: String?) -> String? {
        guard let source, source.hasPrefix("/images/") || source.hasPrefix("https://") else { return nil }
        return source
    }
}
