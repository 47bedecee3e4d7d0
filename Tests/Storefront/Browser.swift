import Kernel
import Storefront
import Testing
import Wire

/// Asks a storefront as a browser does: finds the route, sends the cookies it holds, and keeps what it is given.
struct Browser {
    let storefront: Storefront
    var cookies: [String: String] = [:]
    var caller = Caller.anonymous
    /// What the browser says of where its requests come from.
    var site = "same-origin"

    init(_ shop: Shop) throws { storefront = try shop.storefront() }

    mutating func get(_ target: String, accept: String = "text/html") async throws -> PageResponse {
        try await send(.get, target, [], accept: accept)
    }

    mutating func post(_ target: String, _ form: [(String, String)]) async throws -> PageResponse {
        try await send(.post, target, form, accept: "text/html")
    }

    private mutating func send(
        _ method: HTTPMethod, _ target: String, _ form: [(String, String)], accept: String
    ) async throws -> PageResponse {
        let parts = target.split(separator: "?", maxSplits: 1)
        let path = String(parts[0])
        let pairs = (parts.count < 2 ? "" : parts[1]).split(separator: "&").map { pair -> (String, String) in
            let ends = pair.split(separator: "=", maxSplits: 1).map { Self.decoded($0) }
            return (ends[0], ends.count > 1 ? ends[1] : "")
        }
        let (route, parameters) = try #require(Self.route(storefront, method, path), "no page at \(method) \(path)")
        let headers = ["accept": accept, "host": "shop.example", "sec-fetch-site": site]
        let request = PageRequest(
            method, path: Self.decoded(path[...]), parameters: parameters, query: Query(pairs), form: Query(form),
            cookies: cookies, header: { headers[$0.lowercased()] }, context: CallContext(caller: caller))
        let response = try await route.handle(request)
        for cookie in response.cookies { cookies[cookie.name] = cookie.maxAge == 0 ? nil : cookie.value }
        return response
    }

    static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func route(_ storefront: Storefront, _ method: HTTPMethod, _ path: String) -> (PageRoute, [String: String])?
    {
        let steps = path.split(separator: "/").map { decoded($0) }
        var best: (PageRoute, [String: String])?
        for route in storefront.routes where route.method == method && route.path.segments.count == steps.count {
            var parameters: [String: String] = [:]
            let matches = zip(route.path.segments, steps).allSatisfy { segment, step in
                switch segment {
                case .literal(let text): return text == step
                case .parameter(let name):
                    parameters[name] = step
                    return true
                }
            }
            // A literal goes before a parameter.
            if matches, best == nil || parameters.count < (best?.1.count ?? 0) { best = (route, parameters) }
        }
        return best
    }
}

extension PageResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
    var location: String? { headers.first { $0.0 == "location" }?.1 }
}

/// What is wrong with a page's markup: tags that do not nest, identifiers that repeat, script or style in line.
func faults(in html: String) -> [String] {
    // Swift takes a bracket and the mark that follows it for one character; a browser does not.
    let html = String(String.UnicodeScalarView(html.unicodeScalars.filter { $0 != "\u{301}" }))
    let void: Set<String> = ["meta", "link", "img", "input", "br"]
    var faults: [String] = []
    var open: [String] = []
    var identifiers: Set<String> = []
    var rest = html[...]
    while let start = rest.firstIndex(of: "<") {
        rest = rest[rest.index(after: start)...]
        guard let end = rest.firstIndex(of: ">") else {
            faults.append("a tag that does not end")
            break
        }
        let tag = rest[..<end]
        rest = rest[rest.index(after: end)...]
        if tag.hasPrefix("!") { continue }
        let name = String(tag.drop { $0 == "/" }.prefix { $0.isLetter || $0.isNumber })
        if tag.hasPrefix("/") {
            let last = open.popLast()
            if last != name { faults.append("</\(name)> where <\(last ?? "nothing")> is open") }
            continue
        }
        for id in attribute("id", tag) where !identifiers.insert(id).inserted { faults.append("the id \(id) twice") }
        if tag.contains(" style=") || tag.contains(" on") && tag.contains("=\"javascript") {
            faults.append("style or script in line: <\(tag)>")
        }
        if name == "script" {
            if !tag.contains("src="), !tag.contains("application/") { faults.append("a script in line") }
            if let close = rest.range(of: "</script>") { rest = rest[close.upperBound...] }
            continue
        }
        if !void.contains(name), !tag.hasSuffix("/") { open.append(name) }
    }
    faults += open.map { "<\($0)> is never closed" }
    for label in attribute("for", html[...]) where !identifiers.contains(label) && label != "q" {
        faults.append("a label for \(label), which is not there")
    }
    for reference in attribute("aria-describedby", html[...]).flatMap({ $0.split(separator: " ").map(String.init) })
    where !identifiers.contains(reference) { faults.append("described by \(reference), which is not there") }
    return faults
}

private func attribute(_ name: String, _ text: Substring) -> [String] {
    text.split(separator: " \(name)=\"", omittingEmptySubsequences: false).dropFirst().map {
        String($0.prefix { $0 != "\"" })
    }
}
