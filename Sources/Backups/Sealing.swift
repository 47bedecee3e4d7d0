import Crypto
import Kernel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How the bytes of one backup are kept from others: AES-256-GCM, or in the clear where the user said so.
///
/// A part's nonce is its number, which no other part of the backup has, and each backup has a key of its own; its name
/// and the backup's are authenticated with it. So parts can neither be swapped nor moved to another backup, and the
/// manifest tells if one is missing.
struct Sealing: Sendable {
    private let parts: SymmetricKey?
    private let manifest: SymmetricKey?

    /// A key for one of them opens nothing of the others.
    enum Kind {
        case backup
        /// The base of a continuous copy, and its manifest.
        case base
        /// What a continuous copy has beyond its base.
        case cuts
    }

    init(_ key: BackupKey?, salt: [UInt8], of kind: Kind = .backup) {
        let purpose: BackupKey.Purpose =
            switch kind {
            case .backup: .parts
            case .base: .logParts
            case .cuts: .logCuts
            }
        parts = key?.derived(for: purpose, salt: salt)
        manifest = key?.derived(for: kind == .backup ? .manifest : .logManifest, salt: salt)
    }

    func seal(_ bytes: [UInt8], number: Int, name: String) throws -> [UInt8] {
        guard let parts else { return bytes }
        let box = try AES.GCM.seal(bytes, using: parts, nonce: Self.nonce(number), authenticating: Array(name.utf8))
        return Array(box.ciphertext) + Array(box.tag)
    }

    /// Throws `BackupError.damagedPart` unless it is what was sealed under that number and name.
    func open(_ bytes: [UInt8], number: Int, name: String) throws -> [UInt8] {
        guard let parts else { return bytes }
        do {
            guard bytes.count >= Self.tagBytes else { throw CryptoKitError.incorrectParameterSize }
            let box = try AES.GCM.SealedBox(
                nonce: Self.nonce(number), ciphertext: bytes.dropLast(Self.tagBytes),
                tag: bytes.suffix(Self.tagBytes))
            return Array(try AES.GCM.open(box, using: parts, authenticating: Array(name.utf8)))
        } catch {
            throw BackupError.damagedPart(key: name, detail: "it is not what was sealed under this name")
        }
    }

    /// With a nonce at random, for what another process may go on with: two must not seal under one number.
    func seal(_ bytes: [UInt8], name: String) throws -> [UInt8] {
        guard let parts else { return bytes }
        let box = try AES.GCM.seal(bytes, using: parts, authenticating: Array(name.utf8))
        return Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
    }

    func open(_ bytes: [UInt8], name: String) throws -> [UInt8] {
        guard let parts else { return bytes }
        guard let box = try? AES.GCM.SealedBox(combined: bytes),
            let opened = try? AES.GCM.open(box, using: parts, authenticating: Array(name.utf8))
        else { throw BackupError.damagedPart(key: name, detail: "it is not what was sealed under this name") }
        return Array(opened)
    }

    private static let tagBytes = 16

    private static func nonce(_ number: Int) throws -> AES.GCM.Nonce {
        let digits = withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
        return try AES.GCM.Nonce(data: [0, 0, 0, 0] + digits)
    }

    /// Of the manifest: an HMAC, or without a key a hash, which tells damage but nothing of who wrote it.
    func mark(_ bytes: [UInt8]) -> String {
        guard let manifest else { return Hex.text(SHA256.hash(data: bytes)) }
        return Hex.text(HMAC<SHA256>.authenticationCode(for: bytes, using: manifest))
    }
}

/// How pictures are kept that many backups share: under a name that only who has the key can make of the content.
struct ContentSealing: Sendable {
    private let content: SymmetricKey?
    private let names: SymmetricKey?

    init(_ key: BackupKey?) {
        content = key?.derived(for: .content)
        names = key?.derived(for: .contentNames)
    }

    func name(of bytes: [UInt8]) -> String {
        guard let names else { return Hex.text(SHA256.hash(data: bytes)) }
        return Hex.text(HMAC<SHA256>.authenticationCode(for: bytes, using: names))
    }

    func seal(_ bytes: [UInt8], name: String) throws -> [UInt8] {
        guard let content else { return bytes }
        let box = try AES.GCM.seal(bytes, using: content, authenticating: Array(name.utf8))
        return Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
    }

    /// Nil unless it is the content of that name.
    func open(_ bytes: [UInt8], name: String) -> [UInt8]? {
        guard let content else { return self.name(of: bytes) == name ? bytes : nil }
        guard let box = try? AES.GCM.SealedBox(combined: bytes),
            let opened = try? AES.GCM.open(box, using: content, authenticating: Array(name.utf8))
        else { return nil }
        return Array(opened)
    }
}
