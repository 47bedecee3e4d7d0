import Crypto
public import Kernel

/// What a backup is made of. It is written last: without it there is no backup. Readable by anybody who can read the
/// place (tables, counts and sizes, no row), and by a key's mark beneath nobody else's to write.
public struct Manifest: Codable, Sendable, Equatable {
    /// Of the layout of the whole; another one is not read.
    static let format = 1

    public var format = Self.format
    public var id: String
    /// The release of Souk.
    public var release: String
    /// The moment that all rows show.
    public var taken_at: Timestamp
    public var finished_at: Timestamp
    /// Where it was made: `sqlite` or `postgres`.
    public var engine: String
    /// Nil: in the clear.
    public var encryption: Encryption?
    public var stores: [Store]
    /// Nil: without pictures.
    public var objects: Objects?
    /// By their number, from 0.
    public var parts: [Part]
    /// Of the base of a continuous copy: what its engine has to know of it. Nil in a backup.
    public var details: [String: String]?

    public struct Encryption: Codable, Sendable, Equatable {
        public var cipher: String
        /// Hexadecimal.
        public var salt: String
        /// Which key, so that a wrong one can be told from damage.
        public var key: String
    }

    /// One service's database.
    public struct Store: Codable, Sendable, Equatable {
        public var name: String
        /// The names of the migrations that had been applied.
        public var migrations: [String]
        /// Each behind those that it refers to.
        public var tables: [Table]
    }

    public struct Table: Codable, Sendable, Equatable {
        public var name: String
        public var columns: [String]
        public var rows: Int
        /// The last number that the table has given by itself, where it does.
        public var last_number: Int64?
    }

    public struct Objects: Codable, Sendable, Equatable {
        public var count: Int
        public var bytes: Int
        /// The folder of their contents.
        public var week: String
    }

    public struct Part: Codable, Sendable, Equatable {
        /// `orders.order_lines`, or `objects`.
        public var name: String
        public var rows: Int
        /// Before it was compressed.
        public var size: Int
        /// As it is kept.
        public var bytes: Int
        public var sha256: String
    }
}

extension Manifest {
    public var rows: Int { stores.joined(\.tables).reduce(0) { $0 + $1.rows } }
    /// As they are kept, without pictures.
    public var bytes: Int { parts.reduce(0) { $0 + $1.bytes } }

    /// Where a part is, under the backup's own folder.
    static func key(of backup: String, part number: Int, _ name: String) -> String {
        let digits = String(number)
        let padding = String(repeating: "0", count: max(0, 6 - digits.count))
        return "\(Self.folder(of: backup))\(padding)\(digits)-\(name)"
    }

    static func folder(of backup: String) -> String { "backups/\(backup)/" }
    static func key(of backup: String) -> String { folder(of: backup) + "manifest" }

    func key(of number: Int) -> String { Self.key(of: id, part: number, parts[number].name) }

    /// Two lines: itself as JSON, and the mark that makes it true.
    func signed(by sealing: Sealing) throws -> [UInt8] {
        let text = try JSON.encode(self)
        return text + Array("\n\(sealing.mark(text))\n".utf8)
    }

    /// - Throws: `BackupError` for another key, damage, or a layout of another release.
    static func read(
        _ bytes: [UInt8], of backup: String, _ key: BackupKey?, as kind: Sealing.Kind = .backup
    ) throws -> (Manifest, Sealing) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count == 3 else { throw BackupError.damagedManifest(backup: backup, detail: "it is not whole") }
        let manifest = try unproved(bytes, of: backup)
        if let encryption = manifest.encryption {
            guard let key else { throw BackupError.needsKey }
            guard encryption.key == key.fingerprint else { throw BackupError.wrongKey(backup: backup) }
        } else if key != nil {
            throw BackupError.notEncrypted(backup: backup)
        }
        guard let salt = Hex.bytes(manifest.encryption?.salt ?? "") else {
            throw BackupError.damagedManifest(backup: backup, detail: "its salt is not hexadecimal")
        }
        let sealing = Sealing(key, salt: salt, of: kind)
        guard sealing.mark(Array(lines[0])) == String(decoding: lines[1], as: UTF8.self) else {
            throw BackupError.damagedManifest(backup: backup, detail: "it is not what was written")
        }
        guard manifest.id == backup else {
            throw BackupError.damagedManifest(backup: backup, detail: "it is that of \(manifest.id)")
        }
        return (manifest, sealing)
    }

    /// Eight terabytes of rows.
    private static let limits = JSONLimits(members: 1_000_000, bytes: 256 << 20)

    /// What it says of itself, to be shown and not to be believed.
    static func unproved(_ bytes: [UInt8], of backup: String) throws -> Manifest {
        guard let line = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1).first,
            let tree = try? JSON.parse(Array(line), limits: limits)
        else { throw BackupError.damagedManifest(backup: backup, detail: "it is no JSON") }
        if let found = tree["format"]?.integerValue, found != Int64(format) {
            throw BackupError.newer(backup: backup, detail: "its layout is \(found), this release's \(format)")
        }
        do {
            return try tree.decode(Manifest.self)
        } catch {
            throw BackupError.damagedManifest(backup: backup, detail: "\(error)")
        }
    }
}

extension Collection {
    fileprivate func joined<T>(_ path: KeyPath<Element, [T]>) -> [T] { flatMap { $0[keyPath: path] } }
}
