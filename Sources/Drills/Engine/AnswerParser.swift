#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Reads one HTTP/1.x answer after another from bytes that arrive in pieces of any size.
///
/// It looks at what load needs to know and at nothing else: status, length, whether the connection stays,
/// `Retry-After`. A line that arrived whole is read where it lies; only one that was cut is copied.
struct AnswerParser {
    enum RetryAfter: Equatable, Sendable {
        case absent
        case seconds(Int)
        /// A date, or what is no number.
        case other
    }

    struct Answer: Equatable, Sendable {
        var status = 0
        var retryAfter = RetryAfter.absent
        var keepsConnection = true
        /// Of the body, as transferred.
        var bytes = 0
    }

    enum Step: Equatable { case more, answered, broken }

    /// Of a head, of a chunk's size line and of the trailers.
    static let longestLine = 64 << 10
    static let longestHead = 256 << 10
    /// Of a body that is kept.
    static let longestBody = 8 << 20

    private enum State { case status, fields, body, untilClose, size, chunk, chunkEnd, trailers, done }

    private(set) var answer = Answer()
    private(set) var body: [UInt8] = []
    private var state = State.status
    private var keepsBody = false
    private var isChunked = false
    private var length: Int?
    private var remaining = 0
    private var headBytes = 0
    private var cutLine: [UInt8] = []

    /// Before each answer.
    mutating func expect(keepsBody: Bool) {
        answer = Answer()
        if !body.isEmpty { body.removeAll(keepingCapacity: true) }
        self.keepsBody = keepsBody
        forgetHead()
    }

    private mutating func forgetHead() {
        state = .status
        isChunked = false
        length = nil
        remaining = 0
        headBytes = 0
    }

    /// Nothing of an answer has come yet.
    var isUntouched: Bool { state == .status && headBytes == 0 && cutLine.isEmpty }

    /// - Returns: how many bytes belong to this answer, and whether it is whole.
    mutating func read(_ bytes: UnsafeRawBufferPointer) -> (used: Int, step: Step) {
        var offset = 0
        while state != .done {
            switch state {
            case .body, .chunk:
                let count = min(remaining, bytes.count - offset)
                guard take(bytes, offset, count) else { return (offset, .broken) }
                offset += count
                remaining -= count
                if remaining > 0 { return (offset, .more) }
                state = state == .body ? .done : .chunkEnd
            case .untilClose:
                guard take(bytes, offset, bytes.count - offset) else { return (offset, .broken) }
                return (bytes.count, .more)
            default:
                guard let end = lineEnd(bytes, offset) else {
                    let isTooLong = cutLine.count + bytes.count - offset > Self.longestLine
                    if isTooLong { return (offset, .broken) }
                    cutLine += bytes[offset...]
                    return (bytes.count, .more)
                }
                guard readLine(bytes, offset, end) else { return (offset, .broken) }
                offset = end + 1
            }
        }
        return (offset, .answered)
    }

    /// The other end closed the connection: whether that was the end of a whole answer.
    mutating func end() -> Bool {
        guard state == .untilClose else { return false }
        state = .done
        return true
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) -> Bool {
        answer.bytes += count
        guard keepsBody, count > 0 else { return true }
        guard body.count + count <= Self.longestBody else { return false }
        body += bytes[offset..<offset + count]
        return true
    }

    private func lineEnd(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
        guard offset < bytes.count, let start = bytes.baseAddress,
            let found = memchr(start + offset, 0x0A, bytes.count - offset)
        else { return nil }
        return UnsafeRawPointer(found) - start
    }

    /// The line from `offset` to the line feed at `end`, with what was kept of its beginning.
    private mutating func readLine(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ end: Int) -> Bool {
        headBytes += end - offset + 1 + cutLine.count
        guard end - offset <= Self.longestLine, headBytes <= Self.longestHead else { return false }
        if cutLine.isEmpty { return read(line: UnsafeRawBufferPointer(rebasing: bytes[offset..<end])) }
        let whole = cutLine + bytes[offset..<end]
        cutLine.removeAll(keepingCapacity: true)
        return whole.withUnsafeBytes { read(line: $0) }
    }

