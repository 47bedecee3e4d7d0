import ArgumentParser
import Database
import Kernel

@main
struct Souk: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "souk",
        abstract: "An online shop that holds when the crowd comes.",
        discussion: """
            Example: souk demo --products 1000 && souk serve

            Exit codes: 0 done, 1 found wanting, 64 wrong usage.
            """,
        version: version,
        subcommands: [
            Serve.self, Migrate.self, Demo.self, Import.self, Export.self, Replay.self, AuditCommand.self, Backup.self,
            Restore.self, Load.self, Chaos.self, Recover.self, ScoreCommand.self, OpenAPICommand.self, Config.self,
            Doctor.self, Probe.self,
        ])

    /// Errors are told in one line each, without the name of the type that carried them.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as SettingsError {
            Console.complain("error: \(error)")
            exit(withError: ExitCode(64))
        } catch let error as Failure {
            Console.complain("error: \(error)")
            exit(withError: ExitCode(1))
        } catch {
            if error is ExitCode || error is CleanExit || error is ValidationError
                || exitCode(for: error).rawValue == 64
            {
                exit(withError: error)
            }
            if exitCode(for: error) == .success { exit(withError: error) }
            Console.complain("error: \(error)")
            exit(withError: ExitCode(1))
        }
    }
}

/// What a command found wanting, in one sentence. Exit code 1.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What every command takes that works on a shop's data.
struct DataOptions: ParsableArguments {
    @Option(help: "The folder of everything embedded (SOUK_DATA).")
    var data: String?

    @Option(help: "A JSON file of settings (SOUK_CONFIG).")
    var config: String?

    func settings(_ more: [String: String?] = [:]) async throws -> Settings {
        var flags = more.compactMapValues { $0 }
        flags["SOUK_DATA"] = data
        return try await Settings.read(flags: flags, file: config)
    }
}
