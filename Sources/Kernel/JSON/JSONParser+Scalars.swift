// Strings.
extension JSONParser {
    /// Reads from the opening quote past the closing one.
    mutating func string(_ part: JSONError.Part, limit: Int) throws(JSONError) -> String {
        let start = offset + 1
        let stop = JSONScan.special(in: bytes, from: start)
        guard stop < bytes.count, bytes[stop] == ASCII.quote else {
            return try unescaped(from: start, to: stop, part, limit: limit)
        }
        guard stop - start <= limit else { throw error(.tooLong(part, limit: limit), at: offset) }
        guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[start..<stop]), as: UTF8.self) else {
            throw error(.invalidUTF8, at: invalidUTF8(in: start..<stop))
        }
        offset = stop + 1
        return text
    }

    /// The same for a string with escapes; `plain` is where the first of them (or something wrong) stands.
    private mutating func unescaped(
        from start: Int, to plain: Int, _ part: JSONError.Part, limit: Int
    ) throws(JSONError) -> String {
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: bytes[start..<plain])
        let opening = offset
        offset = plain
        while offset < bytes.count, bytes[offset] != ASCII.quote {
            if bytes[offset] == ASCII.backslash {
                try escape()
            } else {
                let stop = JSONScan.special(in: bytes, from: offset)
                guard stop > offset else { throw control() }
                scratch.append(contentsOf: bytes[offset..<stop])
                offset = stop
            }
            guard scratch.count <= limit else { throw error(.tooLong(part, limit: limit), at: opening) }
        }
        guard offset < bytes.count else { throw syntax("'\"' to end the string that starts at byte \(opening)") }
        // Escapes make whole characters only: whatever is broken is raw, and stands in the source.
        guard let text = String(validating: scratch, as: UTF8.self) else {
            throw error(.invalidUTF8, at: invalidUTF8(in: start..<offset))
        }
        offset += 1
        return text
    }

    private func control() -> JSONError {
        current == ASCII.nul ? error(.nulCharacter, at: offset) : syntax("control characters escaped (\\n, \\u001F)")
    }

    private mutating func escape() throws(JSONError) {
        let start = offset
        offset += 1
        switch current {
        case ASCII.quote, ASCII.backslash, ASCII.slash: scratch.append(current)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "n"): scratch.append(ASCII.lineFeed)
        case UInt8(ascii: "r"): scratch.append(ASCII.carriageReturn)
        case UInt8(ascii: "t"): scratch.append(ASCII.tab)
        case UInt8(ascii: "u"):
            offset += 1
            scratch.append(contentsOf: String(try scalar(escapedAt: start)).utf8)
            return
        default: throw syntax("one of \" \\ / b f n r t u after a backslash")
        }
        offset += 1
    }

    /// After `\u`: four digits, or the two halves of a pair.
    private mutating func scalar(escapedAt start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try fourDigits()
        guard first != 0 else { throw error(.nulCharacter, at: start) }
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, take(ASCII.backslash), take(UInt8(ascii: "u")) else {
            throw error(.loneSurrogate, at: start)
        }
        let second = try fourDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw error(.loneSurrogate, at: start) }
        return scalar
    }

    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            switch current {
            case ASCII.zero...ASCII.nine: value = value << 4 | UInt32(current - ASCII.zero)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(current - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(current - UInt8(ascii: "A") + 10)
            default: throw syntax("four hexadecimal digits after \\u")
            }
            offset += 1
        }
        return value
    }

    private func invalidUTF8(in range: Range<Int>) -> Int {
        var parser = Unicode.UTF8.ForwardParser()
        var rest = bytes[range].makeIterator()
        var position = range.lowerBound
        while case .valid(let scalar) = parser.parseScalar(from: &rest) { position += scalar.count }
        return position
    }
}

// Numbers.
extension JSONParser {
    private var atDigit: Bool { (ASCII.zero...ASCII.nine).contains(current) }

    mutating func number() throws(JSONError) -> JSON {
        let start = offset
        let negative = take(ASCII.minus)
        var digits = Digits()
        if current == ASCII.zero {
            offset += 1
            guard !atDigit else { throw syntax("no digit after a leading zero") }
        } else {
            try read(&digits)
        }
        var exponent = 0
        var whole = true
        if take(ASCII.dot) {
            whole = false
            let first = offset
            try read(&digits)
            exponent = first - offset
        }
        if current == ASCII.lowerE || current == ASCII.upperE {
            whole = false
            offset += 1
            exponent += try writtenExponent()
        }
        guard offset - start <= limits.numberBytes else {
            throw error(.tooLong(.number, limit: limits.numberBytes), at: start)
        }
        guard whole else { return try double(digits, exponent, negative, start) }
        guard !digits.overflowed else { throw error(.numberOutOfRange, at: start) }
        if !negative, let value = Int64(exactly: digits.value) { return .integer(value) }
        guard negative, digits.value <= Int64.min.magnitude else { throw error(.numberOutOfRange, at: start) }
        return .integer(Int64(truncatingIfNeeded: 0 &- digits.value))
    }

    /// The digits of a number, without sign and point.
    struct Digits {
        var value: UInt64 = 0
        var overflowed = false
    }

    /// One digit at least.
    private mutating func read(_ digits: inout Digits) throws(JSONError) {
        guard atDigit else { throw syntax("a digit") }
        while atDigit {
            let (tenfold, high) = digits.value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt64(current - ASCII.zero))
            digits.value = sum
            if high || carry { digits.overflowed = true }
            offset += 1
        }
    }

    private mutating func writtenExponent() throws(JSONError) -> Int {
        let negative = current == ASCII.minus
        if negative || current == ASCII.plus { offset += 1 }
        guard atDigit else { throw syntax("a digit of the exponent") }
        var value = 0
        while atDigit {
            // Far beyond what a double holds all exponents are alike.
            value = min(value * 10 + Int(current - ASCII.zero), 1_000_000)
            offset += 1
        }
        return negative ? -value : value
    }

    private func double(_ digits: Digits, _ exponent: Int, _ negative: Bool, _ start: Int) throws(JSONError) -> JSON {
        // Digits and power of ten are both exact doubles here, so one operation rounds correctly (Clinger, 1990).
        if !digits.overflowed, digits.value <= 1 << 53, (-22...22).contains(exponent) {
            let power = Self.powersOfTen[Int(exponent.magnitude)]
            let value = exponent < 0 ? Double(digits.value) / power : Double(digits.value) * power
            return .number(negative ? -value : value)
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self)
        guard let value = Double(text), value.isFinite else { throw error(.numberOutOfRange, at: start) }
        return .number(value)
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
