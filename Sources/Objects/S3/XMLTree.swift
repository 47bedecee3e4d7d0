/// An XML element with what it holds: enough for the answers of S3 and STS.
///
/// Attributes, comments and instructions are passed over; a document type is refused, so that nothing expands. Bounded
/// in bytes by the transport, in depth and elements here.
struct XMLTree: Sendable, Equatable {
    struct Malformed: Error, Equatable {
        let reason: String
        let offset: Int
    }

    static let depthLimit = 16
    static let elementLimit = 50_000

    var name = ""
    /// The text directly inside, entities resolved.
    var text = ""
    var children: [XMLTree] = []

    fileprivate init(name: String) { self.name = name }

    /// The root element.
    init(_ bytes: [UInt8]) throws(Malformed) {
        var parser = XMLParser(bytes: bytes)
        self = try parser.root()
    }

    /// The first element of that name, searched in depth.
    func first(_ name: String) -> XMLTree? {
        if self.name == name { return self }
        for child in children {
            if let found = child.first(name) { return found }
        }
        return nil
    }
}

private struct XMLParser {
    let bytes: [UInt8]
    private var position = 0
    private var elements = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func root() throws(XMLTree.Malformed) -> XMLTree {
        var open: [XMLTree] = []
        _ = skip("\u{FEFF}")
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                let text = try text()
                if open.isEmpty {
                    guard text.allSatisfy(\.isWhitespace) else { throw wrong("text outside of the root element") }
                } else {
                    open[open.count - 1].text += text
                }
            } else if skip("<!--") {
                _ = try upTo("-->")
            } else if skip("<?") {
                _ = try upTo("?>")
            } else if skip("<![CDATA[") {
                guard !open.isEmpty else { throw wrong("text outside of the root element") }
                open[open.count - 1].text += String(decoding: try upTo("]]>"), as: UTF8.self)
            } else if skip("<!") {
                throw wrong("a document type")
            } else if skip("</") {
                let name = String(decoding: try upTo(">"), as: UTF8.self).prefix { !$0.isWhitespace }
                guard let last = open.popLast(), last.name == name else { throw wrong("an end without its start") }
                if open.isEmpty { return last }
                open[open.count - 1].children.append(last)
            } else {
                let (element, isEmpty) = try start()
                if !isEmpty {
                    open.append(element)
                    guard open.count <= XMLTree.depthLimit else { throw wrong("too deep") }
                } else if open.isEmpty {
                    return element
                } else {
                    open[open.count - 1].children.append(element)
                }
            }
        }
        throw wrong("the end is missing")
    }

    /// `<Name attribute="…">` or `<Name/>`.
    private mutating func start() throws(XMLTree.Malformed) -> (XMLTree, isEmpty: Bool) {
        elements += 1
        guard elements <= XMLTree.elementLimit else { throw wrong("too many elements") }
        position += 1
        let first = position
        var quote: UInt8?
        while position < bytes.count {
            let byte = bytes[position]
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                break
            }
            position += 1
        }
        guard position < bytes.count else { throw wrong("the end is missing") }
        var inside = bytes[first..<position]
        position += 1
        let isEmpty = inside.last == UInt8(ascii: "/")
        if isEmpty { inside.removeLast() }
        let name = inside.prefix { $0 > 0x20 }
        guard let initial = name.first, initial >= UInt8(ascii: "A"), !name.contains(UInt8(ascii: "<")) else {
            throw wrong("an element without a name")
        }
        return (XMLTree(name: String(decoding: name, as: UTF8.self)), isEmpty)
    }

    private mutating func text() throws(XMLTree.Malformed) -> String {
        var out: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "&") { out += try entity() } else { out.append(byte) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private mutating func entity() throws(XMLTree.Malformed) -> [UInt8] {
        for (name, character) in [("lt;", "<"), ("gt;", ">"), ("amp;", "&"), ("quot;", "\""), ("apos;", "'")]
        where skip(name) {
            return Array(character.utf8)
        }
        guard skip("#") else { throw wrong("an unknown entity") }
        let isHexadecimal = skip("x")
        let end = bytes[position...].prefix(9).firstIndex(of: UInt8(ascii: ";"))
        guard let end,
            let number = UInt32(
                String(decoding: bytes[position..<end], as: UTF8.self), radix: isHexadecimal ? 16 : 10),
            let scalar = Unicode.Scalar(number)
        else { throw wrong("an unknown entity") }
        position = end + 1
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func skip(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    /// What stands before the mark; the mark is passed over.
    private mutating func upTo(_ mark: String) throws(XMLTree.Malformed) -> ArraySlice<UInt8> {
        let first = position
        while position < bytes.count {
            let before = position
            if skip(mark) { return bytes[first..<before] }
            position += 1
        }
        throw wrong("the end is missing")
    }

    private func wrong(_ reason: String) -> XMLTree.Malformed { XMLTree.Malformed(reason: reason, offset: position) }
}
