import Kernel
import Testing

/// The body of an order, as the HTTP interface takes it.
struct OrderBody: Codable, Hashable {
    struct Line: Codable, Hashable {
        var sku: String
        var quantity: Int
    }

    enum Method: String, Codable, CaseIterable {
        case standard, express
    }

    var cart: String?
    var lines: [Line]
    var email: String
    var method: Method
    var metadata: [String: JSON]

    enum CodingKeys: String, CodingKey {
        case cart, lines, email
        case method = "shipping_method"
        case metadata
    }
}

@Suite("JSON: decoding and encoding")
struct JSONCodingTests {
    static let order = OrderBody(
        cart: nil, lines: [.init(sku: "HOT-1", quantity: 1), .init(sku: "b", quantity: 2)], email: "ada@example.com",
        method: .express, metadata: ["source": ["campaign": [1, 2.5, nil, true]]])

    @Test("An order goes out in declaration order, without spaces and nil, and comes back")
    func order() throws {
        let bytes = try JSON.encode(Self.order)
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                {"lines":[{"sku":"HOT-1","quantity":1},{"sku":"b","quantity":2}],"email":"ada@example.com",\
                "shipping_method":"express","metadata":{"source":{"campaign":[1,2.5,null,true]}}}
                """)
        #expect(try JSON.decode(OrderBody.self, from: bytes) == Self.order)
        #expect(try JSON(encoding: Self.order) == JSON.parse(bytes))
    }

    static let accepted = #"""
        {"lines": [{"sku": "a", "quantity": 1}], "email": "e", "shipping_method": "standard", "metadata": {}}
        """#

    @Test("Members in any order, unknown ones passed over, an optional one missing or null")
    func lenience() throws {
        let text = #"""
            {"metadata": {}, "shipping_method": "standard", "unknown": [{}], "cart": null, "email": "e",
             "lines": [{"quantity": 1e0, "more": 1, "sku": "a"}]}
            """#
        let plain = try JSON.decode(OrderBody.self, from: Self.accepted.utf8)
        #expect(try JSON.decode(OrderBody.self, from: text.utf8) == plain)
    }

    @Test(
        "An error tells the place, what was expected and what was found",
        arguments: [
            ("\"quantity\": 1", "\"quantity\": \"1\"", "/lines/0/quantity: expected an integer, found a string"),
            ("\"quantity\": 1", "\"quantity\": 1.5", "/lines/0/quantity: expected an integer, found a fraction"),
            ("\"quantity\": 1", "\"quantity\": 1e18", "/lines/0/quantity: expected an integer, found one out of range"),
            ("\"quantity\": 1", "\"quantity\": null", "/lines/0/quantity: expected an integer, found null"),
            (", \"quantity\": 1", "", "/lines/0/quantity: expected an integer, found nothing"),
            ("{\"sku\": \"a\", \"quantity\": 1}", "7", "/lines/0: expected an object, found an integer"),
            ("[{\"sku\": \"a\", \"quantity\": 1}]", "{}", "/lines: expected an array, found an object"),
            ("\"email\": \"e\"", "\"email\": true", "/email: expected a string, found a boolean"),
            ("\"email\": \"e\", ", "", "/email: expected a string, found nothing"),
            ("standard", "drone", "/shipping_method: expected one of standard, express, found another value"),
            ("\"standard\"", "[]", "/shipping_method: expected a string, found an array"),
            (", \"metadata\": {}", "", "/metadata: expected a value, found nothing"),
            (accepted, "[1]", "expected an object, found an array"),
        ])
    func errors(part: String, replacement: String, message: String) throws {
        let parts = Self.accepted.split(separator: part, omittingEmptySubsequences: false)
        let text = parts.joined(separator: replacement)
        #expect(parts.count == 2)
        let error = try #require(throws: JSONDecodingError.self) { try JSON.decode(OrderBody.self, from: text.utf8) }
        #expect("\(error)" == message)
    }

    struct Refusing: Decodable {
        struct Broken: Error, CustomStringConvertible { var description: String { "expected an even number" } }
        struct Code: RawRepresentable, Codable {
            let rawValue: String
            init?(rawValue: String) { return nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            switch try container.decode(Int.self) {
            case 0: throw Broken()
            case 1: throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected another")
            default:
                let name = Name(stringValue: "x/y")
                throw DecodingError.keyNotFound(name, .init(codingPath: [], debugDescription: ""))
            }
        }
    }

    struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    @Test("A type's own refusal keeps its words and gets its place; a secret is not repeated")
    func refusals() throws {
        func message<Value: Decodable>(_ type: Value.Type, _ json: JSON) throws -> String {
            let error = try #require(throws: JSONDecodingError.self) { try json.decode([String: [Value]].self) }
            return error.description
        }
        #expect(try message(Refusing.self, ["a/b": [0]]) == "/a~1b/0: expected an even number")
        #expect(try message(Refusing.self, ["a": [1]]) == "/a/0: expected another")
        #expect(try message(Refusing.self, ["a": [2]]) == "/x~1y: expected a value, found nothing")
        #expect(try message(Refusing.Code.self, ["a": ["tok"]]) == "/a/0: expected an allowed value, found another")
        let range = "expected an integer from 0 to 255, found one out of range"
        #expect(try message(UInt8.self, ["a": [255, 256]]) == "/a/1: \(range)")
        #expect(try message(Float.self, ["a": [1e300]]) == "/a/0: expected a number, found one out of range")
    }

    struct Everything: Codable, Hashable {
        enum Shape: Codable, Hashable {
            case point
            case circle(radius: Double)
        }

        var a: Int8, b: Int16, c: Int32, d: Int64, e: Int
        var f: UInt8, g: UInt16, h: UInt32, i: UInt64, j: UInt
        var k: Float, l: Double, m: Bool, n: String
        var o: Int?, p: [Int?], q: [[String]], r: [Int: Bool], s: [Shape], t: [String: [String: Int]], u: Set<UInt8>
    }

    static let extremes = Everything(
        a: .min, b: .max, c: .min, d: .max, e: .min, f: .max, g: .max, h: .max, i: UInt64(Int64.max), j: 0, k: 0.1,
        l: .leastNonzeroMagnitude, m: true, n: "\u{10FFFF}", o: 1, p: [nil, 1, nil], q: [[], ["a"]], r: [-1: true],
        s: [.point, .circle(radius: 2)], t: ["": ["": 0]], u: [0, 255])

    @Test("Every width of number, nested collections, optionals and enumerations with values come back as they were")
    func everything() throws {
        let bytes = try JSON.encode(Self.extremes)
        #expect(try JSON.decode(Everything.self, from: bytes) == Self.extremes)
        #expect(try JSON(encoding: Self.extremes).decode(Everything.self) == Self.extremes)
    }

    @Test("A number is an integer when it is exactly one, up to 2^53")
    func integers() throws {
        #expect(try JSON.number(1e3).decode(Int.self) == 1000)
        #expect(try JSON.number(-0.0).decode(UInt8.self) == 0)
        #expect(try JSON.number(0x1p53).decode(Int64.self) == 1 << 53)
        #expect(try JSON.integer(.max).decode(Int64.self) == .max)
        #expect(try JSON.integer(3).decode(Double.self) == 3)
        for json in [JSON.number(0.5), .number(0x1p54), "1", true, nil, [1]] {
            #expect(throws: JSONDecodingError.self) { try json.decode(Int.self) }
        }
        #expect(throws: JSONDecodingError.self) { try JSON.integer(-1).decode(UInt64.self) }
        #expect(throws: JSONDecodingError.self) { try JSON.integer(1).decode(Bool.self) }
    }

    @Test("Text is escaped so that it is JSON, and safe inside an HTML script block")
    func escaping() throws {
        let special = "</script>\u{2028}\u{2029}\u{202A}â\"\\/\u{0}\u{1}\u{1F}\u{7F}\n\r\t&é😀"
        let text = special + " and some, past eight bytes <"
        let escaped = #"\u003c/script>\u2028\u2029\#u{202A}â\"\\/\u0000\u0001\u001f\#u{7F}\n\r\t&é😀"#
        let expected = #"["\#(escaped) and some, past eight bytes \u003c"]"#
        #expect(String(decoding: try JSON.encode([text]), as: UTF8.self) == expected)
        #expect(JSON.array([.string(text)]).description == expected)
        #expect(String(decoding: try JSON.encode(["<": 1]), as: UTF8.self) == #"{"\u003c":1}"#)
    }

    @Test("Numbers that JSON cannot hold are refused, with their place")
    func unencodable() throws {
        for value in [Double.nan, .infinity, -.infinity] {
            #expect(throws: EncodingError.self) { try JSON.encode(value) }
            #expect(throws: EncodingError.self) { try JSON.encode(["a": [Float(value)]]) }
            #expect(JSON.number(value).serialized() == Array("null".utf8))
        }
        let error = try #require(throws: EncodingError.self) { try JSON.encode(["prices": [1, UInt64.max]]) }
        guard case .invalidValue(_, let context) = error else { throw error }
        #expect(context.codingPath.map(\.stringValue) == ["prices", "1"])
        #expect(context.debugDescription == "/prices/1: expected an integer that fits an Int64")
    }

    struct Nested: Codable, Equatable {
        var names: [String]
        var inner: Int

        enum Keys: String, CodingKey { case outer, inner, names, tail }

        init(names: [String], inner: Int) {
            self.names = names
            self.inner = inner
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            let outer = try container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
            inner = try outer.decode(Int.self, forKey: .inner)
            var list = try container.nestedUnkeyedContainer(forKey: .names)
            var pair = try list.nestedUnkeyedContainer()
            let named = try list.nestedContainer(keyedBy: Keys.self)
            names = [try pair.decode(String.self), try named.decode(String.self, forKey: .names)]
            #expect(list.isAtEnd && pair.count == 1)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            var outer = container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
            try outer.encode(inner, forKey: .inner)
            var list = container.nestedUnkeyedContainer(forKey: .names)
            var pair = list.nestedUnkeyedContainer()
            try pair.encode(names[0])
            var named = list.nestedContainer(keyedBy: Keys.self)
            try named.encode(names[1], forKey: .names)
            // The same container again, as an extended type's members beside its own.
            var again = encoder.container(keyedBy: Keys.self)
            try again.encodeNil(forKey: .tail)
        }
    }

    @Test("Nested containers, written one after the other")
    func nested() throws {
        let value = Nested(names: ["a", "b"], inner: 1)
        let bytes = try JSON.encode([value])
        let expected = #"[{"outer":{"inner":1},"names":[["a"],{"names":"b"}],"tail":null}]"#
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        #expect(try JSON.decode([Nested].self, from: bytes) == [value])
    }

    struct Custom: Encodable {
        let body: @Sendable (any Encoder) throws -> Void
        func encode(to encoder: any Encoder) throws { try body(encoder) }
    }

    @Test("What a stream cannot write is an error and never broken JSON")
    func misuse() throws {
        let wrong: [@Sendable (any Encoder) throws -> Void] = [
            { _ in },
            { encoder in
                var container = encoder.unkeyedContainer()
                var first = container.nestedUnkeyedContainer()
                try container.encode(1)
                try first.encode(2)
            },
            { encoder in
                _ = encoder.unkeyedContainer()
                _ = encoder.container(keyedBy: Nested.Keys.self)
            },
            { encoder in
                var container = encoder.singleValueContainer()
                try container.encode(1)
                try container.encode("2")
            },
            { encoder in
                var container = encoder.container(keyedBy: Nested.Keys.self)
                try 1.encode(to: container.superEncoder())
            },
            { encoder in
                var container = encoder.unkeyedContainer()
                try 1.encode(to: container.superEncoder())
            },
        ]
        for body in wrong {
            #expect(throws: EncodingError.self) { try JSON.encode(Custom(body: body)) }
            #expect(throws: EncodingError.self) { try JSON.encode(["a": [Custom(body: body)]]) }
        }
        struct Empty: Codable {}
        #expect(try JSON.encode([Empty()]) == Array("[{}]".utf8))
        #expect(throws: EncodingError.self) { try JSON(encoding: "\u{0}") }
    }

    struct Pair: Decodable {
        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            _ = try container.decode(String.self)
            if try container.decodeNil() { _ = try container.superDecoder() }
            _ = try container.decode(Int.self)
        }
    }

    @Test("An array's end and a superclass's decoder are refused by name")
    func decodingMisuse() throws {
        func message(_ json: JSON) throws -> String {
            let error = try #require(throws: JSONDecodingError.self) { try json.decode(Pair.self) }
            return error.description
        }
        #expect(try message(["a"]) == "/1: expected another element, found nothing")
        #expect(try message(["a", "b"]) == "/1: expected an integer, found a string")
        #expect(try message(["a", nil]) == "superDecoder() is not supported")
    }
}
