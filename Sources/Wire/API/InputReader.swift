import Kernel
import NIOCore

/// Makes an endpoint's input, one JSON object, of the path's parameters with the query or the body.
struct InputReader: Sendable {
    private let schema: Schema
    private let members: [String: Schema]
    private let inPath: Set<String>
    private let takesQuery: Bool
    private let maxBody: Int
    private let signatureHeaders: [String]

    init(_ endpoint: EndpointDescription, maxBody: Int) {
        schema = endpoint.input
        var members: [String: Schema] = [:]
        if case .object(_, let all) = endpoint.input { for member in all { members[member.name] = member.schema } }
        self.members = members
        inPath = Set(endpoint.path.parameters)
        takesQuery = endpoint.method.takesQuery
        self.maxBody = maxBody
        signatureHeaders = endpoint.signatureHeaders.map { $0.lowercased() }
    }

    /// - Throws: `bad-request`, `unsupported-media-type`, `content-too-large` or `invalid`, naming place and bound.
    func read(_ request: Incoming, _ target: Target, _ parameters: [(String, String)]) throws(Problem) -> JSON {
        var object = JSONObject()
        if takesQuery {
            guard request.body.readableBytes == 0 else {
                throw Problem(.badRequest, "a \(request.method) takes a query and no body")
            }
        } else if signatureHeaders.isEmpty {
            object = try body(of: request)
        } else {
            object = try signed(request)
        }
        try add(Query(encoded: target.query), to: &object)
        for (name, text) in parameters {
            guard object[name] == nil else { throw Problem.invalid("/" + name, "is given by the path already") }
            object[name] = members[name]?.value(of: text) ?? .string(text)
        }
        let input = JSON.object(object)
        let violations = schema.violations(in: input)
        guard violations.isEmpty else { throw Problem.invalid(violations) }
        return input
    }

    private func add(_ query: Query, to object: inout JSONObject) throws(Problem) {
        guard !query.isEmpty else { return }
        guard takesQuery else {
            throw Problem.invalid(
                query.pairs.prefix(20).map { Violation(pointer: "/" + $0.0, detail: "is not a known query parameter") })
        }
        for (name, text) in query.pairs {
            if inPath.contains(name) { throw Problem.invalid("/" + name, "is given by the path already") }
            if let element = members[name]?.element {
                let values = text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
                let before = object[name]?.arrayValue ?? []
                object[name] = .array(before + values.map { element.value(of: String($0)) })
            } else {
                guard object[name] == nil else { throw Problem.invalid("/" + name, "is given more than once") }
                object[name] = members[name]?.value(of: text) ?? .string(text)
            }
        }
    }

    private func signed(_ request: Incoming) throws(Problem) -> JSONObject {
        guard let body = String(validating: request.body.readableBytesView, as: UTF8.self) else {
            throw Problem(.badRequest, "the body is not UTF-8")
        }
        var object: JSONObject = ["body": .string(body)]
        object["signature"] = signatureHeaders.lazy.compactMap { request.header($0) }.first.map { .string($0) }
        return object
    }

    private func body(of request: Incoming) throws(Problem) -> JSONObject {
        let type = request.header("content-type")
        guard request.body.readableBytes > 0 else { return JSONObject() }
        guard let type, MediaType.isJSON(type) else {
            throw Problem(.mediaType, "expected Content-Type: application/json, found \(type ?? "none")")
        }
        var limits = JSONLimits()
        limits.bytes = maxBody
        do {
            let value = try JSON.parse(request.body.readableBytesView, limits: limits)
            guard case .object(let object) = value else { throw Problem.invalid("", "expected an object") }
            return object
        } catch let problem as Problem {
            throw problem
        } catch let error as JSONError {
            throw error.isLimit ? Problem(.invalid, error.description) : Problem(.badRequest, error.description)
        } catch {
            throw Problem(.badRequest, "the body is not JSON")
        }
    }
}

extension Schema {
    /// What the elements of an array are; nil for what is no array.
    var element: Schema? {
        switch self {
        case .array(let element, _): element
        case .nullable(let schema): schema.element
        default: nil
        }
    }
}

enum MediaType {
    static func isJSON(_ header: String) -> Bool { essence(header) == "application/json" }
    static func isForm(_ header: String) -> Bool { essence(header) == "application/x-www-form-urlencoded" }

    private static func essence(_ header: String) -> String {
        header.prefix { $0 != ";" }.trimmed.lowercased()
    }
}
