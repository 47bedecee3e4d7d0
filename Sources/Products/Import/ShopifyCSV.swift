public import Contracts
import Kernel

/// Shopify's product CSV, both header generations: a product's first row carries its title; further rows with the same
/// handle add a variant, an image, or both.
struct ShopifyCSV: RowInterpreter {
    private let options: ImportOptions
    private var draft: ProductDraft?
    private var line = 0
    private var spoiled: (line: Int, message: String)?
    /// The image of each row of the product, by its position column.
    private var images: [(position: Int64, image: ProductImage)] = []
    private var seen: [String: Int] = [:]
    private var skus: [String: Int] = [:]

    let columns: Set<String> = Set(ShopifyColumns.all.map(CSVHeader.folded))

    init(_ header: CSVHeader, _ options: ImportOptions) throws {
        try header.require(["Handle", "Title", "Variant Price"])
        self.options = options
    }

    mutating func take(_ record: CSVRecord) -> [ImportFinding] {
        let written = record["Handle"]
        // As it is where it can be; Shopify also allows letters that a handle here has not.
        let handle = Schema.handle.violations(in: .string(written)).isEmpty ? written : written.handleForm
        guard !handle.isEmpty else {
            let found = written.isEmpty ? "is empty" : "is '\(written)'"
            return [.refused(line: record.row.line, message: "Handle \(found), expected e.g. linen-shirt")]
        }
        var findings: [ImportFinding] = []
        if draft?.handle != handle {
            findings = finish()
            if let first = seen[handle] {
                return findings + [
                    .refused(
                        line: record.row.line,
                        message: "the handle \(handle) is repeated, its rows began at line \(first)")
                ]
            }
            seen[handle] = record.row.line
            begin(handle, record)
        }
        do {
            try add(record)
        } catch {
            let refusal = error as? RowRefusal
            spoiled = spoiled ?? (record.row.line, refusal?.message ?? "\(error)")
        }
        return findings
    }

    mutating func spoil(_ line: Int, _ message: String) -> [ImportFinding] {
        guard draft != nil else { return [.refused(line: line, message: message)] }
        // It may have been this product's row or the next one's; neither is imported in half.
        spoiled = spoiled ?? (line, message)
        return []
    }

    private mutating func begin(_ handle: String, _ record: CSVRecord) {
        line = record.row.line
        spoiled = nil
        images = []
        let category = record.optional("Product Category") ?? record.optional("Type")
        let names = (1...3).map { record["Option\($0) Name"] }
        var new = ProductDraft(
            handle: handle, title: record["Title"], description: record.untrimmed("Body (HTML)"),
            vendor: record.optional("Vendor"), category: category.map { $0.list(separatedBy: ">") } ?? [],
            tags: record["Tags"].list(separatedBy: ","), status: .active,
            options: Array(names.prefix { !$0.isEmpty }), variants: [])
        if new.options == ["Title"], record["Option1 Value"] == "Default Title" { new.options = [] }
        if let status = record.optional("Status") {
            if let known = ProductStatus(rawValue: status.lowercased()) {
                new.status = known
            } else {
                spoiled = (line, "Status is '\(status)', expected active, draft or archived")
            }
        } else if record["Published"].lowercased() == "false" {
            new.status = .draft
        }
        draft = new
    }

    private mutating func add(_ record: CSVRecord) throws {
        if let source = record.optional("Image Src") {
            let position = try record.count("Image Position") ?? Int64(images.count + 1)
            images.append((position, ProductImage(src: source, alt: record.optional("Image Alt Text"))))
        }
        let hasVariant = ["Option1 Value", "Variant SKU", "Variant Price"].contains { !record[$0].isEmpty }
        guard hasVariant else { return }
        let currency = try record.optional("Currency").map { code in
            guard let currency = Currency(code) else { throw RowRefusal("Currency is '\(code)', expected e.g. GBP") }
            return currency
        }
        let priceCurrency = currency ?? options.currency
        guard let price = try record.price("Variant Price", priceCurrency) else {
            throw RowRefusal("Variant Price is empty")
        }
        let sku = record.optional("Variant SKU").flatMap(Self.unescaped)
        if let sku, let first = skus.updateValue(record.row.line, forKey: sku) {
            throw RowRefusal("the SKU \(sku) is repeated, it was at line \(first)")
        }
        let values = (draft?.options ?? []).indices.map { record["Option\($0 + 1) Value"] }
        if let empty = values.firstIndex(of: "") {
            throw RowRefusal(
                "Option\(empty + 1) Value is empty, the product has the option \(draft?.options[empty] ?? "")")
        }
        draft?.variants.append(
            ProductDraft.Variant(
                sku: sku, options: values, price: price,
                compare_at_price: try record.price("Variant Compare At Price", priceCurrency),
                stock: try record.count("Variant Inventory Qty") ?? options.stock,
                weight_grams: try record.thousandths("Variant Grams").map { $0 / 1_000 },
                barcode: record.optional("Variant Barcode").flatMap(Self.unescaped),
                image: record.optional("Variant Image")))
    }

