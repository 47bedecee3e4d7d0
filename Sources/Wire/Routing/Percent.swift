import Kernel

/// Decodes what is percent-encoded in a target or a form. Strict: a `%` without two digits, a NUL, and bytes that are
/// not UTF-8 are refused.
enum Percent {
    static func decode(_ text: Substring, plusIsSpace: Bool = false) throws(Problem) -> String {
        guard text.utf8.contains(where: { $0 == ASCII.percent || $0 == UInt8(ascii: "+") || $0 >= 0x80 }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case ASCII.percent:
                guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
                    throw Problem(.badRequest, "a % in the target or form is not followed by two hexadecimal digits")
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(ASCII.space)
            default: bytes.append(byte)
            }
        }
        guard !bytes.contains(0) else { throw Problem(.badRequest, "the target or form has a NUL character") }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw Problem(.badRequest, "the target or form is not UTF-8")
        }
        return decoded
    }

    /// Everything but RFC 3986's unreserved characters is encoded.
    static func encode(_ text: String) -> String { text.percentEncoded() }
}

extension Query {
    /// More names in one query or form are refused.
    static let mostPairs = 1_000

    /// Reads `a=1&b=2`, with `+` for a space.
    init(encoded text: Substring) throws(Problem) {
        var pairs: [(String, String)] = []
        for part in text.split(separator: "&") {
            guard pairs.count < Self.mostPairs else {
                throw Problem.invalid("", "has more than \(Self.mostPairs) fields")
            }
            let equals = part.firstIndex(of: "=") ?? part.endIndex
            let value = equals == part.endIndex ? part[equals...] : part[part.index(after: equals)...]
            pairs.append(
                (try Percent.decode(part[..<equals], plusIsSpace: true), try Percent.decode(value, plusIsSpace: true)))
        }
        self.init(pairs)
    }
}

/// A request's target, split and checked.
struct Target {
    /// The path's segments, decoded. `/` has none; `/a/` has an empty one at its end.
    let segments: [String]
    let path: Substring
    let query: Substring

    init(_ text: String) throws(Problem) {
        var rest = text[...]
        if !rest.hasPrefix("/") {
            // The absolute form, as proxies get it.
            guard let scheme = rest.range(of: "://"),
                ["http", "https"].contains(rest[..<scheme.lowerBound].lowercased())
            else { throw Problem(.badRequest, "expected a target that begins with /") }
            rest = rest[scheme.upperBound...]
            rest = rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        guard !rest.utf8.contains(UInt8(ascii: "#")) else { throw Problem(.badRequest, "a target has no fragment") }
        let mark = rest.firstIndex(of: "?") ?? rest.endIndex
        path = rest[..<mark]
        query = mark == rest.endIndex ? "" : rest[rest.index(after: mark)...]
        var segments: [String] = []
        if path.utf8.count > 1 {
            for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
                segments.append(try Percent.decode(part))
            }
        }
        self.segments = segments
    }
}

extension Substring {
    /// Without Foundation: the first place of a short text.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
