import ArgumentParser
import Contracts
import FoundationEssentials
import Kernel
import Products

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take products from a CSV file: Shopify's, WooCommerce's, or any with --map.",
        discussion: """
            Streams; names every row that is not taken with its line; the same file again changes nothing. Works on \
            the data folder, or with --url on a running shop (staff password in SOUK_STAFF_PASSWORD).

            Examples:
              souk import products_export.csv
              souk import list.csv --currency INR --map 'title=ProductName,price=Price (INR),sku=ProductID'
            """)

    @Argument(help: "The CSV file.") var file: String
    @OptionGroup var options: DataOptions
    @Option(help: "Souk's fields and the file's columns: title=…,price=…,sku=…") var map: String?
    @Option(help: "The currency of the file's prices (the shop's, if not given).") var currency: String?
    @Option(help: "Pieces on hand for rows that name none.") var stock: Int64?
    @Option(help: "A running shop to import into.") var url: String?
    @Option(help: "The staff account there (SOUK_STAFF_EMAIL).") var email: String?
    @Flag(help: "Print the result as JSON.") var json = false

    func validate() throws {
        _ = try fields()
        if let currency, Currency(currency) == nil {
            throw ValidationError("--currency is '\(currency)', expected an ISO 4217 code such as GBP")
        }
        if let stock, !(0...1_000_000_000).contains(stock) {
            throw ValidationError("--stock is \(stock), expected 0 to 1000000000")
        }
    }

    private func fields() throws -> [String: String] {
        var fields: [String: String] = [:]
        for pair in map?.split(separator: ",") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw ValidationError("--map has '\(pair)', expected FIELD=COLUMN pairs by comma")
            }
            fields[String(parts[0])] = String(parts[1])
        }
        return fields
    }

    struct Summary: Codable {
        struct Row: Codable {
            var line: Int
            var message: String
        }
        var form = ""
        var created = 0
        var updated = 0
        var unchanged = 0
        var refused: [Row] = []
        var passed_over: [Row] = []
        var unused_columns: [String] = []
    }

    func run() async throws {
        let settings = try await options.settings(["SOUK_STAFF_EMAIL": email])
        let source = try FileChunks(file)
        defer { source.close() }
        var catalogue: CatalogueFile
        do {
            catalogue = try CatalogueFile(
                CSVReader(chunks: source.next),
                options: ImportOptions(
                    currency: currency.flatMap(Currency.init) ?? settings.shop.currency, map: try fields(),
                    stock: stock))
        } catch {
            throw Failure("\(file): \(error)")
        }
        let summary: Summary
        if let url {
            let session = try await StaffSession.open(url: url, settings)
            summary = try await session.closing { try await take(&catalogue) { try await session.importProducts($0) } }
        } else {
            summary = try await Shop.using(settings) { shop in
                try await take(&catalogue) {
                    try await shop.products.importProducts($0, .service("import", timeout: .seconds(600)))
                }
            }
        }
        try report(summary)
        if !summary.refused.isEmpty { throw ExitCode(1) }
    }

    private func take(
        _ catalogue: inout CatalogueFile, _ put: (ProductBatch) async throws -> ImportResult
    ) async throws -> Summary {
        var summary = Summary()
        summary.form = catalogue.form
        summary.unused_columns = catalogue.unusedColumns
        let progress = Progress("import")
        var batch: [ImportedProduct] = []
        func flush() async throws {
            guard !batch.isEmpty else { return }
            let result = try await put(ProductBatch(products: batch.map(\.draft)))
            summary.created += result.created
            summary.updated += result.updated
            summary.unchanged += result.unchanged
            for refusal in result.refused {
                let line = batch.first { $0.draft.handle == refusal.handle }?.line ?? 0
                summary.refused.append(Summary.Row(line: line, message: "\(refusal.handle): \(refusal.detail)"))
            }
            progress.advance(by: batch.count)
            batch = []
        }
        do {
            while let finding = try catalogue.next() {
                switch finding {
                case .product(let product): batch.append(product)
                case .refused(let line, let message):
                    summary.refused.append(Summary.Row(line: line, message: message))
                case .passedOver(let line, let message):
                    summary.passed_over.append(Summary.Row(line: line, message: message))
                }
                if batch.count == ProductBatch.limit { try await flush() }
            }
        } catch let error as CSVError {
            summary.refused.append(Summary.Row(line: error.line, message: error.message))
        }
        try await flush()
        progress.finish()
        return summary
    }

    private func report(_ summary: Summary) throws {
        if json { return try Console.print(json: summary) }
        for row in summary.refused { Console.complain("\(file):\(row.line): \(row.message)") }
        for row in summary.passed_over { Console.complain("\(file):\(row.line): passed over: \(row.message)") }
        if !summary.unused_columns.isEmpty {
            Console.complain("columns not used: \(summary.unused_columns.joined(separator: ", "))")
        }
        Console.say(
            "\(summary.form): \(summary.created) created, \(summary.updated) updated, "
                + "\(summary.unchanged) unchanged, \(summary.refused.count) refused")
    }
}

/// A file's bytes, a piece at a time.
final class FileChunks {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
    }

    /// The next bytes, empty at the end.
    func next() throws -> [UInt8] {
        let size = 1 << 18
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let got = read(descriptor, buffer.baseAddress, size)
            if got < 0 { failure = errno }
            count = max(0, got)
        }
        guard failure == 0 else { throw Failure("\(path) cannot be read: \(String(cString: strerror(failure)))") }
        return chunk
    }

    func close() { _ = Glibc.close(descriptor) }
}
