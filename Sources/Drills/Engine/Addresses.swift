import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension SocketAddress {
    /// Every address that the name stands for, in the system's order. It blocks.
    ///
    /// - Throws: `DrillError` if there is none.
    static func all(host: String, port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = streams
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &first)
        guard code == 0 else { throw DrillError(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        for info in sequence(first: first, next: { $0?.pointee.ai_next }) {
            guard let address = info?.pointee.ai_addr else { break }
            switch info?.pointee.ai_family {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { found.append(.init($0.pointee)) }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { found.append(.init($0.pointee)) }
            default: break
            }
        }
        guard !found.isEmpty else { throw DrillError("it has no address") }
        return found
    }

    private static var streams: Int32 {
        #if canImport(Glibc)
        Int32(SOCK_STREAM.rawValue)
        #else
        SOCK_STREAM
        #endif
    }
}

extension [SocketAddress] {
    /// Those that take a connection; all if none does. `localhost` may be two addresses of which a shop listens on one.
    func reachable(on group: any EventLoopGroup, timeout: TimeAmount) async throws -> [SocketAddress] {
        guard count > 1 else { return self }
        var found: [SocketAddress] = []
        for address in self {
            let attempt = ClientBootstrap(group: group).connectTimeout(timeout).connect(to: address)
            guard let channel = try? await attempt.get() else { continue }
            try await channel.close()
            found.append(address)
        }
        return found.isEmpty ? self : found
    }
}
