/// How much a JSON text may hold before it is refused; what one container may hold, where nothing else is said.
public struct JSONLimits: Sendable, Hashable {
    /// No setting goes deeper: reading, comparing and freeing a tree recurse, and a thread's stack is finite.
    public static let greatestDepth = 256

    /// Levels of arrays and objects.
    public var depth = 32
    /// Members of one object, elements of one array.
    public var members = 10_000
    /// Bytes of one string, after its escapes are resolved.
    public var stringBytes = 1 << 20
    /// Bytes of one member's name, after its escapes are resolved.
    public var nameBytes = 1 << 10
    /// Bytes of one number as it is written.
    public var numberBytes = 256
    /// Bytes of the whole text.
    public var bytes = 8 << 20

    public init() {}

    public init(depth: Int = 32, members: Int = 10_000, stringBytes: Int = 1 << 20, bytes: Int = 8 << 20) {
        self.depth = depth
        self.members = members
        self.stringBytes = stringBytes
        self.bytes = bytes
    }
}

/// Why and where a text was refused as JSON. It names positions and what was expected, never the text's content beyond
/// one character and a member's name.
public struct JSONError: Error, Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
        /// The grammar wanted something else.
        case syntax(expected: String, found: String)
        /// A whole value was read, and more than white space follows it.
        case trailingContent(found: String)
        case depth(limit: Int)
        /// The object has that name already. `JSONError.pointer` leads to the member.
        case duplicateKey(String)
        /// Not UTF-8: a stray or missing continuation byte, an overlong form, a surrogate, or beyond U+10FFFF.
        case invalidUTF8
        /// `\uD800`…`\uDFFF` that is not half of a pair.
        case loneSurrogate
        /// U+0000, raw or escaped: text columns and C interfaces end there.
        case nulCharacter
        /// An integer beyond 64 bits with sign, or a number beyond the range of a double.
        case numberOutOfRange
        case tooManyMembers(limit: Int)
        case tooLong(Part, limit: Int)
    }

    public enum Part: String, Sendable { case text, string, name, number }

    public let reason: Reason
    /// In bytes from the start, from 0.
    public let offset: Int
    /// From 1.
    public let line: Int
    /// In characters (Unicode scalars) from the line's start, from 1.
    public let column: Int
    /// The JSON Pointer (RFC 6901) of the value that was being read; empty for the whole text.
    public let pointer: String

    init(_ reason: Reason, at offset: Int, in bytes: UnsafeBufferPointer<UInt8>) {
        var line = 1
        var column = 1
        for byte in bytes.prefix(offset) {
            if byte == ASCII.lineFeed {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(reason: reason, offset: offset, line: line, column: column, pointer: "")
    }

    private init(reason: Reason, offset: Int, line: Int, column: Int, pointer: String) {
        self.reason = reason
        self.offset = offset
        self.line = line
        self.column = column
        self.pointer = pointer
    }

    /// The same error, seen from the container around.
    func inside(_ name: String) -> JSONError {
        let pointer = JSONPointer.step(name) + pointer
        return JSONError(reason: reason, offset: offset, line: line, column: column, pointer: pointer)
    }

    /// Whether the text may be well formed and is only more than the limits allow.
    public var isLimit: Bool {
        switch reason {
        case .depth, .tooManyMembers, .tooLong: true
        default: false
        }
    }
}

extension JSONError: CustomStringConvertible {
    /// A sentence without position: `expected ':', found '}'`.
    public var message: String {
        switch reason {
        case .syntax(let expected, let found): "expected \(expected), found \(found)"
        case .trailingContent(let found): "expected the end after one JSON value, found \(found)"
        case .depth(let limit): "expected at most \(limit) levels of arrays and objects, found more"
        case .duplicateKey(let name): "expected each name once in an object, found \"\(name)\" again"
        case .invalidUTF8: "expected UTF-8, found a byte that is not"
        case .loneSurrogate: "expected a pair of surrogates (\\uD800-\\uDBFF, then \\uDC00-\\uDFFF), found half of one"
        case .nulCharacter: "expected text without U+0000, found it"
        case .numberOutOfRange: "expected an integer of 64 bits or a number within a double's range, found one beyond"
        case .tooManyMembers(let limit): "expected at most \(limit) members or elements, found more"
        case .tooLong(let part, let limit): "expected a \(part.rawValue) of at most \(limit) bytes, found a longer one"
        }
    }

    /// `line 3, column 7 (/lines/0): expected ':', found '}'`.
    public var description: String {
        "line \(line), column \(column)\(pointer.isEmpty ? "" : " (\(pointer))"): \(message)"
    }
}

/// RFC 6901: `/lines/0/quantity`.
enum JSONPointer {
    /// One step, with `~` and `/` escaped.
    static func step(_ name: String) -> String {
        guard name.utf8.contains(where: { $0 == ASCII.tilde || $0 == ASCII.slash }) else { return "/" + name }
        var text = "/"
        for character in name.unicodeScalars {
            switch character {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    static func text(_ path: [any CodingKey]) -> String {
        path.map { $0.intValue.map { "/\($0)" } ?? step($0.stringValue) }.joined()
    }
}
