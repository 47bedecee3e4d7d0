/// The shape of a value in JSON: declared once, it checks what comes in, and it is published in `/openapi.json`.
public indirect enum Schema: Sendable {
    case boolean
    case integer(ClosedRange<Int64>)
    case number(ClosedRange<Double>)
    /// A string of that many Unicode scalars, of a format, or one of some values.
    case string(ClosedRange<Int>, Format?)
    case choice([String])
    case array(Schema, ClosedRange<Int>)
    /// Named: published once, under that name. Members not listed are refused.
    case object(String, [Member])
    /// An object with any keys.
    case map(Schema)
    case nullable(Schema)
    /// Any JSON.
    case any

    public struct Member: Sendable {
        public let name: String
        public let schema: Schema
        public let isRequired: Bool
        public let about: String?

        public static func required(_ name: String, _ schema: Schema, _ about: String? = nil) -> Member {
            Member(name: name, schema: schema, isRequired: true, about: about)
        }

        public static func optional(_ name: String, _ schema: Schema, _ about: String? = nil) -> Member {
            Member(name: name, schema: schema, isRequired: false, about: about)
        }
    }

    /// What a string looks like: said as a pattern to readers, checked by a function here.
    public struct Format: Sendable {
        /// What was expected, in an error: "an e-mail address".
        public let name: String
        /// ECMA 262, for the published document.
        public let pattern: String
        public let example: String
        public let matches: @Sendable (String) -> Bool

        public init(_ name: String, pattern: String, example: String, matches: @escaping @Sendable (String) -> Bool) {
            self.name = name
            self.pattern = pattern
            self.example = example
            self.matches = matches
        }
    }

    /// A string without a format: any text but control characters other than tab and line breaks.
    public static func text(_ length: ClosedRange<Int>) -> Schema { .string(length, nil) }
}

/// A value that crosses a contract: it knows its own shape.
public protocol Shaped: Codable, Sendable {
    static var schema: Schema { get }
}

/// No input, or no output (`204`).
public struct Nothing: Shaped, Equatable {
    public init() {}
    public static let schema = Schema.object("Nothing", [])
}

extension Schema {
    /// What in `value` is not as this schema says; empty if all is well. Stops after `limit` violations.
    public func violations(in value: JSON, limit: Int = 20) -> [Violation] {
        var found: [Violation] = []
        check(value, "", &found, limit)
        return found
    }

    private func check(_ value: JSON, _ pointer: String, _ found: inout [Violation], _ limit: Int) {
        guard found.count < limit else { return }
        if let complaint = complaint(about: value) {
            found.append(Violation(pointer: pointer, detail: complaint))
            return
        }
        switch (self, value) {
        case (.array(let element, _), .array(let values)):
            for (index, value) in values.enumerated() {
                // The pointer's text is made only where there is something to say: most inputs are right.
                guard !element.accepts(value) else { continue }
                element.check(value, "\(pointer)/\(index)", &found, limit)
            }
        case (.object(_, let members), .object(let object)):
            for member in members {
                if let value = object[member.name] {
                    guard !member.schema.accepts(value) else { continue }
                    member.schema.check(value, "\(pointer)/\(member.name)", &found, limit)
                } else if member.isRequired, found.count < limit {
                    found.append(
                        Violation(
                            pointer: "\(pointer)/\(member.name)",
                            detail: "is missing, expected \(member.schema.expectation)"))
                }
            }
            for (key, _) in object where found.count < limit && !members.contains(where: { $0.name == key }) {
                found.append(Violation(pointer: "\(pointer)/\(key.pointerEscaped)", detail: "is not a known field"))
            }
        case (.map(let element), .object(let object)):
            for (key, value) in object where !element.accepts(value) {
                element.check(value, "\(pointer)/\(key.pointerEscaped)", &found, limit)
            }
        case (.nullable(let schema), _) where value != .null:
            schema.check(value, pointer, &found, limit)
        default: break
        }
    }

