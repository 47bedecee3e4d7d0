import Contracts
import Kernel

/// Any CSV in which a row is a product, by a map from Souk's fields to the file's columns.
struct MappedCSV: RowInterpreter {
    static let fields = [
        "title", "price", "handle", "sku", "description", "vendor", "category", "tags", "image", "stock",
        "compare_at_price", "barcode", "status",
    ]

    private let options: ImportOptions
    private var handles: [String: Int] = [:]
    private var skus: [String: Int] = [:]
    let columns: Set<String>

    init(_ header: CSVHeader, _ options: ImportOptions) throws {
        self.options = options
        if let unknown = options.map.keys.sorted().first(where: { !Self.fields.contains($0) }) {
            throw CSVError(
                line: 1, message: "--map: '\(unknown)' is not a field, expected \(Self.fields.joined(separator: ", "))",
                isRecoverable: false)
        }
        for needed in ["title", "price"] where options.map[needed] == nil {
            throw CSVError(line: 1, message: "--map: \(needed)=COLUMN is missing", isRecoverable: false)
        }
        try header.require(options.map.values.sorted())
        columns = Set(options.map.values.map(CSVHeader.folded))
    }

    mutating func take(_ record: CSVRecord) -> [ImportFinding] {
        do {
            return [.product(ImportedProduct(line: record.row.line, draft: try draft(record)))]
        } catch {
            return [.refused(line: record.row.line, message: (error as? RowRefusal)?.message ?? "\(error)")]
        }
    }

    mutating func spoil(_ line: Int, _ message: String) -> [ImportFinding] { [.refused(line: line, message: message)] }
    mutating func finish() -> [ImportFinding] { [] }

    private func text(_ field: String, _ record: CSVRecord) -> String? {
        options.map[field].flatMap { record.optional($0) }
    }

    private mutating func draft(_ record: CSVRecord) throws -> ProductDraft {
        guard let title = text("title", record) else {
            throw RowRefusal("\(options.map["title"] ?? "title") is empty, expected a title")
        }
        guard let price = try record.price(options.map["price"] ?? "", options.currency) else {
            throw RowRefusal("\(options.map["price"] ?? "price") is empty, expected a price")
        }
        let sku = text("sku", record)
        let parts = [title.handleForm, sku?.handleForm ?? ""].filter { !$0.isEmpty }
        let handle = text("handle", record)?.handleForm ?? parts.joined(separator: "-")
        guard !handle.isEmpty else { throw RowRefusal("neither title nor SKU has letters for a handle") }
        if let sku, let first = skus.updateValue(record.row.line, forKey: sku) {
            throw RowRefusal("the SKU \(sku) is repeated, it was at line \(first)")
        }
        if let first = handles.updateValue(record.row.line, forKey: handle) {
            throw RowRefusal("the handle \(handle) is repeated, it was at line \(first); map a sku to tell them apart")
        }
        var status = ProductStatus.active
        if let word = text("status", record) {
            guard let known = ProductStatus(rawValue: word.lowercased()) else {
                throw RowRefusal("status is '\(word)', expected active, draft or archived")
            }
            status = known
        }
        let draft = ProductDraft(
            handle: handle, title: title, description: text("description", record) ?? "",
            vendor: text("vendor", record), category: (text("category", record) ?? "").list(separatedBy: ">"),
            tags: (text("tags", record) ?? "").list(separatedBy: ","), status: status,
            images: (text("image", record) ?? "").list(separatedBy: " ").map { ProductImage(src: $0, alt: title) },
            variants: [
                ProductDraft.Variant(
                    sku: sku, price: price,
                    compare_at_price: try options.map["compare_at_price"].flatMap {
                        try record.price($0, options.currency)
                    },
                    stock: try options.map["stock"].flatMap { try record.count($0) } ?? options.stock,
                    barcode: text("barcode", record))
            ])
        if let refusal = draft.refusal() { throw RowRefusal(refusal) }
        return draft
    }
}
