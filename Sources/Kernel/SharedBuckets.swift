/// A bucket of tokens for each client, shared by all processes that serve it: a limit that holds however many there
/// are.
public protocol SharedBuckets: Sendable {
    /// - Parameters:
    ///   - key: names the client: `address:203.0.113.7`, `user:user_01h4…`.
    ///   - cost: 1 takes a token, 0 only looks whether there is one.
    /// - Returns: seconds until there is a token; nil if there was one.
    /// - Throws: when that cannot be told in a moment. The caller then asks a bucket of its own.
    func take(_ key: String, cost: Double) async throws -> Double?
}