    /// Whether the value and all inside it are right; makes no text.
    private func accepts(_ value: JSON) -> Bool {
        guard fits(value) else { return false }
        switch (self, value) {
        case (.array(let element, _), .array(let values)):
            return values.allSatisfy { element.accepts($0) }
        case (.object(_, let members), .object(let object)):
            var known = 0
            for member in members {
                if let value = object[member.name] {
                    guard member.schema.accepts(value) else { return false }
                    known += 1
                } else if member.isRequired {
                    return false
                }
            }
            return known == object.count
        case (.map(let element), .object(let object)):
            return object.allSatisfy { element.accepts($0.value) }
        case (.nullable(let schema), _):
            return value == .null || schema.accepts(value)
        default: return true
        }
    }

    /// Whether this one value is right, not looking inside arrays and objects.
    private func fits(_ value: JSON) -> Bool {
        switch (self, value) {
        case (.any, _), (.boolean, .bool), (.object, .object), (.map, .object), (.nullable, _): true
        case (.integer(let range), .integer(let integer)): range.contains(integer)
        case (.number(let range), .number(let number)): range.contains(number)
        case (.number(let range), .integer(let integer)): range.contains(Double(integer))
        case (.integer(let range), .number): value.integerValue.map(range.contains) ?? false
        case (.string(let length, let format), .string(let text)):
            length.contains(text.unicodeScalars.count) && (format?.matches(text) ?? !text.hasControlCharacters)
        case (.choice(let choices), .string(let text)): choices.contains(text)
        case (.array(_, let count), .array(let values)): count.contains(values.count)
        default: false
        }
    }

    private func complaint(about value: JSON) -> String? {
        guard !fits(value) else { return nil }
        switch (self, value) {
        case (.string(let length, _), .string(let text)) where text.unicodeScalars.count > length.upperBound:
            return "has \(text.unicodeScalars.count) characters, at most \(length.upperBound) are accepted"
        case (.array(_, let count), .array(let values)) where values.count > count.upperBound:
            return "has \(values.count) entries, at most \(count.upperBound) are accepted"
        default:
            return "expected \(expectation), found \(found(value))"
        }
    }

    /// What there is instead. Never the content of text: it may be a password or a token.
    private func found(_ value: JSON) -> String {
        switch (self, value) {
        case (.string, .string(let text)): "text of \(text.unicodeScalars.count) characters"
        case (.string, _): value.kind
        default: value.summary
        }
    }

    /// "an integer from 1 to 200", for errors.
    public var expectation: String {
        switch self {
        case .boolean: "true or false"
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .string(_, let format?): "\(format.name) such as \(format.example)"
        case .string(let length, nil):
            "text of \(length.lowerBound) to \(length.upperBound) characters without control characters"
        case .choice(let choices): "one of \(choices.joined(separator: ", "))"
        case .array(_, let count): "an array of \(count.lowerBound) to \(count.upperBound) entries"
        case .object(let name, _): "an object (\(name))"
        case .map: "an object"
        case .nullable(let schema): schema.expectation + " or null"
        case .any: "any value"
        }
    }

    /// Text from a path or query as the JSON that this schema describes; text that is not one stays a string, so that
    /// the check that follows says what was expected.
    public func value(of text: String) -> JSON {
        switch self {
        case .integer: Int64(text).map(JSON.integer) ?? .string(text)
        case .number: Double(text).map(JSON.number) ?? .string(text)
        case .boolean: text == "true" ? .bool(true) : text == "false" ? .bool(false) : .string(text)
        case .nullable(let schema): schema.value(of: text)
        default: .string(text)
        }
    }
}

extension JSON {
    fileprivate var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .string(let text): text.unicodeScalars.count > 40 ? "a longer text" : "'\(text)'"
        case .array(let values): "an array of \(values.count)"
        case .object: "an object"
        }
    }
}

extension String {
    /// C0 controls other than tab, line feed and carriage return, and DEL.
    var hasControlCharacters: Bool {
        utf8.contains { $0 < 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D || $0 == 0x7F }
    }

    var pointerEscaped: String {
        guard utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return self }
        return reduce(into: "") { $0 += $1 == "~" ? "~0" : $1 == "/" ? "~1" : String($1) }
    }
}
