/// A kind of problem, stable across releases: what clients match on. RFC 9457's `type` is `/problems/<slug>`.
public struct ProblemType: Hashable, Sendable {
    public let slug: String
    /// The HTTP status it is answered with.
    public let status: Int
    /// A short sentence that is the same every time.
    public let title: String

    public init(_ slug: String, _ status: Int, _ title: String) {
        self.slug = slug
        self.status = status
        self.title = title
    }

    public static let badRequest = ProblemType("bad-request", 400, "The request cannot be read")
    public static let keyMissing = ProblemType("idempotency-key-missing", 400, "An Idempotency-Key header is needed")
    public static let unauthenticated = ProblemType("unauthenticated", 401, "Log in first")
    public static let forbidden = ProblemType("forbidden", 403, "This caller may not do that")
    public static let notFound = ProblemType("not-found", 404, "There is nothing here")
    public static let methodNotAllowed = ProblemType("method-not-allowed", 405, "That method is not offered here")
    public static let notAcceptable = ProblemType("not-acceptable", 406, "No offered format is accepted")
    public static let timeout = ProblemType("request-timeout", 408, "The request took too long to arrive")
    public static let conflict = ProblemType("conflict", 409, "The request conflicts with the present state")
    public static let keyInUse = ProblemType("idempotency-key-in-use", 409, "A request with this key is still running")
    public static let versionMismatch = ProblemType("version-mismatch", 412, "It was changed in the meantime")
    public static let tooLarge = ProblemType("content-too-large", 413, "The request body is too large")
    public static let uriTooLong = ProblemType("uri-too-long", 414, "The request target is too long")
    public static let mediaType = ProblemType("unsupported-media-type", 415, "Send application/json")
    public static let invalid = ProblemType("invalid", 422, "Some fields are not as expected")
    public static let keyReused = ProblemType("idempotency-key-reused", 422, "This key was used for another request")
    public static let versionRequired = ProblemType("version-required", 428, "Send If-Match with the ETag last read")
    public static let tooManyRequests = ProblemType("too-many-requests", 429, "Too many requests from this client")
    public static let headersTooLarge = ProblemType("headers-too-large", 431, "The request headers are too large")
    public static let internalError = ProblemType("internal-error", 500, "Something went wrong here")
    public static let overloaded = ProblemType("overloaded", 503, "Too busy at the moment")
    public static let unavailable = ProblemType("unavailable", 503, "A part that is needed is away")
    public static let deadlineExceeded = ProblemType("deadline-exceeded", 504, "It took longer than the caller waits")
}

/// An error that a caller is told of: RFC 9457 `application/problem+json`. Thrown by every contract.
///
/// Anything thrown that is not a `Problem` is a defect or a lost back end: it is logged with its details and answered
/// as `internal-error`, which shows none of them.
public struct Problem: Error, Sendable {
    public let type: ProblemType
    /// What happened this time, for a person, with the names and limits concerned.
    public let detail: String
    /// Further members of the answer, for machines.
    public var extensions: JSONObject
    /// Seconds after which trying again makes sense.
    public var retryAfter: Int?

    public init(_ type: ProblemType, _ detail: String, extensions: JSONObject = JSONObject(), retryAfter: Int? = nil) {
        self.type = type
        self.detail = detail
        self.extensions = extensions
        self.retryAfter = retryAfter
    }

    /// One field or more are wrong: each with its JSON Pointer and what was expected there.
    public static func invalid(_ violations: [Violation]) -> Problem {
        let detail =
            violations.count == 1
            ? "\(violations[0].place): \(violations[0].detail)"
            : "\(violations.count) fields are not as expected: \(violations.map(\.place).joined(separator: ", "))"
        var extensions = JSONObject()
        extensions["errors"] = .array(
            violations.map { violation in
                var entry = JSONObject()
                entry["pointer"] = .string(violation.pointer)
                entry["detail"] = .string(violation.detail)
                return .object(entry)
            })
        return Problem(.invalid, detail, extensions: extensions)
    }

    public static func invalid(_ pointer: String, _ detail: String) -> Problem {
        invalid([Violation(pointer: pointer, detail: detail)])
    }

    /// The members of `application/problem+json`.
    public var json: JSONObject {
        var object = JSONObject()
        object["type"] = .string("/problems/" + type.slug)
        object["title"] = .string(type.title)
        object["status"] = .integer(Int64(type.status))
        object["detail"] = .string(detail)
        for (key, value) in extensions { object[key] = value }
        return object
    }
}

extension Problem: CustomStringConvertible {
    public var description: String { "\(type.status) \(type.slug): \(detail)" }
}

/// One field that is not as its schema says.
public struct Violation: Hashable, Sendable {
    /// RFC 6901, from the root of the input: `/lines/0/quantity`.
    public let pointer: String
    public let detail: String

    public init(pointer: String, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }

    var place: String { pointer.isEmpty ? "the body" : pointer }
}

/// An error that may say that a part is away, full or overloaded. Then nothing speaks against what was asked for,
/// nothing of it was kept, and it may be asked for again.
public protocol OutageError: Error {
    var isOutage: Bool { get }
}
