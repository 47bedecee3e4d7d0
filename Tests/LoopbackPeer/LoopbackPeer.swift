#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Kernel
import Synchronization

/// A server on loopback that answers HTTP as a test says, well or badly. Each connection has a thread of its own.
public final class LoopbackPeer: Sendable {
    public struct Request: Sendable {
        public let method: String
        /// Path and query.
        public let target: String
        /// By name in lower case.
        public let headers: [String: String]
        public let body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public enum Reply: Sendable {
        case answer(Int, headers: [String: String] = [:], String = "")
        /// These bytes, whatever they are; then the connection ends.
        case bytes([UInt8])
        /// The connection ends without a word.
        case cut
        /// No word, and the connection stays: until the caller goes, or the peer stops.
        case silence
        /// The head of a good answer, and then no more.
        case head(Int)
    }

    public let port: Int
    private let listener: Int32
    private let open = Mutex<Set<Int32>>([])
    private let received = Mutex<[Request]>([])
    private let answer: @Sendable (Request) -> Reply

    public struct CannotListen: Error {}

    public init(_ answer: @escaping @Sendable (Request) -> Reply) throws {
        #if canImport(Darwin)
        let stream = SOCK_STREAM
        #else
        let stream = Int32(SOCK_STREAM.rawValue)
        #endif
        let listener = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        guard listener >= 0, isBound else { throw CannotListen() }
        self.listener = listener
        self.answer = answer
        port = Int(UInt16(bigEndian: address.sin_port))
        startThread(named: "peer") { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                open.withLock { _ = $0.insert(connection) }
                startThread(named: "peer") { [self] in serve(connection) }
            }
        }
    }

    public var url: String { "http://127.0.0.1:\(port)" }
    /// All that came, in order.
    public var requests: [Request] { received.withLock { $0 } }

    public func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for connection in open.withLock({ $0 }) { shutdown(connection, Int32(SHUT_RDWR)) }
    }

    private func serve(_ connection: Int32) {
        defer {
            open.withLock { _ = $0.remove(connection) }
            close(connection)
        }
        var buffer: [UInt8] = []
        while let request = Self.read(connection, &buffer) {
            received.withLock { $0.append(request) }
            switch answer(request) {
            case .answer(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) Said\r\ncontent-length: \(body.utf8.count)\r\n"
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                guard Self.write(Array((head + "\r\n" + body).utf8), connection) else { return }
            case .bytes(let bytes):
                _ = Self.write(bytes, connection)
                return
            case .cut: return
            case .head(let status):
                _ = Self.write(Array("HTTP/1.1 \(status) Said\r\ncontent-length: 10\r\n\r\nhalf".utf8), connection)
                fallthrough
            case .silence:
                var byte: UInt8 = 0
                while recv(connection, &byte, 1, 0) > 0 {}
                return
            }
        }
    }

    private static func write(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            #if canImport(Darwin)
            let flags: Int32 = 0
            #else
            let flags = Int32(MSG_NOSIGNAL)
            #endif
            let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, flags) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The next request; nil when the caller has gone.
    private static func read(_ connection: Int32, _ buffer: inout [UInt8]) -> Request? {
        func more() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return false }
            buffer += chunk.prefix(count)
            return true
        }
        var end = Self.end(of: buffer)
        while end == nil {
            guard more() else { return nil }
            end = Self.end(of: buffer)
        }
        guard let end else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
        let first = lines.first?.split(separator: " ") ?? []
        guard first.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let length = Int(headers["content-length"] ?? "0") ?? 0
        while buffer.count < end + 4 + length { guard more() else { return nil } }
        let body = Array(buffer[(end + 4)..<(end + 4 + length)])
        buffer.removeFirst(end + 4 + length)
        return Request(method: String(first[0]), target: String(first[1]), headers: headers, body: body)
    }

    /// Where the empty line is.
    private static func end(of buffer: [UInt8]) -> Int? {
        guard buffer.count >= 4 else { return nil }
        return (0...(buffer.count - 4)).first { Array(buffer[$0..<($0 + 4)]) == [13, 10, 13, 10] }
    }
}
