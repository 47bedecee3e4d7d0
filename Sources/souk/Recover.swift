import ArgumentParser
import Drills
import FoundationEssentials
import Kernel
import UnixSignals

struct Recover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Destroy a shop under load, restore it elsewhere, and measure what was lost and how long it took.",
        discussion: """
            A shop of the drill's own, with --orders in it, is copied by `souk backup follow` while shoppers buy. All \
            of it is killed with SIGKILL and its data deleted. `souk restore --until latest` puts it back in another \
            place, where it is audited and sells again. No shop but that one is touched.

            RPO is the time from the first acknowledged order that is lost until the end, RTO that until the restored \
            shop takes an order. Exit code 1 if a target is missed, an order is lost that had reached the copy, or the \
            audit is not clean.

            Example:
              souk recover --engine sqlite --orders 100000 --json recover-sqlite.json
              souk recover --engine postgres --postgres /usr/lib/postgresql/15/bin
            """)

    enum Engine: String, ExpressibleByArgument, CaseIterable { case sqlite, postgres }

    @Option(help: "Which database the shop is on.") var engine = Engine.sqlite
    @Option(help: "Orders in the shop before shoppers come, 0 to 10000000.") var orders = 100_000
    @Option(help: "How long shoppers buy before the end, at the most 1h.") var load = "15s"
    @Option(help: "Shoppers that buy, a second.") var rate = 100.0
    @Option(help: "Where PostgreSQL's programs are; the newest of Debian's without.") var postgres: String?
    @Option(help: "A folder for all of it, with room for two shops and a copy; removed in the end.")
    var work = FileManager.default.temporaryDirectory.path
    @Flag(help: "Leave everything where it is, to look at it.") var keep = false
    @Option(help: "A file for the result as JSON, or - for standard output.") var json: String?

    @Option(help: "A file for the report as a page.") var html: String?

    func validate() throws {
        guard (0...10_000_000).contains(orders) else {
            throw ValidationError("--orders is \(orders), expected 0 to 10000000")
        }
        guard rate > 0, rate <= 10_000 else {
            throw ValidationError("--rate is \(rate), expected a number above 0, at the most 10000")
        }
    }

    func run() async throws {
        let length = try length()
        let output = try json.flatMap { $0 == "-" ? nil : $0 }.map(OutputFile.init)
        let page = try html.map(OutputFile.init)
        let programs = try engine == .postgres ? RecoveryServer.programs(postgres) : nil
        let place = try RecoveryPlace(in: work)
        let server = programs.map { RecoveryServer(programs: $0, place) }
        let drill = RecoveryDrill(place: place, server: server, orders: orders, rate: rate, length: length)
        let outcome = await Self.untilInterrupted { try await drill.run() }
        await place.endAll()
        if keep {
            Console.complain("everything is in \(place.folder)")
        } else {
            try await place.remove()
        }
        let result: RecoveryResult
        do {
            result = try outcome.get()
        } catch let error as DrillError {
            throw Failure(error.description)
        }
        try page?.write(RecoveryPage(result).html)
        try output?.write(String(decoding: try JSON.encode(result), as: UTF8.self) + "\n")
        if json == "-" { try Console.print(json: result) } else { Console.say(result.summary) }
        if !result.passed { throw ExitCode(1) }
    }

    private func length() throws -> Duration {
        do {
            let length = try Duration(span: load, of: "--load")
            guard length > .zero, length <= .seconds(3_600) else {
                throw DrillError("--load is \(load), expected more than 0s and at the most 1h")
            }
            return length
        } catch let error as DrillError {
            throw ValidationError(error.description)
        }
    }

    private static func untilInterrupted<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async
        -> Result<T, any Error>
    {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return await withTaskGroup(of: Result<T, any Error>.self) { tasks in
            tasks.addTask {
                do { return .success(try await work()) } catch { return .failure(error) }
            }
            tasks.addTask {
                for await _ in signals { break }
                return .failure(Failure("interrupted: nothing was measured"))
            }
            let first = await tasks.next() ?? .failure(CancellationError())
            tasks.cancelAll()
            return first
        }
    }
}
