public import Contracts
public import Kernel

/// A product read from a file, and the line it begins on.
public struct ImportedProduct: Sendable {
    public var line: Int
    public var draft: ProductDraft
}

/// What is found while a file is read.
public enum ImportFinding: Sendable {
    case product(ImportedProduct)
    /// A row, or a product with such a row, that is not taken: the rest goes on.
    case refused(line: Int, message: String)
    /// A row that is right but names nothing to sell here.
    case passedOver(line: Int, message: String)
}

/// How to read a file of products.
public struct ImportOptions: Sendable {
    public var currency: Currency
    /// For files of neither Shopify's nor WooCommerce's form: Souk's field to the file's column.
    public var map: [String: String]
    /// Pieces for rows that name none.
    public var stock: Int64?

    public init(currency: Currency, map: [String: String] = [:], stock: Int64? = nil) {
        self.currency = currency
        self.map = map
        self.stock = stock
    }
}

/// Reads products from CSV: Shopify's (both header generations), WooCommerce's, or any with a map.
public struct CatalogueFile {
    /// The form was told from the header.
    public let form: String
    /// Columns of the file that are not used.
    public let unusedColumns: [String]
    private var reader: any RowInterpreter
    private var csv: CSVReader
    private let header: CSVHeader
    private var queue: [ImportFinding] = []
    private var isAtEnd = false

    /// - Throws: `CSVError` when it is not a CSV file of products, saying what was expected.
    public init(_ csv: CSVReader, options: ImportOptions) throws {
        var csv = csv
        guard let first = try csv.next() else {
            throw CSVError(line: 1, message: "the file is empty, expected a header row", isRecoverable: false)
        }
        let header = try CSVHeader(first)
        self.header = header
        if !options.map.isEmpty {
            reader = try MappedCSV(header, options)
            form = "mapped"
        } else if header.has("Handle"), header.has("Title") {
            reader = try ShopifyCSV(header, options)
            form = "shopify"
        } else if header.has("Type"), header.has("SKU"), header.has("Name") {
            reader = try WooCommerceCSV(header, options)
            form = "woocommerce"
        } else {
            throw CSVError(
                line: 1,
                message: "neither Shopify's columns (Handle, Title, Variant Price…) nor WooCommerce's (Type, SKU, "
                    + "Name…) are in the header: \(header.names.prefix(8).joined(separator: ", ")). For another form "
                    + "give --map title=COLUMN,price=COLUMN",
                isRecoverable: false)
        }
        let used = reader.columns
        unusedColumns = header.names.filter { !$0.isEmpty && !used.contains(CSVHeader.folded($0)) }
        self.csv = csv
    }

    /// The next finding, or nil at the end. A file that cannot be read on ends with refusals: of the place, and of
    /// every product that might have had more rows.
    public mutating func next() throws -> ImportFinding? {
        while queue.isEmpty {
            guard !isAtEnd else { return nil }
            do {
                guard let row = try csv.next() else {
                    isAtEnd = true
                    queue = reader.finish()
                    continue
                }
                guard row.fields.count <= header.names.count || row.fields[header.names.count...].allSatisfy(\.isEmpty),
                    row.fields.count >= header.names.count
                else {
                    queue = reader.spoil(
                        row.line, "has \(row.fields.count) fields, the header has \(header.names.count)")
                    continue
                }
                queue = reader.take(CSVRecord(header: header, row: row))
            } catch let error as CSVError where error.isRecoverable {
                queue = reader.spoil(error.line, error.message)
            } catch let error as CSVError {
                isAtEnd = true
                queue = reader.abandon(error.line, error.message + "; the rest of the file is not read")
            }
        }
        return queue.removeFirst()
    }
}

/// The column names, found without regard to case and outer spaces.
struct CSVHeader {
    let names: [String]
    private let indices: [String: Int]

    init(_ row: CSVRow) throws {
        names = row.fields.map(\.trimmed)
        var indices: [String: Int] = [:]
        for (index, name) in names.enumerated() where !name.isEmpty {
            guard indices.updateValue(index, forKey: Self.folded(name)) == nil else {
                throw CSVError(line: row.line, message: "the column '\(name)' is there twice", isRecoverable: false)
            }
        }
        self.indices = indices
    }

    static func folded(_ name: String) -> String { name.trimmed.lowercased() }
    func has(_ name: String) -> Bool { indices[Self.folded(name)] != nil }
    func index(_ name: String) -> Int? { indices[Self.folded(name)] }

    func require(_ names: [String]) throws {
        let missing = names.filter { !has($0) }
        guard missing.isEmpty else {
            throw CSVError(
                line: 1, message: "missing column\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))",
                isRecoverable: false)
        }
    }
}

struct CSVRecord {
    let header: CSVHeader
    let row: CSVRow

    /// The trimmed text of a column; empty where there is no such column.
    subscript(_ column: String) -> String {
        untrimmed(column).trimmed
    }

