import Drills
import Kernel
import Yams

/// A rendered chart: YAML documents as `helm template` prints them, or JSON as `kubectl get -o json` does, which is
/// YAML, too.
enum ScoreChart {
    static let largestFile = 32 << 20
    /// Of all documents, what aliases repeat counted each time: a small file may stand for a very large tree.
    private static let mostNodes = 2_000_000
    private static let deepest = 100

    /// - Throws: `DrillError` that names the file and where it is wrong.
    static func read(_ path: String) throws -> [JSON] {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, limit: largestFile, followsLinks: true)
        } catch {
            throw DrillError("\(error), expected a rendered chart: helm template … > chart.yaml")
        }
        return try objects(String(decoding: bytes, as: UTF8.self), file: path)
    }

    static func objects(_ text: String, file: String) throws -> [JSON] {
        var objects: [JSON] = []
        var left = mostNodes
        do {
            var documents = try compose_all(yaml: text)
            while let document = documents.next() {
                let json = try json(document, depth: 0, &left, file)
                if json.isNull { continue }
                guard json["kind"]?.stringValue != nil else {
                    throw DrillError("\(file): a document is no manifest, expected one with a kind")
                }
                objects.append(json)
            }
            if let error = documents.error { throw error }
        } catch let error as YamlError {
            throw DrillError("\(file) is no YAML: \(reason(error))")
        }
        return objects
    }

    private static func reason(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case .reader(let problem, _, _, _): problem
        case .duplicatedKeysInMapping(let duplicates, let context):
            "line \(context.mark.line): \(duplicates.joined(separator: ", ")) is there twice"
        default: "it cannot be read"
        }
    }

    private static func json(_ node: Node, depth: Int, _ left: inout Int, _ file: String) throws -> JSON {
        left -= 1
        guard left > 0, depth < deepest else {
            throw DrillError("\(file) holds too much, expected at most \(mostNodes) values, \(deepest) deep")
        }
        switch node {
        case .scalar(let scalar): return value(scalar)
        case .sequence(let sequence):
            return .array(try sequence.map { try json($0, depth: depth + 1, &left, file) })
        case .mapping(let mapping):
            return .object(
                JSONObject(
                    try mapping.map { key, value in
                        (key.scalar?.string ?? "", try json(value, depth: depth + 1, &left, file))
                    }))
        case .alias: throw DrillError("\(file) has an alias of nothing")
        }
    }

    /// By YAML's core schema; what is quoted is text.
    private static func value(_ scalar: Node.Scalar) -> JSON {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case let text:
            if let integer = Int64(text) { return .integer(integer) }
            guard text.first.map({ $0.isNumber || "+-.".contains($0) }) == true, let number = Double(text),
                number.isFinite
            else { return .string(text) }
            return .number(number)
        }
    }
}
