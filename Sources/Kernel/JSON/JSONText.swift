/// The bytes that JSON's grammar is made of.
enum ASCII {
    static let nul: UInt8 = 0x00
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let plus: UInt8 = 0x2B
    static let comma: UInt8 = 0x2C
    static let minus: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let nine: UInt8 = 0x39
    static let colon: UInt8 = 0x3A
    static let less: UInt8 = 0x3C
    static let upperE: UInt8 = 0x45
    static let openBracket: UInt8 = 0x5B
    static let backslash: UInt8 = 0x5C
    static let closeBracket: UInt8 = 0x5D
    static let lowerE: UInt8 = 0x65
    static let openBrace: UInt8 = 0x7B
    static let closeBrace: UInt8 = 0x7D
    static let tilde: UInt8 = 0x7E
}

/// Finds what needs attention in a string's bytes, eight at a time.
///
/// Each test sets the high bit of a byte that matches; a borrow may set more of them above a true match, never below,
/// so the lowest bit set is right.
enum JSONScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let difference = word ^ (ones &* UInt64(byte))
        return (difference &- ones) & ~difference & highs
    }

    @inline(__always)
    private static func control(_ word: UInt64) -> UInt64 { (word &- (ones &* 0x20)) & ~word & highs }

    /// The first position from `start` of a quote, a backslash or a control character; the end if there is none.
    @inline(__always)
    static func special(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        first(in: bytes, from: start) { word in
            control(word) | equal(word, ASCII.quote) | equal(word, ASCII.backslash)
        } or: { byte in
            byte < ASCII.space || byte == ASCII.quote || byte == ASCII.backslash
        }
    }

    /// The same for writing, with `<` and the lead byte of U+2028 and U+2029.
    @inline(__always)
    static func escaped(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        first(in: bytes, from: start) { word in
            control(word) | equal(word, ASCII.quote) | equal(word, ASCII.backslash) | equal(word, ASCII.less)
                | equal(word, 0xE2)
        } or: { byte in
            byte < ASCII.space || byte == ASCII.quote || byte == ASCII.backslash || byte == ASCII.less || byte == 0xE2
        }
    }

    @inline(__always)
    private static func first(
        in bytes: UnsafeBufferPointer<UInt8>, from start: Int, eight: (UInt64) -> UInt64, or one: (UInt8) -> Bool
    ) -> Int {
        var position = start
        let raw = UnsafeRawBufferPointer(bytes)
        while position + 8 <= bytes.count {
            let found = eight(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            if found != 0 { return position + found.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < bytes.count, !one(bytes[position]) { position += 1 }
        return position
    }
}
