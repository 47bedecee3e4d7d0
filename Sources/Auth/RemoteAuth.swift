public import Contracts
public import Kernel

/// Sessions and tokens in another process. Whose an access token is, is found here, with the public keys from there.
public struct RemoteAuth: AuthService {
    private let peer: any RemoteCaller
    private let tokens: AccessTokens
    private let ring: KeyRing

    public init(
        _ peer: any RemoteCaller, clock: any WallClock = SystemClock(), settings: Auth.Settings = Auth.Settings()
    ) {
        self.peer = peer
        tokens = AccessTokens(settings: settings, clock: clock)
        ring = KeyRing(clock: clock) { try await peer.call(AuthAPI.keys, Nothing(), CallContext(timeout: $0)).value }
    }

    public func logIn(_ credentials: Credentials, _ context: CallContext) async throws -> Tokens {
        try await peer.call(AuthAPI.logIn, credentials, context).value
    }

    public func refresh(_ refresh: RefreshTokens, _ context: CallContext) async throws -> Tokens {
        try await peer.call(AuthAPI.refresh, refresh, context).value
    }

    /// Ends the session there; its tokens are let in no more here either.
    public func logOut(accessToken: String) async throws {
        let claims = try await tokens.claims(of: accessToken, ring.keys(for: accessToken))
        var context = CallContext(caller: .user(claims.sub, claims.role))
        context.accessToken = accessToken
        _ = try await peer.call(AuthAPI.logOut, Nothing(), context)
        tokens.end(claims.sid)
    }

    public func caller(accessToken: String) async throws -> Caller {
        try await tokens.caller(accessToken) { try await ring.keys(for: accessToken) }
    }

    public func keys(_ input: Nothing, _ context: CallContext) async throws -> KeySet {
        try await peer.call(AuthAPI.keys, input, context).value
    }
}

/// The public keys of another process, asked for when they are needed: at first, when a token names one that is not
/// here, and now and then, so that a key that was taken away counts no more.
actor KeyRing {
    /// A stranger may name keys as he likes: he makes no more questions than this.
    static let shortestAge = Duration.seconds(10)
    static let longestAge = Duration.seconds(300)
    private static let patience = Duration.seconds(3)

    private let clock: any WallClock
    private let fetch: @Sendable (_ timeout: Duration) async throws -> KeySet
    private var keys: VerificationKeys?
    private var askedAt: Timestamp?

    init(clock: any WallClock, fetch: @escaping @Sendable (_ timeout: Duration) async throws -> KeySet) {
        self.clock = clock
        self.fetch = fetch
    }

    /// - Throws: `unavailable` where none can be had.
    func keys(for token: String) async throws -> VerificationKeys {
        let age = askedAt.map { clock.now() - $0 }
        if let keys, let age {
            let isKnown = keys.knows(token)
            if isKnown ? age < Self.longestAge : age < Self.shortestAge { return keys }
        }
        // Whoever comes while one asks goes on with what is here.
        let asked = askedAt
        askedAt = clock.now()
        do {
            let new = try await VerificationKeys(fetch(Self.patience))
            keys = new
            return new
        } catch {
            if let keys, keys.knows(token) { return keys }
            askedAt = asked
            throw Problem(.unavailable, "the keys that verify tokens cannot be had from Auth now", retryAfter: 1)
        }
    }
}
