/// The head of an HTTP/1.1 request, read strictly by RFC 9112: where its parts are in the bytes it was read from.
///
/// There is one reader for what the edge answers and for what the routes answer. Two that read the same bytes could
/// disagree about where a request ends, and that is how requests are smuggled. What has two readings is refused: a bare
/// line feed, a folded line, two lengths, a length and a coding, two hosts.
struct RequestHead {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    private(set) var method = 0..<0
    private(set) var target = 0..<0
    private(set) var fields: [Field] = []
    /// Bytes of the whole head with its empty line.
    private(set) var length = 0
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var expectsContinue = false
    /// Whether the connection may go on: HTTP/1.1, and the client did not say otherwise.
    private(set) var keepsAlive = true
    private(set) var isGet = false
    private(set) var isHead = false
    private(set) var ifNoneMatch: Range<Int>?
    private(set) var traceparent: Range<Int>?
    private(set) var acceptsGzip = false
    /// Nobody in particular asks, and in a simple way. What staff are told may differ from what the edge keeps.
    private(set) var isPlain = true

    private var hosts = 0
    private var saysClose = false

    init() { fields.reserveCapacity(32) }

    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }
}

/// Why a request is refused before anything looked at it.
enum Refusal: Error, Hashable {
    case malformed(String)
    case lineTooLong(limit: Int)
    case headersTooLarge(limit: Int)
    case tooManyHeaders(limit: Int)
    case bodyTooLarge(limit: Int)
    case timedOut(String)
}

extension RequestHead {
    /// The longest target that is accepted, in bytes.
    static let longestTarget = 8 << 10
    /// The largest sum of header lines, in bytes.
    static let largestHeaders = 16 << 10
    static let mostFields = 64
    /// What an unfinished head may hold: target, headers, and a method with the version.
    static let longest = longestTarget + largestHeaders + 64

