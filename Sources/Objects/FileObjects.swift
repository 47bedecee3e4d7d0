import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Objects as files under a folder, at most 64 MiB each.
///
/// The key `a/b.svg` is the file `a/b.svg,object`: a comma is in no key, so that a file and a folder never want the
/// same name. The file starts with two lines, its ETag and its content type, so that both change together with the
/// content.
public final class FileObjects: ObjectStore {
    public static let maxBytes = 64 << 20
    private static let ending = ",object"

    public let folder: String
    private let pool: BlockingPool
    private let written = Atomic<UInt64>(0)

    /// Makes the folder where it is missing. Throws `FileError`.
    public init(folder: String) throws {
        self.folder = folder
        pool = BlockingPool(name: "objects", threads: 2)
        try Files.makeFolder(folder + "/.unfinished")
    }

    @discardableResult
    public func put(_ key: String, _ bytes: [UInt8], contentType: String) async throws -> String {
        try ObjectKey.check(key)
        try ObjectKey.check(contentType: contentType)
        guard bytes.count <= Self.maxBytes else {
            throw ObjectError.tooLarge(key: key, bytes: bytes.count, limit: Self.maxBytes)
        }
        let number = written.add(1, ordering: .relaxed).newValue
        let temporary = "\(folder)/.unfinished/\(getpid())-\(number)"
        let path = path(of: key)
        return try await pool.run {
            let etag = Self.etag(bytes, contentType)
            let content = Array("\(etag)\n\(contentType)\n".utf8) + bytes
            do {
                try Files.write(content, to: path, by: temporary, isSynced: true)
            } catch FileError.missing {
                try Files.makeFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
                try Files.write(content, to: path, by: temporary, isSynced: true)
            }
            return etag
        }
    }

    public func get(_ key: String) async throws -> Object? {
        try ObjectKey.check(key)
        let path = path(of: key)
        return try await pool.run {
            do {
                return try Self.object(in: try Files.read(path, limit: Self.maxBytes + 1_024), path)
            } catch FileError.missing {
                return nil
            }
        }
    }

    public func delete(_ key: String) async throws {
        try ObjectKey.check(key)
        let path = path(of: key)
        try await pool.run { _ = try Files.remove(path) }
    }

    public func list(prefix: String, after: String?, limit: Int) async throws -> [String] {
        try ObjectKey.check(prefix: prefix)
        if let after { try ObjectKey.check(prefix: after) }
        guard (1...ObjectKey.listLimit).contains(limit) else { throw ObjectError.invalidLimit(limit) }
        return try await pool.run { [folder] in
            var found: [String] = []
            try Self.collect(&found, from: folder, under: "", Wanted(prefix: prefix, after: after, limit: limit))
            return found
        }
    }

    private func path(of key: String) -> String { "\(folder)/\(key)\(Self.ending)" }

    private static func object(in file: [UInt8], _ path: String) throws(ObjectError) -> Object {
        let newline = UInt8(ascii: "\n")
        guard let first = file.firstIndex(of: newline), let second = file[(first + 1)...].firstIndex(of: newline) else {
            throw .damaged(path: path)
        }
        let object = Object(
            bytes: Array(file[(second + 1)...]),
            contentType: String(decoding: file[(first + 1)..<second], as: UTF8.self),
            etag: String(decoding: file[..<first], as: UTF8.self))
        guard etag(object.bytes, object.contentType) == object.etag else { throw .damaged(path: path) }
        return object
    }

    /// Two FNV-1a hashes with different primes, and the length: it tells versions apart and notices damage; it is no
    /// defence against somebody who wants two contents to look the same.
    private static func etag(_ bytes: [UInt8], _ contentType: String) -> String {
        var first: UInt64 = 0xCBF2_9CE4_8422_2325
        var second: UInt64 = 0x9E37_79B9_7F4A_7C15
        func add(_ byte: UInt8) {
            first = (first ^ UInt64(byte)) &* 0x100_0000_01B3
            second = (second ^ UInt64(byte)) &* 0xFF51_AFD7_ED55_8CCD
        }
        for byte in contentType.utf8 { add(byte) }
        for byte in bytes { add(byte) }
        return String(first, radix: 16) + "-" + String(second ^ second >> 32, radix: 16) + "-" + String(bytes.count)
    }

    private struct Wanted {
        let prefix: String
        let after: String?
        let limit: Int

        func includes(_ key: String) -> Bool { key.starts(with: prefix) && after.map { $0.precedes(key) } ?? true }

        /// Whether a folder, given as `a/b/`, may hold wanted keys.
        func reaches(into folder: String) -> Bool {
            guard folder.starts(with: prefix) || prefix.starts(with: folder) else { return false }
            guard let after else { return true }
            return after.precedes(folder) || after.starts(with: folder)
        }
    }

    /// Depth first, in the order of keys: a folder sorts as its name with the slash.
    private static func collect(
        _ found: inout [String], from folder: String, under base: String, _ wanted: Wanted
    ) throws(FileError) {
        for name in try names(in: folder).sorted(by: { $0.precedes($1) }) where found.count < wanted.limit {
            let key = base + name
            if name.hasSuffix("/") {
                if wanted.reaches(into: key) {
                    try collect(&found, from: "\(folder)/\(name.dropLast())", under: key, wanted)
                }
            } else if wanted.includes(key) {
                found.append(key)
            }
        }
    }

    /// What a folder holds: files by the last segment of their key, folders with a slash.
    private static func names(in folder: String) throws(FileError) -> [String] {
        guard let directory = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw .inputOutput(path: folder, reason: String(cString: strerror(errno)))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix(".") else { continue }
            names.append(name.hasSuffix(ending) ? String(name.dropLast(ending.count)) : name + "/")
        }
        return names
    }
}
