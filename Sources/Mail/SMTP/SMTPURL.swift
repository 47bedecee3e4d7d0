import Kernel

/// Where a mail server is, and who asks: `smtp://[user:password@]host[:port][?tls=…&ca=FILE]`.
public struct SMTPURL: Sendable, Equatable {
    public static let form = "smtp://[user:password@]HOST[:PORT][?tls=required|implicit|offered|off&ca=FILE]"
    static let optionNames = ["tls", "ca"]
    static let maxSecretBytes = 500

    /// When the connection is encrypted. The server's certificate must hold, by the system's authorities or by `ca`.
    public enum TLS: String, Sendable, CaseIterable {
        /// By STARTTLS, or nothing is sent: what is meant with a password.
        case required
        /// From the first byte, mostly on port 465.
        case implicit
        /// By STARTTLS where the server offers it: what is meant without a password.
        case offered
        /// Never, not even the password.
        case off
    }

    /// A name, an IPv4 address, or an IPv6 one without its brackets.
    public let host: String
    /// 465 with `implicit`, 587 with a password, otherwise 25, unless the URL has one.
    public let port: Int
    public let user: String?
    let password: String?
    public let tls: TLS
    /// A file of certificates, in PEM, that the server's must come from, in place of the system's.
    public let certificates: String?

    /// Why a text is no such URL: what was found where, and what was expected. Never shows a password.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        public let description: String
        init(_ description: String) { self.description = description }
    }

    public init(_ text: String) throws(Invalid) {
        guard text.hasPrefix("smtp://") else {
            throw Invalid(
                text.hasPrefix("smtps://")
                    ? "smtps:// is written smtp://HOST?tls=implicit" : "expected \(Self.form)")
        }
        // A slash or a question mark in a password that was not encoded would show in the host.
        let rest = text.dropFirst("smtp://".count)
        let at = rest.lastIndex(of: "@")
        let address = at.map { rest[rest.index(after: $0)...] } ?? rest
        let parts = address.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        (user, password) = try Self.login(at.map { rest[..<$0] })
        let options = try Self.options(in: parts.count > 1 ? parts[1] : "")
        let named = options["tls"] ?? (user == nil ? TLS.offered : .required).rawValue
        guard let tls = TLS(rawValue: named) else {
            let known = TLS.allCases.map(\.rawValue).joined(separator: ", ")
            throw Invalid("tls is '\(named.prefix(40))', expected one of \(known)")
        }
        self.tls = tls
        certificates = options["ca"]
        let standard = tls == .implicit ? 465 : user == nil ? 25 : 587
        (host, port) = try Self.split(parts[0].last == "/" ? parts[0].dropLast() : parts[0], standard)
    }

    private static func login(_ text: Substring?) throws(Invalid) -> (String?, String?) {
        guard let text else { return (nil, nil) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else {
            throw Invalid("the user has no password: expected \(form)")
        }
        let decoded = parts.compactMap(\.percentDecoded)
            .filter { !$0.isEmpty && $0.utf8.count <= maxSecretBytes && !$0.utf8.contains { $0 < 0x20 } }
        guard decoded.count == 2 else {
            throw Invalid(
                "the user or the password is empty, has more than \(maxSecretBytes) bytes, or is not well encoded "
                    + "(a special character is written as % and its code): expected \(form)")
        }
        return (decoded[0], decoded[1])
    }

    private static func options(in query: Substring) throws(Invalid) -> [String: String] {
        var found: [String: String] = [:]
        for option in query.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard optionNames.contains(name) else {
                throw Invalid("there is no option '\(name.prefix(40))', expected \(form)")
            }
            guard parts.count == 2, !parts[1].isEmpty, found[name] == nil, let value = parts[1].percentDecoded else {
                throw Invalid("the option \(name) is empty, given twice, or not well encoded: expected \(form)")
            }
            found[name] = value
        }
        return found
    }

    /// `host`, `host:port`, `[::1]`, `[::1]:port`.
    private static func split(_ authority: Substring, _ standard: Int) throws(Invalid) -> (String, Int) {
        var (host, port) = (authority, Substring())
        if authority.first == "[", let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            port = authority[authority.index(after: end)...]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[colon...]
        }
        guard (1...253).contains(host.utf8.count), host.utf8.allSatisfy(\.isHostByte) else {
            throw Invalid("the host is not as expected: \(form)")
        }
        guard !port.isEmpty else { return (String(host), standard) }
        guard port.first == ":", let number = Int(port.dropFirst()), (1...65_535).contains(number) else {
            throw Invalid("the port is not as expected: 1 to 65535")
        }
        return (String(host), number)
    }

    /// `host:port`, for messages.
    var server: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

extension SMTPURL: CustomStringConvertible, CustomReflectable {
    /// Without the password.
    public var description: String { "smtp://\(user.map { $0 + "@" } ?? "")\(server)?tls=\(tls.rawValue)" }
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

extension UInt8 {
    fileprivate var isHostByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._:".utf8.contains(self)
        }
    }
}
