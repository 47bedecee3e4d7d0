/// Makes merchants' HTML safe to show: what is on the list is written anew, everything else is left out or shown as
/// text.
///
/// Nothing of the input's markup is copied. A tag that is understood is written by this code, with no attribute but a
/// checked `href`; text is escaped. So what a browser may make of strange input does not matter: it never sees it.
struct Sanitiser {
    /// How deep elements nest in the output; deeper ones lose their tags, not their text.
    static let maximumDepth = 16

    /// The HTML of a description. Text without any tag becomes paragraphs, at its empty lines.
    static func clean(_ html: String) -> String {
        var sanitiser = Sanitiser(html)
        return sanitiser.hasMarkup ? sanitiser.run() : sanitiser.paragraphs()
    }

    private var hasMarkup: Bool {
        zip(input, input.dropFirst()).contains { byte, next in
            byte == UInt8(ascii: "<") && (next.isLetter || "/!?".utf8.contains(next))
        }
    }

    private let input: [UInt8]
    private var position = 0
    private var output: [UInt8] = []
    /// The elements open in the output, with the place where each one's content starts.
    private var open: [(name: String, content: Int)] = []

    private init(_ html: String) {
        input = Array(html.utf8)
        output.reserveCapacity(input.count + 64)
    }

    /// What becomes of a tag: the element it is written as.
    private static let written: [String: String] = [
        "p": "p", "div": "p", "section": "p", "blockquote": "p", "br": "br", "ul": "ul", "ol": "ol", "li": "li",
        "strong": "strong", "b": "b", "em": "em", "i": "i", "a": "a", "h1": "h2", "h2": "h2", "h3": "h3", "h4": "h4",
        "h5": "h4", "h6": "h4", "tr": "br",
    ]
    /// Elements whose content is no text for readers.
    private static let dropped: Set<String> = [
        "script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript", "noembed", "noframes",
        "textarea", "title", "xmp", "plaintext", "select", "head", "audio", "video", "canvas",
    ]
    private static let blocks: Set<String> = ["p", "ul", "ol", "h2", "h3", "h4"]

    private mutating func run() -> String {
        while position < input.count {
            let byte = input[position]
            if byte == UInt8(ascii: "<") { markup() } else { text(byte) }
        }
        while !open.isEmpty { close() }
        return String(decoding: output, as: UTF8.self)
    }

    private mutating func paragraphs() -> String {
        var lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        while !lines.isEmpty {
            let paragraph = lines.prefix { !$0.allSatisfy(\.isSpace) }
            lines = lines.dropFirst(paragraph.count + 1)
            guard !paragraph.isEmpty else { continue }
            output += "<p>".utf8
            for (index, line) in paragraph.enumerated() {
                if index > 0 { output += "<br>".utf8 }
                for position in line.indices { text(line[position], in: line[position...]) }
            }
            output += "</p>".utf8
        }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Text

    private mutating func text(_ byte: UInt8) {
        text(byte, in: input[position...])
        position += 1
    }

    /// Writes one byte of text; an ampersand that begins a character reference in `rest` stays one.
    private mutating func text(_ byte: UInt8, in rest: ArraySlice<UInt8>) {
        switch byte {
        case UInt8(ascii: "&"):
            let isReference = rest.first == byte && Self.reference(in: rest) != nil
            output += isReference ? "&".utf8 : "&amp;".utf8
        case UInt8(ascii: "<"): output += "&lt;".utf8
        case UInt8(ascii: ">"): output += "&gt;".utf8
        case 0x00..<0x09, 0x0B, 0x0E..<0x20, 0x7F: break
        default: output.append(byte)
        }
    }

    /// The length of `&name;`, `&#8211;` or `&#x2013;` at the start of `bytes`, nil if there is none.
    private static func reference(in bytes: ArraySlice<UInt8>) -> Int? {
        var length = 1
        for byte in bytes.dropFirst().prefix(32) {
            length += 1
            if byte == UInt8(ascii: ";") { return length > 2 ? length : nil }
            guard byte.isLetterOrDigit || byte == UInt8(ascii: "#") && length == 2 else { return nil }
        }
        return nil
    }

    // MARK: Tags

    private mutating func markup() {
        let next = position + 1 < input.count ? input[position + 1] : 0
        switch next {
        case UInt8(ascii: "!") where input[position...].starts(with: "<!--".utf8):
            skip(past: "-->")
        case UInt8(ascii: "!"), UInt8(ascii: "?"):
            skip(past: ">")
        case UInt8(ascii: "/"):
            position += 2
            let name = tagName()
            skip(past: ">")
            end(name)
        case _ where next.isLetter:
            position += 1
            let name = tagName()
            let link = attributes()
            start(name, link)
        default: text(UInt8(ascii: "<"))
        }
    }

    private mutating func tagName() -> String {
        let name = input[position...].prefix {
            $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":")
        }
        position += name.count
        return String(decoding: name.map(\.lowercased), as: UTF8.self)
    }

    /// Reads to the end of the tag, as HTML's tokenizer does, and gives the value of `href`.
    private mutating func attributes() -> [UInt8]? {
        var link: [UInt8]?
        while position < input.count {
            let byte = input[position]
            if byte == UInt8(ascii: ">") {
                position += 1
                break
            }
            if byte.isSpace || byte == UInt8(ascii: "/") {
                position += 1
                continue
            }
            let name = input[position...].prefix { !$0.isSpace && !"/>=".utf8.contains($0) }
            position += max(name.count, 1)
            skipSpaces()
            guard position < input.count, input[position] == UInt8(ascii: "=") else { continue }
            position += 1
            skipSpaces()
            let value = attributeValue()
            if link == nil, name.map(\.lowercased).elementsEqual("href".utf8) { link = Array(value) }
        }
        return link
    }

