import ArgumentParser
import Drills
import Kernel

struct Chaos: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Break something on purpose, see whether the shop holds, and undo it.",
        discussion: """
            Experiments are in the Chaos Toolkit's format (JSON; providers http and process): what is true of a \
            healthy shop, what is done to it, and how that is undone. The toolkit's own `chaos run` takes them, too.

            Exit codes: 0 held, 1 deviated or could not be done, 64 wrong usage or no experiment.

            Examples:
              souk chaos list
              souk chaos run deploy/chaos/fleet-kill-half.json --journal journal.json
              souk chaos run deploy/chaos/fleet-kill-half.json --shoppers 300 --html kill.html
              souk chaos run deploy/chaos/cluster-kill-half.json --allow souk-staging
              souk chaos undo
            """,
        subcommands: [ChaosRunCommand.self, ChaosValidate.self, ChaosList.self, ChaosUndo.self])
}

/// Where it is written down what was begun, and what may be hurt.
struct ChaosPlace: ParsableArguments {
    @Option(help: "The fleet's folder, where it is written down what is to be undone (FLEET); var/fleet.")
    var folder: String?
    @Option(help: "A host besides this machine, or a context of kubectl; may be given again (SOUK_LOAD_ALLOW).")
    var allow: [String] = []
    @Option(help: "A JSON file of settings (SOUK_CONFIG).") var config: String?

    /// What programs get, too: those of the fleet find it by `FLEET`.
    func environment() -> [String: String] {
        var environment = ChaosFiles.environment()
        environment["FLEET"] = folder ?? environment["FLEET"] ?? "var/fleet"
        return environment
    }

    func ledger() async throws -> Ledger {
        do {
            return try await Ledger.take(folder: environment()["FLEET"] ?? "var/fleet")
        } catch let error as DrillError {
            throw Failure(error.description)
        }
    }

    func allowed() async throws -> [String] { try await Settings.read(file: config).loadAllow + allow }
}

struct ChaosRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run experiments, one after the other, rollbacks included.",
        discussion: """
            What a drill that was killed has left is undone first. Ctrl-C ends the method, and then everything is \
            undone.

            With --shoppers the verdict is theirs, too: of their steps less than 0.1 % fail for good, all is steady \
            again within 10 s, and the audit that the experiment names finds nothing. An experiment may expect \
            something else.

            Examples:
              souk chaos run deploy/chaos/fleet-*.json
              souk chaos run deploy/chaos/fleet-kill-half.json --shoppers 300 --html kill.html --json kill.json
            """)

    @Argument(help: "Experiments.") var files: [String]
    @OptionGroup(title: "Shoppers") var shoppers: ChaosShoppers
    @Option(help: "A file for the journal, in the toolkit's shape; of several experiments a list.") var journal: String?
    @Option(help: "A file for the result as JSON, or - for standard output; of several experiments a list.")
    var json: String?
    @Option(help: "A file for the report as a page; of one experiment.") var html: String?
    @Option(help: "always, deviated or never.") var rollback = "always"
    @OptionGroup var place: ChaosPlace

    func validate() throws {
        guard ChaosRunner.Rollback(rawValue: rollback) != nil else {
            throw ValidationError("--rollback is '\(rollback)', expected always, deviated or never")
        }
        if html != nil, files.count > 1 { throw ValidationError("--html is the report of one experiment") }
        do {
            try shoppers.check()
        } catch let error as DrillError {
            throw ValidationError(error.description)
        }
    }

    func run() async throws {
        let experiments = try files.map { (file: $0, experiment: try ChaosFiles.read($0)) }
        let outputs = try (
            journal: journal.map(OutputFile.init), html: html.map(OutputFile.init),
            json: json.flatMap { $0 == "-" ? nil : $0 }.map(OutputFile.init)
        )
        let allowed = try await place.allowed()
        let environment = place.environment()
        let ledger = try await place.ledger()
        let drill = ChaosDrill(ledger: ledger, environment: environment, allowed: allowed, shoppers: shoppers)
        // All are looked at before the first does anything.
        let runs = try experiments.map { file, experiment in
            try drill.prepare(experiment, file, ChaosRunner.Rollback(rawValue: rollback) ?? .always)
        }
        try await drill.undoLeft()
        var results: [ChaosResult] = []
        for (run, (file, experiment)) in zip(runs, experiments) {
            experiment.warnings.forEach(Console.complain)
            Console.complain(experiment.title)
            let result = try await drill.result(of: run, experiment, file)
            results.append(result)
            if json == "-" { Console.complain(result.summary) } else { Console.say(result.summary) }
            let outcome = result.outcome
            if outcome.status == .interrupted || (outcome.leavesTraces && experiments.count > 1) { break }
        }
        try outputs.journal?.write("\(Self.one(or: results.map(\.journal.json)))\n")
        if let first = results.first { try outputs.html?.write(ChaosPage(first).html) }
        let all = Self.one(or: try results.map { try JSON(encoding: $0) })
        try outputs.json?.write("\(all)\n")
        if json == "-" { Console.say("\(all)") }
        if !results.allSatisfy(\.passed) { throw ExitCode(1) }
    }

    /// Of one experiment its own, of several a list.
    private static func one(or all: [JSON]) -> JSON { all.count == 1 ? all[0] : .array(all) }
}

struct ChaosValidate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Say whether files are experiments that can be run.",
        discussion: "Example: souk chaos validate deploy/chaos/*.json")

    @Argument(help: "Experiments.") var files: [String]
    @Flag(help: "Print the result as JSON.") var json = false

    struct Result: Encodable {
        var file: String
        var error: String?
        var warnings: [String]
    }

    func run() async throws {
        var results: [Result] = []
        for file in files {
            do {
                results.append(Result(file: file, warnings: try ChaosFiles.read(file).warnings))
            } catch let error as ValidationError {
                results.append(Result(file: file, error: error.message, warnings: []))
            }
        }
        if json { try Console.print(json: results) }
        for result in results where !json {
            result.warnings.forEach(Console.complain)
            if let error = result.error { Console.complain(error) } else { Console.say("\(result.file) is valid") }
        }
        if results.contains(where: { $0.error != nil }) { throw ExitCode(64) }
    }
}

struct ChaosList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the experiments of a folder.", discussion: "Example: souk chaos list")

    @Argument(help: "The folder.") var folder = "deploy/chaos"
    @Flag(help: "Print them as JSON.") var json = false

    struct Entry: Encodable {
        var file: String
        var title: String
        var tags: [String]
    }

    func run() async throws {
        let entries = try ChaosFiles.inFolder(folder).map { file in
            let experiment = try ChaosFiles.read(file)
            return Entry(file: file, title: experiment.title, tags: experiment.tags)
        }
        if json {
            try Console.print(json: entries)
        } else {
            for entry in entries { Console.say("\(entry.file)\n    \(entry.title)") }
        }
    }
}

struct ChaosUndo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Undo what a drill that was killed has left.",
        discussion: """
            Does the rollbacks of the experiment that was under way. Nothing to undo is well, too.

            Example: souk chaos undo
            """)

    @OptionGroup var place: ChaosPlace

    func run() async throws {
        let drill = ChaosDrill(
            ledger: try await place.ledger(), environment: place.environment(), allowed: try await place.allowed())
        if try await !drill.undoLeft() { Console.say("there is nothing to undo") }
    }
}
