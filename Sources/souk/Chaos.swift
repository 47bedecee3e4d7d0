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

            Example: souk chaos run deploy/chaos/fleet-*.json
            """)

    @Argument(help: "Experiments.") var files: [String]
    @Option(help: "A file for the journal, in the toolkit's shape; of several experiments a list.") var journal: String?
    @Option(help: "always, deviated or never.") var rollback = "always"
    @OptionGroup var place: ChaosPlace
    @Flag(help: "Print the journals as JSON.") var json = false

    func validate() throws {
        guard ChaosRunner.Rollback(rawValue: rollback) != nil else {
            throw ValidationError("--rollback is '\(rollback)', expected always, deviated or never")
        }
    }

    func run() async throws {
        let experiments = try files.map { (file: $0, experiment: try ChaosFiles.read($0)) }
        let output = try journal.map(OutputFile.init)
        let allowed = try await place.allowed()
        let environment = place.environment()
        let ledger = try await place.ledger()
        let drill = ChaosDrill(ledger: ledger, environment: environment, allowed: allowed)
        // All are looked at before the first does anything.
        let runs = try experiments.map { file, experiment in
            try drill.prepare(experiment, file, ChaosRunner.Rollback(rawValue: rollback) ?? .always)
        }
        try await drill.undoLeft()
        var journals: [JSON] = []
        var isHeld = true
        for (run, (file, experiment)) in zip(runs, experiments) {
            experiment.warnings.forEach(Console.complain)
            Console.complain(experiment.title)
            let outcome = try await drill.run(run)
            journals.append(await run.journal.json)
            isHeld = isHeld && outcome.isHeld
            let verdict = ChaosDrill.verdict(outcome)
            if json { Console.complain("\(file): \(verdict)") } else { Console.say("\(file): \(verdict)") }
            if outcome.status == .interrupted || (outcome.leavesTraces && experiments.count > 1) { break }
        }
        let all = journals.count == 1 ? journals[0] : .array(journals)
        try output?.write("\(all)\n")
        if json { Console.say("\(all)") }
        if !isHeld { throw ExitCode(1) }
    }
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
