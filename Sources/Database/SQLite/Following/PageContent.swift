/// Pages of databases as a continuous copy holds them, base and cuts alike, in sections one after another:
///
/// the length of a name in a byte, and the name · the page size, the database's size in pages, and how many pages
/// follow, each in four bytes · so many times the page's number (from 1) in four bytes, and the page. Big endian.
struct PageContent {
    private(set) var bytes: [UInt8] = []
    /// Of a page's number.
    static let numberSize = 4

    mutating func beginSection(_ name: String, pageSize: Int, total: Int, count: Int) {
        bytes.append(UInt8(clamping: name.utf8.count))
        bytes.append(contentsOf: name.utf8)
        for number in [pageSize, total, count] { append(UInt32(number)) }
    }

    mutating func append(_ page: UInt32, _ content: some Collection<UInt8>) {
        append(page)
        bytes.append(contentsOf: content)
    }

    private mutating func append(_ number: UInt32) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    struct Section {
        let name: String
        let pageSize: Int
        /// The size of the database in pages.
        let total: Int
        let count: Int
    }

    /// Content that does not read as it was written.
    struct Damaged: Error, CustomStringConvertible {
        let description = "it does not hold pages as they were written"
    }

    /// Reads what was written; anything else throws `Damaged`, and nothing is read past the end.
    static func read(
        _ content: [UInt8], _ body: (Section, _ page: UInt32, _ bytes: ArraySlice<UInt8>) throws -> Void,
        atEnd: (Section) throws -> Void
    ) throws {
        var rest = content[...]
        func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count <= rest.count else { throw Damaged() }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number() throws -> UInt32 { try take(4).reduce(0) { $0 << 8 | UInt32($1) } }
        while !rest.isEmpty {
            let name = String(decoding: try take(Int(try take(1).first ?? 0)), as: UTF8.self)
            let section = Section(
                name: name, pageSize: Int(try number()), total: Int(try number()), count: Int(try number()))
            let isName = !name.isEmpty && name.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
            // A name is a file's: anything else would lead out of the folder.
            guard isName, (512...65_536).contains(section.pageSize), section.pageSize.nonzeroBitCount == 1 else {
                throw Damaged()
            }
            for _ in 0..<section.count {
                let page = try number()
                guard page >= 1, Int(page) <= section.total else { throw Damaged() }
                try body(section, page, try take(section.pageSize))
            }
            try atEnd(section)
        }
    }
}
