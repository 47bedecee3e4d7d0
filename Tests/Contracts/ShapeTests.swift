import Contracts
import Kernel
import Testing

@Suite("What crosses a contract has the shape that is published") struct ShapeTests {
    @Test("each value is what its own schema says") func values() throws {
        for sample in Samples.all {
            let violations = try Self.violations(of: sample)
            #expect(violations.isEmpty, "\(type(of: sample)): \(violations)")
        }
    }

    @Test("each value is the same after a journey as JSON text") func roundTrip() throws {
        for sample in Samples.all { try Self.checkRoundTrip(sample) }
    }

    @Test("each field of a value is in its schema, and each of the schema in some value") func members() throws {
        var unseen: [String: Set<String>] = [:]
        for sample in Samples.all {
            guard case .object(let name, let members) = type(of: sample).schema else {
                Issue.record("\(type(of: sample)) is no object")
                continue
            }
            let written = try Self.json(sample).objectValue?.names ?? []
            unseen[name, default: Set(members.map(\.name))].subtract(written)
        }
        #expect(unseen.filter { !$0.value.isEmpty } == [:])
    }

    @Test("there is a sample of each endpoint's input and output") func allSampled() {
        let sampled = Set(Samples.all.map { type(of: $0).schema.name })
        let used = Interface.endpoints.flatMap { [$0.input.name, $0.output.name] }
        #expect(Set(used).subtracting(sampled) == [])
    }

    @Test("one published name is one shape") func names() {
        var shapes: [String: Set<String>] = [:]
        for endpoint in Interface.endpoints {
            endpoint.input.collect(&shapes)
            endpoint.output.collect(&shapes)
        }
        for sample in Samples.all { type(of: sample).schema.collect(&shapes) }
        #expect(shapes.filter { $0.value.count > 1 }.keys.sorted() == [])
        #expect(shapes.count > 40)
    }

    @Test("a member that is missing, unknown or null is refused by name") func mutations() throws {
        for sample in Samples.all {
            guard case .object(_, let members) = type(of: sample).schema else { continue }
            let object = try Self.json(sample).objectValue ?? JSONObject()
            for member in members where object[member.name] != nil {
                var without = object
                without[member.name] = nil
                let pointers = type(of: sample).schema.violations(in: .object(without)).map(\.pointer)
                #expect(pointers == (member.isRequired ? ["/" + member.name] : []), "\(type(of: sample))")
            }
            var more = object
            more["unheard_of"] = 1
            #expect(type(of: sample).schema.violations(in: .object(more)).map(\.pointer) == ["/unheard_of"])
        }
    }

    private static func json(_ sample: some Shaped) throws -> JSON { try JSON.parse(try JSON.encode(sample)) }

    private static func violations<Sample: Shaped>(of sample: Sample) throws -> [Violation] {
        Sample.schema.violations(in: try json(sample))
    }

    private static func checkRoundTrip<Sample: Shaped>(_ sample: Sample) throws {
        let json = try json(sample)
        let back = try json.decode(Sample.self)
        #expect(try Self.json(back) == json, "\(Sample.self)")
    }
}

@Suite("The interface has no two ways to one thing") struct EndpointTests {
    private static let endpoints = Interface.endpoints

