import Kernel
import NIOCore

/// A whole request as the connection read it, or why it could not be read.
struct Incoming: Sendable {
    /// The head's bytes, in which `head`'s ranges lie.
    let bytes: ByteBuffer
    let head: RequestHead
    let body: ByteBuffer
    let refusal: Refusal?
    /// The address at the other end of the connection, without the port.
    let peer: String
    /// When its first byte was seen.
    let arrival: NIODeadline
    /// Whether the connection may go on after the answer.
    let keepsAlive: Bool

    var method: String { text(head.method) }
    var target: String { text(head.target) }

    /// A header's value; the first if there are several.
    func header(_ name: String) -> String? {
        for field in head.fields where isNamed(field, name) { return text(field.value) }
        return nil
    }

    func headers(_ name: String) -> [String] {
        head.fields.filter { isNamed($0, name) }.map { text($0.value) }
    }

    private func isNamed(_ field: RequestHead.Field, _ name: String) -> Bool {
        guard field.name.count == name.utf8.count else { return false }
        return bytes.withUnsafeReadableBytes { bytes in
            var position = field.name.lowerBound
            for wanted in name.utf8 {
                guard bytes[position].lowercased == wanted.lowercased else { return false }
                position += 1
            }
            return true
        }
    }

    private func text(_ range: Range<Int>) -> String {
        bytes.withUnsafeReadableBytes { String(decoding: $0[range], as: UTF8.self) }
    }
}

extension UInt8 {
    var lowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }
}

/// An answer, ready to be sent.
struct Outgoing: Sendable {
    let bytes: ByteBuffer
    let closes: Bool
}

extension Refusal {
    var problem: Problem {
        switch self {
        case .malformed(let what): Problem(.badRequest, what)
        case .lineTooLong(let limit): Problem(.uriTooLong, "the target is longer than \(limit) bytes")
        case .headersTooLarge(let limit): Problem(.headersTooLarge, "the headers are larger than \(limit) bytes")
        case .tooManyHeaders(let limit): Problem(.headersTooLarge, "there are more than \(limit) headers")
        case .bodyTooLarge(let limit): Problem(.tooLarge, "the body is larger than \(limit) bytes")
        case .timedOut(let what): Problem(.timeout, what)
        }
    }
}
