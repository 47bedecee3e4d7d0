import Contracts
import Foundation
import Kernel
import Products

/// What reading a whole file found.
struct Import {
    var form = ""
    var unused: [String] = []
    var products: [ImportedProduct] = []
    /// `line: message`.
    var refused: [String] = []
    var passedOver: [String] = []

    var drafts: [ProductDraft] { products.map(\.draft) }
    var variants: [ProductDraft.Variant] { drafts.flatMap(\.variants) }
    var prices: Int64 { variants.reduce(0) { $0 + $1.price.amount } }
    var stock: Int64 { variants.reduce(0) { $0 + ($1.stock ?? 0) } }

    init(_ reader: CSVReader, _ options: ImportOptions) throws {
        var file = try CatalogueFile(reader, options: options)
        form = file.form
        unused = file.unusedColumns
        while let finding = try file.next() {
            switch finding {
            case .product(let product): products.append(product)
            case .refused(let line, let message): refused.append("\(line): \(message)")
            case .passedOver(let line, let message): passedOver.append("\(line): \(message)")
            }
        }
    }

    init(_ text: String, map: [String: String] = [:], stock: Int64? = nil, currency: Currency = .gbp) throws {
        try self.init(
            CSVReader(Array(text.utf8)), ImportOptions(currency: currency, map: map, stock: stock))
    }

    /// Reads a file in chunks of `size` bytes.
    init(file path: String, size: Int, _ options: ImportOptions) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
        defer { try? handle.close() }
        try self.init(CSVReader { [UInt8](try handle.read(upToCount: size) ?? Data()) }, options)
    }
}

/// The real catalogues that lie beside the repository, not in it.
enum RealData {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../shared/data/catalog").standardized.path

    static func path(_ name: String) -> String { folder + "/" + name }
    static func has(_ name: String) -> Bool { FileManager.default.isReadableFile(atPath: path(name)) }
}

extension CSVReader {
    /// The bytes in chunks of random sizes.
    init(_ bytes: [UInt8], by random: SeededGenerator, largest: Int) {
        var random = random
        var rest = bytes[...]
        self.init {
            let chunk = rest.prefix(Int.random(in: 1...largest, using: &random))
            rest = rest.dropFirst(chunk.count)
            return Array(chunk)
        }
    }

    mutating func rows() throws -> [[String]] {
        var rows: [[String]] = []
        while let row = try next() { rows.append(row.fields) }
        return rows
    }
}
