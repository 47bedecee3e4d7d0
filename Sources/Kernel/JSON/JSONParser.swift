extension JSON {
    /// Reads one JSON text, strictly after RFC 8259.
    ///
    /// Refused beyond the grammar: broken UTF-8, lone surrogates, U+0000 in strings, a name twice in one object (also
    /// when the two are only canonically equivalent, as Swift compares), numbers out of range, and what is over the
    /// limits.
    public static func parse(
        _ bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSON {
        let parsed = bytes.withContiguousStorageIfAvailable { buffer in
            Result { () throws(JSONError) -> JSON in
                var parser = JSONParser(bytes: buffer, limits: limits)
                return try parser.document()
            }
        }
        guard let parsed else { return try parse(Array(bytes), limits: limits) }
        return try parsed.get()
    }
}

/// A recursive descent over the bytes, as deep as `JSONLimits.depth` allows.
struct JSONParser {
    typealias Member = (key: String, value: JSON)

    let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    var offset = 0
    /// Where a string with escapes is put together; kept for the next one.
    var scratch: [UInt8] = []

    init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func document() throws(JSONError) -> JSON {
        guard bytes.count <= limits.bytes else { throw error(.tooLong(.text, limit: limits.bytes), at: limits.bytes) }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw error(.syntax(expected: "a value", found: "a byte order mark"), at: 0)
        }
        let value = try value(depth: 0)
        skipSpace()
        guard offset == bytes.count else { throw error(.trailingContent(found: found(at: offset)), at: offset) }
        return value
    }

    /// The byte to read next; 0, which the grammar allows nowhere, at the end.
    @inline(__always)
    var current: UInt8 { offset < bytes.count ? bytes[offset] : ASCII.nul }

    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        offset += 1
        return true
    }

    @inline(__always)
    mutating func skipSpace() {
        while offset < bytes.count, bytes[offset] <= ASCII.space {
            switch bytes[offset] {
            case ASCII.space, ASCII.lineFeed, ASCII.carriageReturn, ASCII.tab: offset += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipSpace()
        switch current {
        case ASCII.quote: return .string(try string(.string, limit: limits.stringBytes))
        case ASCII.openBrace: return try object(depth: depth + 1)
        case ASCII.openBracket: return try array(depth: depth + 1)
        case ASCII.minus, ASCII.zero...ASCII.nine: return try number()
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw syntax("a value")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        for position in 0..<word.utf8CodeUnitCount {
            guard take(word.utf8Start[position]) else { throw syntax("'\(word)'") }
        }
        return value
    }

    private func enter(_ depth: Int) throws(JSONError) {
        let limit = min(limits.depth, JSONLimits.greatestDepth)
        guard depth <= limit else { throw error(.depth(limit: limit), at: offset) }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        try enter(depth)
        offset += 1
        skipSpace()
        if take(ASCII.closeBracket) { return .array([]) }
        var elements: [JSON] = []
        repeat {
            guard elements.count < limits.members else {
                throw error(.tooManyMembers(limit: limits.members), at: offset)
            }
            do {
                elements.append(try value(depth: depth))
            } catch {
                throw error.inside(String(elements.count))
            }
            skipSpace()
        } while take(ASCII.comma)
        guard take(ASCII.closeBracket) else { throw syntax("',' or ']'") }
        return .array(elements)
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        try enter(depth)
        offset += 1
        skipSpace()
        if take(ASCII.closeBrace) { return .object(JSONObject()) }
        var members: [Member] = []
        members.reserveCapacity(4)
        var names: Set<String> = []
        repeat {
            skipSpace()
            guard members.count < limits.members else {
                throw error(.tooManyMembers(limit: limits.members), at: offset)
            }
            let name = try name(among: members, &names)
            do {
                members.append((name, try value(depth: depth)))
            } catch {
                throw error.inside(name)
            }
            skipSpace()
        } while take(ASCII.comma)
        guard take(ASCII.closeBrace) else { throw syntax("',' or '}'") }
        return .object(JSONObject(unique: members))
    }

    /// A member's name and its colon. `names` is filled once there are more members than a scan is good for.
    private mutating func name(among members: [Member], _ names: inout Set<String>) throws(JSONError) -> String {
        let start = offset
        guard current == ASCII.quote else {
            throw syntax(members.isEmpty ? "a name in double quotes or '}'" : "a name in double quotes")
        }
        let name = try string(.name, limit: limits.nameBytes)
        let repeated: Bool
        if members.count < JSONObject.scanned {
            repeated = members.contains { $0.key == name }
        } else {
            if names.isEmpty { names = Set(members.lazy.map(\.key)) }
            repeated = !names.insert(name).inserted
        }
        guard !repeated else { throw error(.duplicateKey(name), at: start).inside(name) }
        skipSpace()
        guard take(ASCII.colon) else { throw syntax("':'").inside(name) }
        return name
    }
}

extension JSONParser {
    func error(_ reason: JSONError.Reason, at offset: Int) -> JSONError { JSONError(reason, at: offset, in: bytes) }

    /// The current byte is not what was expected.
    func syntax(_ expected: String) -> JSONError {
        error(.syntax(expected: expected, found: found(at: offset)), at: offset)
    }

    func found(at offset: Int) -> String {
        guard offset < bytes.count else { return "the end" }
        switch bytes[offset] {
        case ASCII.lineFeed, ASCII.carriageReturn: return "the end of the line"
        case 0x21..<0x7F: return "'\(Character(Unicode.Scalar(bytes[offset])))'"
        case let byte:
            let digits = String(byte, radix: 16, uppercase: true)
            return "byte 0x" + (digits.utf8.count < 2 ? "0" : "") + digits
        }
    }
}
