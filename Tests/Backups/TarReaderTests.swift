import Kernel
import Testing

@testable import Backups

/// An archive as PostgreSQL's servers write it.
struct Archive {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ name: String, _ kind: Character = "0", _ content: [UInt8] = [], sum: Int? = nil) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, at: 0)
        put(octal(0o600, 7), at: 100)
        put(octal(content.count, 11), at: 124)
        put("        ", at: 148)
        put(String(kind), at: 156)
        put("ustar\0" + "00", at: 257)
        put(octal(sum ?? header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", at: 148)
        bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    mutating func end() { bytes += [UInt8](repeating: 0, count: 1_024) }
}

@Suite("A server's archive") struct TarReaderTests {
    /// Files with their content, folders with nil.
    static func read(_ bytes: [UInt8], pieces: [Int] = []) throws -> [String: [UInt8]?] {
        var (reader, found, current) = (TarReader(), [String: [UInt8]?](), "")
        func take(_ entry: TarReader.Entry) {
            switch entry {
            case .folder(let name): found[name] = .some(nil)
            case .file(let name, _):
                current = name
                found[name] = []
            case .bytes(let bytes): found[current] = .some(((found[current] ?? nil) ?? []) + bytes)
            case .end: current = ""
            }
        }
        var rest = bytes[...]
        for count in pieces + [bytes.count] {
            try reader.feed(Array(rest.prefix(count)), take)
            rest = rest.dropFirst(count)
        }
        try reader.finish()
        return found
    }

    @Test("reads the same in whatever pieces it comes", arguments: 0..<50) func pieces(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var (archive, expected) = (Archive(), [String: [UInt8]?]())
        for number in 0..<Int.random(in: 1...9, using: &generator) {
            if Bool.random(using: &generator) {
                archive.add("./base/\(number)/", "5")
                expected["base/\(number)"] = .some(nil)
            } else {
                let content = (0..<([0, 1, 511, 512, 513, 2_000].randomElement(using: &generator) ?? 0)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                archive.add("base/\(number)", "0", content)
                expected["base/\(number)"] = content
            }
        }
        archive.end()
        let pieces = (0..<20).map { _ in Int.random(in: 0...700, using: &generator) }
        #expect(try Self.read(archive.bytes, pieces: pieces) == expected)
    }

    @Test(
        "names that lead out of the folder are refused",
        arguments: ["/etc/passwd", "../x", "base/../../x", "base//x", "base/./x", "", "base/..", "a\nb"])
    func names(_ name: String) {
        var archive = Archive()
        archive.add(name, "0", [1])
        archive.end()
        // The folder itself has the empty name.
        guard !name.isEmpty else { return }
        #expect(throws: TarReader.Damaged.self) { try Self.read(archive.bytes) }
    }

    @Test("links, devices and what is unknown are refused", arguments: ["1", "2", "3", "4", "6", "7", "x", "L"])
    func kinds(_ kind: Character) {
        var archive = Archive()
        archive.add("base/1", kind)
        archive.end()
        #expect(throws: TarReader.Damaged.self) { try Self.read(archive.bytes) }
    }

    @Test("damage is refused") func damage() {
        var archive = Archive()
        archive.add("base/1", "0", [1, 2, 3], sum: 17)
        #expect(throws: TarReader.Damaged.self) { try Self.read(archive.bytes) }
        archive = Archive()
        archive.add("base/1", "0", [1, 2, 3])
        // Without its end.
        #expect(throws: TarReader.Damaged.self) { try Self.read(archive.bytes) }
        archive.end()
        #expect(throws: TarReader.Damaged.self) { try Self.read(archive.bytes + [1]) }
    }
}
