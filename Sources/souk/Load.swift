import ArgumentParser
import Drills
import Kernel
import UnixSignals

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put load on a running shop, and say how it held.",
        discussion: """
            Visitors ask for one page, or go on shoppers' journeys with --journey. With --rate, --stage or --trace \
            they arrive on time whether or not the shop keeps up, and each latency counts from that time: a shop that \
            stalls is seen to stall. Without, each of --connections asks again when it was answered.

            Load goes to this machine, and to hosts that --allow or SOUK_LOAD_ALLOW names. Ctrl-C ends the run and \
            shows what was measured.

            Thresholds: p50 to p99.99, mean and max with a time; errors, refused, refused_without_retry_after, \
            dropped, retries, connect, timeout, reset, malformed, http_4xx, http_5xx and http_NNN with a number or a \
            share; rate and goodput a second. A step's name may stand before: checkout.p99<500ms. One that is crossed \
            for good ends the run; exit code 99.

            A --flood learns how much the shop can do, sends so many times as many visitors who want to look and \
            buy (refused ones go away), then half as many as it can serve, and says how much it still did, how long \
            checkouts took, what memory it used, and when all was as before.

            Examples:
              souk load http://127.0.0.1:8080/ --spike
              souk load http://127.0.0.1:8080/api/products --connections 50 --duration 30s
              souk load --journey standard --stage 30s:300 --stage 2m:300 --html load.html --acknowledged told.jsonl
              souk load --journey checkout=1 --rate 500 --duration 1m --clients many --threshold 'checkout.p99<500ms'
              souk load --flood 5 --clients many --json flood.json
              souk load --journey standard --trace requests-per-minute.csv --speed 60 --duration 10m
            """)

    @Argument(help: "The page to ask for, or the shop that journeys go to.") var url = "http://127.0.0.1:8080/"
    @OptionGroup(title: "Arrivals") var arrivals: LoadArrivals
    @OptionGroup(title: "Visits") var visits: LoadVisits
    @Option(help: "Open at a time: 50, 100 with --spike, at the most 1000 with arrivals and 5000 in a flood.")
    var connections: Int?
    @Option(help: "Visits that may wait for a connection; more are dropped, and counted.") var queue = 10_000
    @Option(help: "For one answer.") var timeout = "10s"
    @Option(help: "Event loops, 1 to 64.") var threads = 1
    @Option(help: "What must hold, such as 'p99<500ms'; may be given again.") var threshold: [String] = []
    @Option(help: "For https: a PEM file of who may sign the shop's certificate; the system's list without.")
    var ca: String?
    @Option(help: "A file for the result as JSON, or - for standard output.") var json: String?
    @Option(help: "A file for the report as a page.") var html: String?
    @Option(
        help: "Of a flood: where a process of the shop tells its memory, URL/metrics if not given; may be given again.")
    var metrics: [String] = []
    @Option(help: "A host besides this machine that welcomes load; may be given again (SOUK_LOAD_ALLOW).")
    var allow: [String] = []
    @Option(help: "A JSON file of settings (SOUK_CONFIG).") var config: String?

    static let crossed = ExitCode(99)

    func validate() throws {
        if let connections, !(1...100_000).contains(connections) {
            throw ValidationError("--connections is \(connections), expected 1 to 100000")
        }
        guard (1...10_000_000).contains(queue) else {
            throw ValidationError("--queue is \(queue), expected 1 to 10000000")
        }
        guard (1...64).contains(threads) else { throw ValidationError("--threads is \(threads), expected 1 to 64") }
        do {
            try arrivals.check()
            try visits.check(hasShoppers: arrivals.flood != nil)
            if arrivals.flood != nil, !threshold.isEmpty { throw DrillError("--flood has thresholds of its own") }
            if arrivals.flood == nil, !metrics.isEmpty { throw DrillError("--metrics is about a --flood") }
        } catch let error as DrillError {
            throw ValidationError(error.description)
        }
    }

    func run() async throws {
        var plan: LoadPlan
        do {
            plan = try await planned()
        } catch let error as DrillError {
            throw ValidationError(error.description)
        }
        let log = try visits.acknowledged.map { try AcknowledgedLog($0) }
        if let log {
            plan.acknowledge = { order, total, key in
                try log.append(AcknowledgedOrder(order: order, idempotency_key: key, total: total))
            }
        }
        let outputs = try (html.map(OutputFile.init), json.flatMap { $0 == "-" ? nil : $0 }.map(OutputFile.init))
        do {
            if case .journeys(var mix) = plan.errand {
                try mix.use(try await plan.catalogue(), of: plan.target)
                plan.errand = .journeys(mix)
            }
            if let times = arrivals.flood { return try await flood(plan, times, outputs.0, outputs.1) }
            try report(try await run(plan), outputs.0, outputs.1)
        } catch let error as DrillError {
            throw Failure(error.description)
        }
    }

    private func report(_ result: LoadResult, _ html: OutputFile?, _ file: OutputFile?) throws {
        try html?.write(LoadPage(result).html)
        try file?.write(String(decoding: try JSON.encode(result), as: UTF8.self) + "\n")
        if json == "-" { try Console.print(json: result) } else { Console.say(result.summary) }
        if !result.passed { throw Self.crossed }
        if result.total.good == 0 || result.interrupted { throw ExitCode(1) }
    }

    private func flood(_ plan: LoadPlan, _ times: Double, _ html: OutputFile?, _ file: OutputFile?) async throws {
        let metrics = metrics.isEmpty ? ["http://\(plan.target.authority)/metrics"] : metrics
        let flood = LoadFlood(
            plan: plan, times: times, length: try arrivals.length() ?? LoadFlood.usual, metrics: metrics)
        let result = try await flood.run { Console.complain($0) }
        var page = result.flood
        page.thresholds = result.thresholds
        try html?.write(LoadPage(page).html)
        try file?.write(String(decoding: try JSON.encode(result), as: UTF8.self) + "\n")
        if json == "-" { try Console.print(json: result) } else { Console.say(result.summary) }
        if !result.passed { throw Self.crossed }
    }

    private func planned() async throws -> LoadPlan {
        let settings = try await Settings.read(file: config)
        let target = try Target(url)
        for place in try [target] + metrics.map({ try Target($0) }) {
            try place.check(allowed: settings.loadAllow + allow)
        }
        let (when, duration) = try arrivals.arrivals()
        let isFlood = arrivals.flood != nil
        let mix = try visits.mix(usual: isFlood ? LoadFlood.journey : nil)
        var plan = LoadPlan(target: target, arrivals: when, errand: mix.map { .journeys($0) } ?? .page)
        plan.duration = duration
        plan.authorities = ca
        plan.headers = visits.header
        plan.clients = Clients(rawValue: visits.clients) ?? .one
        plan.connections =
            connections ?? (isFlood ? LoadFlood.connections : arrivals.isOpen ? 1_000 : arrivals.spike ? 100 : 50)
        plan.queue = queue
        plan.attempts = visits.attempts ?? (mix == nil || isFlood ? 1 : 5)
        plan.timeout = try Duration(span: timeout, of: "--timeout")
        guard (.milliseconds(1) ... .seconds(600)).contains(plan.timeout) else {
            throw DrillError("--timeout is \(timeout), expected 1ms to 10m")
        }
        // An event loop without a connection would have nothing to do.
        plan.threads = min(threads, plan.connections)
        plan.seed = visits.seed
        let steps = plan.steps
        plan.thresholds = try threshold.map { try Threshold($0, steps: steps) }
        return plan
    }

    /// Until its end, or until Ctrl-C.
    private func run(_ plan: LoadPlan) async throws -> LoadResult {
        let run = LoadRun(plan)
        let view = LoadView("load on \(url)", steps: plan.steps, whole: plan.length)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let result = try await withThrowingTaskGroup(of: LoadResult?.self) { tasks in
            tasks.addTask { try await run.run { view.show($0) } }
            tasks.addTask {
                for await _ in signals { run.stop() }
                return nil
            }
            var result: LoadResult?
            while result == nil, let finished = try await tasks.next() { result = finished }
            tasks.cancelAll()
            return result
        }
        view.clear()
        guard let result else { throw Failure("the run ended without a result") }
        return result
    }
}
