import Kernel

/// Writes schemas as JSON Schema 2020-12; each named object once.
struct SchemaWriter {
    var named = JSONObject()

    mutating func json(_ schema: Schema) -> JSON {
        switch schema {
        case .boolean: return ["type": "boolean"]
        case .integer(let range):
            var object: JSONObject = ["type": "integer"]
            if range.lowerBound > .min { object["minimum"] = .integer(range.lowerBound) }
            if range.upperBound < .max { object["maximum"] = .integer(range.upperBound) }
            return .object(object)
        case .number(let range):
            var object: JSONObject = ["type": "number"]
            if range.lowerBound.isFinite { object["minimum"] = .number(range.lowerBound) }
            if range.upperBound.isFinite { object["maximum"] = .number(range.upperBound) }
            return .object(object)
        case .string(let length, let format):
            var object: JSONObject = ["type": "string", "minLength": .integer(Int64(length.lowerBound))]
            if length.upperBound < .max { object["maxLength"] = .integer(Int64(length.upperBound)) }
            object["pattern"] = .string(format?.pattern ?? Self.withoutControls)
            if let format { object["examples"] = [.string(format.example)] }
            return .object(object)
        case .choice(let choices): return ["type": "string", "enum": .array(choices.map { .string($0) })]
        case .array(let element, let count):
            var object: JSONObject = ["type": "array", "items": json(element)]
            if count.lowerBound > 0 { object["minItems"] = .integer(Int64(count.lowerBound)) }
            if count.upperBound < .max { object["maxItems"] = .integer(Int64(count.upperBound)) }
            return .object(object)
        case .object(let name, let members): return reference(name, object(members))
        case .map(let element): return ["type": "object", "additionalProperties": json(element)]
        case .nullable(let schema): return ["anyOf": [json(schema), ["type": "null"]]]
        case .any: return [:]
        }
    }

    /// An object without a name.
    mutating func object(_ members: [Schema.Member]) -> JSON {
        var properties = JSONObject()
        for member in members {
            var schema = json(member.schema)
            // Beside a reference a description stands too, since 3.1.
            if let about = member.about, case .object(var object) = schema {
                object["description"] = .string(about)
                schema = .object(object)
            }
            properties[member.name] = schema
        }
        var object: JSONObject = [
            "type": "object", "properties": .object(properties), "additionalProperties": false,
        ]
        let required = members.filter(\.isRequired).map { JSON.string($0.name) }
        if !required.isEmpty { object["required"] = .array(required) }
        return .object(object)
    }

    /// Two shapes of one name are told apart by a number.
    private mutating func reference(_ name: String, _ schema: JSON) -> JSON {
        var unique = name
        var number = 1
        while let other = named[unique], other != schema {
            number += 1
            unique = "\(name)\(number)"
        }
        named[unique] = schema
        return ["$ref": .string("#/components/schemas/\(unique)")]
    }

    private static let withoutControls = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$"

    /// A value of that shape.
    static func example(_ schema: Schema) -> JSON {
        switch schema {
        case .boolean: return true
        case .integer(let range): return .integer(min(max(1, range.lowerBound), range.upperBound))
        case .number(let range): return .number(min(max(1, range.lowerBound), range.upperBound))
        case .string(_, let format?): return .string(format.example)
        case .string(let length, nil):
            let text = String("text".prefix(max(1, length.upperBound)))
            return .string(text + String(repeating: "x", count: max(0, length.lowerBound - text.count)))
        case .choice(let choices): return .string(choices.first ?? "")
        case .array(let element, let count):
            return .array(Array(repeating: example(element), count: max(min(1, count.upperBound), count.lowerBound)))
        case .object(_, let members):
            var object = JSONObject()
            for member in members { object[member.name] = example(member.schema) }
            return .object(object)
        case .map(let element): return ["key": example(element)]
        case .nullable(let schema): return example(schema)
        case .any: return [:]
        }
    }
}
