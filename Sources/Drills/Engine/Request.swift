import Kernel
import NIOCore

/// One request, ready to be sent as often as it takes.
struct Request: Sendable {
    /// Which of the work's steps it is counted under.
    var step: Int
    var bytes: ByteBuffer
    var answer = Answering.page
    /// Whether what came back is looked at.
    var keepsBody = false
}

/// How an answer is judged. Pure.
enum Answering: Sendable {
    case page
    /// An order: being declined and being sold out are answers, too.
    case order
    /// An account: that it exists is what was wanted, if it was asked for before.
    case account

    enum Verdict: Equatable, Sendable {
        case good
        /// Nothing was done, or it is being done: ask again.
        case again
        case bad
    }

    /// - Parameter attempt: 1 for the first.
    func verdict(status: Int, body: [UInt8], attempt: Int) -> Verdict {
        switch (status, self) {
        case (200..<400, _): .good
        case (429, _), (502...504, _): .again
        case (402, .order): .good
        case (409, .order) where body.contains(text: "idempotency-key-in-use"): .again
        case (409, .order) where body.contains(text: "out-of-stock"): .good
        case (409, .account) where attempt > 1: .good
        default: .bad
        }
    }
}

/// Writes requests to one host.
struct RequestWriter: Sendable {
    private let fields: String

    /// - Parameter headers: `Name: value`, sent with every request.
    init(_ target: Target, headers: [String] = []) {
        let agent = headers.contains { $0.lowercased().hasPrefix("user-agent:") } ? [] : ["User-Agent: souk-load"]
        fields = (["Host: \(target.authority)"] + agent + headers).map { "\r\n" + $0 }.joined()
    }

    /// - Parameters:
    ///   - client: the address that is said to have asked.
    ///   - body: JSON.
    func request(
        _ method: String, _ path: String, client: String? = nil, token: String? = nil, key: String? = nil,
        body: [UInt8]? = nil
    ) -> ByteBuffer {
        var head = "\(method) \(path) HTTP/1.1\(fields)"
        if let client { head += "\r\nX-Forwarded-For: \(client)" }
        if let token { head += "\r\nAuthorization: Bearer \(token)" }
        if let key { head += "\r\nIdempotency-Key: \(key)" }
        if let body { head += "\r\nContent-Type: application/json\r\nContent-Length: \(body.count)" }
        head += "\r\n\r\n"
        var buffer = ByteBuffer()
        buffer.reserveCapacity(head.utf8.count + (body?.count ?? 0))
        buffer.writeString(head)
        if let body { buffer.writeBytes(body) }
        return buffer
    }
}

/// Whose address a visit's requests carry in `X-Forwarded-For`.
public enum Clients: String, Sendable, CaseIterable {
    /// This machine's own: nothing is claimed.
    case one
    /// Another for each visit, out of the 131,072 that RFC 2544 sets aside for measuring (198.18.0.0/15).
    case many

    func address(of visit: Int) -> String? {
        guard self == .many else { return nil }
        // Scattered, so that neighbours in time are no neighbours in number.
        let host = UInt32(truncatingIfNeeded: UInt64(visit) &* 40_503) & 0x1_FFFF
        return "198.\(18 + host >> 16).\(host >> 8 & 0xFF).\(host & 0xFF)"
    }
}

extension [UInt8] {
    func contains(text: StaticString) -> Bool {
        let word = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard count >= word.count else { return false }
        return (0...count - word.count).contains { start in self[start..<start + word.count].elementsEqual(word) }
    }
}