    @Test("names are unique, and are nouns and verbs with dots") func names() {
        let names = Self.endpoints.map(\.name)
        #expect(Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys.sorted() == [])
        #expect(
            names.allSatisfy { $0.contains(".") && $0.utf8.allSatisfy { $0 == 0x2E || (0x61...0x7A).contains($0) } })
    }

    @Test("method and path are unique, whatever a parameter is called") func paths() {
        let keys = Self.endpoints.map { endpoint in
            endpoint.method.rawValue + " "
                + endpoint.path.segments.map { segment in
                    switch segment {
                    case .literal(let text): text
                    case .parameter: "{}"
                    }
                }.joined(separator: "/")
        }
        #expect(Dictionary(grouping: keys) { $0 }.filter { $0.value.count > 1 }.keys.sorted() == [])
    }

    @Test("every parameter of a path is a required member of the input") func parameters() {
        for endpoint in Self.endpoints {
            guard case .object(_, let members) = endpoint.input else {
                Issue.record("\(endpoint.name): the input is no object")
                continue
            }
            let required = Set(members.filter(\.isRequired).map(\.name))
            #expect(Set(endpoint.path.parameters).subtracting(required) == [], "\(endpoint.name)")
            #expect(Set(endpoint.path.parameters).count == endpoint.path.parameters.count, "\(endpoint.name)")
        }
    }

    @Test("what travels in a query is plain") func queries() {
        for endpoint in Self.endpoints where endpoint.method.takesQuery {
            guard case .object(_, let members) = endpoint.input else { continue }
            for member in members {
                switch member.schema {
                case .array, .object, .map, .any: Issue.record("\(endpoint.name): \(member.name) does not fit a query")
                default: break
                }
            }
        }
    }

    @Test("what is for other roles alone is internal, the rest is not") func access() {
        for endpoint in Self.endpoints {
            #expect(
                (endpoint.access == .service) == endpoint.path.description.hasPrefix("/internal/"), "\(endpoint.name)")
            #expect(["/internal/", "/api/", "/.well-known/"].contains { endpoint.path.description.hasPrefix($0) })
        }
    }

    @Test("only what everybody may read is kept by the edge") func caching() {
        for endpoint in Self.endpoints where endpoint.isCacheable {
            #expect(endpoint.method == .get && endpoint.access == .anyone, "\(endpoint.name)")
        }
    }

    @Test("reads change nothing; no content has no body; conditional writes can fail so") func consistency() {
        for endpoint in Self.endpoints {
            #expect([200, 201, 202, 204].contains(endpoint.success), "\(endpoint.name)")
            #expect((endpoint.success == 204) == (endpoint.output.name == "Nothing"), "\(endpoint.name)")
            if endpoint.method == .get { #expect(endpoint.idempotency == .natural, "\(endpoint.name)") }
            if endpoint.isConditional {
                #expect(
                    Set(endpoint.problems).isSuperset(of: [.versionMismatch, .versionRequired]), "\(endpoint.name)")
            }
            if endpoint.idempotency == .keyRequired {
                #expect(
                    Set(endpoint.problems).isSuperset(of: [.keyMissing, .keyReused, .keyInUse]), "\(endpoint.name)")
            }
            #expect(Set(endpoint.problems).count == endpoint.problems.count, "\(endpoint.name)")
        }
    }

    @Test("one problem's slug is one problem") func problems() {
        let all = Set(Self.endpoints.flatMap(\.problems))
        let slugs = Dictionary(grouping: all, by: \.slug)
        #expect(slugs.filter { $0.value.count > 1 }.keys.sorted() == [])
        #expect(all.allSatisfy { (400...599).contains($0.status) && !$0.title.isEmpty && !$0.title.hasSuffix(".") })
    }

    @Test("kinds of identifiers differ in their prefixes, which are TypeID's") func prefixes() {
        let prefixes = [
            UserKind.idPrefix, OrderKind.idPrefix, CartKind.idPrefix, PaymentKind.idPrefix, ProductKind.idPrefix,
            VariantKind.idPrefix, NotificationKind.idPrefix, MovementKind.idPrefix,
        ]
        #expect(Set(prefixes).count == prefixes.count)
        for prefix in prefixes {
            #expect(prefix.utf8.allSatisfy { (0x61...0x7A).contains($0) } && (1...63).contains(prefix.utf8.count))
        }
    }
}

extension Schema {
    var name: String? {
        if case .object(let name, _) = self { name } else { nil }
    }

    /// Each named object in it, with its shape in words.
    func collect(_ shapes: inout [String: Set<String>]) {
        switch self {
        case .object(let name, let members):
            shapes[name, default: []].insert(shape(isTop: true))
            for member in members { member.schema.collect(&shapes) }
        case .array(let schema, _), .map(let schema), .nullable(let schema): schema.collect(&shapes)
        default: break
        }
    }

    private func shape(isTop: Bool = false) -> String {
        switch self {
        case .boolean: "boolean"
        case .integer(let range): "integer \(range)"
        case .number(let range): "number \(range)"
        case .string(let length, let format): "string \(length) \(format?.pattern ?? "")"
        case .choice(let choices): "choice \(choices)"
        case .array(let schema, let count): "array \(count) of \(schema.shape())"
        case .object(let name, let members):
            isTop
                ? members.map { "\($0.name)\($0.isRequired ? "!" : "?") \($0.schema.shape()) \($0.about ?? "")" }
                    .joined(separator: "; ")
                : name
        case .map(let schema): "map of \(schema.shape())"
        case .nullable(let schema): "\(schema.shape()) or null"
        case .any: "any"
        }
    }
}
