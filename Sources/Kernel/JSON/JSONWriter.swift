extension JSON {
    /// The JSON text, without white space, members in their order. A number that is not finite becomes null.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }
}

/// Appends JSON tokens to a text. Whether they make a sentence is the caller's affair.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(512) }

    mutating func value(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let value): boolean(value)
        case .integer(let value): integer(value)
        case .number(let value): if value.isFinite { number(value) } else { null() }
        case .string(let value): string(value)
        case .array(let elements):
            byte(ASCII.openBracket)
            for (position, element) in elements.enumerated() {
                if position > 0 { byte(ASCII.comma) }
                self.value(element)
            }
            byte(ASCII.closeBracket)
        case .object(let object):
            byte(ASCII.openBrace)
            for (position, member) in object.members.enumerated() {
                if position > 0 { byte(ASCII.comma) }
                string(member.key)
                byte(ASCII.colon)
                self.value(member.value)
            }
            byte(ASCII.closeBrace)
        }
    }

    @inline(__always)
    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    mutating func null() { word("null") }
    mutating func boolean(_ value: Bool) { word(value ? "true" : "false") }

    private mutating func word(_ word: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    mutating func integer<Integer: FixedWidthInteger>(_ value: Integer) {
        if value < 0 { bytes.append(ASCII.minus) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var first = 20
            var rest = UInt64(value.magnitude)
            repeat {
                first -= 1
                let (tenth, digit) = rest.quotientAndRemainder(dividingBy: 10)
                digits[first] = ASCII.zero + UInt8(truncatingIfNeeded: digit)
                rest = tenth
            } while rest > 0
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[first...]))
        }
    }

    mutating func money(_ money: Money) {
        word("{\"amount\":")
        integer(money.amount)
        word(",\"currency\":")
        string(money.currency.code)
        byte(ASCII.closeBrace)
    }

    /// The shortest text that reads back as the same number; it must be finite.
    mutating func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number) {
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Quoted and escaped, so that it can stand in an HTML script block too: `<` never appears as itself, nor do the
    /// line separators U+2028 and U+2029, which old JavaScript takes for the end of a line.
    mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { source in
            bytes.append(ASCII.quote)
            var written = 0
            var position = JSONScan.escaped(in: source, from: 0)
            while position < source.count {
                let length = escapable(source, position)
                if length > 0 {
                    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: source[written..<position]))
                    escape(source[position], length == 1 ? nil : source[position + 2])
                    written = position + length
                }
                position = JSONScan.escaped(in: source, from: position + max(length, 1))
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: source[written...]))
            bytes.append(ASCII.quote)
        }
    }

    /// The bytes of the character to escape; 0 if the lead byte 0xE2 starts something else than a line separator.
    private func escapable(_ source: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        guard source[position] == 0xE2 else { return 1 }
        return source[position + 1] == 0x80 && source[position + 2] & 0xFE == 0xA8 ? 3 : 0
    }

    private mutating func escape(_ byte: UInt8, _ separator: UInt8?) {
        if let separator { return word(separator == 0xA8 ? "\\u2028" : "\\u2029") }
        switch byte {
        case ASCII.quote: word("\\\"")
        case ASCII.backslash: word("\\\\")
        case ASCII.less: word("\\u003c")
        case ASCII.lineFeed: word("\\n")
        case ASCII.carriageReturn: word("\\r")
        case ASCII.tab: word("\\t")
        default:
            word(byte < 0x10 ? "\\u000" : "\\u001")
            let digit = byte & 0xF
            bytes.append(digit < 10 ? ASCII.zero + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
