import Crypto
import Kernel

/// A part as it is kept.
struct SealedPart: Sendable {
    let number: Int
    let entry: Manifest.Part
    let bytes: [UInt8]

    /// Bytes of rows in a part, before they are packed; a row that is larger has a part to itself.
    static let size = 8 << 20

    static func seal(
        _ rows: [UInt8], count: Int, number: Int, name: String, of backup: String, _ sealing: Sealing
    ) throws -> SealedPart {
        let key = Manifest.key(of: backup, part: number, name)
        return try seal(rows, count: count, number: number, name: name, at: key, sealing)
    }

    /// - Parameter key: where it will be kept; it opens nowhere else.
    static func seal(
        _ rows: [UInt8], count: Int, number: Int, name: String, at key: String, _ sealing: Sealing
    ) throws -> SealedPart {
        let bytes = try sealing.seal(try Deflate.pack(rows), number: number, name: key)
        let entry = Manifest.Part(
            name: name, rows: count, size: rows.count, bytes: bytes.count, sha256: hash(bytes))
        return SealedPart(number: number, entry: entry, bytes: bytes)
    }

    static func open(
        _ bytes: [UInt8], _ part: Manifest.Part, number: Int, key: String, _ sealing: Sealing
    ) throws -> [UInt8] {
        guard bytes.count == part.bytes, hash(bytes) == part.sha256 else {
            throw BackupError.damagedPart(key: key, detail: "it is not the one that was written")
        }
        let packed = try sealing.open(bytes, number: number, name: key)
        do {
            return try Deflate.unpack(packed, size: part.size)
        } catch {
            throw BackupError.damagedPart(key: key, detail: "\(error)")
        }
    }

    private static func hash(_ bytes: [UInt8]) -> String { Hex.text(SHA256.hash(data: bytes)) }
}
