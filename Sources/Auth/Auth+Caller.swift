import Crypto
public import Kernel

extension Auth {
    private static let invalid = Problem(.invalidToken, "the access token is not valid (any more)")
    /// Longer ones are none of ours.
    private static let longestToken = 4_000

    public func caller(accessToken: String) async throws -> Caller {
        guard accessToken.utf8.count <= Self.longestToken else { throw Self.invalid }
        let now = clock.now()
        let key = SHA256.hash(data: Array(accessToken.utf8))
        switch verified.look(up: key, now: now) {
        case .known(let caller): return caller
        case .ended: throw Self.invalid
        case .unknown: break
        }
        let claims = try await claims(of: accessToken)
        guard claims.exp > now.seconds else { throw Self.invalid }
        let token = VerifiedTokens.Token(
            caller: .user(claims.sub, claims.role), session: claims.sid, expiry: Timestamp(seconds: claims.exp))
        guard verified.keep(token, as: key, now: now) else { throw Self.invalid }
        return token.caller
    }

    /// What a token says, if its signature, issuer and audience are right; its time may have passed.
    func claims(of accessToken: String) async throws -> Claims {
        guard let claims = await signingKeys.verify(accessToken), claims.iss == settings.issuer,
            claims.aud == settings.audience
        else { throw Self.invalid }
        return claims
    }
}
