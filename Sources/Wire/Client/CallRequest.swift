import Kernel

/// A call as it goes over the wire.
struct CallRequest: Sendable {
    let endpoint: EndpointDescription
    let method: String
    /// The template, for messages: what was filled in may be a secret.
    let path: String
    let target: String
    let headers: [(String, String)]
    let body: [UInt8]?

    init(_ endpoint: EndpointDescription, _ input: JSON, _ context: CallContext) throws(Problem) {
        guard case .object(var members) = input else { throw Problem.invalid("", "expected an object") }
        self.endpoint = endpoint
        method = endpoint.method.rawValue
        path = endpoint.path.description
        var target = ""
        for segment in endpoint.path.segments {
            switch segment {
            case .literal(let text): target += "/" + text
            case .parameter(let name):
                guard let text = members[name].flatMap(Self.text), !text.isEmpty else {
                    throw Problem.invalid("/" + name, "is missing and belongs to the path")
                }
                target += "/" + Percent.encode(text)
                members[name] = nil
            }
        }
        if endpoint.method.takesQuery {
            let query = Self.query(members)
            self.target = query.isEmpty ? target : "\(target)?\(query)"
            body = nil
        } else {
            self.target = target
            body =
                endpoint.signatureHeaders.isEmpty
                ? JSON.object(members).serialized() : members["body"]?.stringValue.map { Array($0.utf8) }
        }
        var headers = Self.headers(endpoint, context)
        if let header = endpoint.signatureHeaders.first, let signature = members["signature"]?.stringValue {
            headers.append((header.lowercased(), signature))
        }
        self.headers = headers
    }

    /// Whether it may be sent again when nobody knows what became of it.
    var isRepeatable: Bool {
        guard !endpoint.isConditional else { return false }
        switch endpoint.idempotency {
        case .natural: return true
        case .keyRequired, .keyAccepted: return headers.contains { $0.0 == "idempotency-key" }
        case .none: return false
        }
    }

    private static func headers(_ endpoint: EndpointDescription, _ context: CallContext) -> [(String, String)] {
        var headers = [("traceparent", context.trace.child().traceparent), ("accept", "application/json")]
        if let key = context.idempotencyKey {
            let escaped = key.reduce(into: "") { $0 += $1 == "\"" || $1 == "\\" ? "\\\($1)" : String($1) }
            headers.append(("idempotency-key", "\"\(escaped)\""))
        }
        if endpoint.isConditional, let version = context.expectedVersion {
            headers.append(version == 0 ? ("if-none-match", "*") : ("if-match", "\"\(version)-\""))
        }
        return headers
    }

    private static func query(_ members: JSONObject) -> String {
        var parts: [String] = []
        for (name, value) in members {
            for value in value.arrayValue ?? [value] {
                if let text = text(value) { parts.append("\(Percent.encode(name))=\(Percent.encode(text))") }
            }
        }
        return parts.joined(separator: "&")
    }

    private static func text(_ value: JSON) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .bool(let value): String(value)
        case .null, .array, .object: nil
        }
    }
}

/// Why a call did not succeed, and so whether it may be made again.
enum CallFailure: Error {
    /// The peer did not get it.
    case notSent(Problem)
    /// The peer may have done it.
    case unknown(OutcomeUnknown)
    case refused(Problem)

    var error: any Error {
        switch self {
        case .notSent(let problem), .refused(let problem): problem
        case .unknown(let unknown): unknown
        }
    }

    func mayRepeat(_ isRepeatable: Bool) -> Bool {
        switch self {
        case .notSent: true
        case .unknown: isRepeatable
        case .refused(let problem):
            isRepeatable
                && ([429, 503, 504].contains(problem.type.status) || problem.type.slug == ProblemType.keyInUse.slug)
        }
    }

    /// Exponential with full jitter, or what the peer asked for.
    func wait(after attempt: Int) -> Duration {
        if case .refused(let problem) = self, let seconds = problem.retryAfter {
            return .milliseconds(seconds * 1_000 + Int.random(in: 0...250))
        }
        return .milliseconds(Int.random(in: 0...(50 << min(attempt, 5))))
    }
}
