import Contracts
import JWTKit
import Kernel

/// What verifies access tokens: the public keys, by their names.
struct VerificationKeys: Sendable {
    private let collection: JWTKeyCollection
    private let known: Set<String>

    /// - Throws: if a key is no point of the curve.
    init(_ set: KeySet) async throws {
        collection = JWTKeyCollection()
        for key in set.keys {
            await collection.add(
                ecdsa: try ES256PublicKey(parameters: (Self.padded(key.x), Self.padded(key.y))),
                kid: JWKIdentifier(string: key.kid))
        }
        known = Set(set.keys.map(\.kid))
    }

    /// Whether the key is here that the token says it was signed with.
    func knows(_ token: String) -> Bool { Self.kid(of: token).map(known.contains) ?? false }

    /// Nil unless one of these keys signed it. The algorithm is the key's own, whatever the token says of it.
    func verify(_ token: String) async -> Claims? {
        guard knows(token) else { return nil }
        return try? await collection.verify(token, as: Claims.self)
    }

    private static func kid(of token: String) -> String? {
        guard let header = token.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).first,
            let bytes = Base64URL.decode(header), let json = try? JSON.parse(bytes)
        else { return nil }
        return json["kid"]?.stringValue
    }

    private static func padded(_ text: String) -> String { Base64URL.standard(text[...]) }
}
