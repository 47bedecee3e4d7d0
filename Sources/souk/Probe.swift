import ArgumentParser
import Kernel
import Wire

struct Probe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a running shop for a page, and say whether it answers 200.",
        discussion: """
            For health checks where there is neither a shell nor curl, as in the image. Exit code 1 for any other \
            answer, or none.

            Examples:
              souk probe
              souk probe http://souk-storefront:8080/ready --timeout 2
            """)

    @Argument(help: "What to ask for.") var url = "http://127.0.0.1:8080/ready"
    @Option(help: "Seconds for the whole exchange, 1 to 600.") var timeout = 3
    @Flag(help: "Print the result as JSON.") var json = false

    struct Answer: Codable {
        var url: String
        var status: Int?
        var milliseconds: Int
        var error: String?
    }

    func validate() throws {
        guard (1...600).contains(timeout) else {
            throw ValidationError("--timeout is \(timeout), expected 1 to 600 seconds")
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw ValidationError("the URL is '\(url)', expected http:// or https://")
        }
    }

    func run() async throws {
        let http = OutboundHTTP(connections: 1)
        let request = OutboundRequest(.get, url, timeout: .seconds(timeout), largestAnswer: 1 << 20)
        let began = ContinuousClock.now
        var answer = Answer(url: url, milliseconds: 0)
        do {
            answer.status = try await http.send(request).status
        } catch {
            answer.error = "\(error)"
        }
        answer.milliseconds = Int((ContinuousClock.now - began).inSeconds * 1_000)
        try await http.shutdown()
        if json {
            try Console.print(json: answer)
        } else if let status = answer.status {
            Console.say("\(url) answered \(status) in \(answer.milliseconds) ms")
        } else {
            Console.complain("\(url) does not answer: \(answer.error ?? "")")
        }
        if answer.status != 200 { throw ExitCode(1) }
    }
}
