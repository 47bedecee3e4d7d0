/// Reads a tar archive (ustar) as PostgreSQL writes it: regular files and folders. Fed in pieces of any size, it hands
/// on what it finds; names that lead out of a folder, links and everything else are refused.
struct TarReader: Sendable {
    enum Entry: Sendable, Equatable {
        case folder(String)
        /// Its bytes follow, then `end`.
        case file(String, size: Int)
        case bytes(ArraySlice<UInt8>)
        case end
    }

    struct Damaged: Error, CustomStringConvertible {
        let description: String
    }

    private static let block = 512
    private static let longestName = 255

    private var header: [UInt8] = []
    /// Of the file that is being read, and what fills its last block.
    private var left = 0
    private var padding = 0
    private var isInFile = false
    private(set) var isFinished = false

    mutating func feed(_ bytes: [UInt8], _ each: (Entry) throws -> Void) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            if isFinished {
                guard rest.allSatisfy({ $0 == 0 }) else { throw Damaged(description: "something behind its end") }
                return
            }
            if left > 0 {
                let piece = rest.prefix(left)
                try each(.bytes(piece))
                left -= piece.count
                rest = rest.dropFirst(piece.count)
                try endFile(each)
            } else if padding > 0 {
                let piece = rest.prefix(padding)
                padding -= piece.count
                rest = rest.dropFirst(piece.count)
            } else {
                let piece = rest.prefix(Self.block - header.count)
                header += piece
                rest = rest.dropFirst(piece.count)
                if header.count == Self.block {
                    try begin(each)
                    header.removeAll(keepingCapacity: true)
                }
            }
        }
    }

    /// Throws unless its end was met.
    func finish() throws {
        guard isFinished else { throw Damaged(description: "its end is missing") }
    }

    private mutating func endFile(_ each: (Entry) throws -> Void) throws {
        guard isInFile, left == 0 else { return }
        isInFile = false
        try each(.end)
    }

    private mutating func begin(_ each: (Entry) throws -> Void) throws {
        if header.allSatisfy({ $0 == 0 }) { return isFinished = true }
        try checkSum()
        let name = try self.name()
        switch header[156] {
        case UInt8(ascii: "0"), 0:
            left = try number(124..<136)
            padding = (Self.block - left % Self.block) % Self.block
            isInFile = true
            try each(.file(name, size: left))
            try endFile(each)
        case UInt8(ascii: "5"): try each(.folder(name))
        case UInt8(ascii: "1"), UInt8(ascii: "2"): throw Damaged(description: "\(name) is a link")
        default: throw Damaged(description: "\(name) is of a kind that is not known")
        }
    }

    /// Below the folder, without what leads out of it.
    private func name() throws -> String {
        func text(_ range: Range<Int>) -> String {
            String(decoding: header[range].prefix { $0 != 0 }, as: UTF8.self)
        }
        let prefix = header[257..<262].elementsEqual("ustar".utf8) ? text(345..<500) : ""
        let whole = prefix.isEmpty ? text(0..<100) : prefix + "/" + text(0..<100)
        let steps = whole.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var kept = steps.first == "." ? steps.dropFirst() : steps[...]
        if kept.last == "" { kept = kept.dropLast() }
        let isGood = kept.allSatisfy { step in
            !step.isEmpty && step != "." && step != ".." && !step.utf8.contains { $0 < 0x20 }
        }
        guard isGood, !whole.hasPrefix("/"), whole.utf8.count <= Self.longestName else {
            throw Damaged(description: "'\(whole.prefix(80))' is not a name below a folder")
        }
        return kept.joined(separator: "/")
    }

    /// In octal digits; what does not fit into them, in binary with the first bit set.
    private func number(_ range: Range<Int>) throws -> Int {
        let field = header[range]
        if let first = field.first, first & 0x80 != 0 {
            let bytes = [first & 0x7F] + field.dropFirst()
            guard bytes.dropLast(7).allSatisfy({ $0 == 0 }) else { throw Damaged(description: "a size beyond all") }
            return bytes.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        guard !digits.isEmpty, let value = Int(String(decoding: digits, as: UTF8.self), radix: 8), value >= 0 else {
            throw Damaged(description: "a size that is no number")
        }
        return value
    }

    /// Of all bytes of the header, its own taken for spaces.
    private func checkSum() throws {
        let own = 148..<156
        let sum = header.indices.reduce(0) { $0 + (own.contains($1) ? 32 : Int(header[$1])) }
        guard try number(own) == sum else { throw Damaged(description: "a header is not as it was written") }
    }
}
