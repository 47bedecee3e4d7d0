import Crypto
import FoundationEssentials
import Kernel

/// The secret of a webhook and its signatures, after Standard Webhooks: HMAC-SHA256 of `id.timestamp.body`.
struct WebhookSecret: Sendable, CustomStringConvertible {
    /// Standard Webhooks asks for 24 to 64.
    static let length = 32
    private static let prefix = "whsec_"

    private let key: SymmetricKey

    /// A new one, of the system's randomness.
    init() { key = SymmetricKey(size: SymmetricKeySize(bitCount: Self.length * 8)) }

    /// Nil unless it is `whsec_` and base64.
    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), let bytes = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))),
            (24...64).contains(bytes.count)
        else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// What is shown once, and kept.
    func reveal() -> String { Self.prefix + key.withUnsafeBytes { Data($0).base64EncodedString() } }

    /// What the three headers of a message say.
    func headers(id: String, at time: Timestamp, body: [UInt8]) -> [(name: String, value: String)] {
        let signed = Array("\(id).\(time.seconds).".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: signed, using: key)
        return [
            ("webhook-id", id), ("webhook-timestamp", String(time.seconds)),
            ("webhook-signature", "v1," + Data(code).base64EncodedString()),
        ]
    }

    var description: String { "(secret)" }
}
