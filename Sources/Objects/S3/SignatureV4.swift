import Crypto
import Kernel

/// AWS Signature Version 4 with one key, for one service in one region: a pure function of the request and the time.
///
/// Paths are encoded once and never normalized, as S3 has it. Source: "Authenticating Requests (AWS Signature Version
/// 4)" in the Amazon S3 API reference.
struct SignatureV4: Sendable {
    static let algorithm = "AWS4-HMAC-SHA256"
    /// Stands for the payload's hash where the payload is not known yet: in presigned URLs.
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    let credentials: AWSCredentials
    let region: String
    let service: String

    /// What is signed. All its headers are, and `host` must be among them.
    struct Request: Sendable {
        var method: String
        /// Not encoded, with its first slash.
        var path: String
        /// Not encoded.
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)]
        /// The SHA-256 of the body in hexadecimal.
        var payloadHash: String
    }

    /// The headers to send beside the request's own: `x-amz-date`, `x-amz-security-token` for temporary credentials,
    /// `authorization`.
    func headers(for request: Request, at time: Timestamp) -> [(name: String, value: String)] {
        var added = [(name: "x-amz-date", value: time.compactISO8601)]
        if let token = credentials.sessionToken { added.append(("x-amz-security-token", token)) }
        var request = request
        request.headers += added
        let authorization =
            "\(Self.algorithm) Credential=\(credentials.accessKey)/\(scope(at: time)), "
            + "SignedHeaders=\(Self.signedHeaders(request)), Signature=\(signature(of: request, at: time))"
        added.append(("authorization", authorization))
        return added
    }

    /// The whole query of a presigned URL, encoded: whoever has it may send this one request for so many seconds.
    func presignedQuery(for request: Request, at time: Timestamp, seconds: Int) -> String {
        var request = request
        request.query += [
            ("X-Amz-Algorithm", Self.algorithm),
            ("X-Amz-Credential", "\(credentials.accessKey)/\(scope(at: time))"),
            ("X-Amz-Date", time.compactISO8601),
            ("X-Amz-Expires", String(seconds)),
            ("X-Amz-SignedHeaders", Self.signedHeaders(request)),
        ]
        if let token = credentials.sessionToken { request.query.append(("X-Amz-Security-Token", token)) }
        return Self.canonicalQuery(request.query) + "&X-Amz-Signature=\(signature(of: request, at: time))"
    }

    static func canonicalRequest(_ request: Request) -> String {
        let headers = canonicalHeaders(request).map { "\($0.name):\($0.value)\n" }.joined()
        return [
            request.method, request.path.percentEncoded(keepsSlashes: true), canonicalQuery(request.query), headers,
            signedHeaders(request), request.payloadHash,
        ].joined(separator: "\n")
    }

    func stringToSign(_ request: Request, at time: Timestamp) -> String {
        let hash = SHA256.hash(data: Array(Self.canonicalRequest(request).utf8))
        return [Self.algorithm, time.compactISO8601, scope(at: time), Hex.text(hash)].joined(separator: "\n")
    }

    func signature(of request: Request, at time: Timestamp) -> String {
        var key = Array("AWS4\(credentials.secretKey)".utf8)
        let steps = [time.compactDate, region, service, "aws4_request", stringToSign(request, at: time)]
        for step in steps {
            key = Array(HMAC<SHA256>.authenticationCode(for: Array(step.utf8), using: SymmetricKey(data: key)))
        }
        return Hex.text(key)
    }

    /// Sorted by their encoded names, then values, in the order of bytes.
    static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        let encoded = query.map { ($0.name.percentEncoded(), $0.value.percentEncoded()) }
        let sorted = encoded.sorted { left, right in
            left.0 == right.0 ? left.1.precedes(right.1) : left.0.precedes(right.0)
        }
        return sorted.map { "\($0)=\($1)" }.joined(separator: "&")
    }

    private func scope(at time: Timestamp) -> String { "\(time.compactDate)/\(region)/\(service)/aws4_request" }

    private static func signedHeaders(_ request: Request) -> String {
        canonicalHeaders(request).map(\.name).joined(separator: ";")
    }

    /// Names in lower case and in order, one each; values without outer blanks, inner ones single.
    private static func canonicalHeaders(_ request: Request) -> [(name: String, value: String)] {
        var values: [String: [String]] = [:]
        for (name, value) in request.headers {
            values[name.lowercased(), default: []].append(value.split(separator: " ").joined(separator: " "))
        }
        return values.sorted { $0.key.precedes($1.key) }.map { ($0.key, $0.value.joined(separator: ",")) }
    }
}

extension Timestamp {
    /// `20150830T123600Z`
    var compactISO8601: String {
        let (_, _, _, hour, minute, second) = civil
        return "\(compactDate)T\(hour.padded(2))\(minute.padded(2))\(second.padded(2))Z"
    }

    /// `20150830`
    fileprivate var compactDate: String {
        let (year, month, day, _, _, _) = civil
        return year.padded(4) + month.padded(2) + day.padded(2)
    }
}

extension Int {
    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
    }
}
