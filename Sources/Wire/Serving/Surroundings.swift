import Kernel

/// What every Souk process answers beside its work: probes, metrics, its interface and the smoke test.
struct Surroundings: Sendable {
    let version: String
    let readiness: @Sendable () async -> Bool
    let metricsText: @Sendable () async -> String
    let document: [UInt8]
    let drain: Drain

    static let longestName = 100

    var routes: [(String, @Sendable (Query) async throws -> Answer)] {
        let alive: @Sendable (Query) async throws -> Answer = { _ in .json(["status": "ok"]) }
        let ready: @Sendable (Query) async throws -> Answer = { _ in
            if drain.isOn { throw Problem(.unavailable, "this process is stopping", retryAfter: 1) }
            guard await readiness() else {
                throw Problem(.unavailable, "a part that is needed is not ready", retryAfter: 1)
            }
            return .json(["status": "ready"])
        }
        return [
            ("/health", alive), ("/healthz", alive), ("/alive", alive), ("/ready", ready), ("/readyz", ready),
            (
                "/metrics",
                { _ in Answer(200, "text/plain; version=0.0.4; charset=utf-8", Array(await metricsText().utf8)) }
            ),
            ("/openapi.json", { _ in openAPI }),
            ("/version", { _ in .json(["name": "souk", "version": .string(version)]) }),
            ("/hello", { _ in .json(["message": "Hello, world!"]) }),
            ("/greet", { query in try greet(query) }),
        ]
    }

    private var openAPI: Answer {
        var answer = Answer(200, "application/json", document)
        answer.etag = ETag.of(document)
        answer.cacheControl = Answer.revalidate
        return answer
    }

    private func greet(_ query: Query) throws -> Answer {
        let names = query.all("name")
        guard names.count <= 1 else { throw Problem.invalid("/name", "is given more than once") }
        let schema = Schema.text(1...Self.longestName)
        let name = names.first ?? "world"
        let violations = schema.violations(in: .string(name))
        guard violations.isEmpty else {
            throw Problem.invalid(violations.map { Violation(pointer: "/name", detail: $0.detail) })
        }
        return .json(["message": .string("Hello, \(name)!")])
    }
}
