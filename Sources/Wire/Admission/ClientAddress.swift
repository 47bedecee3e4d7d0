import NIOCore

/// An IP address, an IPv4 one as IPv6 sees it.
package struct ClientAddress: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    /// nil if the text is no address.
    package init?(_ text: some StringProtocol) {
        switch try? SocketAddress(ipAddress: String(text), port: 0) {
        case .v4(let address):
            high = 0
            low = 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: address.address.sin_addr.s_addr))
        case .v6(let address):
            var address = address.address.sin6_addr
            (high, low) = withUnsafeBytes(of: &address) { bytes in
                (
                    UInt64(bigEndian: bytes.load(as: UInt64.self)),
                    UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
                )
            }
        default: return nil
        }
    }

    var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    var isLoopback: Bool { isIPv4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// What counts as one client, for people.
    var text: String {
        isIPv4
            ? [24, 16, 8, 0].map { String(low >> $0 & 0xFF) }.joined(separator: ".")
            : [48, 32, 16, 0].map { String(high >> $0 & 0xFFFF, radix: 16) }.joined(separator: ":") + "::/64"
    }

    /// What counts as one client: an IPv4 address, or the /64 that a customer is given.
    var bucket: UInt64 { isIPv4 ? low : high }
}

/// `10.0.0.0/8`, or one address.
package struct AddressRange: Sendable {
    private let base: ClientAddress
    private let bits: Int

    /// nil if the text is none.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let base = parts.first.flatMap({ ClientAddress($0) }) else { return nil }
        self.base = base
        guard parts.count == 2 else {
            bits = 128
            return
        }
        guard let length = Int(parts[1]), (0...(base.isIPv4 ? 32 : 128)).contains(length) else { return nil }
        bits = base.isIPv4 ? length + 96 : length
    }

    package func contains(_ address: ClientAddress) -> Bool {
        let high = Self.mask(min(bits, 64))
        let low = Self.mask(max(0, bits - 64))
        return address.high & high == base.high & high && address.low & low == base.low & low
    }

    private static func mask(_ bits: Int) -> UInt64 { bits == 0 ? 0 : UInt64.max << UInt64(64 - bits) }
}
