import Contracts
import Kernel

/// Where webhooks may go: to servers that are everybody's. Whoever may register a webhook must not be able to make the
/// shop call what only the shop's own network reaches (server-side request forgery).
///
/// A name is looked up each time before a message is sent, every address it has is looked at, and the connection then
/// goes to the address that was looked at: a name that answers differently the second time gains nothing.
public struct WebhookTargets: Sendable {
    /// Addresses of a host; none if it is not known at the moment.
    typealias Resolver = @Sendable (_ host: String) async -> [IPAddress]

    private let allowed: [IPAddress.Network]
    private let resolve: Resolver

    /// - Parameter networks: `10.0.0.0/8`, by comma: these too, though they are not public.
    /// - Throws: `invalid`, naming what is no network.
    public init(allowing networks: String = "") throws {
        try self.init(allowing: networks, resolve: IPAddress.resolve)
    }

    init(allowing networks: String = "", resolve: @escaping Resolver) throws {
        allowed = try networks.split(separator: ",").map { part in
            let text = part.filter { $0 != " " }
            guard let network = IPAddress.Network(text) else {
                throw Problem.invalid("", "'\(text)' is no network, expected e.g. 10.0.0.0/8")
            }
            return network
        }
        self.resolve = resolve
    }

    /// Where to connect for that URL; nil: to the address that it has itself.
    /// - Throws: `webhookTargetRefused`.
    @discardableResult
    func check(_ target: WebhookURL) async throws(Problem) -> OutboundRequest.Pin? {
        let literal = IPAddress(target.host)
        let addresses = if let literal { [literal] } else { await resolve(target.host) }
        guard let first = addresses.first else { throw Self.refusal("\(target.host) has no address") }
        for address in addresses {
            guard address.isPublic || allowed.contains(where: { $0.contains(address) }) else {
                throw Self.refusal("\(target.host) is \(address), which is not public")
            }
            guard target.isEncrypted || address.isLoopback else {
                throw Self.refusal("\(target.host) is \(address): http is for loopback only, use https")
            }
        }
        return literal == nil ? OutboundRequest.Pin(host: target.host, address: first.description) : nil
    }

    static func refusal(_ detail: String) -> Problem { Problem(.webhookTargetRefused, detail) }
}

/// A webhook's URL, read strictly: what two readers could read differently is refused.
struct WebhookURL: Sendable, Hashable {
    let isEncrypted: Bool
    /// In lower case; an IPv6 address without its brackets.
    let host: String
    /// In its one form: scheme and host in lower case.
    let text: String

    /// - Throws: `webhookTargetRefused`.
    init(_ text: String) throws(Problem) {
        let schemes = [("https://", true), ("http://", false)]
        guard let (scheme, isEncrypted) = schemes.first(where: { text.lowercased().hasPrefix($0.0) }) else {
            throw WebhookTargets.refusal("the URL is not https://…")
        }
        // Printable ASCII, without what separates a user's name, a fragment or, for some, a path.
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.utf8.contains(where: { "\\#\"<>^`{|}".utf8.contains($0) })
        else { throw WebhookTargets.refusal("the URL has characters that belong to none, or a fragment") }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }.lowercased()
        let (host, port) = try Self.split(authority)
        let path = rest.dropFirst(authority.count)
        self.isEncrypted = isEncrypted
        self.host = host
        let name = host.contains(":") ? "[\(host)]" : host
        self.text = scheme + name + (port.map { ":\($0)" } ?? "") + (path.hasPrefix("/") ? "" : "/") + path
    }

    private static func split(_ authority: String) throws(Problem) -> (host: String, port: Int?) {
        var host = authority
        var port: Int?
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            let digits = authority[authority.index(after: colon)...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw WebhookTargets.refusal("the URL's port is none") }
            host = String(authority[..<colon])
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":"), IPAddress(host) != nil else {
                throw WebhookTargets.refusal("the URL's host is no IPv6 address")
            }
            return (host, port)
        }
        let isName =
            (1...253).contains(host.utf8.count) && !host.hasPrefix(".") && !host.hasPrefix("-")
            && host.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
        guard isName else { throw WebhookTargets.refusal("the URL's host is neither a name nor an address") }
        return (host, port)
    }
}
