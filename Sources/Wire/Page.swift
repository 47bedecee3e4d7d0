public import Kernel

/// A request for a page, read and bounded: everything in it is valid UTF-8 without NUL.
public struct PageRequest: Sendable {
    public let method: HTTPMethod
    /// The path as it was asked for, percent-decoded, without the query.
    public let path: String
    /// The template's parameters, percent-decoded; a catch-all's value has its slashes.
    public let parameters: [String: String]
    public let query: Query
    /// The fields of an `application/x-www-form-urlencoded` body; empty without one.
    public let form: Query
    public let cookies: [String: String]
    /// A header's value by its name, in any case; the first if there are several.
    public let header: @Sendable (String) -> String?
    public let context: CallContext

    public init(
        _ method: HTTPMethod = .get, path: String, parameters: [String: String] = [:], query: Query = Query(),
        form: Query = Query(), cookies: [String: String] = [:],
        header: @escaping @Sendable (String) -> String? = { _ in nil }, context: CallContext = CallContext()
    ) {
        self.method = method
        self.path = path
        self.parameters = parameters
        self.query = query
        self.form = form
        self.cookies = cookies
        self.header = header
        self.context = context
    }
}

/// The names and values of a query or of a form, decoded, in their order; a name may occur more than once.
public struct Query: Sendable {
    public let pairs: [(String, String)]

    public init(_ pairs: [(String, String)] = []) { self.pairs = pairs }

    public func first(_ name: String) -> String? { pairs.first { $0.0 == name }?.1 }
    public func all(_ name: String) -> [String] { pairs.lazy.filter { $0.0 == name }.map(\.1) }
    public var isEmpty: Bool { pairs.isEmpty }
}

/// What a page answers. `HEAD`, `ETag`, `304`, gzip and the security headers are the server's work.
public struct PageResponse: Sendable {
    public var status: Int
    public var contentType: String
    public var body: [UInt8]
    public var headers: [(String, String)] = []
    public var cookies: [Cookie] = []
    public var cache: PageCache = .none

    public init(status: Int = 200, contentType: String, body: [UInt8], cache: PageCache = .none) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.cache = cache
    }

    public static func html(_ text: String, status: Int = 200, cache: PageCache = .none) -> PageResponse {
        PageResponse(status: status, contentType: "text/html; charset=utf-8", body: Array(text.utf8), cache: cache)
    }

    /// Goes on with a `GET` elsewhere, as after every form.
    public static func redirect(to location: String, status: Int = 303) -> PageResponse {
        var response = PageResponse(status: status, contentType: "text/plain; charset=utf-8", body: [])
        response.headers = [("location", location)]
        return response
    }
}

/// Who may keep an answer.
public enum PageCache: Sendable, Hashable {
    /// Personal or passing: `no-store`.
    case none
    /// The same for every visitor: kept by the edge until one of the tags is stale, by browsers and a CDN for `maxAge`
    /// seconds. Only a `200` to a `GET` that sets no cookie is kept.
    case edge(tags: [String], maxAge: Int)
    /// Its name changes with its content (hashed assets): kept for a year by everybody.
    case immutable
}

public struct Cookie: Sendable {
    public enum SameSite: String, Sendable { case strict = "Strict", lax = "Lax" }

    public var name: String
    public var value: String
    /// Seconds; nil until the browser is closed; 0 deletes it.
    public var maxAge: Int?
    public var path: String
    public var httpOnly: Bool
    public var sameSite: SameSite
    /// Only over https. The server adds it itself where the public URL is https.
    public var secure: Bool

    public init(
        _ name: String, _ value: String, maxAge: Int? = nil, path: String = "/", httpOnly: Bool = true,
        sameSite: SameSite = .lax, secure: Bool = false
    ) {
        self.name = name
        self.value = value
        self.maxAge = maxAge
        self.path = path
        self.httpOnly = httpOnly
        self.sameSite = sameSite
        self.secure = secure
    }
}

/// A page's method and path with the function that makes it.
public struct PageRoute: Sendable {
    public let method: HTTPMethod
    /// `/products/{handle}`; may end in `{name*}`, which takes all that follows.
    public let path: PathTemplate
    public let priority: Priority
    public let handle: @Sendable (PageRequest) async throws -> PageResponse

    public init(
        _ method: HTTPMethod, _ template: String, priority: Priority = .browse,
        _ handle: @escaping @Sendable (PageRequest) async throws -> PageResponse
    ) {
        self.method = method
        self.path = PathTemplate(template)
        self.priority = priority
        self.handle = handle
    }
}
