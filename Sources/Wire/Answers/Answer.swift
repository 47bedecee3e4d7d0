import Kernel
import NIOCore

/// An answer before it is bytes.
struct Answer: Sendable {
    var status: Int
    var contentType: String?
    var body: [UInt8]
    /// Names in lower case.
    var headers: [(String, String)] = []
    var cacheControl: String? = Answer.noStore
    /// Without its quotes.
    var etag: String?
    /// For how long and as what the edge may keep it.
    var keeping: Keeping?

    struct Keeping: Sendable {
        var tags: [String]
        var isImmutable = false
    }

    /// It has a gzip form.
    static let vary = ("vary", "accept-encoding")
    static let noStore = "no-store"
    static let revalidate = "public, max-age=0, must-revalidate"
    static let immutable = "public, max-age=31536000, immutable"

    init(_ status: Int, _ contentType: String? = nil, _ body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ value: JSON, status: Int = 200) -> Answer {
        Answer(status, "application/json", value.serialized())
    }

    static func text(_ text: String, status: Int = 200) -> Answer {
        Answer(status, "text/plain; charset=utf-8", Array(text.utf8))
    }

    /// `application/problem+json` with the headers that go with its status.
    static func problem(_ problem: Problem) -> Answer {
        var answer = Answer(problem.type.status, "application/problem+json", JSON.object(problem.json).serialized())
        answer.headers = headers(of: problem)
        return answer
    }

    static func headers(of problem: Problem) -> [(String, String)] {
        var headers: [(String, String)] = []
        if problem.type.status == 401 { headers.append(("www-authenticate", "Bearer realm=\"souk\"")) }
        let isBusy = problem.type.status == 429 || problem.type.status == 503
        if let seconds = problem.retryAfter ?? (isBusy ? 1 : nil) {
            headers.append(("retry-after", String(max(1, seconds))))
        }
        return headers
    }
}

/// Writes answers as HTTP/1.1.
struct Renderer: Sendable {
    /// Ends in an empty line's first half: the headers that every answer has.
    let common: String

    init(isHTTPS: Bool) {
        var lines = [
            "content-security-policy: default-src 'self'; img-src 'self' https: data:; object-src 'none'; "
                + "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: strict-origin-when-cross-origin",
            "permissions-policy: camera=(), geolocation=(), microphone=()",
            "cross-origin-opener-policy: same-origin",
        ]
        if isHTTPS { lines.append("strict-transport-security: max-age=31536000; includeSubDomains") }
        common = lines.map { $0 + "\r\n" }.joined()
    }

    /// - Parameters:
    ///   - isHead: the body is left out, its length is said.
    ///   - extra: further headers of this one answer.
    func bytes(_ answer: Answer, isHead: Bool, closes: Bool, extra: [(String, String)] = []) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(768 + (isHead ? 0 : answer.body.count))
        writeHead(answer, to: &bytes)
        for (name, value) in extra { Self.write(name, value, &bytes) }
        if closes { bytes.writeStaticString("connection: close\r\n") }
        bytes.writeStaticString("\r\n")
        if !isHead, answer.status != 304 { bytes.writeBytes(answer.body) }
        return bytes
    }

    /// The status line and the headers, without the empty line.
    func writeHead(_ answer: Answer, to bytes: inout ByteBuffer) {
        bytes.writeStaticString("HTTP/1.1 ")
        bytes.writeString(String(answer.status))
        bytes.writeStaticString(" ")
        bytes.writeString(Self.reason(answer.status))
        bytes.writeStaticString("\r\ndate: ")
        bytes.writeBytes(HTTPDate.now())
        bytes.writeStaticString("\r\n")
        if let type = answer.contentType { Self.write("content-type", type, &bytes) }
        if answer.status != 304, answer.status != 204 {
            Self.write("content-length", String(answer.body.count), &bytes)
        }
        if let etag = answer.etag { Self.write("etag", "\"\(etag)\"", &bytes) }
        if let control = answer.cacheControl { Self.write("cache-control", control, &bytes) }
        for (name, value) in answer.headers { Self.write(name, value, &bytes) }
        bytes.writeString(common)
    }

    /// Where the date begins in what `writeHead` writes.
    static func dateOffset(_ status: Int) -> Int {
        "HTTP/1.1 ".utf8.count + String(status).utf8.count + 1 + reason(status).utf8.count + "\r\ndate: ".utf8.count
    }

    /// A line break in a value would be another header: it becomes a space.
    private static func write(_ name: String, _ value: String, _ bytes: inout ByteBuffer) {
        bytes.writeString(name)
        bytes.writeStaticString(": ")
        if value.utf8.contains(where: { $0 < ASCII.space && $0 != ASCII.tab || $0 == ASCII.delete }) {
            bytes.writeBytes(value.utf8.map { $0 < ASCII.space || $0 == ASCII.delete ? ASCII.space : $0 })
        } else {
            bytes.writeString(value)
        }
        bytes.writeStaticString("\r\n")
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Status"
        }
    }
}
