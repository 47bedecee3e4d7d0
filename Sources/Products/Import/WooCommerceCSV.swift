import Contracts
import Kernel

/// WooCommerce's product CSV. A variable product's variations may stand anywhere behind it, so that its products are
/// given at the end; simple ones at once.
struct WooCommerceCSV: RowInterpreter {
    private struct Variation {
        var line: Int
        var attributes: [String: String]
        var variant: ProductDraft.Variant
    }
    private struct Variable {
        var line: Int
        var draft: ProductDraft
        var attributes: [String]
        var variations: [Variation] = []
        var refusal: (line: Int, message: String)?
    }
    private let options: ImportOptions
    private var variables: [String: Variable] = [:]
    private var order: [String] = []
    private var skus: [String: Int] = [:]
    private var handles: [String: Int] = [:]

    let columns: Set<String>

    init(_ header: CSVHeader, _ options: ImportOptions) throws {
        try header.require(["Type", "SKU", "Name", "Regular price"])
        self.options = options
        let plain = [
            "ID", "Type", "SKU", "Name", "Published", "Short description", "Description", "Stock", "Weight (kg)",
            "Sale price", "Regular price", "Categories", "Tags", "Images", "Parent", "GTIN, UPC, EAN, or ISBN",
        ]
        let attributes = header.names.filter { $0.hasPrefix("Attribute ") }
        columns = Set((plain + attributes).map(CSVHeader.folded))
    }

    mutating func take(_ record: CSVRecord) -> [ImportFinding] {
        let line = record.row.line
        let types = record["Type"].lowercased().list(separatedBy: ",")
        do {
            if types.contains("grouped") {
                return [.passedOver(line: line, message: "\(record["Name"]) only groups other products")]
            }
            if types.contains("external") {
                return [.passedOver(line: line, message: "\(record["Name"]) is sold elsewhere")]
            }
            if let sku = record.optional("SKU"), let first = skus.updateValue(line, forKey: sku) {
                throw RowRefusal("the SKU \(sku) is repeated, it was at line \(first)")
            }
            if types.contains("variation") {
                try addVariation(record)
                return []
            }
            if types.contains("variable") {
                try beginVariable(record)
                return []
            }
            guard types.contains("simple") else {
                throw RowRefusal(
                    "Type is '\(record["Type"])', expected simple, variable, variation, grouped or external")
            }
            var draft = try describe(record)
            draft.variants = [try variant(record, options: [])]
            if let refusal = draft.refusal() { throw RowRefusal(refusal) }
            return [.product(ImportedProduct(line: line, draft: draft))]
        } catch {
            return [.refused(line: line, message: (error as? RowRefusal)?.message ?? "\(error)")]
        }
    }

    mutating func spoil(_ line: Int, _ message: String) -> [ImportFinding] { [.refused(line: line, message: message)] }

    mutating func finish() -> [ImportFinding] {
        defer { order = [] }
        return order.compactMap { variables[$0] }.map { variable in
            if let refusal = variable.refusal {
                return .refused(
                    line: refusal.line, message: "\(refusal.message); \(variable.draft.handle) is not imported")
            }
            guard !variable.variations.isEmpty else {
                return .refused(line: variable.line, message: "the variable product has no variation")
            }
            var draft = variable.draft
            // An attribute that no variation chooses is left to the customer: it is no option here.
            draft.options = variable.attributes.filter { name in
                variable.variations.contains { $0.attributes[name] != nil }
            }
            draft.variants = variable.variations.map { variation in
                var variant = variation.variant
                variant.options = draft.options.map { variation.attributes[$0] ?? "Any" }
                return variant
            }
            if let refusal = draft.refusal() { return .refused(line: variable.line, message: refusal) }
            return .product(ImportedProduct(line: variable.line, draft: draft))
        }
    }

    mutating func abandon(_ line: Int, _ message: String) -> [ImportFinding] {
        defer { order = [] }
        let unfinished = order.compactMap { variables[$0] }.map { variable in
            ImportFinding.refused(
                line: variable.line,
                message: "variations may follow line \(line); \(variable.draft.handle) is not imported")
        }
        return [.refused(line: line, message: message)] + unfinished
    }

    private mutating func beginVariable(_ record: CSVRecord) throws {
        let draft = try describe(record)
        let key = record.optional("SKU") ?? "id:" + record["ID"]
        let names = (1...3).compactMap { record.optional("Attribute \($0) name") }
        variables[key] = Variable(line: record.row.line, draft: draft, attributes: names)
        if let id = record.optional("ID") { aliases["id:" + id] = key }
        order.append(key)
    }
    /// A variation names its parent by SKU or by `id:741`.
    private var aliases: [String: String] = [:]

    private mutating func addVariation(_ record: CSVRecord) throws {
        let parent = record["Parent"]
        let key = aliases[parent] ?? parent
        guard variables[key] != nil else {
            throw RowRefusal("Parent is '\(parent)', expected the SKU of a variable product above")
        }
        do {
            var attributes: [String: String] = [:]
            for index in 1...3 {
                if let name = record.optional("Attribute \(index) name"),
                    let value = record.optional("Attribute \(index) value(s)")
                {
                    attributes[name] = value
                }
            }
            let variation = Variation(
                line: record.row.line, attributes: attributes, variant: try variant(record, options: []))
            variables[key]?.variations.append(variation)
        } catch let refusal as RowRefusal {
            variables[key]?.refusal = (record.row.line, refusal.message)
        }
    }

    private mutating func describe(_ record: CSVRecord) throws -> ProductDraft {
        var handle = record["Name"].handleForm
        guard !handle.isEmpty else { throw RowRefusal("Name is '\(record["Name"])', expected a name with letters") }
        if handles[handle] != nil, let sku = record.optional("SKU") { handle += "-" + sku.handleForm }
        if let first = handles.updateValue(record.row.line, forKey: handle) {
            throw RowRefusal("the name gives the handle \(handle) once more, it was at line \(first)")
        }
        let description = [record["Short description"], record["Description"]].filter { !$0.isEmpty }
        let first = record["Categories"].list(separatedBy: ",").first ?? ""
        return ProductDraft(
            handle: handle, title: record["Name"], description: description.joined(separator: "\n"),
            category: first.list(separatedBy: ">"), tags: record["Tags"].list(separatedBy: ","),
            status: record["Published"] == "1" ? .active : .draft,
            images: record["Images"].list(separatedBy: ",").map { ProductImage(src: $0, alt: nil) }, variants: [])
    }

    private func variant(_ record: CSVRecord, options values: [String]) throws -> ProductDraft.Variant {
        guard let regular = try record.price("Regular price", options.currency) else {
            throw RowRefusal("Regular price is empty")
        }
        let sale = try record.price("Sale price", options.currency)
        return ProductDraft.Variant(
            sku: record.optional("SKU"), options: values, price: sale ?? regular,
            compare_at_price: sale == nil ? nil : regular, stock: try record.count("Stock") ?? options.stock,
            weight_grams: try record.thousandths("Weight (kg)"),
            barcode: record.optional("GTIN, UPC, EAN, or ISBN"),
            image: record["Type"] == "variation" ? record["Images"].list(separatedBy: ",").first : nil)
    }
}
