extension Collection<UInt8> {
    /// RFC 4648, section 4: the standard alphabet, padded, in one line.
    public var base64: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        out.reserveCapacity((count + 2) / 3 * 4)
        var rest = self[...]
        while !rest.isEmpty {
            let group = rest.prefix(3)
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32((3 - group.count) * 8)
            for digit in 0..<4 {
                out.append(digit > group.count ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - digit * 6) & 63)])
            }
            rest = rest.dropFirst(3)
        }
        return String(decoding: out, as: UTF8.self)
    }
}
