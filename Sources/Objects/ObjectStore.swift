/// Files by key: pictures, exports. A key is a path of 1 to 1,024 bytes, `products/prod_01h4/1.svg`: segments of ASCII
/// letters, digits and `-_.~+=@`, each of at most 200 bytes and not starting with a dot, divided by single slashes.
public protocol ObjectStore: Sendable {
    /// Keeps the bytes under the key, in place of what was there: a reader sees the old object or the new one, never
    /// half. Returns once they are on disk, with the new object's ETag.
    @discardableResult
    func put(_ key: String, _ bytes: [UInt8], contentType: String) async throws -> String

    /// Nil where nothing is kept under the key.
    func get(_ key: String) async throws -> Object?

    /// Harmless where nothing is kept.
    func delete(_ key: String) async throws

    /// Keys that start with `prefix`, in ascending order of their bytes, after `after`; 1 to 1,000 of them.
    func list(prefix: String, after: String?, limit: Int) async throws -> [String]
}

public struct Object: Sendable, Equatable {
    public let bytes: [UInt8]
    public let contentType: String
    /// Without quotes; other bytes or another type have another one.
    public let etag: String

    public init(bytes: [UInt8], contentType: String, etag: String) {
        self.bytes = bytes
        self.contentType = contentType
        self.etag = etag
    }
}

/// What is wrong with a request. What is wrong with the disk is a `FileError`, with S3 an `S3Error`.
public enum ObjectError: Error, Sendable, Equatable {
    case invalidKey(String, reason: String)
    case invalidContentType(String)
    case invalidLimit(Int)
    case tooLarge(key: String, bytes: Int, limit: Int)
    /// The file, or the bucket, does not hold an object as it was written.
    case damaged(path: String)
}

extension ObjectError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidKey(let key, let reason): "'\(key.prefix(80))' is not an object's key: \(reason)"
        case .invalidContentType(let type):
            "'\(type.prefix(80))' is not a media type: expected one such as image/svg+xml"
        case .invalidLimit(let limit): "\(limit) objects were asked for: expected 1 to \(ObjectKey.listLimit)"
        case .tooLarge(let key, let bytes, let limit): "\(key) has \(bytes) bytes, at most \(limit) are accepted"
        case .damaged(let path): "\(path) is damaged: restore it from a backup"
        }
    }
}

/// What a key may look like, the same for every store: what one accepts, the others do too.
enum ObjectKey {
    static let maxBytes = 1_024
    static let maxSegmentBytes = 200
    static let listLimit = 1_000

    static func check(_ key: String) throws(ObjectError) {
        let bytes = key.utf8
        guard !bytes.isEmpty, bytes.count <= maxBytes else {
            throw .invalidKey(key, reason: "it has \(bytes.count) bytes, expected 1 to \(maxBytes)")
        }
        for segment in key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard !segment.isEmpty, segment.count <= maxSegmentBytes, segment.first != UInt8(ascii: ".") else {
                throw .invalidKey(
                    key, reason: "between slashes expected 1 to \(maxSegmentBytes) bytes, not starting with a dot")
            }
        }
        try checkCharacters(key)
    }

    /// A prefix may end anywhere, so only its characters and length are checked.
    static func check(prefix: String) throws(ObjectError) {
        guard prefix.utf8.count <= maxBytes else {
            throw .invalidKey(prefix, reason: "it has \(prefix.utf8.count) bytes, at most \(maxBytes) are accepted")
        }
        try checkCharacters(prefix)
    }

    private static func checkCharacters(_ key: String) throws(ObjectError) {
        for byte in key.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                continue
            case _ where "/-_.~+=@".utf8.contains(byte): continue
            default: throw .invalidKey(key, reason: "expected ASCII letters, digits, slashes and -_.~+=@")
            }
        }
    }

    static func check(contentType: String) throws(ObjectError) {
        guard (3...127).contains(contentType.utf8.count), contentType.utf8.contains(UInt8(ascii: "/")),
            contentType.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
        else { throw .invalidContentType(contentType) }
    }
}

extension String {
    /// By their bytes: what S3 does, and what Swift's own order is not.
    func precedes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
