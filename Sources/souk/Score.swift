import ArgumentParser
import Drills
import Kernel

struct ScoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Say in one number how resilient a shop has shown itself to be.",
        discussion: """
            Reads what the drills wrote into a folder (load.json, flood.json, chaos-….json, recover-sqlite.json, \
            recover-postgres.json, region.json, audit.json, fleet.json) and a rendered chart; it does nothing to the \
            shop. `make score` gathers all of it from a fleet first.

            What was not run counts nothing, and what is older than 30 days half. Lost data make it 0; without a \
            restore drill it is 60 at the most. Every point lost is listed, with why and what to do.

            Exit codes: 0 done, 1 below --at-least, 64 wrong usage or evidence that cannot be read.

            Examples:
              souk score --html score.html --at-least 90
              helm template souk deploy/helm/souk -f deploy/helm/souk/values-prod.yaml > chart.yaml
              souk score --chart chart.yaml --json score.json --junit score.xml --badge score.svg
              souk score --metric 'conversion=0.031>=0.03:5'
            """)

    @Option(help: "The folder with the evidence.") var evidence = "var/evidence"
    @Option(help: "A rendered chart, as YAML or JSON; chart.yaml in the folder, if not given.") var chart: String?
    @Option(help: "One of your own, NAME=VALUE>=TARGET:WEIGHT; may be given again.") var metric: [String] = []
    @Option(help: "What the score has to be at least: exit code 1 if it is not.") var atLeast: Double?
    @Option(help: "A file for the report as a page.") var html: String?
    @Option(help: "A file for the score as JSON, or - for standard output.") var json: String?
    @Option(help: "A file for JUnit's XML, one case a criterion.") var junit: String?
    @Option(help: "A file for a badge, an SVG.") var badge: String?

    func validate() throws {
        if let atLeast, !(0...100).contains(atLeast) {
            throw ValidationError("--at-least is \(atLeast), expected 0 to 100")
        }
        guard metric.count <= CustomMetric.mostMetrics else {
            throw ValidationError(
                "--metric is there \(metric.count) times, expected \(CustomMetric.mostMetrics) at most")
        }
    }

    func run() async throws {
        // The whole second: nobody wants to read the rest.
        let now = Timestamp(seconds: SystemClock().now().seconds)
        let found: ScoreEvidence
        let report: ScoreReport
        do {
            let metrics = try metric.map(CustomMetric.init)
            found = try ScoreEvidence(folder: evidence, chart: chart, now: now)
            report = Score.report(found.evidence, metrics: metrics, now: now)
        } catch let error as DrillError {
            throw ValidationError(error.description)
        }
        try html.map(OutputFile.init)?.write(page(report, found))
        try json.flatMap { $0 == "-" ? nil : $0 }.map(OutputFile.init)?
            .write(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        try junit.map(OutputFile.init)?.write(report.junit(least: atLeast))
        try badge.map(OutputFile.init)?.write(report.badge)
        if json == "-" { try Console.print(json: report) } else { Console.say(report.summary) }
        if let atLeast, report.score < atLeast { throw ExitCode(1) }
    }

    private func page(_ report: ScoreReport, _ found: ScoreEvidence) -> String {
        let place = html ?? "score.html"
        return ScorePage(report, link: { found.link($0, from: place) }, page: { found.page($0, from: place) }).html
    }
}