    private mutating func read(line ended: UnsafeRawBufferPointer) -> Bool {
        let line = ended.last == 0x0D ? UnsafeRawBufferPointer(rebasing: ended.dropLast()) : ended
        switch state {
        case .status: return readStatus(line)
        case .fields: return line.isEmpty ? finishHead() : readField(line)
        case .size: return readSize(line)
        case .chunkEnd:
            headBytes = 0
            state = .size
            return line.isEmpty
        case .trailers:
            if line.isEmpty { state = .done }
            return true
        default: return false
        }
    }

    /// `HTTP/1.1 200 OK`
    private mutating func readStatus(_ line: UnsafeRawBufferPointer) -> Bool {
        guard line.count >= 12, line.begins(with: "HTTP/1."), line[8] == 0x20 else { return false }
        let minor = line[7]
        guard minor == 0x30 || minor == 0x31, line.count == 12 || line[12] == 0x20,
            let status = line.number(in: 9..<12), status >= 100
        else { return false }
        answer.status = status
        answer.keepsConnection = minor == 0x31
        state = .fields
        return true
    }

    private mutating func readField(_ line: UnsafeRawBufferPointer) -> Bool {
        // Most fields are told apart by their first letter: nothing else of them is read.
        switch line[0] | 0x20 {
        case UInt8(ascii: "c"):
            if let value = line.value(of: "content-length:") {
                guard let number = line.number(in: value), length == nil || length == number else { return false }
                length = number
            } else if let value = line.value(of: "connection:") {
                if line.contains("close", in: value) { answer.keepsConnection = false }
                if line.contains("keep-alive", in: value) { answer.keepsConnection = true }
            }
        case UInt8(ascii: "t"):
            if let value = line.value(of: "transfer-encoding:") { isChunked = line.contains("chunked", in: value) }
        case UInt8(ascii: "r"):
            if let value = line.value(of: "retry-after:") {
                answer.retryAfter = line.number(in: value).map { .seconds($0) } ?? .other
            }
        default: break
        }
        return true
    }

    private mutating func finishHead() -> Bool {
        let status = answer.status
        if (100..<200).contains(status) {
            // The answer itself is still to come; nobody asked to switch protocols.
            forgetHead()
            answer = Answer()
            return status != 101
        }
        headBytes = 0
        if status == 204 || status == 304 {
            state = .done
        } else if isChunked {
            state = .size
        } else if let length {
            remaining = length
            state = length == 0 ? .done : .body
        } else {
            answer.keepsConnection = false
            state = .untilClose
        }
        return true
    }

    /// `1a;extension`: 16 MiB at the most, as no answer to load has larger chunks.
    private mutating func readSize(_ line: UnsafeRawBufferPointer) -> Bool {
        var size = 0
        var digits = 0
        for byte in line {
            if byte == UInt8(ascii: ";") || byte == 0x20 { break }
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, digits < 7 else { return false }
            size = size << 4 | digit
            digits += 1
        }
        guard digits > 0 else { return false }
        remaining = size
        state = size == 0 ? .trailers : .chunk
        return true
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func begins(with prefix: StaticString) -> Bool {
        guard let baseAddress, count >= prefix.utf8CodeUnitCount else { return false }
        return memcmp(baseAddress, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
    }

    /// Where the value of the field lies, without blanks around it, if this is the field. `name` in lower case, with
    /// its colon.
    fileprivate func value(of name: StaticString) -> Range<Int>? {
        let length = name.utf8CodeUnitCount
        guard count >= length, matches(name, at: 0) else { return nil }
        var start = length
        var end = count
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
        while end > start, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    fileprivate func contains(_ word: StaticString, in range: Range<Int>) -> Bool {
        guard range.count >= word.utf8CodeUnitCount else { return false }
        return (range.lowerBound...range.upperBound - word.utf8CodeUnitCount).contains { matches(word, at: $0) }
    }

    private func matches(_ word: StaticString, at offset: Int) -> Bool {
        for index in 0..<word.utf8CodeUnitCount {
            let byte = self[offset + index]
            let small = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
            if small != word.utf8Start[index] { return false }
        }
        return true
    }

    /// Up to 15 decimal digits and nothing else.
    fileprivate func number(in range: Range<Int>) -> Int? {
        guard (1...15).contains(range.count) else { return nil }
        var value = 0
        for index in range {
            let byte = self[index]
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }
}
