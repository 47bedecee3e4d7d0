import ArgumentParser
import Drills
import Kernel

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put load on a running shop, and say how it held.",
        discussion: "Example:\n  souk load http://127.0.0.1:8080/ --connections 50 --duration 10s")

    @Argument(help: "What to ask for.") var url = "http://127.0.0.1:8080/"
    @Option var connections = 100
    @Option var duration: String = "10s"

    func run() async throws {
        var plan = LoadPlan(target: try Target(url), arrivals: .closed(visits: nil), errand: .page)
        plan.connections = connections
        plan.duration = try Duration(span: duration, of: "--duration")
        let result = try await LoadRun(plan).run { Console.complain("\($0.elapsed) \($0.last.whole.requests)") }
        try Console.print(json: result)
    }
}