    /// Spreadsheets write `'00123` to keep a number's zeros.
    private static func unescaped(_ text: String) -> String? {
        let plain = text.first == "'" ? String(text.dropFirst()) : text
        return plain.isEmpty ? nil : plain
    }

    mutating func finish() -> [ImportFinding] {
        guard var draft else { return [] }
        self.draft = nil
        if let spoiled {
            return [.refused(line: spoiled.line, message: "\(spoiled.message); \(draft.handle) is not imported")]
        }
        draft.images = images.sorted { $0.position < $1.position }.map(\.image)
        if draft.title.isEmpty {
            return [.refused(line: line, message: "Title is empty in the first row of \(draft.handle)")]
        }
        if draft.variants.isEmpty {
            return [.refused(line: line, message: "\(draft.handle) has no row with a Variant Price")]
        }
        if let refusal = draft.refusal() { return [.refused(line: line, message: "\(draft.handle): \(refusal)")] }
        return [.product(ImportedProduct(line: line, draft: draft))]
    }
}

/// Shopify's columns that Souk reads and writes, in the order of an export.
enum ShopifyColumns {
    static let all = [
        "Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published", "Option1 Name",
        "Option1 Value", "Option2 Name", "Option2 Value", "Option3 Name", "Option3 Value", "Variant SKU",
        "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Inventory Policy",
        "Variant Price", "Variant Compare At Price", "Variant Barcode", "Image Src", "Image Position",
        "Image Alt Text", "Variant Image", "Status", "Currency",
    ]
}

/// Writes products as Shopify's CSV, so that reading it back gives the same catalogue.
public enum ShopifyExport {
    public static var header: String { CSVWriter.line(ShopifyColumns.all) }

    public static func rows(_ draft: ProductDraft) -> String {
        var text = ""
        for index in 0..<max(draft.variants.count, draft.images.count, 1) {
            var fields: [String: String] = ["Handle": draft.handle]
            if index == 0 { describe(draft, &fields) }
            if index < draft.variants.count { describe(draft.variants[index], &fields) }
            if index < draft.images.count {
                fields["Image Src"] = draft.images[index].src
                fields["Image Position"] = String(index + 1)
                fields["Image Alt Text"] = draft.images[index].alt
            }
            text += CSVWriter.line(ShopifyColumns.all.map { fields[$0] ?? "" })
        }
        return text
    }

    private static func describe(_ draft: ProductDraft, _ fields: inout [String: String]) {
        fields["Title"] = draft.title
        fields["Body (HTML)"] = draft.description
        fields["Vendor"] = draft.vendor
        fields["Product Category"] = draft.category.joined(separator: " > ")
        fields["Type"] = draft.category.last
        fields["Tags"] = draft.tags.joined(separator: ", ")
        fields["Published"] = draft.status == .active ? "true" : "false"
        fields["Status"] = draft.status.rawValue
        let names = draft.options.isEmpty ? ["Title"] : draft.options
        for (index, name) in names.enumerated() { fields["Option\(index + 1) Name"] = name }
    }

    private static func describe(_ variant: ProductDraft.Variant, _ fields: inout [String: String]) {
        let values = variant.options.isEmpty ? ["Default Title"] : variant.options
        for (index, value) in values.enumerated() { fields["Option\(index + 1) Value"] = value }
        fields["Variant SKU"] = variant.sku.map(escaped)
        fields["Variant Grams"] = variant.weight_grams.map(String.init)
        fields["Variant Inventory Tracker"] = "shopify"
        fields["Variant Inventory Qty"] = variant.stock.map(String.init)
        fields["Variant Inventory Policy"] = "deny"
        fields["Variant Price"] = variant.price.decimal
        fields["Variant Compare At Price"] = variant.compare_at_price?.decimal
        fields["Variant Barcode"] = variant.barcode.map(escaped)
        fields["Variant Image"] = variant.image
        fields["Currency"] = variant.price.currency.code
    }

    private static func escaped(_ text: String) -> String { text.first == "'" ? "'" + text : text }
}
