import Kernel
import Testing

@Suite("JSON: reading")
struct JSONParsingTests {
    @Test("An order body becomes the tree one would write by hand")
    func orderBody() throws {
        let text = """
            {"lines": [{"sku": "HOT-1", "quantity": 1}], "email": "ada@example.com",\r
            \t"gift": false, "note": null, "weight": 0.25, "empty": [{}, []]}
            """
        let tree: JSON = [
            "lines": [["sku": "HOT-1", "quantity": 1]], "email": "ada@example.com",
            "gift": false, "note": nil, "weight": 0.25, "empty": [[:], []],
        ]
        let parsed = try JSON.parse(text.utf8)
        #expect(parsed == tree)
        #expect(parsed["lines"]?[0]?["quantity"]?.integerValue == 1)
        #expect(parsed.objectValue?.names == ["lines", "email", "gift", "note", "weight", "empty"])
    }

    @Test(
        "Numbers: integers are exact, the rest is the nearest double",
        arguments: [
            ("0", .integer(0)), ("-0", .integer(0)), ("7", .integer(7)), ("-12", .integer(-12)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("1.0", .number(1)), ("1e3", .number(1000)), ("1E+3", .number(1000)), ("25e-1", .number(2.5)),
            ("-0.0", .number(0)), ("0.1", .number(0.1)), ("19.99", .number(19.99)), ("1e-400", .number(0)),
            ("0e999999999999", .number(0)), ("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
            ("5e-324", .number(.leastNonzeroMagnitude)),
            ("123456789012345678901234567890.0", .number(1.2345678901234568e29)),
            ("0.30000000000000004", .number(0.1 + 0.2)), ("9007199254740993.0", .number(9_007_199_254_740_992)),
        ] as [(String, JSON)])
    func numbers(text: String, expected: JSON) throws {
        #expect(try JSON.parse(text.utf8) == expected)
        #expect(try JSON.parse("[\(text)]".utf8) == [expected])
    }

    @Test(
        "Strings: every escape, every width of UTF-8",
        arguments: [
            (#""""#, ""), (#""a\"b\\c\/d""#, "a\"b\\c/d"), (#""\b\f\n\r\t""#, "\u{8}\u{C}\n\r\t"),
            (#""\u00e9\u20AC""#, "é€"), (#""\ud83d\ude00!""#, "😀!"),
            (#""\ud800\udc00\udbff\udfff""#, "\u{10000}\u{10FFFF}"),
            ("\"é€😀\u{7F}\u{2028}\"", "é€😀\u{7F}\u{2028}"),
            (#""long enough for two words of eight\n""#, "long enough for two words of eight\n"),
            (#""é\n€""#, "é\n€"),
        ])
    func strings(text: String, expected: String) throws {
        let read = try JSON.parse(text.utf8).stringValue
        #expect(read.map { Array($0.utf8) } == Array(expected.utf8))
    }

    @Test(
        "What the grammar does not allow is refused where it stands",
        arguments: [
            ("", 0), (" ", 1), ("nul", 3), ("nulL", 3), ("True", 0), ("NaN", 0), ("-Infinity", 1), ("undefined", 0),
            ("'a'", 0), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1", 2), ("[", 1), ("]", 0), ("{", 1), ("{\"a\"}", 4),
            ("{\"a\":}", 5), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{1:1}", 1), ("{\"a\" 1}", 5), ("{\"a\":1 \"b\":2}", 7),
            ("{\"a\":1]", 6), ("01", 1), ("-01", 2), ("00", 1), ("+1", 0), (".5", 0), ("1.", 2), ("1.e3", 2), ("1e", 2),
            ("1e+", 3), ("-", 1), ("-a", 1), ("0x10", 1), ("1_000", 1), ("\"a", 2), ("\"", 1), ("\"\\", 2),
            ("\"\\x41\"", 2),
            ("\"\\u12\"", 5), ("\"\\u12G4\"", 5), ("\"\\U0041\"", 2), ("\"a\nb\"", 2), ("\"\t\"", 1), ("\"\u{1F}\"", 1),
            ("/* c */ 1", 0), ("1 // c", 2), ("[1]]", 3), ("{} {}", 3), ("1 2", 2), ("\u{A0}1", 0), ("\u{C}1", 0),
            ("\u{FEFF}1", 0), ("[1\u{0}]", 2), ("\u{0}", 0), ("1\u{0}", 1), ("é", 0), ("[\u{2028}]", 1),
        ])
    func grammar(text: String, offset: Int) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(text.utf8) }
        #expect(error.offset == offset, "\(text): \(error)")
        switch error.reason {
        case .syntax(let expected, let found): #expect(!expected.isEmpty && !found.isEmpty)
        case .trailingContent(let found): #expect(!found.isEmpty)
        default: Issue.record("\(text): \(error)")
        }
    }

    @Test("An error names line, column, path, what was expected and what was found")
    func positions() throws {
        let text = "{\"title\": \"é\",\n \"lines\": [{\"sku\": 1},\n  {\"é~/\": \"€\" \"b\"}]}"
        let error = try #require(throws: JSONError.self) { try JSON.parse(text.utf8) }
        #expect(error.reason == .syntax(expected: "',' or '}'", found: "'\"'"))
        #expect((error.line, error.column) == (3, 15))
        #expect(error.pointer == "/lines/1")
        #expect("\(error)" == "line 3, column 15 (/lines/1): expected ',' or '}', found '\"'")
        let nested = try #require(throws: JSONError.self) { try JSON.parse(#"{"a~/b": [0, tru]}"#.utf8) }
        #expect(nested.pointer == "/a~0~1b/1")
    }

    @Test(
        "Broken UTF-8 is refused at its first byte",
        arguments: [
            ([0x80], 0), ([0xC3], 0), ([0xC0, 0xAF], 0), ([0xC1, 0xBF], 0), ([0xE0, 0x80, 0xAF], 0),
            ([0xED, 0xA0, 0x80], 0), ([0xED, 0xBF, 0xBF], 0), ([0xF0, 0x80, 0x80, 0xAF], 0),
            ([0xF4, 0x90, 0x80, 0x80], 0), ([0xF5, 0x80, 0x80, 0x80], 0), ([0xFF], 0), ([0xFE], 0),
            ([0x61, 0xE2, 0x82], 1),
            ([0xC3, 0xA9, 0xC3], 2), ([0x5C, 0x6E, 0xC3, 0xA9, 0xE2, 0x28, 0xA1], 4),
        ] as [([UInt8], Int)])
    func brokenUTF8(bytes: [UInt8], offset: Int) throws {
        let text = Array("[\"".utf8) + bytes + Array("\"]".utf8)
        let error = try #require(throws: JSONError.self) { try JSON.parse(text) }
        #expect(error.reason == .invalidUTF8)
        #expect(error.offset == 2 + offset)
        #expect(error.pointer == "/0")
    }

    @Test(
        "Halves of surrogate pairs and U+0000 are refused",
        arguments: [
            (#""\ud800""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate), (#""\udc00\ud800""#, .loneSurrogate),
            (#""\ud800\u0041""#, .loneSurrogate), (#""\ud800x""#, .loneSurrogate), (#""\ud800\n""#, .loneSurrogate),
            (#""\ud800\ud800""#, .loneSurrogate), (#""\u0000""#, .nulCharacter), ("\"\u{0}\"", .nulCharacter),
        ] as [(String, JSONError.Reason)])
    func characters(text: String, reason: JSONError.Reason) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse(text.utf8) }
        #expect(error.reason == reason)
        #expect(error.offset == 1)
    }

    @Test(
        "Numbers beyond 64 bits or beyond a double are refused where they start",
        arguments: [
            "9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999999",
            "1e400", "-1e400", "1e999999999999999999999", "1.8e308", "123456789e301",
        ])
    func range(text: String) throws {
        let error = try #require(throws: JSONError.self) { try JSON.parse("{\"quantity\": \(text)}".utf8) }
        #expect(error.reason == .numberOutOfRange)
        #expect(error.offset == 13)
        #expect(error.pointer == "/quantity")
        #expect(!error.isLimit)
    }

    @Test("A name twice in one object is refused, in small and large objects, escaped or canonically equivalent")
    func duplicates() throws {
        func reason(_ text: String) throws -> (JSONError.Reason, String) {
            let error = try #require(throws: JSONError.self) { try JSON.parse(text.utf8) }
            return (error.reason, error.pointer)
        }
        let line = #"{"lines": [{"sku": 1, "quantity": 2, "sku": 3}]}"#
        #expect(try reason(line) == (.duplicateKey("sku"), "/lines/0/sku"))
        #expect(try reason(#"{"a": 1, "\u0061": 2}"#) == (.duplicateKey("a"), "/a"))
        #expect(try reason("{\"\u{E9}\": 1, \"e\u{301}\": 2}") == (.duplicateKey("é"), "/é"))
        let many = (0..<300).map { "\"name\($0)\": \($0)" }
        for repeated in [0, 14, 15, 16, 17, 299] {
            let text = "{" + (many + ["\"name\(repeated)\": 0"]).joined(separator: ",") + "}"
            #expect(try reason(text).0 == .duplicateKey("name\(repeated)"))
        }
        #expect(try JSON.parse("{\(many.joined(separator: ","))}".utf8).objectValue?.count == 300)
        #expect(try JSON.parse(#"[{"a": {"a": 1}}, {"a": 2}]"#.utf8)[0]?["a"]?["a"] == 1)
    }

    @Test("Every limit is named when it is passed, and holds what it says")
    func limits() throws {
        let limits = JSONLimits(depth: 2, members: 3, stringBytes: 4, bytes: 40)
        func reason(_ text: String) -> JSONError.Reason? {
            do throws(JSONError) {
                _ = try JSON.parse(text.utf8, limits: limits)
                return nil
            } catch {
                #expect(error.isLimit)
                #expect(error.message.contains("at most"))
                return error.reason
            }
        }
        #expect(reason("[[1]]") == nil)
        #expect(reason("[[[1]]]") == .depth(limit: 2))
        #expect(reason("[{\"a\": {}}]") == .depth(limit: 2))
        #expect(reason("[1,2,3]") == nil)
        #expect(reason("[1,2,3,4]") == .tooManyMembers(limit: 3))
        #expect(reason(#"{"a":1,"b":2,"c":3,"d":4}"#) == .tooManyMembers(limit: 3))
        #expect(reason(#""\n\n\n\n""#) == nil)
        #expect(reason(#""ééé""#) == .tooLong(.string, limit: 4))
        #expect(reason(#""\u00e9\u00e9\u00e9""#) == .tooLong(.string, limit: 4))
        #expect(reason(String(repeating: " ", count: 40) + "1") == .tooLong(.text, limit: 40))
        let name = "{\"" + String(repeating: "n", count: 1025) + "\": 1}"
        let number = "1." + String(repeating: "0", count: 255)
        for (text, part) in [(name, JSONError.Part.name), (number, .number)] {
            let error = try #require(throws: JSONError.self) { try JSON.parse(text.utf8) }
            guard case .tooLong(part, _) = error.reason else { throw error }
        }
    }

    @Test("Depth is bounded whatever the settings say: no stack overflows", arguments: ["[", "{\"a\":", "[{\"a\":"])
    func depth(opening: String) throws {
        let limits = JSONLimits(depth: .max)
        let bottomless = String(repeating: opening, count: 1_000_000)
        let error = try #require(throws: JSONError.self) { try JSON.parse(bottomless.utf8, limits: limits) }
        #expect(error.reason == .depth(limit: JSONLimits.greatestDepth))
        let deepest = JSONLimits.greatestDepth
        let fits = String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)
        #expect(try JSON.parse(fits.utf8, limits: limits).serialized() == Array(fits.utf8))
        let usual = String(repeating: "[", count: 33) + String(repeating: "]", count: 33)
        #expect(throws: JSONError.self) { try JSON.parse(usual.utf8) }
    }

    @Test("Any collection of bytes is read")
    func collections() throws {
        let text = " [1, \"a\"] "
        let expected: JSON = [1, "a"]
        #expect(try JSON.parse(Array(text.utf8)) == expected)
        #expect(try JSON.parse(Array(text.utf8)[1...]) == expected)
        #expect(try JSON.parse(AnyCollection(Array(text.utf8))) == expected)
        #expect(try Array(text.utf8).withUnsafeBytes { try JSON.parse($0) } == expected)
    }

    @Test("Objects keep their order, are equal in any order, and change by name")
    func objects() {
        var object: JSONObject = ["b": 1, "a": 2]
        #expect(object.names == ["b", "a"])
        #expect(object == ["a": 2, "b": 1])
        #expect(object.hashValue == (["a": 2, "b": 1] as JSONObject).hashValue)
        #expect(object != ["a": 2, "b": 2])
        #expect(object != ["a": 2, "c": 1])
        #expect(object != ["a": 2])
        object["b"] = 3
        object["c"] = nil
        object["d"] = nil as JSON?
        object["e"] = .null
        #expect(object.map { "\($0.key)=\($0.value)" } == ["b=3", "a=2", "e=null"])
        object["b"] = nil as JSON?
        #expect(object.names == ["a", "e"])
        let many = (0..<500).map { ("name\($0)", JSON.integer(Int64($0))) }
        #expect(JSONObject(many) == JSONObject(many.reversed()))
        #expect(JSONObject([("a", 1), ("a", 2)]) == ["a": 2])
    }
}
