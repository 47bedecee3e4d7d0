/// The characters that HTTP gives a meaning.
enum ASCII {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let semicolon = UInt8(ascii: ";")
    static let quote = UInt8(ascii: "\"")
    static let percent = UInt8(ascii: "%")
    static let delete: UInt8 = 0x7F
}

extension UInt8 {
    var isBlank: Bool { self == ASCII.space || self == ASCII.tab }

    /// RFC 9110's `tchar`: what names are made of.
    var isToken: Bool {
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        return self < 0x80 && ((self < 64 ? low : high) >> UInt64(self & 63)) & 1 == 1
    }

    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where self[range.lowerBound + offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// The same but for the case of letters; `text` is in lower case.
    func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            let byte = self[range.lowerBound + offset]
            let isUpper = byte &- UInt8(ascii: "A") < 26
            guard (isUpper ? byte | 0x20 : byte) == text.utf8Start[offset] else { return false }
        }
        return true
    }

    /// Up to 18 digits; nil for anything else.
    func decimal(_ range: Range<Int>) -> Int? {
        guard (1...18).contains(range.count) else { return nil }
        var value = 0
        for position in range {
            guard self[position].isDigit else { return nil }
            value = value * 10 + Int(self[position] - UInt8(ascii: "0"))
        }
        return value
    }

    /// The entries of a comma-separated list, without the blanks around them.
    func forEachListed(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        while start <= range.upperBound {
            var end = start
            while end < range.upperBound, self[end] != ASCII.comma { end += 1 }
            var entry = start..<end
            while let first = entry.first, self[first].isBlank { entry = first + 1..<entry.upperBound }
            while let last = entry.last, self[last].isBlank { entry = entry.lowerBound..<last }
            if !entry.isEmpty { body(entry) }
            start = end + 1
        }
    }

    /// Whether an `Accept-Encoding` takes gzip: it is named, or `*` is, without `q=0`.
    func acceptsGzip(_ range: Range<Int>) -> Bool {
        var accepted = false
        forEachListed(range) { entry in
            var end = entry.lowerBound
            while end < entry.upperBound, self[end] != ASCII.semicolon, !self[end].isBlank { end += 1 }
            let coding = entry.lowerBound..<end
            guard matches(coding, "gzip") || matches(coding, "*") else { return }
            var isRefused = false
            if let equals = (end..<entry.upperBound).first(where: { self[$0] == UInt8(ascii: "=") }) {
                isRefused = (equals + 1..<entry.upperBound).allSatisfy {
                    self[$0] == UInt8(ascii: "0") || self[$0] == UInt8(ascii: ".")
                }
            }
            accepted = accepted || !isRefused
        }
        return accepted
    }
}
