import Contracts
import JWTKit
import Kernel

/// What an access token says. Times are seconds since 1970; they are checked by the injected clock, not here.
struct Claims: JWTPayload {
    var iss: String
    var aud: String
    var sub: UserID
    var role: Role
    var sid: SessionID
    var iat: Int64
    var exp: Int64

    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
