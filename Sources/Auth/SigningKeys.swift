import Contracts
import Crypto
import FoundationEssentials
import JWTKit

/// The keys of access tokens (ECDSA on P-256, `ES256`): the first signs, all verify.
///
/// To rotate, put a new key first and keep the old ones for as long as their tokens live.
public struct SigningKeys: Sendable {
    public enum Failure: Error, Sendable, CustomStringConvertible {
        case noKey
        case notAKey(String)
        case file(path: String, reason: String)

        public var description: String {
            switch self {
            case .noKey: "expected one or more PEM blocks '-----BEGIN PRIVATE KEY-----' with a P-256 key, found none"
            case .notAKey(let reason): "expected a P-256 private key in PEM (PKCS#8 or SEC1): \(reason)"
            case .file(let path, let reason): "the signing key \(path): \(reason)"
            }
        }
    }

    /// The public halves.
    let published: KeySet
    let verification: VerificationKeys
    private let collection: JWTKeyCollection
    private let newest: JWKIdentifier

    /// Reads one or more private keys in PEM, the one that signs first.
    public init(pem: String) async throws {
        let keys = try Self.privateBlocks(pem).map { block in
            do {
                return try P256.Signing.PrivateKey(pemRepresentation: block)
            } catch {
                throw Failure.notAKey("\(error)")
            }
        }
        try await self.init(keys)
    }

    /// A key that lives as long as the process: for tests.
    public static func ephemeral() async throws -> SigningKeys { try await SigningKeys([P256.Signing.PrivateKey()]) }

    private init(_ keys: [P256.Signing.PrivateKey]) async throws {
        let collection = JWTKeyCollection()
        var published: [PublicKey] = []
        for key in keys {
            let (x, y) = Self.coordinates(of: key)
            // RFC 7638: the same key has the same name everywhere.
            let canonical = #"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
            let kid = Base64URL.encode(Array(SHA256.hash(data: Array(canonical.utf8))))
            await collection.add(ecdsa: try ES256PrivateKey(backing: key), kid: JWKIdentifier(string: kid))
            published.append(PublicKey(kid: kid, x: x, y: y))
        }
        guard let newest = published.first else { throw Failure.noKey }
        self.collection = collection
        self.newest = JWKIdentifier(string: newest.kid)
        self.published = KeySet(keys: published)
        verification = try await VerificationKeys(self.published)
    }

    func sign(_ claims: Claims) async throws -> String { try await collection.sign(claims, kid: newest) }

    private static func coordinates(of key: P256.Signing.PrivateKey) -> (x: String, y: String) {
        let raw = Array(key.publicKey.rawRepresentation)
        return (Base64URL.encode(Array(raw.prefix(32))), Base64URL.encode(Array(raw.suffix(32))))
    }

    /// The blocks that hold private keys; openssl writes the curve's parameters before them.
    private static func privateBlocks(_ pem: String) -> [String] {
        var blocks: [String] = []
        var current: [Substring] = []
        for line in pem.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("-----BEGIN ") { current = [] }
            current.append(line)
            guard line.hasPrefix("-----END ") else { continue }
            if line.contains("PRIVATE KEY") { blocks.append(current.joined(separator: "\n")) }
            current = []
        }
        return blocks
    }
}

/// RFC 4648, section 5, without padding.
enum Base64URL {
    static func encode(_ bytes: [UInt8]) -> String {
        var text = ""
        for character in Data(bytes).base64EncodedString() {
            switch character {
            case "+": text.append("-")
            case "/": text.append("_")
            case "=": break
            default: text.append(character)
            }
        }
        return text
    }

    static func decode(_ text: Substring) -> [UInt8]? {
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") }) else { return nil }
        return Data(base64Encoded: standard(text)).map { Array($0) }
    }

    /// In the alphabet of section 4, with padding.
    static func standard(_ text: Substring) -> String {
        var standard = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        standard += String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        return standard
    }
}
