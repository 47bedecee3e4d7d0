#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Kernel

/// An IP address; an IPv4 one as IPv6 maps it (`::ffff:…`), so that it has one form however it is written.
struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    let bits: UInt128

    init(bits: UInt128) { self.bits = bits }

    /// Of the plain text form, `127.0.0.1` or `::1`; nil for any other text (`127.1`, `0x7f000001`).
    init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bits = 0xFFFF_0000_0000 | UInt128(UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            bits = withUnsafeBytes(of: &six) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
        } else {
            return nil
        }
    }

    var isIPv4: Bool { bits >> 32 == 0xFFFF }
    var isLoopback: Bool { isIPv4 ? bits >> 24 & 0xFF == 127 : bits == 1 }

    var description: String {
        guard !isIPv4 else { return [24, 16, 8, 0].map { String(bits >> $0 & 0xFF) }.joined(separator: ".") }
        return stride(from: 112, through: 0, by: -16).map { String(bits >> $0 & 0xFFFF, radix: 16) }
            .joined(separator: ":")
    }

    /// Whether everybody's packets for it go to the same server: neither of this machine, nor of a private network, nor
    /// where clouds keep their metadata (169.254.169.254, fd00:ec2::254), nor a tunnel to any of them.
    var isPublic: Bool {
        if isIPv4 { return !Self.specialIPv4.contains { $0.contains(self) } }
        return Self.globalIPv6.contains(self) && !Self.specialIPv6.contains { $0.contains(self) }
    }

    /// IANA's IPv4 Special-Purpose Address Registry, multicast and the reserved class.
    private static let specialIPv4 = networks(
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
            + "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4")
    private static let globalIPv6 = Network(base: IPAddress(bits: 0x2000 << 112), length: 3)
    /// Of these: protocol assignments (Teredo among them), documentation, 6to4.
    private static let specialIPv6 = networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20")

    private static func networks(_ list: String) -> [Network] {
        list.split(separator: " ").compactMap { Network(String($0)) }
    }

    /// `10.0.0.0/8`, or one address.
    struct Network: Sendable {
        let base: IPAddress
        /// Of 128 bits.
        let length: Int

        init(base: IPAddress, length: Int) {
            self.base = base
            self.length = length
        }

        init?(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let base = parts.first.flatMap({ IPAddress(String($0)) }) else { return nil }
            let bits = base.isIPv4 ? 32 : 128
            guard let length = parts.count == 2 ? Int(parts[1]) : bits, (0...bits).contains(length) else { return nil }
            self.init(base: base, length: base.isIPv4 ? length + 96 : length)
        }

        func contains(_ address: IPAddress) -> Bool {
            length == 0 || (address.bits ^ base.bits) >> UInt128(128 - length) == 0
        }
    }

    /// What the system's resolver says of a name, in its order. The lookup blocks, for as long as the name's servers
    /// take, and so each has a thread: one slow name holds up no other.
    @Sendable static func resolve(_ host: String) async -> [IPAddress] {
        await withCheckedContinuation { continuation in
            startThread(named: "resolve") { continuation.resume(returning: lookUp(host)) }
        }
    }

    private static func lookUp(_ host: String) -> [IPAddress] {
        var hints = addrinfo()
        #if canImport(Darwin)
        hints.ai_socktype = SOCK_STREAM
        #else
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var found: [IPAddress] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            switch entry.ai_family {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                    let four = UInt32(bigEndian: address.pointee.sin_addr.s_addr)
                    found.append(IPAddress(bits: 0xFFFF_0000_0000 | UInt128(four)))
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                    var six = address.pointee.sin6_addr
                    let bits = withUnsafeBytes(of: &six) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
                    found.append(IPAddress(bits: bits))
                }
            default: continue
            }
        }
        return found
    }
}