    /// Reads the head at the start of `bytes`.
    /// - Returns: false if it is not all there.
    mutating func read(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Bool {
        reset()
        guard var position = try readRequestLine(bytes) else { return false }
        let start = position
        while true {
            guard position < bytes.count else { return try unfinished(position - start) }
            if bytes[position] == ASCII.carriageReturn {
                guard position + 1 < bytes.count else { return false }
                guard bytes[position + 1] == ASCII.lineFeed else { throw .malformed("a carriage return stands alone") }
                length = position + 2
                break
            }
            guard let next = try readField(bytes, position) else { return try unfinished(bytes.count - start) }
            position = next
            guard position - start <= Self.largestHeaders else { throw .headersTooLarge(limit: Self.largestHeaders) }
            guard fields.count <= Self.mostFields else { throw .tooManyHeaders(limit: Self.mostFields) }
        }
        try conclude()
        return true
    }

    private mutating func reset() {
        fields.removeAll(keepingCapacity: true)
        contentLength = nil
        isChunked = false
        expectsContinue = false
        ifNoneMatch = nil
        traceparent = nil
        acceptsGzip = false
        isPlain = true
        hosts = 0
        saysClose = false
    }

    private func unfinished(_ count: Int) throws(Refusal) -> Bool {
        guard count <= Self.largestHeaders else { throw .headersTooLarge(limit: Self.largestHeaders) }
        return false
    }

    /// - Returns: where the first field starts; nil if the line is not all there.
    private mutating func readRequestLine(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Int? {
        var position = 0
        while position < bytes.count, bytes[position].isToken { position += 1 }
        guard position < bytes.count else {
            if position > 32 { throw .malformed("expected a method") }
            return nil
        }
        guard position > 0, position <= 32, bytes[position] == ASCII.space else {
            throw .malformed("expected a method")
        }
        method = 0..<position
        isGet = position == 3 && bytes.equals(0..<3, "GET")
        isHead = position == 4 && bytes.equals(0..<4, "HEAD")
        let start = position + 1
        position = start
        while position < bytes.count, bytes[position] > ASCII.space, bytes[position] != ASCII.delete { position += 1 }
        guard position - start <= Self.longestTarget else { throw .lineTooLong(limit: Self.longestTarget) }
        guard position < bytes.count else { return nil }
        guard position > start, bytes[position] == ASCII.space else { throw .malformed("expected a target") }
        target = start..<position
        guard position + 11 <= bytes.count else { return nil }
        guard bytes.equals(position + 1..<position + 8, "HTTP/1."), bytes[position + 9] == ASCII.carriageReturn,
            bytes[position + 10] == ASCII.lineFeed
        else { throw .malformed("expected HTTP/1.1 and the end of the line after the target") }
        switch bytes[position + 8] {
        case UInt8(ascii: "1"): keepsAlive = true
        case UInt8(ascii: "0"): keepsAlive = false
        default: throw .malformed("expected HTTP/1.1")
        }
        return position + 11
    }

    /// - Returns: where the next line starts; nil if this one is not all there.
    private mutating func readField(_ bytes: UnsafeRawBufferPointer, _ start: Int) throws(Refusal) -> Int? {
        var position = start
        while position < bytes.count, bytes[position].isToken { position += 1 }
        guard position < bytes.count else { return nil }
        guard position > start, bytes[position] == ASCII.colon else { throw .malformed("expected a header's name") }
        let name = start..<position
        position += 1
        while position < bytes.count, bytes[position].isBlank { position += 1 }
        let first = position
        while position < bytes.count, bytes[position] >= ASCII.space || bytes[position] == ASCII.tab {
            guard bytes[position] != ASCII.delete else { break }
            position += 1
        }
        guard position + 1 < bytes.count else { return nil }
        guard bytes[position] == ASCII.carriageReturn, bytes[position + 1] == ASCII.lineFeed else {
            throw .malformed("a header's value has a control character")
        }
        var last = position
        while last > first, bytes[last - 1].isBlank { last -= 1 }
        let field = Field(name: name, value: first..<last)
        fields.append(field)
        try note(field, bytes)
        return position + 2
    }

    /// Keeps what decides about the request's end and the edge.
    private mutating func note(_ field: Field, _ bytes: UnsafeRawBufferPointer) throws(Refusal) {
        switch field.name.count {
        case 4 where bytes.matches(field.name, "host"):
            hosts += 1
        case 6 where bytes.matches(field.name, "expect"):
            guard bytes.matches(field.value, "100-continue") else { throw .malformed("an Expect that is not known") }
            expectsContinue = true
        case 10 where bytes.matches(field.name, "connection"):
            bytes.forEachListed(field.value) { option in
                if bytes.matches(option, "close") { saysClose = true }
            }
        case 11 where bytes.matches(field.name, "traceparent"):
            traceparent = field.value
        case 13 where bytes.matches(field.name, "authorization"):
            isPlain = false
        case 13 where bytes.matches(field.name, "if-none-match"):
            if ifNoneMatch != nil { isPlain = false }
            ifNoneMatch = field.value
        case 14 where bytes.matches(field.name, "content-length"):
            guard contentLength == nil else { throw .malformed("Content-Length is given twice") }
            guard let length = bytes.decimal(field.value) else { throw .malformed("Content-Length is no number") }
            contentLength = length
        case 15 where bytes.matches(field.name, "accept-encoding"):
            acceptsGzip = bytes.acceptsGzip(field.value)
        case 17 where bytes.matches(field.name, "transfer-encoding"):
            guard !isChunked, bytes.matches(field.value, "chunked") else {
                throw .malformed("expected no Transfer-Encoding but chunked, once")
            }
            isChunked = true
        default: break
        }
    }

    private mutating func conclude() throws(Refusal) {
        if isChunked, contentLength != nil { throw .malformed("Content-Length and Transfer-Encoding are both given") }
        if isChunked, !keepsAlive { throw .malformed("HTTP/1.0 has no Transfer-Encoding") }
        guard hosts == 1 || hosts == 0 && !keepsAlive else { throw .malformed("expected one Host header") }
        keepsAlive = keepsAlive && !saysClose
    }
}
