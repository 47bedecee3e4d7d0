import Kernel

/// Where a Redis server is, and who asks: `redis://[[user]:password@]host[:port][/database]`.
public struct RedisURL: Sendable, Equatable {
    public static let form = "redis://[:password@]host[:port][/database]"
    public static let defaultPort = 6_379
    /// What a server may be configured for at the most, by far.
    static let mostDatabases = 1_000_000

    /// A name, an IPv4 address, or an IPv6 one without its brackets.
    public let host: String
    public let port: Int
    /// Of an ACL; nil is the server's default user.
    public let user: String?
    let password: String?
    public let database: Int

    /// Why a text is no such URL: what was found where, and what was expected. Never shows a password.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    public init(_ text: String) throws(Invalid) {
        let scheme = text.prefix { $0 != ":" }
        guard text.dropFirst(scheme.count).hasPrefix("://") else {
            throw Invalid(description: "expected \(Self.form)")
        }
        guard scheme == "redis" else {
            throw Invalid(
                description: scheme == "rediss"
                    ? "rediss:// needs TLS, which is not offered: expected \(Self.form), through a tunnel if need be"
                    : "the scheme is '\(scheme)', expected \(Self.form)")
        }
        let rest = text.dropFirst(scheme.count + 3)
        guard !rest.contains(where: { "?#".contains($0) }) else {
            throw Invalid(description: "no options are known, expected \(Self.form); in a password write ? as %3F")
        }
        // A slash in a password that was not encoded would show in the path.
        let at = rest.lastIndex(of: "@")
        let slash = (at.map { rest[$0...] } ?? rest).firstIndex(of: "/")
        let authority = rest[..<(slash ?? rest.endIndex)]
        (user, password) = try Self.credentials(at.map { authority[..<$0] })
        (host, port) = try Self.address(at.map { authority[authority.index(after: $0)...] } ?? authority)
        database = try Self.database(slash.map { rest[rest.index(after: $0)...] } ?? "")
    }

    private static func credentials(_ text: Substring?) throws(Invalid) -> (String?, String?) {
        guard let text else { return (nil, nil) }
        guard let colon = text.firstIndex(of: ":"), let user = text[..<colon].percentDecoded,
            let password = text[text.index(after: colon)...].percentDecoded, !password.isEmpty
        else { throw Invalid(description: "what stands before @ is not as expected: \(form)") }
        return (user.isEmpty ? nil : user, password)
    }

    private static func address(_ text: Substring) throws(Invalid) -> (String, Int) {
        var (host, port) = (text, Substring())
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw Invalid(description: "the address lacks its ], expected \(form)")
            }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[colon...]
        }
        guard !host.isEmpty else { throw Invalid(description: "no host is named, expected \(form)") }
        guard !port.isEmpty else { return (String(host), defaultPort) }
        guard port.first == ":", let number = Int(port.dropFirst()), (1...65_535).contains(number) else {
            throw Invalid(description: "the port is '\(port.drop { $0 == ":" })', expected 1 to 65535")
        }
        return (String(host), number)
    }

    private static func database(_ text: Substring) throws(Invalid) -> Int {
        guard !text.isEmpty else { return 0 }
        guard let number = Int(text), (0..<mostDatabases).contains(number) else {
            throw Invalid(description: "the database is '\(text)', expected a number such as 0")
        }
        return number
    }
}

extension RedisURL: CustomStringConvertible, CustomReflectable {
    /// Without the password.
    public var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "redis://\(user.map { $0 + "@" } ?? "")\(name):\(port)/\(database)"
    }

    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
