public import Kernel

extension Auth {
    public func caller(accessToken: String) async throws -> Caller {
        try await accessTokens.caller(accessToken) { signingKeys.verification }
    }
}
