import ArgumentParser
import Contracts
import Kernel
import Wire

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the settings and where each came from.",
        discussion: """
            Flags come before the environment, that before the file, that before the defaults. Secrets are not printed.

            Example:
              souk config --json
            """)

    @OptionGroup var options: DataOptions
    @Flag(help: "Print as JSON.") var json = false

    struct Entry: Codable {
        var name: String
        var value: String?
        var source: String
        var about: String
    }

    func run() async throws {
        let settings = try await options.settings()
        let entries = settings.report.map {
            Entry(name: $0.name, value: $0.value, source: $0.source, about: $0.about)
        }
        if json { return try Console.print(json: entries) }
        let width = entries.map(\.name.count).max() ?? 0
        for entry in entries {
            let name = entry.name + String(repeating: " ", count: width - entry.name.count)
            Console.say("\(name)  \(entry.value ?? "–")  (\(entry.source))")
        }
    }
}

struct OpenAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi",
        abstract: "Print the HTTP interface as OpenAPI 3.1.",
        discussion: """
            The same document that a running shop serves at /openapi.json.

            Example:
              souk openapi > openapi.json
            """)

    @Flag(help: "The document is JSON; accepted for uniformity.") var json = false

    func run() async throws {
        let published = Interface.endpoints.filter { $0.access != .service }
        let document = OpenAPI.document(published, version: Souk.version).serialized()
        Console.say(String(decoding: document, as: UTF8.self))
    }
}
