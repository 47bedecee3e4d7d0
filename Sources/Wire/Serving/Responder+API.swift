import Kernel
import NIOCore

/// What a request says about who sends it.
struct Credentials {
    let bearer: String?
    let cookie: String?
    /// There is an `Authorization` that is no bearer token.
    let isMalformed: Bool

    var isPresent: Bool { bearer != nil || cookie != nil || isMalformed }

    init(_ request: Incoming, cookie name: String) {
        let authorizations = request.headers("authorization")
        if let authorization = authorizations.first {
            let parts = authorization.split(separator: " ", maxSplits: 1)
            let token = parts.count == 2 && parts[0].lowercased() == "bearer" ? parts[1].trimmed : ""
            bearer = token.isEmpty || authorizations.count > 1 ? nil : token
            cookie = nil
            isMalformed = bearer == nil
        } else {
            bearer = nil
            cookie = request.header("cookie").flatMap { Cookies.value(of: name, in: $0) }
            isMalformed = false
        }
    }
}

extension Responder {
    func call(
        _ route: Route, _ reader: InputReader, _ given: CallContext, _ credentials: Credentials, _ exchange: Exchange
    ) async throws -> Answer {
        let endpoint = route.endpoint
        let request = exchange.request
        try endpoint.access.check(given.caller)
        if credentials.cookie != nil, endpoint.method != .get { try CrossSite.check(request) }
        var context = given
        context.idempotencyKey = try Conditions.key(request.headers("idempotency-key"), endpoint.idempotency)
        if endpoint.isConditional {
            context.expectedVersion = try Conditions.version(
                ifMatch: request.header("if-match"), ifNoneMatch: request.header("if-none-match"))
        }
        let input = try reader.read(request, exchange.target, exchange.parameters)
        let reply = try await route.handle(input, context)
        return answer(reply, endpoint, exchange)
    }

    /// How long another role says that it waits, and never more than a request may take.
    func deadline(of request: Incoming) -> Duration {
        guard let text = request.header(ServiceHeaders.deadline), let milliseconds = Int64(text), milliseconds > 0
        else { return settings.requestTimeout }
        return min(.milliseconds(milliseconds), settings.requestTimeout)
    }

    private func answer(_ reply: Reply<[UInt8]>, _ endpoint: EndpointDescription, _ exchange: Exchange) -> Answer {
        var answer = Answer(endpoint.success, reply.value.isEmpty ? nil : "application/json", reply.value)
        if endpoint.method == .get {
            answer.etag = ETag.of(reply.value, version: reply.version)
        } else if let version = reply.version {
            answer.etag = ETag.of(reply.value, version: version)
        }
        if let location = reply.location { answer.headers.append(("location", location)) }
        if let next = reply.next {
            answer.headers.append(("link", "<\(Self.next(exchange.target, next))>; rel=\"next\""))
        }
        if reply.isReplayed { answer.headers.append(("idempotency-replayed", "true")) }
        if endpoint.isCacheable, !reply.tags.isEmpty, endpoint.success == 200 {
            answer.cacheControl = Answer.revalidate
            answer.keeping = Answer.Keeping(tags: reply.tags)
            answer.headers.append(Answer.vary)
        }
        return answer
    }

    /// The request's own target with another `after`.
    private static func next(_ target: Target, _ cursor: String) -> String {
        var parts = target.query.split(separator: "&").filter { $0 != "after" && !$0.hasPrefix("after=") }
        parts.append("after=\(Percent.encode(cursor))"[...])
        return "\(target.path)?\(parts.joined(separator: "&"))"
    }
}

/// Refuses what another site's page made a visitor's browser send: cookies go along with it.
enum CrossSite {
    static func check(_ request: Incoming) throws(Problem) {
        if let site = request.header("sec-fetch-site") {
            guard site == "same-origin" || site == "none" else { throw refusal }
        } else if let origin = request.header("origin") {
            guard let host = request.header("host"), origin.lowercased().hasSuffix("://" + host.lowercased()) else {
                throw refusal
            }
        }
    }

    private static var refusal: Problem {
        Problem(.forbidden, "this may be sent from this site's own pages only")
    }
}
