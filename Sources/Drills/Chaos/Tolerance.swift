public import Kernel

/// What a probe's result must be.
public enum Tolerance: Sendable, Equatable {
    /// This, or a `status` of this.
    case value(JSON)
    /// One of these; of two, what lies between them.
    case list([JSON])
    /// Found in a text.
    case regex(pattern: String, target: String?)
    /// What a path finds: something, so many, or exactly this.
    case path(JSONPath, target: String?, count: Int?, expect: JSON?)
    case range(ClosedRange<Double>, target: String?)

    init(_ place: Place) throws {
        switch place.value {
        case .bool, .integer, .string: self = .value(place.value)
        case .array(let elements): self = .list(elements)
        case .object:
            let target = try place.member("target")?.text()
            switch try place.text("type") {
            case "regex":
                let pattern = try place.text("pattern")
                guard (try? Regex(pattern)) != nil else {
                    throw place.wrong("/pattern", "is '\(pattern)'", "a regular expression")
                }
                self = .regex(pattern: pattern, target: target)
            case "jsonpath":
                let count = place.member("count")?.value.integerValue.map { Int($0) }
                self = .path(
                    try JSONPath(place.text("path"), place), target: target, count: count,
                    expect: place.value["expect"])
            case "range":
                let bounds = place.member("range")?.value.arrayValue?.map(\.numberValue) ?? []
                guard bounds.count == 2, let low = bounds[0], let high = bounds[1], low <= high else {
                    throw place.wrong("/range", "is no range", "[LOWEST, HIGHEST]")
                }
                self = .range(low...high, target: target)
            case let other: throw place.wrong("/type", "is '\(other)'", "regex, jsonpath or range")
            }
        default: throw place.wrong("is \(place.value)", "a boolean, a whole number, a text, a list or an object")
        }
    }

    /// Whether the result is within it.
    public func isMet(by result: JSON) -> Bool {
        switch self {
        case .value(let expected):
            // As in the toolkit: a number stands for the status of what has one.
            if expected.numberValue != nil, let status = result["status"] { return status.isSame(as: expected) }
            return result.isSame(as: expected)
        case .list(let choices):
            if let status = result["status"] { return choices.contains { $0.isSame(as: status) } }
            if choices.count == 2 { return choices[0].isAtMost(result) && result.isAtMost(choices[1]) }
            return choices.contains { $0.isSame(as: result) }
        case .regex(let pattern, let target):
            guard let text = Self.aim(result, target).stringValue, let regex = try? Regex(pattern) else { return false }
            return text.firstMatch(of: regex) != nil
        case .path(let path, let target, let count, let expect):
            var value = Self.aim(result, target)
            if let text = value.stringValue, let parsed = try? JSON.parse(Array(text.utf8)) { value = parsed }
            let found = path.find(in: value)
            if let expect {
                let expected = expect.arrayValue ?? [expect]
                return found.count == expected.count && zip(found, expected).allSatisfy { $0.isSame(as: $1) }
            }
            return count.map { $0 == found.count } ?? !found.isEmpty
        case .range(let range, let target):
            let value = Self.aim(result, target)
            guard let number = value.numberValue ?? value.stringValue.flatMap(Self.number) else { return false }
            return range.contains(number)
        }
    }

    private static func aim(_ result: JSON, _ target: String?) -> JSON { target.flatMap { result[$0] } ?? result }

    private static func number(_ text: String) -> Double? {
        Double(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed().map(String.init).joined())
    }
}

extension JSON {
    /// `1` and `1.0` are the same here.
    fileprivate func isSame(as other: JSON) -> Bool {
        if let one = numberValue, let two = other.numberValue { return one == two }
        return self == other
    }

    fileprivate func isAtMost(_ other: JSON) -> Bool {
        if let one = numberValue, let two = other.numberValue { return one <= two }
        if let one = stringValue, let two = other.stringValue { return one <= two }
        return false
    }
}

/// The simple forms of a JSON path: `$.a.b[0]`, `$['a b']`, `$.a[*].b`.
public struct JSONPath: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case name(String)
        case index(Int)
        case all
    }
    let steps: [Step]

    init(_ text: String, _ place: Place) throws {
        func wrong() -> DrillError {
            place.wrong("/path", "is '\(text)'", "a path such as $.a.b[0], $['a'] or $.a[*].b")
        }
        guard text.hasPrefix("$") else { throw wrong() }
        var rest = text.dropFirst()
        var steps: [Step] = []
        while let first = rest.first {
            rest = rest.dropFirst()
            switch first {
            case ".":
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty, !name.contains(where: { "()?@*".contains($0) }) || name == "*" else {
                    throw wrong()
                }
                steps.append(name == "*" ? .all : .name(String(name)))
                rest = rest.dropFirst(name.count)
            case "[":
                guard let end = rest.firstIndex(of: "]") else { throw wrong() }
                let inside = rest[..<end]
                rest = rest[end...].dropFirst()
                if inside == "*" {
                    steps.append(.all)
                } else if let index = Int(inside), index >= 0 {
                    steps.append(.index(index))
                } else if let quote = inside.first, "'\"".contains(quote), inside.count > 2, inside.last == quote {
                    steps.append(.name(String(inside.dropFirst().dropLast())))
                } else {
                    throw wrong()
                }
            default: throw wrong()
            }
        }
        self.steps = steps
    }

    /// In the order of the document.
    public func find(in value: JSON) -> [JSON] {
        steps.reduce([value]) { found, step in
            found.flatMap { value -> [JSON] in
                switch step {
                case .name(let name): value[name].map { [$0] } ?? []
                case .index(let index): value[index].map { [$0] } ?? []
                case .all: value.arrayValue ?? value.objectValue?.map(\.value) ?? []
                }
            }
        }
    }
}
