import Kernel
import Testing

@Suite("A schema says what is wrong and where") struct SchemaTests {
    private func json(_ text: String) throws -> JSON { try JSON.parse(Array(text.utf8)) }

    private static let order = Schema.object(
        "Order",
        [
            .required(
                "lines", .array(.object("Line", [.required("sku", .sku), .required("quantity", .quantity)]), 1...3)),
            .optional("note", .nullable(.text(1...5))), .optional("gift", .boolean),
            .optional("size", .choice(["S", "M"])), .optional("weight", .number(0...10)),
            .optional("labels", .map(.integer(0...9))), .optional("extra", .any),
        ])

    @Test(
        "what is as the schema says has no violation",
        arguments: [
            #"{"lines":[{"sku":"A","quantity":1}]}"#, #"{"lines":[{"sku":"A","quantity":1.0}],"note":null}"#,
            #"{"lines":[{"sku":"A b","quantity":1000000},{"sku":"B","quantity":2}],"note":"five5","gift":true}"#,
            #"{"lines":[{"sku":"A","quantity":1e3}],"size":"M","weight":10,"labels":{"a/b":3,"":0}}"#,
            #"{"extra":{"x":[1,null]},"lines":[{"quantity":1,"sku":"A"}],"weight":0.5,"note":"éé\t\n"}"#,
        ])
    func accepts(_ text: String) throws {
        #expect(Self.order.violations(in: try json(text)).isEmpty)
    }

