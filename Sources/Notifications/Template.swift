/// A Mustache template of the few tags that letters need: `{{name}}`, and `{{#list}}…{{/list}}` once for each entry,
/// whose own names are seen inside and no others.
///
/// Of its own because a busy shop writes thousands of letters a second: swift-mustache asks each value at run time what
/// it is, which took 170 µs a letter; this takes a tenth.
struct Template: Sendable {
    /// What the tags stand for.
    struct View: Sendable {
        var texts: [String: String]
        var lists: [String: [View]]

        init(_ texts: [String: String], lists: [String: [View]] = [:]) {
            self.texts = texts
            self.lists = lists
        }
    }

    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    private indirect enum Piece: Sendable {
        case literal([UInt8])
        case text(String)
        case list(String, [Piece])
    }

    private let pieces: [Piece]
    private let escapesHTML: Bool

    /// - Throws: `Malformed` if a tag is not closed, or closes what was not opened.
    init(_ source: [UInt8], escapesHTML: Bool) throws(Malformed) {
        var rest = source[...]
        pieces = try Self.parse(&rest, until: nil)
        self.escapesHTML = escapesHTML
    }

    func render(_ view: View) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4_096)
        append(pieces, view, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(_ pieces: [Piece], _ view: View, to bytes: inout [UInt8]) {
        for piece in pieces {
            switch piece {
            case .literal(let literal): bytes += literal
            case .text(let name):
                guard let text = view.texts[name] else { continue }
                if escapesHTML { Self.escape(text, to: &bytes) } else { bytes += text.utf8 }
            case .list(let name, let inner):
                for entry in view.lists[name] ?? [] { append(inner, entry, to: &bytes) }
            }
        }
    }

    private static func parse(_ rest: inout ArraySlice<UInt8>, until end: String?) throws(Malformed) -> [Piece] {
        var pieces: [Piece] = []
        while let open = position(of: UInt8(ascii: "{"), in: rest) {
            if open > rest.startIndex { pieces.append(.literal(Array(rest[..<open]))) }
            guard let close = position(of: UInt8(ascii: "}"), in: rest[open...]) else {
                throw Malformed(description: "a tag is not closed")
            }
            let tag = String(decoding: rest[(open + 2)..<close], as: UTF8.self)
            rest = rest[(close + 2)...]
            guard tag.hasPrefix("#") || tag.hasPrefix("/") else {
                pieces.append(.text(tag))
                continue
            }
            // Such a tag stands on a line of its own, which is none in the letter.
            if rest.first == UInt8(ascii: "\n") { rest = rest.dropFirst() }
            let name = String(tag.dropFirst())
            if tag.hasPrefix("#") {
                pieces.append(.list(name, try parse(&rest, until: name)))
            } else if name == end {
                return pieces
            } else {
                throw Malformed(description: "{{/\(name)}} closes what was not opened")
            }
        }
        guard end == nil else { throw Malformed(description: "{{#\(end ?? "")}} is not closed") }
        if !rest.isEmpty { pieces.append(.literal(Array(rest))) }
        return pieces
    }

    /// Where the byte occurs twice in a row.
    private static func position(of byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.dropLast().first { bytes[$0] == byte && bytes[$0 + 1] == byte }
    }

    /// Byte by byte, so that no combining mark hides a character that HTML looks for.
    private static func escape(_ text: String, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "'"): bytes += "&#39;".utf8
            default: bytes.append(byte)
            }
        }
    }
}
