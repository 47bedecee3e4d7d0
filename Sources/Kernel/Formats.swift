/// The formats of strings that more than one contract uses.
extension Schema {
    /// A product's or category's name in a URL.
    public static let handle = Schema.string(
        1...200,
        Format("a handle", pattern: "^[a-z0-9]+(?:[-_.][a-z0-9]+)*$", example: "linen-shirt") { text in
            var separated = true
            for byte in text.utf8 {
                let isWord = byte.isLowerLetter || byte.isDigit
                guard isWord || !separated && "-_.".utf8.contains(byte) else { return false }
                separated = !isWord
            }
            return !separated
        })

    /// A stock-keeping unit, as merchants write them: printable ASCII, no leading or trailing space.
    public static let sku = Schema.string(
        1...100,
        Format("a SKU", pattern: "^[!-~]([ -~]{0,98}[!-~])?$", example: "HOT-1") { text in
            (1...100).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
                && text.utf8.first != 0x20 && text.utf8.last != 0x20
        })

    /// Enough of RFC 5321 to catch mistakes; whether it receives mail, only mail can tell.
    public static let email = Schema.string(
        3...254,
        Format(
            "an e-mail address", pattern: "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$",
            example: "ada@example.com"
        ) { text in
            let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
            guard parts.count == 2, (1...64).contains(parts[0].count) else { return false }
            let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            return parts[0].allSatisfy { $0.isLetter || $0.isDigit || ".!#$%&'*+/=?^_`{|}~-".utf8.contains($0) }
                && labels.count >= 2
                && labels.allSatisfy { label in
                    !label.isEmpty && label.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") }
                }
        })

    /// ISO 3166-1 alpha-2, by form.
    public static let country = Schema.string(
        2...2,
        Format("a country code", pattern: "^[A-Z]{2}$", example: "GB") { text in
            text.utf8.count == 2 && text.utf8.allSatisfy(\.isUpperLetter)
        })

    public static let currency = Schema.string(
        3...3,
        Format(
            "an ISO 4217 currency code", pattern: "^(?:\(Currency.codes.joined(separator: "|")))$", example: "GBP"
        ) { Currency($0) != nil })

    /// Any day but 29 February.
    private static let day =
        "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
        + "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    private static let leapDay =
        "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
    private static let hourAndMinute = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"

    /// RFC 3339; a space instead of the `T` is accepted, as its note has it.
    public static let time = Schema.string(
        20...35,
        Format(
            "an RFC 3339 time",
            pattern: "^(?:\(day)|\(leapDay))[Tt ]\(hourAndMinute):[0-5][0-9](?:\\.[0-9]{1,9})?"
                + "(?:[Zz]|[+-]\(hourAndMinute))$",
            example: "2026-01-01T00:00:00Z"
        ) { Timestamp(rfc3339: $0) != nil })

    /// An opaque word without spaces: a cursor, a token, a code.
    public static func token(_ length: ClosedRange<Int>, example: String) -> Schema {
        .string(
            length,
            Format("a token", pattern: "^[A-Za-z0-9._~+/=-]+$", example: example) { text in
                !text.isEmpty
                    && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "._~+/=-".utf8.contains($0) }
            })
    }

    /// Counts of pieces in one line: 1 to 1,000,000.
    public static let quantity = Schema.integer(1...1_000_000)
}

extension Money: Shaped {
    public static let schema = Schema.object(
        "Money",
        [
            .required("amount", .integer(-limit...limit), "In the currency's minor unit: 1999 is £19.99"),
            .required("currency", .currency),
        ])

    /// An amount that may not be negative.
    public static let price = Schema.object(
        "Price",
        [
            .required("amount", .integer(0...limit / 1_000), "In the currency's minor unit: 1999 is £19.99"),
            .required("currency", .currency),
        ])
}

extension ID {
    /// The text form, for schemas.
    public static var schema: Schema {
        .string(
            1...90,
            Schema.Format(
                "an identifier", pattern: "^\(Kind.idPrefix)_[0-7][0-9a-hjkmnp-tv-z]{25}$",
                example: "\(Kind.idPrefix)_01h455vb4pex5vsknk084sn02q"
            ) { ID($0) != nil })
    }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    var isLowerLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    var isUpperLetter: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
    var isLetter: Bool { isLowerLetter || isUpperLetter }
}
