import Crypto
import Kernel

/// Says who the bearer of an access token is, in whatever process.
struct AccessTokens: Sendable {
    /// Longer ones are none of ours.
    private static let longest = 4_000
    static let invalid = Problem(.invalidToken, "the access token is not valid (any more)")

    let settings: Auth.Settings
    let clock: any WallClock
    let verified = VerifiedTokens()

    /// - Parameter keys: asked for once a token.
    func caller(_ token: String, _ keys: () async throws -> VerificationKeys) async throws -> Caller {
        guard token.utf8.count <= Self.longest else { throw Self.invalid }
        let now = clock.now()
        let key = SHA256.hash(data: Array(token.utf8))
        switch verified.look(up: key, now: now) {
        case .known(let caller): return caller
        case .ended: throw Self.invalid
        case .unknown: break
        }
        let claims = try await claims(of: token, try await keys())
        guard claims.exp > now.seconds else { throw Self.invalid }
        let entry = VerifiedTokens.Token(
            caller: .user(claims.sub, claims.role), session: claims.sid, expiry: Timestamp(seconds: claims.exp))
        guard verified.keep(entry, as: key, now: now) else { throw Self.invalid }
        return entry.caller
    }

    /// What a token says, if its signature, issuer and audience are right; its time may have passed.
    func claims(of token: String, _ keys: VerificationKeys) async throws -> Claims {
        guard let claims = await keys.verify(token), claims.iss == settings.issuer, claims.aud == settings.audience
        else { throw Self.invalid }
        return claims
    }

    /// No token of the session is let in here any more.
    func end(_ session: SessionID) {
        let now = clock.now()
        verified.end(session, until: now + settings.accessLifetime, now: now)
    }
}
