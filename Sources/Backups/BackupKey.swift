import Crypto
import Kernel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The secret that all backups of a shop are encrypted with. Each backup has keys of its own, derived from it by HKDF
/// with a random salt. Never printed.
public struct BackupKey: Sendable, CustomStringConvertible, CustomReflectable {
    static let shortest = 32
    private let secret: SymmetricKey

    /// Reads 32 bytes or more, in hexadecimal or base64.
    /// - Parameter name: the setting, for the message.
    public init(_ text: String, named name: String = "SOUK_BACKUP_KEY") throws(BackupError) {
        let text = String(text.filter { !$0.isWhitespace })
        let digits = text.utf8.count >= 2 * Self.shortest ? Hex.bytes(text.lowercased()) : nil
        let bytes = digits ?? Self.base64(text)
        guard let bytes, bytes.count >= Self.shortest else { throw .invalidKey(name: name) }
        secret = SymmetricKey(data: bytes)
    }

    /// With or without padding, both alphabets.
    private static func base64(_ text: String) -> [UInt8]? {
        let digits = text.replacing("-", with: "+").replacing("_", with: "/").prefix { $0 != "=" }
        let padding = String(repeating: "=", count: (4 - digits.utf8.count % 4) % 4)
        return Data(base64Encoded: digits + padding).map { Array($0) }
    }

    public var description: String { "BackupKey(redacted)" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// What a derived key is for: a key for one thing opens nothing else.
    enum Purpose: String {
        case parts = "souk backup 1 parts"
        case manifest = "souk backup 1 manifest"
        case content = "souk backup 1 content"
        case contentNames = "souk backup 1 content names"
        case fingerprint = "souk backup 1 fingerprint"
        case logParts = "souk log 1 parts"
        case logManifest = "souk log 1 manifest"
        case logCuts = "souk log 1 cuts"
    }

    func derived(for purpose: Purpose, salt: [UInt8] = []) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: secret, salt: salt, info: Array(purpose.rawValue.utf8), outputByteCount: 32)
    }

    /// Tells keys apart without telling anything of them.
    var fingerprint: String {
        derived(for: .fingerprint).withUnsafeBytes { Hex.text($0.prefix(8)) }
    }

    /// For one backup.
    static func salt() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
