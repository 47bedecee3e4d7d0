extension JSON {
    /// Decodes a value from the tree.
    ///
    /// Every error is a `JSONDecodingError`, also where an `init(from:)` throws another one: that one's words are kept
    /// and its place is added. Members that the type does not ask for are passed over. `superDecoder()` is refused.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try TreeDecoder(self, at: .root, of: nil).decoded(type)
    }

    /// Parses and decodes. Throws `JSONError` where the text is no JSON, `JSONDecodingError` where it is not the value.
    public static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()
    ) throws -> Value {
        try parse(bytes, limits: limits).decode(type)
    }
}

/// Well-formed JSON that is not the value that was asked for: where it is not, and what was expected there.
public struct JSONDecodingError: Error, Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
        /// A member, or an element past the end, that is not there.
        case missing(expected: String)
        /// Another kind of value, or one out of range. `found` names the kind and never the content.
        case mismatch(expected: String, found: String)
        /// Refused by the type itself, in its own words.
        case invalid(String)
    }

    /// The JSON Pointer (RFC 6901) of the value or of the missing member: `/lines/0/quantity`; empty for the whole.
    public let pointer: String
    public let reason: Reason

    /// `expected an integer, found a string`.
    public var message: String {
        switch reason {
        case .missing(let expected): "expected \(expected), found nothing"
        case .mismatch(let expected, let found): "expected \(expected), found \(found)"
        case .invalid(let words): words
        }
    }
}

extension JSONDecodingError: CustomStringConvertible {
    /// `/lines/0/quantity: expected an integer, found a string`.
    public var description: String { pointer.isEmpty ? message : "\(pointer): \(message)" }
}

/// What was asked for; turned into words only when it was not found.
enum JSONExpectation {
    case string, boolean, number, array, object, element, value
    case integer(any FixedWidthInteger.Type)

    var words: String {
        switch self {
        case .string: "a string"
        case .boolean: "a boolean"
        case .number: "a number"
        case .array: "an array"
        case .object: "an object"
        case .element: "another element"
        case .value: "a value"
        case .integer(let type) where type == Int.self || type == Int64.self: "an integer"
        case .integer(let type): "an integer from \(String(describing: type.min)) to \(String(describing: type.max))"
        }
    }

    func found(_ value: JSON) -> String {
        switch (self, value) {
        case (.integer, .integer): "one out of range"
        case (.integer, .number(let number)): number.rounded() == number ? "one out of range" : "a fraction"
        case (.number, .number): "one out of range"
        default: value.kind
        }
    }
}

/// A decoder of one value in the tree. The path to it is a chain of parents, walked only when someone asks.
final class TreeDecoder: Decoder {
    enum Step {
        case root
        case name(String)
        case index(Int)
    }

    let value: JSON
    private let step: Step
    private let parent: TreeDecoder?
    /// Where in the object the last member was found. The next one asked for mostly follows it.
    /// A plain number that is read and set, nothing to check the exclusivity of.
    @exclusivity(unchecked) var cursor = 0

    init(_ value: JSON, at step: Step, of parent: TreeDecoder?) {
        self.value = value
        self.step = step
        self.parent = parent
    }

    var codingPath: [any CodingKey] {
        var path: [any CodingKey] = []
        var decoder: TreeDecoder? = self
        while let current = decoder {
            switch current.step {
            case .root: break
            case .name(let name): path.append(JSONKey(name))
            case .index(let index): path.append(JSONKey(index: index))
            }
            decoder = current.parent
        }
        return path.reversed()
    }

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch(.object, value) }
        return KeyedDecodingContainer(TreeObject<Key>(decoder: self, object: object))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch(.array, value) }
        return TreeArray(decoder: self, elements: elements)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    @inline(__always)
    func decoded<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try Value(from: self)
        } catch let error as JSONDecodingError {
            throw error
        } catch {
            throw located(error, type)
        }
    }
}

extension TreeDecoder {
    func mismatch(_ expected: JSONExpectation, _ found: JSON, at step: Step = .root) -> JSONDecodingError {
        JSONDecodingError(
            pointer: pointer(step), reason: .mismatch(expected: expected.words, found: expected.found(found)))
    }

    func missing(_ expected: JSONExpectation, at step: Step) -> JSONDecodingError {
        JSONDecodingError(pointer: pointer(step), reason: .missing(expected: expected.words))
    }

    func unsupported(_ what: String) -> JSONDecodingError {
        JSONDecodingError(pointer: pointer(.root), reason: .invalid("\(what) is not supported"))
    }

    private func pointer(_ step: Step) -> String {
        let path = JSONPointer.text(codingPath)
        switch step {
        case .root: return path
        case .name(let name): return path + JSONPointer.step(name)
        case .index(let index): return path + "/\(index)"
        }
    }

    /// An error of the type's own `init(from:)`, or of the standard library's.
    private func located<Value>(_ error: any Error, _ type: Value.Type) -> JSONDecodingError {
        guard let error = error as? DecodingError else {
            return JSONDecodingError(pointer: pointer(.root), reason: .invalid(String(describing: error)))
        }
        switch error {
        case .keyNotFound(let key, let context):
            let path = JSONPointer.text(context.codingPath) + JSONPointer.step(key.stringValue)
            return JSONDecodingError(pointer: path, reason: .missing(expected: JSONExpectation.value.words))
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let path = JSONPointer.text(context.codingPath)
            return JSONDecodingError(pointer: path, reason: .invalid(Self.words(context.debugDescription, type)))
        @unknown default:
            return JSONDecodingError(pointer: pointer(.root), reason: .invalid("expected another value"))
        }
    }

    /// The standard library's words for an unknown raw value repeat it and name Swift types; these say what is allowed.
    private static func words<Value>(_ words: String, _ type: Value.Type) -> String {
        guard words.hasPrefix("Cannot initialize ") else { return words }
        func names<Enumeration: RawRepresentable & CaseIterable>(_ type: Enumeration.Type) -> String {
            type.allCases.map { "\($0.rawValue)" }.joined(separator: ", ")
        }
        guard let enumeration = type as? any (RawRepresentable & CaseIterable).Type else {
            return "expected an allowed value, found another"
        }
        return "expected one of \(names(enumeration)), found another value"
    }
}
