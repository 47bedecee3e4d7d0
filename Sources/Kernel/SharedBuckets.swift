/// A bucket of tokens for each client, shared by all processes that serve it: a limit that holds however many there
/// are.
public protocol SharedBuckets: Sendable {
    /// Takes a token.
    /// - Parameter key: names the client: `address:203.0.113.7`, `user:user_01h4…`.
    /// - Returns: seconds until there is a token; nil if there was one.
    /// - Throws: when that cannot be told in a moment. The caller then asks a bucket of its own.
    func take(_ key: String) async throws -> Double?
}
