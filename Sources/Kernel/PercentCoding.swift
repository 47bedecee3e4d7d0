extension StringProtocol {
    /// All but RFC 3986's unreserved characters as `%41`; slashes too, unless they are kept.
    public func percentEncoded(keepsSlashes: Bool = false) -> String {
        let isKept: (UInt8) -> Bool = { byte in
            byte.isLetter || byte.isDigit || "-._~".utf8.contains(byte) || keepsSlashes && byte == UInt8(ascii: "/")
        }
        // Most of what is asked for.
        if utf8.allSatisfy(isKept) { return String(self) }
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(utf8.count * 2)
        for byte in utf8 {
            if isKept(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// With each `%41` as its byte; nil where a `%` is not followed by two hexadecimal digits, or the bytes are no
    /// UTF-8. A plus stays one.
    public var percentDecoded: String? {
        var out: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0.isDigit || $0.isLetter }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            out.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: out, as: UTF8.self)
    }
}