    @Test(
        "each field that is wrong is named by its pointer",
        arguments: [
            (#"{}"#, ["/lines"]), (#"{"lines":null}"#, ["/lines"]), (#"{"lines":[]}"#, ["/lines"]),
            (#"{"lines":[{"sku":"A","quantity":0}]}"#, ["/lines/0/quantity"]),
            (
                #"{"lines":[{"sku":"A","quantity":1},{"sku":" ","quantity":-1}]}"#,
                ["/lines/1/sku", "/lines/1/quantity"]
            ),
            (#"{"lines":[{"sku":"A","quantity":1.5}]}"#, ["/lines/0/quantity"]),
            (#"{"lines":[{"sku":"A","quantity":1000000000000000000}]}"#, ["/lines/0/quantity"]),
            (#"{"lines":[{"sku":"A","quantity":1e300}]}"#, ["/lines/0/quantity"]),
            (#"{"lines":[{"sku":"A","quantity":"1"}]}"#, ["/lines/0/quantity"]),
            (#"{"lines":[{"sku":"A","quantity":true}]}"#, ["/lines/0/quantity"]),
            (#"{"lines":[{"sku":"A"},7]}"#, ["/lines/0/quantity", "/lines/1"]),
            (#"{"lines":[1,2,3,4]}"#, ["/lines"]),
            (#"{"lines":[{"sku":"A","quantity":1}],"note":"sixsix"}"#, ["/note"]),
            (#"{"lines":[{"sku":"A","quantity":1}],"note":"a\u0001"}"#, ["/note"]),
            (#"{"lines":[{"sku":"A","quantity":1}],"note":"a\u007f"}"#, ["/note"]),
            (
                #"{"lines":[{"sku":"A","quantity":1}],"gift":null,"size":"L","weight":10.5}"#,
                ["/gift", "/size", "/weight"]
            ),
            (
                #"{"lines":[{"sku":"A","quantity":1}],"gift":"true","size":1,"weight":"1"}"#,
                ["/gift", "/size", "/weight"]
            ),
            (#"{"lines":[{"sku":"A","quantity":1}],"labels":{"a":10,"b/~c":-1}}"#, ["/labels/a", "/labels/b~1~0c"]),
            (#"{"lines":[{"sku":"A","quantity":1,"price":1}],"a~/b":1}"#, ["/lines/0/price", "/a~0~1b"]),
            (#"[]"#, [""]), (#"7"#, [""]), (#"null"#, [""]),
        ] as [(String, [String])])
    func refuses(_ text: String, _ pointers: [String]) throws {
        #expect(Self.order.violations(in: try json(text)).map(\.pointer) == pointers)
    }

    @Test(
        "a violation names what was expected, and what was found",
        arguments: [
            (Schema.integer(1...200), JSON.integer(201), "expected an integer from 1 to 200, found 201"),
            (.boolean, .string("yes"), "expected true or false, found 'yes'"),
            (.choice(["S", "M"]), .string("L"), "expected one of S, M, found 'L'"),
            (.number(0...1), .number(1.5), "expected a number from 0.0 to 1.0, found 1.5"),
            (.text(1...3), .string("four"), "has 4 characters, at most 3 are accepted"),
            (
                .text(1...3), .integer(1),
                "expected text of 1 to 3 characters without control characters, found an integer"
            ),
            (.array(.any, 1...2), .array([1, 2, 3]), "has 3 entries, at most 2 are accepted"),
            (.array(.any, 1...2), .array([]), "expected an array of 1 to 2 entries, found an array of 0"),
            (.map(.any), .null, "expected an object, found null"),
            (.object("Thing", []), .array([]), "expected an object (Thing), found an array of 0"),
            (.nullable(.integer(0...1)), .integer(2), "expected an integer from 0 to 1, found 2"),
            (.country, .string("gb"), "expected a country code such as GB, found text of 2 characters"),
            (.object("T", [.required("a", .boolean)]), .object([:]), "is missing, expected true or false"),
            (.object("T", []), .object(["a": 1]), "is not a known field"),
        ] as [(Schema, JSON, String)])
    func details(_ schema: Schema, _ value: JSON, _ detail: String) {
        #expect(schema.violations(in: value).map(\.detail) == [detail])
    }

    @Test("text is not repeated in an error: it may be a password") func secrets() {
        let schema = Schema.object(
            "Login", [.required("password", .text(10...200)), .required("token", .token(1...9, example: "tok_1"))])
        let found = schema.violations(in: .object(["password": "hunter2", "token": "s3cr3t "]))
        #expect(found.map(\.pointer) == ["/password", "/token"])
        #expect(!"\(found)".contains("hunter2") && !"\(found)".contains("s3cr3t"))
        let number = schema.violations(in: .object(["password": 4_711_471_147, "token": "a"]))
        #expect(!"\(number)".contains("4711471147"))
    }

    @Test("characters are Unicode scalars, as JSON Schema counts them") func scalars() {
        #expect(Schema.text(1...1).violations(in: "é").isEmpty)
        #expect(!Schema.text(1...1).violations(in: "e\u{301}").isEmpty)
        #expect(Schema.text(1...1).violations(in: "😀").isEmpty)
    }

    @Test("a million wrong fields make a short answer") func limit() {
        let wrong = JSON.array(Array(repeating: "x", count: 100_000))
        #expect(Schema.array(.boolean, 0...1_000_000).violations(in: wrong).count == 20)
        #expect(Schema.array(.boolean, 0...1_000_000).violations(in: wrong, limit: 3).count == 3)
        let members = (0..<100).map { Schema.Member.required("m\($0)", .boolean) }
        #expect(Schema.object("Wide", members).violations(in: .object([:])).count == 20)
        let unknown = JSONObject((0..<100).map { ("u\($0)", JSON.null) })
        #expect(Schema.object("None", []).violations(in: .object(unknown)).count == 20)
    }

    @Test("an integer that the schema accepts can be decoded") func integers() throws {
        let schema = Schema.integer(Int64.min...Int64.max)
        for text in ["9007199254740992.0", "9007199254740994.0", "1e17", "-0.0", "9223372036854775807", "1e3"] {
            let value = try json(text)
            let accepted = schema.violations(in: value).isEmpty
            #expect(accepted == ((try? value.decode(Int64.self)) != nil), "\(text)")
        }
    }

    @Test(
        "text of a query becomes what the schema describes, or stays text to be refused",
        arguments: [
            (Schema.integer(1...9), "5", JSON.integer(5)), (.integer(1...9), "five", "five"), (.integer(1...9), "", ""),
            (.integer(1...9), "9223372036854775808", "9223372036854775808"), (.boolean, "true", true),
            (.boolean, "false", false), (.boolean, "1", "1"), (.number(0...1), "0.5", .number(0.5)),
            (.nullable(.integer(0...1)), "1", .integer(1)), (.text(0...9), "5", "5"), (.choice(["a"]), "a", "a"),
        ] as [(Schema, String, JSON)])
    func valueOfText(_ schema: Schema, _ text: String, _ value: JSON) {
        #expect(schema.value(of: text) == value)
    }

    @Test("numbers that are none are refused", arguments: ["nan", "inf", "-inf", "1e999"])
    func notNumbers(_ text: String) {
        let schema = Schema.number(0...10)
        #expect(!schema.violations(in: schema.value(of: text)).isEmpty)
    }
}
