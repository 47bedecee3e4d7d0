public import Contracts
import Crypto
public import Kernel

extension Auth {
    private static let invalid = Problem(.invalidToken, "the refresh token is not valid (any more): log in again")

    public func logIn(_ credentials: Credentials, _ context: CallContext) async throws -> Tokens {
        let attempt = try await throttle.begin(account: credentials.email, address: context.clientAddress)
        let user: User
        do {
            user = try await users.verify(credentials, context.acting(as: "auth"))
        } catch let problem as Problem where problem.type == .wrongCredentials {
            throw problem
        } catch {
            // Nothing was learnt of the password, so this was no failure.
            await throttle.forgive(attempt)
            throw error
        }
        await throttle.forgive(attempt)
        return try await openSession(for: user)
    }

    /// A session for an account that has just been made or verified.
    func openSession(for user: User) async throws -> Tokens {
        let now = clock.now()
        let id = SessionID(at: now)
        let secret = Self.randomBytes()
        let session = Session(
            id: id, user: user.id, seed: Self.randomBytes(), token: Self.digest(secret), refreshedAt: now,
            expiresAt: now + settings.refreshLifetime)
        try await store.insert(session)
        return try await tokens(for: user, session: id, secret: secret, at: now)
    }

    public func refresh(_ refresh: RefreshTokens, _ context: CallContext) async throws -> Tokens {
        let parts = refresh.refresh_token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let id = SessionID(String(parts[0])), let secret = Base64URL.decode(parts[1]),
            secret.count == 32, let session = try await store.session(id), session.expiresAt > clock.now()
        else { throw Self.invalid }
        // The account is asked for first: a token is used up only when its successor can be made.
        let user: User
        do {
            user = try await users.user(UserByID(id: session.user), context.acting(as: "auth"))
        } catch let problem as Problem where problem.type == .notFound {
            try await end(id)
            throw Self.invalid
        }
        let now = clock.now()
        let next = Self.successor(of: secret, seed: session.seed)
        let rotation = Rotation(
            used: Self.digest(secret), next: Self.digest(next), at: now, expiresAt: now + settings.refreshLifetime,
            graceBegan: now - settings.refreshGrace)
        switch try await store.rotate(id, rotation) {
        case .rotated, .again: return try await tokens(for: user, session: id, secret: next, at: now)
        case .unknown: throw Self.invalid
        case .stolen:
            accessTokens.end(id)
            throw Self.invalid
        }
    }

    public func logOut(accessToken: String) async throws {
        let claims = try await accessTokens.claims(of: accessToken, signingKeys.verification)
        try await end(claims.sid)
    }

    private func end(_ id: SessionID) async throws {
        try await store.delete(id)
        accessTokens.end(id)
    }

    /// Derived rather than drawn, so that asking again within the grace gives the same one and nothing needs to be kept
    /// in the clear: it takes the token before, which the database does not hold, and the seed, which only it holds.
    private static func successor(of secret: [UInt8], seed: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: secret, using: SymmetricKey(data: seed)))
    }

    private static func digest(_ secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }

    private static func randomBytes() -> [UInt8] { SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) } }

    private func tokens(for user: User, session: SessionID, secret: [UInt8], at now: Timestamp) async throws -> Tokens {
        let expiry = now + settings.accessLifetime
        let claims = Claims(
            iss: settings.issuer, aud: settings.audience, sub: user.id, role: user.role, sid: session, iat: now.seconds,
            exp: expiry.seconds)
        return Tokens(
            access_token: try await signingKeys.sign(claims),
            expires_in: Int(settings.accessLifetime.components.seconds),
            refresh_token: "\(session).\(Base64URL.encode(secret))")
    }
}
