import Kernel
import Logging
import NIOCore
import Synchronization
import Tracing

/// Answers requests: finds what serves them, lets them in, and turns what comes back, or goes wrong, into bytes.
struct Responder: Sendable {
    let settings: ServerSettings
    let router: Router<Served>
    let identity: Identity
    let errorPage: ErrorPage
    let renderer: Renderer
    let edge: EdgeCache
    let admission: Admission
    let clients: ClientLimits
    let drain: Drain
    let logger: Logger
    let flights = Flights()
    /// For what has no route.
    let unrouted = RouteMetrics(route: "none", method: "any", priority: .browse)

    /// One request on its way.
    struct Exchange: Sendable {
        let request: Incoming
        let target: Target
        let parameters: [(String, String)]
        let trace: TraceContext
        let isHead: Bool
    }

    func respond(to request: Incoming) async -> Outgoing {
        let span = ServerSpan(request)
        let trace = span.trace
        let isHead = request.head.isHead
        var metrics = unrouted
        var answer: Answer
        if let refusal = request.refusal {
            answer = .problem(refusal.problem)
        } else {
            (answer, metrics) = await ServiceContext.$current.withValue(span.context) {
                await route(request, trace, isHead)
            }
        }
        let status = answer.status
        let closes = !request.keepsAlive || drain.isOn
        if let tag = answer.etag, status == 200, request.head.isGet || isHead,
            let header = request.header("if-none-match"), ETag.matches(header, tag)
        {
            answer = answer.unchanged
        } else if answer.keeping != nil, request.head.acceptsGzip, let packed = answer.compressed {
            if let tag = answer.etag { edge.keep(gzip: packed, for: request.target, of: tag, renderer) }
            answer = packed
        }
        let bytes = renderer.bytes(
            answer, isHead: isHead, closes: closes, extra: [("traceparent", trace.traceparent)])
        let time = (NIODeadline.now() - request.arrival).nanoseconds
        metrics.record(status: answer.status, nanoseconds: time)
        span.end(metrics.route, request, status: answer.status)
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "target": "\(request.target)", "status": "\(answer.status)",
                "microseconds": "\(time / 1_000)", "trace_id": "\(trace.traceID)",
            ])
        return Outgoing(bytes: bytes, closes: closes)
    }

    private func route(_ request: Incoming, _ trace: TraceContext, _ isHead: Bool) async -> (Answer, RouteMetrics) {
        let target: Target
        do {
            let text = request.target
            if text == "*", request.method == "OPTIONS" { return (allowed([.get], status: 204), unrouted) }
            target = try Target(text)
        } catch {
            return (.problem(error), unrouted)
        }
        let method = isHead ? HTTPMethod.get : HTTPMethod(rawValue: request.method)
        var exchange = Exchange(request: request, target: target, parameters: [], trace: trace, isHead: isHead)
        switch router.find(method, target.segments) {
        case .found(let match):
            exchange = Exchange(
                request: request, target: target, parameters: match.parameters, trace: trace, isHead: isHead)
            return (await serve(match.value, exchange), match.value.metrics)
        case .otherMethods(let methods):
            if request.method == "OPTIONS" { return (allowed(methods, status: 204), unrouted) }
            let names = Self.names(methods)
            var answer = refuse(Problem(.methodNotAllowed, "\(target.path) takes \(names)"), exchange)
            answer.headers.append(("allow", names))
            return (answer, unrouted)
        case .nothing:
            if let answer = withoutSlash(exchange, method) { return (answer, unrouted) }
            return (refuse(Problem(.notFound, "nothing is at \(target.path)"), exchange), unrouted)
        }
    }

    /// A page's path with a slash too many leads to the page.
    private func withoutSlash(_ exchange: Exchange, _ method: HTTPMethod?) -> Answer? {
        let segments = exchange.target.segments
        guard method == .get, segments.count > 1, segments.last == "", !segments[0].isEmpty,
            case .found(let match) = router.find(.get, segments.dropLast()), case .page = match.value.kind
        else { return nil }
        let query = exchange.target.query
        var answer = Answer(308)
        answer.headers = [("location", exchange.target.path.dropLast() + (query.isEmpty ? "" : "?" + query))]
        return answer
    }

    private static func names(_ methods: [HTTPMethod]) -> String {
        var names = methods.map(\.rawValue)
        if methods.contains(.get) { names.append("HEAD") }
        return (names + ["OPTIONS"]).joined(separator: ", ")
    }

    private func allowed(_ methods: [HTTPMethod], status: Int) -> Answer {
        var answer = Answer(status)
        answer.headers = [("allow", Self.names(methods))]
        return answer
    }

    private func serve(_ served: Served, _ exchange: Exchange) async -> Answer {
        do {
            switch served.kind {
            case .surrounding(let handle): return try await handle(Query(encoded: exchange.target.query))
            case .endpoint(let route, _) where route.endpoint.isCacheable: return try await shared(served, exchange)
            case .page where served.method == .get: return try await page(served, exchange)
            case .endpoint, .page: return try await admitted(served, exchange)
            }
        } catch {
            let problem = problem(for: error, exchange)
            if case .page = served.kind, served.method == .get {
                let target = exchange.request.target
                if problem.type.status >= 500, let leftover = edge.leftover(target) { return leftover }
                // What is gone does not come back when its maker is away.
                if problem.type == .notFound { edge.forget(target) }
            }
            return refuse(problem, exchange)
        }
    }

    /// An answer that the edge may keep is made once for all who ask for it at the same time.
    private func shared(_ served: Served, _ exchange: Exchange) async throws -> Answer {
        let target = exchange.request.target
        guard exchange.request.head.isPlain else { return try await admitted(served, exchange) }
        if let kept = edge.kept(target) { return kept }
        return try await flights.answer(for: target, edge) {
            try await admitted(served, exchange)
        } keep: { answer, ticket in
            edge.keep(answer, for: target, since: ticket, served.metrics, renderer)
        }
    }

    /// Whether a page may be kept is known from its answers only: before the first of a route nobody waits for another.
    private func page(_ served: Served, _ exchange: Exchange) async throws -> Answer {
        guard exchange.request.head.isPlain else { return try await admitted(served, exchange) }
        if served.metrics.isKept.load(ordering: .relaxed) { return try await shared(served, exchange) }
        let ticket = edge.ticket
        let answer = try await admitted(served, exchange)
        edge.keep(answer, for: exchange.request.target, since: ticket, served.metrics, renderer)
        return answer
    }

    private func admitted(_ served: Served, _ exchange: Exchange) async throws -> Answer {
        let caller = Credentials(exchange.request, cookie: settings.sessionCookie)
        let origin = try await origin(of: exchange.request)
        if case .client(let client) = origin { try await clients.check(client, isKnown: caller.isPresent) }
        let place = try await admission.enter(served.priority)
        var isServed = false
        defer { admission.leave(place, isServed: isServed) }
        let identified = try await self.caller(caller, origin)
        let answer: Answer
        do {
            switch served.kind {
            case .endpoint(let route, let reader):
                let context = context(identified, caller, origin, exchange)
                answer = try await call(route, reader, context, caller, exchange)
            case .page(let page):
                answer = try await show(page, context(identified, caller, origin, exchange), exchange)
            case .surrounding(let handle): answer = try await handle(Query(encoded: exchange.target.query))
            }
        } catch let problem as Problem {
            isServed = problem.type.status < 500
            throw problem
        }
        isServed = true
        return answer
    }

    /// Where a request came from.
    private enum Origin {
        case client(ClientAddress?)
        /// Another role passes on what a client asked of it, and has counted that client.
        case role(clientAddress: String?)
    }

    private func origin(of request: Incoming) async throws -> Origin {
        guard settings.servesServices, let proof = request.header(ServiceHeaders.proof) else {
            return .client(clients.client(of: request))
        }
        guard case .service = try await identity(proof, nil) else {
            throw Problem(.unauthenticated, "\(ServiceHeaders.proof) is no service token")
        }
        return .role(clientAddress: request.header(ServiceHeaders.client))
    }

    private func context(
        _ caller: Caller, _ credentials: Credentials, _ origin: Origin, _ exchange: Exchange
    ) -> CallContext {
        var timeout = settings.requestTimeout
        var address: String?
        switch origin {
        case .client(let client):
            address = client?.text
            if case .service = caller { timeout = deadline(of: exchange.request) }
        case .role(let client):
            address = client
            timeout = deadline(of: exchange.request)
        }
        var context = CallContext(caller: caller, timeout: timeout, trace: exchange.trace)
        context.accessToken = credentials.bearer ?? credentials.cookie
        context.clientAddress = address
        return context
    }

    private func caller(_ credentials: Credentials, _ origin: Origin) async throws -> Caller {
        guard credentials.isPresent else { return .anonymous }
        do {
            if credentials.isMalformed {
                throw Problem(.unauthenticated, "expected Authorization: Bearer and a token")
            }
            let caller = try await identity(credentials.bearer, credentials.cookie)
            if case .client(let client) = origin, let user = caller.userID {
                try await clients.check(user, at: client)
            }
            return caller
        } catch let problem as Problem {
            if case .client(let client) = origin, problem.type == .unauthenticated {
                try await clients.check(client, isKnown: false)
            }
            throw problem
        }
    }

    // MARK: - What goes wrong

    /// What a caller is told of an error. What is no `Problem` is logged, and shown to nobody.
    func problem(for error: any Error, _ exchange: Exchange) -> Problem {
        switch error {
        case let problem as Problem:
            // Who is turned away in a crowd is counted: a line for each would cost more than turning them away does.
            if problem.type.status >= 500 { log(problem, exchange, problem.type == .overloaded ? .debug : .warning) }
            return problem
        case let error as JSONDecodingError: return Problem.invalid(error.pointer, error.message)
        case is OutcomeUnknown:
            log(error, exchange, .warning)
            return Problem(.unavailable, "a part that is needed did not answer; ask again", retryAfter: 1)
        case let error as any OutageError where error.isOutage:
            log(error, exchange, .warning)
            return Problem(.unavailable, "a part that is needed is away, full or overloaded; ask again", retryAfter: 1)
        case is CancellationError: return late(exchange)
        default:
            if Task.isCancelled { return late(exchange) }
            log(error, exchange, .error)
            return Problem(.internalError, "the details are in the log under trace \(exchange.trace.traceID)")
        }
    }

    private func late(_ exchange: Exchange) -> Problem {
        let problem = Problem(
            .deadlineExceeded, "it was not done in the time that the request may take", retryAfter: 1)
        log(problem, exchange, .warning)
        return problem
    }

    private func log(_ error: any Error, _ exchange: Exchange, _ level: Logger.Level) {
        logger.log(
            level: level, "request failed",
            metadata: [
                "error": "\(error)", "method": "\(exchange.request.method)", "path": "\(exchange.target.path)",
                "trace_id": "\(exchange.trace.traceID)",
            ])
    }

    /// A page for a browser, `application/problem+json` for everybody else.
    func refuse(_ problem: Problem, _ exchange: Exchange) -> Answer {
        guard exchange.request.isForPerson(at: exchange.target) else { return .problem(problem) }
        let request = pageRequest(exchange, CallContext(trace: exchange.trace), form: Query())
        return .refusal(problem, page: errorPage(problem, request), isHTTPS: settings.isHTTPS)
    }
}

/// Set when the server stops: readiness is false, and connections end with their next answer.
final class Drain: Sendable {
    private let flag = Atomic(false)
    var isOn: Bool { flag.load(ordering: .acquiring) }
    func begin() { flag.store(true, ordering: .releasing) }
}
