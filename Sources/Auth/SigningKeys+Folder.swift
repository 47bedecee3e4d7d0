import Crypto
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import FoundationEssentials
import Kernel

extension SigningKeys {
    /// The keys in a folder, the newest signing; the first one is made if there is none. Reads and writes files.
    ///
    /// Names are numbers, `0001.pem`; only the owner may read them. Give a folder to one process at a time.
    public static func kept(in folder: String) async throws -> SigningKeys {
        if try names(in: folder).isEmpty { try addKey(to: folder) }
        return try await load(from: folder)
    }

    /// Adds a key that signs from now on; those before go on verifying.
    public static func rotate(in folder: String) async throws -> SigningKeys {
        try addKey(to: folder)
        return try await load(from: folder)
    }

    private static func load(from folder: String) async throws -> SigningKeys {
        var pem = ""
        for name in try names(in: folder).reversed() {
            let path = folder + "/" + name
            do {
                pem += try String(contentsOfFile: path, encoding: .utf8) + "\n"
            } catch {
                throw Failure.file(path: path, reason: "\(error)")
            }
        }
        return try await SigningKeys(pem: pem)
    }

    private static func names(in folder: String) throws -> [String] {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".pem") }.sorted()
        } catch {
            throw Failure.file(path: folder, reason: "\(error)")
        }
    }

    /// Written under another name first: a key is there whole, or not at all.
    private static func addKey(to folder: String) throws {
        let number = (try names(in: folder).last?.dropLast(4)).flatMap { Int($0) } ?? 0
        let digits = String(number + 1)
        let path = folder + "/" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits + ".pem"
        let draft = path + ".new"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw Failure.file(path: draft, reason: String(cString: strerror(errno))) }
        let bytes = Array((P256.Signing.PrivateKey().pemRepresentation + "\n").utf8)
        let isWritten = write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
        let reason = String(cString: strerror(errno))
        close(file)
        guard isWritten, rename(draft, path) == 0 else {
            unlink(draft)
            throw Failure.file(path: path, reason: reason)
        }
    }
}
