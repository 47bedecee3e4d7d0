import Foundation

/// Text as words to find: runs of letters and digits, in lower case, without accents, without the plural's `s`. What is
/// indexed and what is asked for go through the same.
enum Words {
    static let longest = 40
    /// Words of one query; the rest is not looked at.
    static let queryLimit = 12

    /// The words of a query, the last one to be taken as a prefix; empty where there is none (`"*-&"`).
    static func query(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        var words: [String] = []
        forEach(in: text) { if words.count < queryLimit { words.append($0) } }
        // A word that is there twice says nothing more, unless it is the prefix.
        guard let last = words.popLast() else { return [] }
        var seen: Set<String> = [last]
        return words.filter { seen.insert($0).inserted } + [last]
    }

    /// Each word of the text, in order.
    static func forEach(in text: String, _ body: (String) -> Void) {
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            while start < bytes.count {
                while start < bytes.count, !isWord(bytes[start]) { start += 1 }
                var end = start
                var isPlain = true
                while end < bytes.count, isWord(bytes[end]) {
                    if bytes[end] >= 0x80 { isPlain = false }
                    end += 1
                }
                guard end > start else { return }
                let run = UnsafeBufferPointer(rebasing: bytes[start..<end])
                if isPlain { body(plain(run)) } else { fold(String(decoding: run, as: UTF8.self), body) }
                start = end
            }
        }
    }

    /// Also true of every byte outside ASCII: what is a letter there is decided when it is folded.
    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: true
        default: false
        }
    }

    private static func plain(_ run: UnsafeBufferPointer<UInt8>) -> String {
        var count = min(run.count, longest)
        // `dress` becomes `dres` on both sides: that harms nobody.
        if count > 3, run[count - 1] | 0x20 == UInt8(ascii: "s") { count -= 1 }
        return String(unsafeUninitializedCapacity: count) { buffer in
            for index in 0..<count {
                let byte = run[index]
                buffer[index] = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
            }
            return count
        }
    }

    private static func fold(_ text: String, _ body: (String) -> Void) {
        var word = ""
        func end() {
            guard !word.isEmpty else { return }
            var folded = word
            folded.withUTF8 { bytes in
                var count = min(bytes.count, longest)
                while count < bytes.count, count > 0, bytes[count] & 0xC0 == 0x80 { count -= 1 }
                if count > 3, bytes[count - 1] == UInt8(ascii: "s") { count -= 1 }
                body(String(decoding: bytes[..<count], as: UTF8.self))
            }
            word = ""
        }
        for scalar in plainScalars(text) {
            if scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
                word.unicodeScalars.append(scalar)
            } else {
                end()
            }
        }
        end()
    }

    /// Lower case, decomposed, without the marks that sit on Latin, Greek and Cyrillic letters.
    private static func plainScalars(_ text: String) -> [Unicode.Scalar] {
        var scalars: [Unicode.Scalar] = []
        for scalar in text.lowercased().decomposedStringWithCanonicalMapping.unicodeScalars {
            if (0x300...0x36F).contains(scalar.value) { continue }
            if let letters = letters[scalar] { scalars.append(contentsOf: letters) } else { scalars.append(scalar) }
        }
        return scalars
    }

    /// Letters that Unicode does not decompose.
    private static let letters: [Unicode.Scalar: [Unicode.Scalar]] = [
        "ß": ["s", "s"], "ø": ["o"], "æ": ["a", "e"], "œ": ["o", "e"], "đ": ["d"], "ł": ["l"], "ı": ["i"],
        "þ": ["t", "h"], "ð": ["d"],
    ]

    /// What titles are sorted by: lower case without accents, so that `Écru` stands beside `Ecru`.
    static func sortForm(_ title: String) -> String {
        if title.utf8.allSatisfy({ $0 < 0x80 }) { return title.lowercased() }
        var form = ""
        form.unicodeScalars.append(contentsOf: plainScalars(title))
        return form
    }

    /// HTML without its tags: enough for words, no more.
    static func withoutTags(_ html: String, limit: Int) -> String {
        guard html.utf8.contains(UInt8(ascii: "<")) || html.utf8.count > limit else { return html }
        var text: [UInt8] = []
        var isInside = false
        for byte in html.utf8 {
            switch byte {
            case UInt8(ascii: "<"):
                isInside = true
                text.append(0x20)
            case UInt8(ascii: ">"): isInside = false
            default: if !isInside { text.append(byte) }
            }
            if text.count >= limit { break }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
