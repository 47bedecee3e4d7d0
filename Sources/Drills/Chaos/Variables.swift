import Kernel

/// What `${name}` stands for: the configuration first, then the secrets of all groups.
struct Variables: Sendable {
    private let values: [String: JSON]
    /// The configuration as it was found, without the secrets: a rollback days later goes where the fault went.
    let configuration: JSONObject

    /// - Throws: `DrillError` if a variable of the environment is not set and has no default, or is no such number.
    init(_ experiment: Experiment, environment: (String) -> String?, file: String) throws {
        func resolved(_ object: JSONObject, at pointer: String) throws -> JSONObject {
            JSONObject(
                try object.map { name, value in
                    let place = Place(file: file, pointer: "\(pointer)/\(name)", value: value)
                    return (name, try Self.value(place, environment))
                })
        }
        configuration = try resolved(experiment.configuration, at: "/configuration")
        var values: [String: JSON] = [:]
        for (group, members) in experiment.secrets {
            let place = Place(file: file, pointer: "/secrets/\(group)", value: members)
            for (name, value) in try resolved(place.object(), at: place.pointer) { values[name] = value }
        }
        for (name, value) in configuration { values[name] = value }
        self.values = values
    }

    private static func value(_ place: Place, _ environment: (String) -> String?) throws -> JSON {
        guard let type = place.value["type"] else { return place.value }
        guard type == "env" else {
            throw place.wrong("/type", "is \(type), which only the Chaos Toolkit resolves", "env")
        }
        let key = try place.text("key")
        guard let text = environment(key) else {
            guard let usual = place.value["default"] else {
                throw place.wrong("is of the environment, where \(key) is not set", "it to be set, or a default")
            }
            return usual
        }
        switch place.value["env_var_type"]?.stringValue {
        case nil, "str": return .string(text)
        case "int":
            guard let number = Int64(text) else { throw place.wrong("comes from \(key)", "a whole number in it") }
            return .integer(number)
        case "float":
            guard let number = Double(text) else { throw place.wrong("comes from \(key)", "a number in it") }
            return .number(number)
        case "bool": return .bool(["1", "true", "yes", "on"].contains(text.lowercased()))
        case let other?: throw place.wrong("/env_var_type", "is '\(other)'", "str, int, float or bool")
        }
    }

    /// With every `${name}` in it replaced. A text that is one name alone becomes that value with its type; an unknown
    /// name stays, for the program that is called may know it; `$$` is one `$`.
    func replace(_ value: JSON) -> JSON {
        switch value {
        case .string(let text): replace(text)
        case .array(let elements): .array(elements.map(replace))
        case .object(let object): .object(JSONObject(object.map { ($0.key, replace($0.value)) }))
        default: value
        }
    }

    private func replace(_ text: String) -> JSON {
        // Without a name there is nothing to replace, and the toolkit leaves the text as it is, too.
        guard !values.isEmpty, text.contains("$") else { return .string(text) }
        if text.hasPrefix("${"), text.firstIndex(of: "}") == text.index(before: text.endIndex),
            let value = values[String(text.dropFirst(2).dropLast())]
        {
            return value
        }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.hasPrefix("$") {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.hasPrefix("{"), let end = rest.firstIndex(of: "}"),
                let value = values[String(rest[..<end].dropFirst())]
            {
                result += value.stringValue ?? "\(value)"
                rest = rest[end...].dropFirst()
            } else {
                result += "$"
            }
        }
        return .string(result + rest)
    }
}
