import Kernel
import NIOCore

extension Responder {
    func show(_ page: PageRoute, _ context: CallContext, _ exchange: Exchange) async throws -> Answer {
        var form = Query()
        if page.method != .get {
            try CrossSite.check(exchange.request)
            form = try self.form(of: exchange.request)
        }
        let request = try checkedPageRequest(exchange, context, form: form, method: page.method)
        return Answer(page: try await page.handle(request), isHTTPS: settings.isHTTPS)
    }

    private func form(of request: Incoming) throws(Problem) -> Query {
        guard request.body.readableBytes > 0 else { return Query() }
        guard let type = request.header("content-type"), MediaType.isForm(type) else {
            throw Problem(.mediaType, "expected Content-Type: application/x-www-form-urlencoded")
        }
        guard request.body.readableBytes <= settings.maxForm else {
            throw Problem(.tooLarge, "the form is larger than \(settings.maxForm) bytes")
        }
        guard let text = String(validating: request.body.readableBytesView, as: UTF8.self) else {
            throw Problem(.badRequest, "the form is not UTF-8")
        }
        return try Query(encoded: text[...])
    }

    private func checkedPageRequest(
        _ exchange: Exchange, _ context: CallContext, form: Query, method: HTTPMethod
    ) throws(Problem) -> PageRequest {
        pageRequest(exchange, context, form: form, query: try Query(encoded: exchange.target.query), method: method)
    }

    func pageRequest(
        _ exchange: Exchange, _ context: CallContext, form: Query, query: Query = Query(), method: HTTPMethod = .get
    ) -> PageRequest {
        let request = exchange.request
        return PageRequest(
            method, path: "/" + exchange.target.segments.joined(separator: "/"),
            parameters: Dictionary(exchange.parameters) { first, _ in first }, query: query, form: form,
            cookies: request.header("cookie").map(Cookies.all) ?? [:], header: { request.header($0) },
            context: context)
    }
}

extension Incoming {
    /// Whether a problem is shown as a page: it was asked for in a browser, and not of the interface.
    func isForPerson(at target: Target) -> Bool {
        !target.path.hasPrefix("/api/") && header("accept")?.contains("text/html") == true
    }
}

extension Answer {
    /// A page that tells a person of a problem. Nobody is to keep it.
    static func refusal(_ problem: Problem, page: PageResponse, isHTTPS: Bool) -> Answer {
        var answer = Answer(page: page, isHTTPS: isHTTPS)
        answer.status = problem.type.status
        answer.cacheControl = Answer.noStore
        answer.keeping = nil
        answer.etag = nil
        answer.headers += Answer.headers(of: problem)
        return answer
    }

    init(page: PageResponse, isHTTPS: Bool) {
        self.init(page.status, page.body.isEmpty ? nil : page.contentType, page.body)
        headers = page.headers.map { ($0.0.lowercased(), $0.1) }
        for cookie in page.cookies { headers.append(("set-cookie", cookie.text(isHTTPS: isHTTPS))) }
        guard page.status == 200, page.cookies.isEmpty else { return }
        switch page.cache {
        case .none: break
        case .edge(let tags, let maxAge):
            etag = ETag.of(page.body)
            cacheControl = maxAge > 0 ? "public, max-age=\(maxAge), must-revalidate" : Answer.revalidate
            if !tags.isEmpty { keeping = Keeping(tags: tags) }
            headers.append(Answer.vary)
        case .immutable:
            etag = ETag.of(page.body)
            cacheControl = Answer.immutable
            keeping = Keeping(tags: [], isImmutable: true)
            headers.append(Answer.vary)
        }
    }
}

enum Cookies {
    static let most = 64

    static func all(_ header: String) -> [String: String] {
        var cookies: [String: String] = [:]
        for part in header.split(separator: ";").prefix(most) {
            guard let equals = part.firstIndex(of: "=") else { continue }
            let name = part[..<equals].trimmed
            if cookies[name] == nil { cookies[name] = decoded(part[part.index(after: equals)...].trimmed) }
        }
        return cookies
    }

    static func value(of name: String, in header: String) -> String? {
        guard let value = all(header)[name], !value.isEmpty else { return nil }
        return value
    }

    private static func decoded(_ value: String) -> String { (try? Percent.decode(value[...])) ?? value }
}

extension Cookie {
    func text(isHTTPS: Bool) -> String {
        var text = "\(name)=\(Percent.encode(value)); Path=\(path); SameSite=\(sameSite.rawValue)"
        if let maxAge { text += "; Max-Age=\(maxAge)" }
        if httpOnly { text += "; HttpOnly" }
        if secure || isHTTPS { text += "; Secure" }
        return text
    }
}
