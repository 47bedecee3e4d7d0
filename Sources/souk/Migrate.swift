import ArgumentParser
import Auth
import Database
import Kernel

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the schemas of all services to this release.",
        discussion: """
            A job of its own before a new release is rolled out: the release before goes on running on what it leaves. \
            Any number may run at once, and what is done already is left as it is. On SQLite `serve` does it by itself.

            Example:
              SOUK_DATABASE=postgres://souk@localhost/souk souk migrate
            """)

    @OptionGroup var options: DataOptions
    @Flag(help: "Print the result as JSON.") var json = false

    struct Schema: Codable {
        var schema: String
        var applied: [String]
    }

    func run() async throws {
        let settings = try await options.settings()
        let folder = settings.database.scheme == "sqlite" ? try DataFolder.claim(settings.data) : nil
        defer { folder?.release() }
        var schemas: [Schema] = []
        for store in Store.allCases {
            let databases = try await Databases.open([store], for: .migrating, settings)
            do {
                let missing = try await databases[store].missing(store.migrations)
                try await databases[store].migrate(store.migrations)
                schemas.append(Schema(schema: store.rawValue, applied: missing.map(\.name)))
            } catch {
                await databases.close()
                throw error
            }
            await databases.close()
        }
        // Every replica of Auth then finds the same.
        if settings.isSet("SOUK_SIGNING_KEYS") { _ = try await SigningKeys.kept(in: settings.signingKeys) }
        if json { return try Console.print(json: schemas) }
        for schema in schemas {
            Console.say(
                "\(schema.schema): \(schema.applied.isEmpty ? "is up to date" : schema.applied.joined(separator: ", "))"
            )
        }
    }
}