    private mutating func attributeValue() -> ArraySlice<UInt8> {
        guard position < input.count else { return [] }
        let quote = input[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            let value = input[position...].prefix { !$0.isSpace && $0 != UInt8(ascii: ">") }
            position += value.count
            return value
        }
        position += 1
        let value = input[position...].prefix { $0 != quote }
        position = min(position + value.count + 1, input.count)
        return value
    }

    private mutating func skipSpaces() {
        while position < input.count, input[position].isSpace { position += 1 }
    }

    private mutating func skip(past text: StaticString) {
        let wanted = Array(text.description.utf8)
        while position < input.count {
            if input[position...].starts(with: wanted) {
                position += wanted.count
                return
            }
            position += 1
        }
    }

    // MARK: Elements

    private mutating func start(_ tag: String, _ link: [UInt8]?) {
        if Self.dropped.contains(tag) { return skipElement(tag) }
        if tag == "td" || tag == "th" { output.append(UInt8(ascii: " ")) }
        guard let name = Self.written[tag] else { return }
        if name == "br" {
            if tag == "br" || open.last.map({ $0.content < output.count }) ?? !output.isEmpty { output += "<br>".utf8 }
            return
        }
        if Self.blocks.contains(name) { closeParagraph() }
        if name == "li" {
            guard let list = open.lastIndex(where: { $0.name == "ul" || $0.name == "ol" }) else { return }
            while open.count > list + 1 { close() }
        }
        guard open.count < Self.maximumDepth, name != "a" || !open.contains(where: { $0.name == "a" }) else { return }
        if name == "a" {
            guard let target = link.flatMap(Self.safeLink) else { return }
            output += "<a href=\"".utf8
            EscapedHTML.append(target, to: &output)
            output += "\" rel=\"nofollow noopener\">".utf8
        } else {
            output += "<\(name)>".utf8
        }
        open.append((name, output.count))
    }

    private mutating func end(_ tag: String) {
        guard let name = Self.written[tag], let index = open.lastIndex(where: { $0.name == name }) else { return }
        // A list item's end does not close the list around it, nor a paragraph's the item it stands in.
        if name != "ul", name != "ol", open[index...].contains(where: { $0.name == "ul" || $0.name == "ol" }) { return }
        while open.count > index { close() }
    }

    /// A block cannot stand in a paragraph or heading: the one that is open ends here.
    private mutating func closeParagraph() {
        guard let index = open.lastIndex(where: { $0.name == "p" || $0.name.hasPrefix("h") }) else { return }
        while open.count > index { close() }
    }

    private mutating func close() {
        guard let (name, content) = open.popLast() else { return }
        if output[content...].allSatisfy(\.isSpace) {
            // Nothing in it: take the opening tag back.
            let tag = output[..<content].lastIndex(of: UInt8(ascii: "<")) ?? content
            output.removeSubrange(tag..<content)
        } else {
            output += "</\(name)>".utf8
        }
    }

    private mutating func skipElement(_ tag: String) {
        let end = Array("</\(tag)".utf8)
        while position < input.count {
            if input[position] == UInt8(ascii: "<"),
                input[position...].prefix(end.count).map(\.lowercased).elementsEqual(end)
            {
                return skip(past: ">")
            }
            position += 1
        }
    }

    // MARK: Links

    /// The target if it is a web or mail address. Character references are resolved first, and what browsers ignore in
    /// an address (controls, white space) is taken out, so that what is checked is what a browser would follow.
    private static func safeLink(_ value: [UInt8]) -> [UInt8]? {
        var target: [UInt8] = []
        var rest = value[...]
        while let byte = rest.first {
            if byte == UInt8(ascii: "&"), let length = reference(in: rest),
                let scalar = scalar(of: rest.dropFirst().prefix(length - 2))
            {
                target += String(Character(scalar)).utf8
                rest = rest.dropFirst(length)
            } else {
                target.append(byte)
                rest = rest.dropFirst()
            }
        }
        target.removeAll { $0 <= 0x20 || $0 == 0x7F }
        let start = target.prefix(8).map(\.lowercased)
        let allowed = ["https://", "http://", "mailto:"].contains { start.starts(with: $0.utf8) }
        return allowed && target.count <= 2_000 ? target : nil
    }

    private static func scalar(of reference: ArraySlice<UInt8>) -> Unicode.Scalar? {
        let text = String(decoding: reference, as: UTF8.self)
        if text.hasPrefix("#x") || text.hasPrefix("#X") {
            return UInt32(text.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init)
        }
        if text.hasPrefix("#") { return UInt32(text.dropFirst()).flatMap(Unicode.Scalar.init) }
        switch text {
        case "amp": return "&"
        case "colon": return ":"
        case "sol": return "/"
        case "Tab": return "\t"
        case "NewLine": return "\n"
        default: return nil
        }
    }
}

extension UInt8 {
    fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
    fileprivate var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowercased) }
    fileprivate var isLetterOrDigit: Bool { isLetter || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    fileprivate var lowercased: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}
