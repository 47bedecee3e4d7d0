import Crypto
public import Kernel

/// Objects in a bucket of S3, or of anything that speaks its interface, at most 64 MiB each.
///
/// What is sent is signed with its hash and kept with it, and what comes back is checked against it. An ETag is made of
/// the bytes and the type, as `ObjectStore` wants it: S3's own knows nothing of the type, and changes with encryption.
/// Calls that failed on the way are made again; what is thrown then is an `S3Error` or an `ObjectError`.
public final class S3Objects: ObjectStore {
    public static let maxBytes = FileObjects.maxBytes
    /// Seconds for which a presigned upload may be valid: as S3 has it, a week.
    public static let uploadValidity = 1...604_800

    private let client: S3Client
    private let pool = BlockingPool(name: "objects", threads: 2)

    /// - Parameters:
    ///   - source: of the credentials; `AWSCredentialSource.named` finds it.
    ///   - send: `OutboundHTTP.send`.
    public convenience init(
        _ url: S3URL, _ source: AWSCredentialSource, clock: any WallClock = SystemClock(), send: @escaping Outbound
    ) {
        self.init(S3Client(url, source, clock: clock, send: send))
    }

    init(_ client: S3Client) { self.client = client }

    @discardableResult
    public func put(_ key: String, _ bytes: [UInt8], contentType: String) async throws -> String {
        let name = try fullKey(key)
        try ObjectKey.check(contentType: contentType)
        try check(key, bytes.count)
        let hash = try await hash(bytes)
        let call = S3Client.Call(
            method: .put, key: name,
            headers: [
                ("content-type", contentType), ("x-amz-checksum-sha256", hash.base64),
                ("x-amz-sdk-checksum-algorithm", "SHA256"),
            ],
            body: bytes, payloadHash: Hex.text(hash))
        return try await client.perform(call) { answer in
            guard answer.status == 200 else { throw self.unexpected(call, answer) }
            return Self.etag(hash, contentType)
        }
    }

    public func get(_ key: String) async throws -> Object? {
        let name = try fullKey(key)
        let call = S3Client.Call(
            method: .get, key: name, headers: [("x-amz-checksum-mode", "ENABLED")], answerLimit: Self.maxBytes)
        return try await client.perform(call) { answer in
            if answer.status == 404 { return nil }
            guard answer.status == 200 else { throw self.unexpected(call, answer) }
            let hash = try await self.hash(answer.body)
            // A checksum with a hyphen is of the parts of a multipart upload, not of the whole.
            if let kept = answer.headers["x-amz-checksum-sha256"], !kept.contains("-"), kept != hash.base64 {
                throw S3Client.Fault.passing(ObjectError.damaged(path: self.client.url.name(of: name)))
            }
            let type = answer.headers["content-type"] ?? "application/octet-stream"
            return Object(bytes: answer.body, contentType: type, etag: Self.etag(hash, type))
        }
    }

    public func delete(_ key: String) async throws {
        let call = S3Client.Call(method: .delete, key: try fullKey(key))
        try await client.perform(call) { _ in }
    }

    public func list(prefix: String, after: String?, limit: Int) async throws -> [String] {
        try ObjectKey.check(prefix: prefix)
        if let after { try ObjectKey.check(prefix: after) }
        guard (1...ObjectKey.listLimit).contains(limit) else { throw ObjectError.invalidLimit(limit) }
        let base = client.url.prefix
        var found: [String] = []
        var last = after.map { base + $0 } ?? ""
        // What others put into the bucket may have keys that are none here; then a page holds fewer than asked for.
        while found.count < limit {
            let page = try await page(base + prefix, after: last, limit: limit - found.count)
            found += page.keys.map { String(decoding: $0.utf8.dropFirst(base.utf8.count), as: UTF8.self) }
                .filter { (try? ObjectKey.check($0)) != nil }
            guard page.isTruncated, let next = page.keys.last else { break }
            last = next
        }
        return found
    }

    /// What a browser needs to put one object by itself, without its bytes passing through Souk.
    public struct Upload: Sendable, Hashable {
        /// Whoever has it may put this object: to be told to one client only.
        public let url: String
        public let method: String
        /// To be sent exactly so; S3 refuses another type, or another length.
        public let headers: [String: String]
        public let expiry: Timestamp
    }

    /// Lets someone put `bytes` bytes of the type under the key, for so many seconds.
    public func presignedUpload(
        _ key: String, contentType: String, bytes: Int, seconds: Int
    ) async throws -> Upload {
        let name = try fullKey(key)
        try ObjectKey.check(contentType: contentType)
        try check(key, bytes)
        let seconds = min(max(seconds, Self.uploadValidity.lowerBound), Self.uploadValidity.upperBound)
        let headers = [("content-type", contentType), ("content-length", String(bytes))]
        let call = S3Client.Call(method: .put, key: name, headers: headers.map { (name: $0.0, value: $0.1) })
        let (url, expiry) = try await client.presigned(call, seconds: seconds)
        return Upload(
            url: url, method: "PUT", headers: Dictionary(headers) { first, _ in first }, expiry: expiry)
    }

    /// Keys as the bucket has them; `after` may be empty.
    private func page(
        _ prefix: String, after: String, limit: Int
    ) async throws -> (keys: [String], isTruncated: Bool) {
        let call = S3Client.Call(
            method: .get,
            query: [("list-type", "2"), ("max-keys", String(limit)), ("prefix", prefix)]
                + (after.isEmpty ? [] : [("start-after", after)]))
        return try await client.perform(call) { answer in
            guard let tree = try? XMLTree(answer.body), tree.name == "ListBucketResult" else {
                throw self.unexpected(call, answer)
            }
            let keys = tree.children.filter { $0.name == "Contents" }.compactMap { $0.first("Key")?.text }
            // In order, so that the next page begins later: otherwise this would never end.
            let isInOrder = zip([after] + keys, keys).allSatisfy { $0.precedes($1) }
            guard isInOrder, keys.count <= limit, keys.allSatisfy({ $0.utf8.starts(with: prefix.utf8) }) else {
                throw self.unexpected(call, answer)
            }
            return (keys, tree.children.contains { $0.name == "IsTruncated" && $0.text == "true" })
        }
    }

    /// A success that is none of S3's: worth another try, as a lost answer is.
    private func unexpected(_ call: S3Client.Call, _ answer: OutboundAnswer) -> S3Client.Fault {
        .passing(
            S3Error.unavailable(
                request: client.name(of: call), reason: "an answer \(answer.status) that is not S3's"))
    }

    private func fullKey(_ key: String) throws(ObjectError) -> String {
        try ObjectKey.check(key)
        let name = client.url.prefix + key
        guard name.utf8.count <= ObjectKey.maxBytes else {
            throw .invalidKey(key, reason: "with the bucket's prefix it has more than \(ObjectKey.maxBytes) bytes")
        }
        return name
    }

    private func check(_ key: String, _ bytes: Int) throws(ObjectError) {
        guard (0...Self.maxBytes).contains(bytes) else {
            throw .tooLarge(key: key, bytes: bytes, limit: Self.maxBytes)
        }
    }

    private func hash(_ bytes: [UInt8]) async throws -> [UInt8] {
        try await pool.run { Array(SHA256.hash(data: bytes)) }
    }

    /// 128 bits of a hash over the content's hash and the type.
    private static func etag(_ hash: [UInt8], _ contentType: String) -> String {
        Hex.text(SHA256.hash(data: hash + Array(contentType.utf8)).prefix(16))
    }
}
