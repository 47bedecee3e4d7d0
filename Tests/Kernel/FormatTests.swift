import Foundation
import Kernel
import Testing

private enum Thing: Identified { static let idPrefix = "thing" }

/// One format: texts that it takes, texts that it does not, and what random texts are made of.
struct FormatCase: Sendable, CustomTestStringConvertible {
    let name: String
    let schema: Schema
    let accepted: [String]
    let refused: [String]
    var alphabet = "abzAZ09-_.@ +:TZ~!'\"é\n"
    var testDescription: String { name }

    static let all = [
        FormatCase(
            name: "handle", schema: .handle, accepted: ["a", "linen-shirt", "a_b.c-1", "2024", "a.b"],
            refused: ["", "-a", "a-", "a--b", "a._b", "A", "a b", "é", "a/b", "..", "a\n"]),
        FormatCase(
            name: "sku", schema: .sku, accepted: ["HOT-1", "a", "A B", "'1", "\"", "85123A", "a  b"],
            refused: ["", " ", " a", "a ", "é", "a\tb", "a\n", "80×150"]),
        FormatCase(
            name: "email", schema: .email,
            accepted: ["ada@example.com", "a+b@x-y.co.uk", "o'neil@example.org", ".@a.b", "1@2.3"],
            refused: [
                "", "ada", "ada@example", "@example.com", "ada@@example.com", "a da@example.com", "ada@example..com",
                "ada@.com", "ada@example.com.", "ada@exämple.com", "ada@example.com\n", "a,b@example.com",
            ]),
        FormatCase(
            name: "country", schema: .country, accepted: ["GB", "DE", "ZZ"],
            refused: ["", "G", "gb", "GBR", "G1", "ÄÖ", "GB\n"], alphabet: "ABGZaz09é\n"),
        FormatCase(
            name: "currency", schema: .currency, accepted: ["GBP", "JPY", "KWD", "XCG"],
            refused: ["", "gbp", "AAA", "XX" + "X", "GBPP", "GB", "GBP\n"], alphabet: "ABCDEGJKPRSUWYgbp\n"),
        FormatCase(
            name: "time", schema: .time,
            accepted: [
                "2026-01-01T00:00:00Z", "2024-02-29t23:59:59.123456789+14:00", "2000-02-29 00:00:00-00:00",
                "0000-02-29T00:00:00Z", "1904-02-29T00:00:00Z",
            ],
            refused: TimestampTests.refused.filter { !$0.hasPrefix("0000") && !$0.hasPrefix("9999") }
                + ["1900-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2026-06-31T00:00:00Z"],
            alphabet: "0123456789-:.TtZz+ "),
        FormatCase(
            name: "token", schema: .token(1...200, example: "tok_approved"),
            accepted: ["tok_approved", "a", "a.b~c+/==", "eyJhIjoxfQ-_"],
            refused: ["", "a b", "a\n", "é", "a\"", "a:b"]),
        FormatCase(
            name: "id", schema: ID<Thing>.schema,
            accepted: ["thing_01h455vb4pex5vsknk084sn02q", "thing_7zzzzzzzzzzzzzzzzzzzzzzzzz"],
            refused: [
                "", "thing_8zzzzzzzzzzzzzzzzzzzzzzzzz", "other_01h455vb4pex5vsknk084sn02q",
                "thing_01h455vb4pex5vsknk084sn02q\n",
            ],
            alphabet: "0189ahijklmnotuvz_A"),
    ]

    func format() throws -> (length: ClosedRange<Int>, format: Schema.Format) {
        guard case .string(let length, let format?) = schema else { throw NoFormat() }
        return (length, format)
    }

    struct NoFormat: Error {}
}

@Suite("A format is checked as it is published") struct FormatTests {
    /// Whether the published pattern and length accept it: what a client's own check would say.
    private struct Published {
        let length: ClosedRange<Int>
        let pattern: NSRegularExpression

        init(_ length: ClosedRange<Int>, _ pattern: String) throws {
            self.length = length
            // ECMA's `$` is the end alone; ICU's would also stand before a last line break.
            #expect(pattern.hasPrefix("^") && pattern.hasSuffix("$"))
            self.pattern = try NSRegularExpression(pattern: pattern.dropLast() + "\\z")
        }

        func accepts(_ text: String) -> Bool {
            length.contains(text.unicodeScalars.count)
                && pattern.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
        }
    }

    @Test("what is right is accepted, by the check and by the pattern", arguments: FormatCase.all)
    func accepts(_ one: FormatCase) throws {
        let (length, format) = try one.format()
        let published = try Published(length, format.pattern)
        for text in one.accepted + [format.example] {
            #expect(one.schema.violations(in: .string(text)).isEmpty, "\(text.debugDescription)")
            #expect(published.accepts(text), "\(text.debugDescription)")
        }
    }

    @Test("what is wrong is refused, by the check and by the pattern", arguments: FormatCase.all)
    func refuses(_ one: FormatCase) throws {
        let (length, format) = try one.format()
        let published = try Published(length, format.pattern)
        for text in one.refused {
            #expect(!one.schema.violations(in: .string(text)).isEmpty, "\(text.debugDescription)")
            #expect(!published.accepts(text), "\(text.debugDescription)")
        }
    }

    @Test("the check and the pattern agree on random and mutated text", arguments: FormatCase.all)
    func agree(_ one: FormatCase) throws {
        let (length, format) = try one.format()
        let published = try Published(length, format.pattern)
        var random = SeededGenerator(seed: 9)
        let alphabet = Array(one.alphabet.unicodeScalars)
        let seeds = (one.accepted + one.refused + [format.example]).map { Array($0.unicodeScalars) }
        var accepted = 0
        for round in 0..<3_000 {
            var text: [Unicode.Scalar]
            if round % 4 == 0 {
                let count = Int.random(in: 0...min(length.upperBound + 2, 120), using: &random)
                text = (0..<count).map { _ in alphabet.randomElement(using: &random) ?? "a" }
            } else {
                text = seeds.randomElement(using: &random) ?? []
                for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&text, alphabet, &random) }
            }
            var string = ""
            string.unicodeScalars.append(contentsOf: text)
            let isRight = one.schema.violations(in: .string(string)).isEmpty
            accepted += isRight ? 1 : 0
            #expect(isRight == published.accepts(string), "\(string.debugDescription)")
        }
        // A check that refuses everything would agree too easily.
        #expect(accepted > 20)
    }

    @Test("what is too long is refused") func lengths() {
        let long = String(repeating: "a", count: 201)
        for schema in [Schema.handle, .sku, .token(1...200, example: "a"), .email] {
            #expect(!schema.violations(in: .string(long)).isEmpty)
        }
        let host = String(repeating: "a.", count: 100) + "com"
        #expect(Schema.email.violations(in: .string(String(long.prefix(64)) + "@b.c")).isEmpty)
        #expect(!Schema.email.violations(in: .string(String(long.prefix(65)) + "@b.c")).isEmpty)
        #expect(!Schema.email.violations(in: .string(String(long.prefix(60)) + "@" + host)).isEmpty)
    }

    private func mutate(
        _ text: inout [Unicode.Scalar], _ alphabet: [Unicode.Scalar], _ random: inout SeededGenerator
    ) {
        let scalar = alphabet.randomElement(using: &random) ?? "a"
        let place = Int.random(in: 0...text.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: text.insert(scalar, at: place)
        case 1 where place < text.count: text.remove(at: place)
        case 2 where place < text.count: text.swapAt(place, Int.random(in: 0..<text.count, using: &random))
        default: if place < text.count { text[place] = scalar }
        }
    }
}
