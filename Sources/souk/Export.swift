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

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write all products as Shopify's CSV; importing it gives the same catalogue.",
        discussion: """
            Example:
              souk export --output products.csv
            """)

    @OptionGroup var options: DataOptions
    @Option(help: "The file to write; standard output if not given.") var output: String?
    @Flag(help: "One JSON object a line and product instead of CSV.") var json = false

    func run() async throws {
        let settings = try await options.settings()
        let part = output.map { $0 + ".part" }
        let descriptor = part.map { open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o644) } ?? STDOUT_FILENO
        guard descriptor >= 0 else {
            throw Failure("\(output ?? "") cannot be written: \(String(cString: strerror(errno)))")
        }
        try await Shop.using(settings) { shop in
            var after: String?
            let progress = Progress("export")
            if !json { try write(ShopifyExport.header, to: descriptor) }
            repeat {
                let page = try await shop.products.export(
                    ExportQuery(after: after, limit: 500), .service("export", timeout: .seconds(600)))
                var text = ""
                for draft in page.items {
                    text +=
                        json
                        ? String(decoding: try JSON.encode(draft), as: UTF8.self) + "\n" : ShopifyExport.rows(draft)
                }
                try write(text, to: descriptor)
                progress.advance(by: page.items.count)
                after = page.next
            } while after != nil
            progress.finish()
        }
        // The name appears only when the file is whole.
        if let part, let output {
            guard fsync(descriptor) == 0, close(descriptor) == 0, rename(part, output) == 0 else {
                throw Failure("\(output) cannot be written: \(String(cString: strerror(errno)))")
            }
        }
    }

    private func write(_ text: String, to descriptor: Int32) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                throw Failure("\(output ?? "standard output") cannot be written: \(String(cString: strerror(errno)))")
            }
            bytes = bytes.dropFirst(written)
        }
    }
}
