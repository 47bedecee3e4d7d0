import Kernel
import Testing
import Wire

@Suite("The published interface") struct OpenAPITests {
    static let document = OpenAPI.document(Toy.routes().map(\.endpoint), version: "1")

    @Test("every endpoint is there but those for Souk itself") func paths() {
        let paths = Self.document["paths"]
        #expect(paths?["/api/things/{id}"]?["get"]?["operationId"] == "things.get")
        #expect(paths?["/api/things/{id}"]?["put"]?["operationId"] == "things.put")
        #expect(paths?["/internal/things"] == nil)
        #expect(Self.document["openapi"] == "3.1.0")
    }

    @Test("what may be answered is said") func responses() {
        let make = Self.document["paths"]?["/api/things"]?["post"]?["responses"]
        for status in ["201", "400", "401", "409", "413", "415", "422", "429", "431", "500", "503", "504"] {
            #expect(make?[status] != nil, "\(status)")
        }
        let get = Self.document["paths"]?["/api/things/{id}"]?["get"]?["responses"]
        #expect(get?["304"] != nil && get?["404"] != nil && get?["415"] == nil)
    }

    @Test("references lead somewhere") func references() {
        func check(_ value: JSON) {
            switch value {
            case .object(let object):
                if let reference = object["$ref"]?.stringValue {
                    let name = String(reference.dropFirst("#/components/schemas/".count))
                    #expect(Self.document["components"]?["schemas"]?[name] != nil, "\(reference)")
                }
                for (_, value) in object { check(value) }
            case .array(let values): for value in values { check(value) }
            default: break
            }
        }
        check(Self.document)
    }

    @Test("examples are as the schemas say") func examples() {
        let make = Self.document["paths"]?["/api/things"]?["post"]
        let example = make?["requestBody"]?["content"]?["application/json"]?["example"]
        #expect(example.map { Thing.schema.violations(in: $0).isEmpty } == true)
    }
}
