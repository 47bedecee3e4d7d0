public enum HTTPMethod: String, Sendable, Hashable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"

    /// Whether what is not in the path travels in the query instead of a body.
    public var takesQuery: Bool { self == .get || self == .delete }
}

/// Who may call an endpoint. Refused with `401` or `403` before the input is looked at.
public enum Access: Sendable, Hashable {
    case anyone
    case role(Role)
    /// Other roles of Souk only; not published.
    case service

    public static let customer = Access.role(.customer)
    public static let staff = Access.role(.staff)
    public static let admin = Access.role(.admin)

    public func check(_ caller: Caller) throws(Problem) {
        switch (self, caller) {
        case (.anyone, _), (_, .service): return
        case (.role(let needed), .user(_, let role)):
            guard role < needed else { return }
            throw Problem(.forbidden, "this needs the role \(needed.rawValue), the caller is \(role.rawValue)")
        case (.role, .anonymous): throw Problem(.unauthenticated, "send a bearer token from POST /api/sessions")
        case (.service, _): throw Problem(.notFound, "no such resource")
        }
    }
}

/// What is let in first when there is too much: admission sheds from the last to the first.
///
/// `cart` is where buying begins: a new cart, an account, a login. Who has a cart goes on under `checkout`, so that
/// nobody is let in to be turned away at the till.
public enum Priority: String, Sendable, CaseIterable {
    case checkout, cart, browse, reports
}

public enum Idempotency: Sendable {
    /// Calling twice is calling once: reads, and writes that set a state.
    case natural
    /// The caller sends an `Idempotency-Key`; without it `400`.
    case keyRequired
    /// The caller may send an `Idempotency-Key`.
    case keyAccepted
    /// Calling twice does it twice; never retried.
    case none
}

/// One operation of a service, declared once: the server's route, the remote client's call, the published document and
/// the metric's label come from it.
public struct Endpoint<Input: Shaped, Output: Shaped>: Sendable {
    public let description: EndpointDescription

    /// - Parameters:
    ///   - name: unique, `noun.verb`: the OpenAPI operationId and the span's name.
    ///   - path: a template, `/api/orders/{id}`; its parameters are fields of `Input`.
    ///   - signedBy: the headers that may carry another company's signature of the body. Then the body is not read as
    ///     JSON, for a signature is of bytes: it comes into the input's member `body` as it is, and what the first of
    ///     these headers says into `signature`.
    ///   - problems: what it may answer besides those that any endpoint may.
    public init(
        _ name: String, _ method: HTTPMethod, _ path: String, summary: String, access: Access = .anyone,
        priority: Priority = .browse, success: Int = 200, idempotency: Idempotency = .natural,
        conditional: Bool = false, cacheable: Bool = false, signedBy: [String] = [], problems: [ProblemType] = []
    ) {
        description = EndpointDescription(
            name: name, method: method, path: PathTemplate(path), summary: summary, access: access, priority: priority,
            success: success, idempotency: idempotency, isConditional: conditional, isCacheable: cacheable,
            signatureHeaders: signedBy, problems: problems, input: Input.schema, output: Output.schema)
    }
}

/// An endpoint without its types.
public struct EndpointDescription: Sendable {
    public let name: String
    public let method: HTTPMethod
    public let path: PathTemplate
    public let summary: String
    public let access: Access
    public let priority: Priority
    /// The status of a good answer: 200, 201, 202 or 204.
    public let success: Int
    public let idempotency: Idempotency
    /// Writes under `If-Match` only (`412`, `428`).
    public let isConditional: Bool
    /// The answer is the same for every caller and may be kept by the edge.
    public let isCacheable: Bool
    /// Where a signature of the body may be; empty: the body is Souk's own JSON.
    public let signatureHeaders: [String]
    public let problems: [ProblemType]
    public let input: Schema
    public let output: Schema
}

/// `/api/carts/{id}/lines/{sku}`: literal segments and named parameters, each one segment.
public struct PathTemplate: Hashable, Sendable, CustomStringConvertible {
    public enum Segment: Hashable, Sendable {
        case literal(String)
        case parameter(String)
    }
    public let description: String
    public let segments: [Segment]

    public init(_ text: String) {
        precondition(text.hasPrefix("/"), "a path begins with /")
        description = text
        segments = text.split(separator: "/").map { part in
            part.hasPrefix("{") && part.hasSuffix("}")
                ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
    }

    public var parameters: [String] {
        segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
    }
}

/// An answer and what goes with it in headers.
public struct Reply<Value: Sendable>: Sendable {
    public var value: Value
    /// Where the thing that was made is (`Location`).
    public var location: String?
    /// The version of the thing, for `If-Match`: becomes the first part of its ETag.
    public var version: Int64?
    /// The cursor of the next page (`Link: rel="next"`).
    public var next: String?
    /// This is the first answer to a repeated request (`Idempotency-Replayed: true`).
    public var isReplayed = false
    /// The things that this answer shows: when one is written, a copy kept by the edge is stale. Empty: not kept.
    public var tags: [String] = []

    public init(_ value: Value) { self.value = value }

    public func with<T>(_ field: WritableKeyPath<Reply, T>, _ value: T) -> Reply {
        var reply = self
        reply[keyPath: field] = value
        return reply
    }
}

/// An endpoint with the function that serves it.
public struct Route: Sendable {
    public let endpoint: EndpointDescription
    /// Takes the input as JSON, already checked against the schema; answers the output's JSON text.
    public let handle: @Sendable (JSON, CallContext) async throws -> Reply<[UInt8]>

    public init<Input, Output>(
        _ endpoint: Endpoint<Input, Output>,
        reply: @escaping @Sendable (Input, CallContext) async throws -> Reply<Output>
    ) {
        self.endpoint = endpoint.description
        self.handle = { json, context in
            let reply = try await reply(try json.decode(Input.self), context)
            var bytes = Reply(Output.self == Nothing.self ? [] : try JSON.encode(reply.value))
            bytes.location = reply.location
            bytes.version = reply.version
            bytes.next = reply.next
            bytes.isReplayed = reply.isReplayed
            bytes.tags = reply.tags
            return bytes
        }
    }

    public init<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ value: @escaping @Sendable (Input, CallContext) async throws -> Output
    ) {
        self.init(endpoint, reply: { Reply(try await value($0, $1)) })
    }
}

/// Calls an endpoint of another process. A contract's remote client is made of these.
public protocol RemoteCaller: Sendable {
    /// - Throws: the `Problem` that the peer answered, or `OutcomeUnknown` when it cannot be told what the peer did.
    func call<Input, Output>(_ endpoint: Endpoint<Input, Output>, _ input: Input, _ context: CallContext) async throws
        -> Reply<Output>
}

/// The transport failed after the request may have been sent: the work may be done or not. Never a refusal; ask again
/// with the same key, or ask what became of it.
public struct OutcomeUnknown: Error, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Told what was written, so that kept copies that show it are no longer served.
public protocol Staleness: Sendable {
    /// `product:linen-shirt`, `catalogue`.
    func markStale(_ tags: [String])
}
