import Contracts
import Kernel
import Wire

/// The cookies that tell who a browser is. None can be read by a script.
enum CookieName {
    static let cart = "souk_cart"
    static let session = "souk_session"
    static let refresh = "souk_refresh"
}

/// A request by somebody: the caller is known, from the session or from a refreshed one.
struct Visit: Sendable {
    let request: PageRequest
    let context: CallContext

    var caller: Caller { context.caller }
    var cart: CartID? { request.cookies[CookieName.cart].flatMap { CartID($0) } }

    func form(_ name: String) -> String { (request.form.first(name) ?? "").trimmed }

    /// What was typed, or nil for an empty field.
    func filled(_ name: String) -> String? {
        let value = form(name)
        return value.isEmpty ? nil : value
    }

    /// The call made under the key that the form carried, so that sending it twice is sending it once.
    func keyed(_ key: String?) -> CallContext {
        var context = context
        context.idempotencyKey = key.flatMap { (1...255).contains($0.utf8.count) ? $0 : nil }
        return context
    }
}

/// Renews sessions whose access token ended.
///
/// A refresh token works once, and showing it twice ends the session, as if it were stolen. A browser with two tabs
/// does show it twice within a moment; so those who come with the same token while or shortly after it is exchanged
/// share one exchange.
actor Sessions {
    private static let shared: Duration = .seconds(20)
    private static let maximumShared = 10_000

    private let auth: any AuthService
    private let clock: any WallClock
    private var running: [String: Task<Tokens, any Error>] = [:]
    private var done: [String: (tokens: Tokens, until: Timestamp)] = [:]

    init(auth: any AuthService, clock: any WallClock) {
        self.auth = auth
        self.clock = clock
    }

    func refresh(_ token: String, _ context: CallContext) async throws -> Tokens {
        let now = clock.now()
        if let (tokens, until) = done[token], until > now { return tokens }
        if let task = running[token] { return try await task.value }
        // A task of its own, awaited below and by all who share it: whoever came first may give up without the others.
        let task = Task { [auth] in try await auth.refresh(RefreshTokens(refresh_token: token), context) }
        running[token] = task
        defer { running[token] = nil }
        let tokens = try await task.value
        done = done.filter { $0.value.until > now }
        if done.count < Self.maximumShared { done[token] = (tokens, now + Self.shared) }
        return tokens
    }
}

extension Storefront {
    /// How long a browser keeps a cart and a log-in.
    private static let cartAge = 90 * 86_400
    private static let refreshAge = 30 * 86_400
    /// Longer than for other parts: a token whose exchange was given up half-way ends the session when it is shown
    /// again.
    private static let refreshPatience = Duration.seconds(5)

    func cookie(for cart: CartID) -> Cookie { Cookie(CookieName.cart, cart.description, maxAge: Self.cartAge) }

    func cookies(for tokens: Tokens) -> [Cookie] {
        [
            Cookie(CookieName.session, tokens.access_token, maxAge: tokens.expires_in),
            Cookie(CookieName.refresh, tokens.refresh_token, maxAge: Self.refreshAge),
        ]
    }

    /// Told to a browser, it forgets the cookie.
    func forget(_ name: String) -> Cookie { Cookie(name, "", maxAge: 0) }

    /// A route for what is the visitor's own: not cached, the caller known. (Posts from other sites do not get here:
    /// the server refuses them by Fetch Metadata, since pages that are the same for all cannot carry a secret.)
    ///
    /// - Parameter role: who may see it. Somebody not logged in is sent to log in first.
    func personal(
        _ method: HTTPMethod, _ path: String, priority: Priority, role: Role? = nil,
        _ handle: @escaping @Sendable (Visit) async throws -> PageResponse
    ) -> PageRoute {
        PageRoute(method, path, priority: priority) { request in
            let (context, cookies, isKnown) = await identify(request)
            var response: PageResponse
            do {
                if let role, context.caller.userID == nil {
                    guard isKnown else { throw Self.away("your session") }
                    let next = method == .get ? request.path : role >= .staff ? "/staff" : "/account"
                    response = redirect(Links.path("/login", [("next", next)]))
                } else {
                    if let role { try Access.role(role).check(context.caller) }
                    response = try await handle(Visit(request: request, context: context))
                }
            } catch let problem as Problem where !cookies.isEmpty {
                // The session was renewed on the way: the browser must hear of it, whatever else happened.
                response = errorPage(problem: problem)
            }
            response.cookies =
                cookies.filter { new in !response.cookies.contains { $0.name == new.name } }
                + response.cookies
            return response
        }
    }

    /// Who asks. A session that ended is renewed; one that cannot be renewed is forgotten.
    private func identify(_ request: PageRequest) async -> (CallContext, [Cookie], isKnown: Bool) {
        var context = request.context
        guard context.caller == .anonymous, let token = request.cookies[CookieName.refresh], !token.isEmpty else {
            return (context, [], true)
        }
        do {
            var hurried = context
            hurried.deadline = min(context.deadline, .now + Self.refreshPatience)
            let tokens = try await sessions.refresh(token, hurried)
            context.caller = try await services.auth.caller(accessToken: tokens.access_token)
            return (context, cookies(for: tokens), true)
        } catch let problem as Problem where problem.type.status == 401 {
            return (context, [forget(CookieName.session), forget(CookieName.refresh)], true)
        } catch {
            // Auth is away: this visit is a stranger's, the next one may not be.
            return (context, [], false)
        }
    }

    /// Checks an input as the HTTP interface does before the service sees it.
    func checked<Input, Output>(
        _ input: Input, as endpoint: Endpoint<Input, Output>, _ context: CallContext
    ) throws -> Input {
        try endpoint.description.access.check(context.caller)
        let violations = Input.schema.violations(in: try Self.tree(input))
        guard violations.isEmpty else { throw Problem.invalid(violations) }
        return input
    }

    private static func tree(_ input: some Encodable) throws -> JSON {
        let bytes = try JSON.encode(input)
        do { return try JSON.parse(bytes) } catch { throw Problem(.badRequest, "the form has \(error)") }
    }
}

extension String {
    /// Without spaces and line ends around it.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace }
        guard let start = firstIndex(where: { !isBlank($0) }), let end = lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(self[start...end])
    }
}
