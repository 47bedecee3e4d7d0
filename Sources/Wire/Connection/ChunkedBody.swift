import NIOCore

/// Reads a chunked body (RFC 9112, 7.1) piece by piece. Extensions and trailers are read, bounded and passed over.
struct ChunkedBody {
    private enum State {
        case size
        case data(Int)
        case dataEnd
        case trailers
        case done
    }

    /// The longest chunk line or trailer line, in bytes.
    static let longestLine = 256
    static let mostTrailers = 16

    private var state = State.size
    private var trailers = 0
    private(set) var body: ByteBuffer

    init(allocator: ByteBufferAllocator) { body = allocator.buffer(capacity: 1_024) }

    /// Takes what it needs from `bytes`.
    /// - Returns: whether the body is complete.
    mutating func read(_ bytes: inout ByteBuffer, limit: Int) throws(Refusal) -> Bool {
        while true {
            switch state {
            case .size:
                guard let line = try Self.line(&bytes) else { return false }
                let size = try Self.size(line)
                guard size <= limit - body.readableBytes else { throw .bodyTooLarge(limit: limit) }
                state = size == 0 ? .trailers : .data(size)
            case .data(let remaining):
                guard var piece = bytes.readSlice(length: min(remaining, bytes.readableBytes)) else { return false }
                let taken = body.writeBuffer(&piece)
                guard taken == remaining else {
                    state = .data(remaining - taken)
                    return false
                }
                state = .dataEnd
            case .dataEnd:
                guard bytes.readableBytes >= 2 else { return false }
                guard bytes.readInteger(as: UInt16.self) == 0x0D0A else {
                    throw .malformed("a chunk is longer than it said")
                }
                state = .size
            case .trailers:
                guard let line = try Self.line(&bytes) else { return false }
                guard line.readableBytes > 0 else {
                    state = .done
                    return true
                }
                trailers += 1
                guard trailers <= Self.mostTrailers else { throw .tooManyHeaders(limit: Self.mostTrailers) }
            case .done: return true
            }
        }
    }

    /// A line without its end; nil if it is not all there.
    private static func line(_ bytes: inout ByteBuffer) throws(Refusal) -> ByteBuffer? {
        let view = bytes.readableBytesView
        guard let end = view.firstIndex(of: ASCII.lineFeed) else {
            guard view.count <= longestLine else { throw .malformed("a chunk's line is too long") }
            return nil
        }
        let length = end - view.startIndex
        guard length >= 1, length <= longestLine, view[end - 1] == ASCII.carriageReturn,
            !view[view.startIndex..<end - 1].contains(where: { $0 < ASCII.space && $0 != ASCII.tab })
        else { throw .malformed("a chunk's line is not as expected") }
        let line = bytes.readSlice(length: length - 1)
        bytes.moveReaderIndex(forwardBy: 2)
        return line
    }

    private static func size(_ line: ByteBuffer) throws(Refusal) -> Int {
        var size = 0
        var digits = 0
        for byte in line.readableBytesView {
            guard let digit = byte.hexValue else {
                guard digits > 0, byte == ASCII.semicolon || byte.isBlank else { break }
                return size
            }
            digits += 1
            guard digits <= 8 else { throw .malformed("a chunk's size is too long") }
            size = size << 4 | Int(digit)
        }
        guard digits > 0, digits == line.readableBytes else { throw .malformed("expected a chunk's size") }
        return size
    }
}