    /// The text of a column as it is written.
    func untrimmed(_ column: String) -> String {
        guard let index = header.index(column), index < row.fields.count else { return "" }
        return row.fields[index]
    }

    func optional(_ column: String) -> String? {
        let text = self[column]
        return text.isEmpty ? nil : text
    }
}

/// A reason to refuse the row at hand.
struct RowRefusal: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// Turns rows of one form into products. Rows of one product follow each other.
protocol RowInterpreter {
    /// The folded names of the columns it reads.
    var columns: Set<String> { get }
    mutating func take(_ record: CSVRecord) -> [ImportFinding]
    /// A row that could not be read: what it belonged to is refused.
    mutating func spoil(_ line: Int, _ message: String) -> [ImportFinding]
    mutating func finish() -> [ImportFinding]
    /// The file cannot be read on from here.
    mutating func abandon(_ line: Int, _ message: String) -> [ImportFinding]
}

extension RowInterpreter {
    mutating func abandon(_ line: Int, _ message: String) -> [ImportFinding] { spoil(line, message) + finish() }
}

extension CSVRecord {
    func price(_ column: String, _ currency: Currency) throws -> Money? {
        guard let text = optional(column) else { return nil }
        do {
            let money = try Money(decimal: text, currency)
            guard money.amount >= 0 else { throw RowRefusal("\(column) is \(text), expected 0 or more") }
            return money
        } catch let error as MoneyError {
            throw RowRefusal("\(column): \(error)")
        }
    }

    func count(_ column: String) throws -> Int64? {
        guard let text = optional(column) else { return nil }
        guard let number = Int64(text) ?? Double(text).flatMap(Int64.init(exactly:)), number <= 1_000_000_000 else {
            throw RowRefusal("\(column) is '\(text)', expected a whole number up to 1000000000")
        }
        guard number >= 0 else { throw RowRefusal("\(column) is \(text), expected 0 or more") }
        return number
    }

    /// A number with decimals, in thousandths of it, rounded.
    func thousandths(_ column: String) throws -> Int64? {
        guard let text = optional(column) else { return nil }
        guard let number = Double(text), number >= 0, number <= 1_000_000_000 else {
            throw RowRefusal("\(column) is '\(text)', expected a number from 0 to 1000000000")
        }
        return Int64((number * 1_000).rounded())
    }
}

extension ProductDraft {
    /// What the catalogue's own schema would refuse, said of this draft.
    func refusal() -> String? {
        guard let json = try? JSON(encoding: self) else { return "cannot be written as JSON" }
        return Self.schema.violations(in: json).first.map { "\($0.pointer.dropFirst()): \($0.detail)" }
    }
}

extension String {
    /// Without white space, non-breaking spaces and byte order marks at its ends.
    var trimmed: String {
        func isOuter(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x09...0x0D, 0x20, 0xA0, 0xFEFF: true
            default: false
            }
        }
        var scalars = unicodeScalars[...]
        while let first = scalars.first, isOuter(first) { scalars.removeFirst() }
        while let last = scalars.last, isOuter(last) { scalars.removeLast() }
        return String(scalars)
    }

    func list(separatedBy separator: Character) -> [String] {
        split(separator: separator).map { String($0).trimmed }.filter { !$0.isEmpty }
    }

    /// Letters and digits of ASCII, the rest as single hyphens: `T-Shirt (Blau)` is `t-shirt-blau`. Accents are folded
    /// where Unicode decomposes them; at most 150 characters.
    public var handleForm: String {
        var form: [UInt8] = []
        for scalar in decomposedScalars {
            guard form.count < 150 else { break }
            switch scalar.value {
            case 0x30...0x39, 0x61...0x7A: form.append(UInt8(scalar.value))
            case 0x41...0x5A: form.append(UInt8(scalar.value + 32))
            case 0x300...0x36F, 0x27, 0x2019: break
            default: if let last = form.last, last != UInt8(ascii: "-") { form.append(UInt8(ascii: "-")) }
            }
        }
        while form.last == UInt8(ascii: "-") { form.removeLast() }
        return String(decoding: form, as: UTF8.self)
    }

    private var decomposedScalars: [Unicode.Scalar] {
        var scalars: [Unicode.Scalar] = []
        for scalar in unicodeScalars {
            scalars.append(scalar.isASCII ? scalar : Self.folds[scalar] ?? scalar)
        }
        return scalars
    }

    private static let folds: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs = [
            "àáâãäåāăą": "a", "çćč": "c", "ďđ": "d", "èéêëēėęě": "e", "ğ": "g", "ìíîïīįı": "i", "ł": "l", "ñńň": "n",
            "òóôõöøō": "o", "ř": "r", "śšş": "s", "ß": "s", "ťţ": "t", "ùúûüūůű": "u", "ýÿ": "y", "źżž": "z",
        ]
        var table: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (accented, plain) in pairs {
            for scalar in accented.unicodeScalars + accented.uppercased().unicodeScalars {
                table[scalar] = plain.unicodeScalars.first
            }
        }
        return table
    }()
}
