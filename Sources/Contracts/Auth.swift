public import Kernel

/// Sessions and tokens.
public protocol AuthService: Sendable {
    /// Log in.
    /// - Throws: `wrongCredentials`, `tooManyRequests` after repeated failures.
    func logIn(_ credentials: Credentials, _ context: CallContext) async throws -> Tokens
    /// New tokens for a refresh token, which is used up by it. A used one shown again ends its session: it was stolen.
    /// - Throws: `invalidToken`.
    func refresh(_ refresh: RefreshTokens, _ context: CallContext) async throws -> Tokens
    /// Log out: ends the session that the caller's access token belongs to.
    func logOut(accessToken: String) async throws
    /// Who the bearer of an access token is. Looks at no back end.
    /// - Throws: `invalidToken`; `unavailable` where the keys cannot be had.
    func caller(accessToken: String) async throws -> Caller
    /// The public keys that verify access tokens.
    func keys(_ input: Nothing, _ context: CallContext) async throws -> KeySet
}

public enum AuthAPI {
    public static let logIn = Endpoint<Credentials, Tokens>(
        "sessions.create", .post, "/api/sessions", summary: "Log in", priority: .cart, success: 201, idempotency: .none,
        problems: [.wrongCredentials, .tooManyRequests])
    public static let logOut = Endpoint<Nothing, Nothing>(
        "sessions.end", .delete, "/api/sessions/current", summary: "Log out", access: .customer, priority: .cart,
        success: 204)
    public static let refresh = Endpoint<RefreshTokens, Tokens>(
        "tokens.create", .post, "/api/tokens", summary: "New tokens for a refresh token", priority: .cart,
        success: 201, idempotency: .none, problems: [.invalidToken])
    public static let keys = Endpoint<Nothing, KeySet>(
        "keys.list", .get, "/.well-known/jwks.json", summary: "The public keys that verify access tokens",
        cacheable: true)
}

extension ProblemType {
    public static let invalidToken = ProblemType("invalid-token", 401, "The token is not valid")
}

public struct Tokens: Shaped {
    /// A signed JWT, to be sent as `Authorization: Bearer`.
    public var access_token: String
    /// Always `Bearer`.
    public var token_type: String
    /// Seconds until the access token ends.
    public var expires_in: Int
    public var refresh_token: String

    public init(access_token: String, expires_in: Int, refresh_token: String) {
        self.access_token = access_token
        self.token_type = "Bearer"
        self.expires_in = expires_in
        self.refresh_token = refresh_token
    }

    public static let schema = Schema.object(
        "Tokens",
        [
            .required("access_token", .text(1...4_000)), .required("token_type", .choice(["Bearer"])),
            .required("expires_in", .integer(1...86_400)), .required("refresh_token", .text(1...500)),
        ])
}

public struct RefreshTokens: Shaped {
    public var refresh_token: String
    public init(refresh_token: String) { self.refresh_token = refresh_token }
    public static let schema = Schema.object(
        "RefreshTokens", [.required("refresh_token", .token(1...500, example: "sess_01h4.abc"))])
}

/// A JWK set (RFC 7517).
public struct KeySet: Shaped, Equatable {
    public var keys: [PublicKey]
    public init(keys: [PublicKey]) { self.keys = keys }
    public static let schema = Schema.object("KeySet", [.required("keys", .array(PublicKey.schema, 1...100))])
}

/// The public half of an ECDSA key on P-256.
public struct PublicKey: Shaped, Equatable {
    public var kty = "EC"
    public var crv = "P-256"
    public var alg = "ES256"
    public var use = "sig"
    /// RFC 7638: the same key has the same name everywhere.
    public var kid: String
    /// Coordinates of the point, base64url.
    public var x: String
    public var y: String

    public init(kid: String, x: String, y: String) {
        self.kid = kid
        self.x = x
        self.y = y
    }

    public static let schema = Schema.object(
        "PublicKey",
        [
            .required("kty", .choice(["EC"])), .required("crv", .choice(["P-256"])),
            .required("alg", .choice(["ES256"])), .required("use", .choice(["sig"])), .required("kid", .text(1...100)),
            .required("x", .text(1...100)), .required("y", .text(1...100)),
        ])
}
