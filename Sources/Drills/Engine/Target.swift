/// What a drill cannot do or was asked wrongly, in one sentence that names what was expected.
public struct DrillError: Error, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Where load goes: `http://HOST[:PORT][/PATH]` or `https://…`, HTTP/1.1.
public struct Target: Sendable, Equatable {
    public let isEncrypted: Bool
    /// A name or an address, without brackets.
    public let host: String
    public let port: Int
    /// What is asked for, with its query; `/` if the URL has none.
    public let path: String

    /// - Throws: `DrillError` for anything but an `http` or `https` URL of visible ASCII without user, password and
    ///   fragment.
    public init(_ url: String) throws {
        func wrong(_ why: String) -> DrillError {
            DrillError("the target '\(url)' \(why), expected http://HOST[:PORT][/PATH], or https")
        }
        guard url.utf8.count <= Self.longest, url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw wrong("has a blank or another character that no URL has, or is longer than \(Self.longest)")
        }
        isEncrypted = url.lowercased().hasPrefix("https://")
        guard isEncrypted || url.lowercased().hasPrefix("http://") else {
            throw wrong("does not begin with http://")
        }
        let rest = url.dropFirst(isEncrypted ? "https://".count : "http://".count)
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let authority = rest[..<end]
        let asked = rest[end...]
        guard !authority.contains("@"), !asked.contains("#") else { throw wrong("has a user or a fragment") }
        let named: Int?
        (host, named) = try Self.split(authority, wrong)
        port = named ?? (isEncrypted ? 443 : 80)
        path = asked.hasPrefix("/") ? String(asked) : "/" + asked
    }

    private static let longest = 8_000

    private static func split(
        _ authority: Substring, _ wrong: (String) -> DrillError
    ) throws -> (host: String, port: Int?) {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw wrong("has no ] after its address") }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw wrong("has no : before its port") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw wrong("has no host") }
        guard let port else { return (String(host), nil) }
        guard let number = Int(port), (1...65_535).contains(number), port.utf8.allSatisfy({ $0 != 0x2B }) else {
            throw wrong("has the port '\(port)'")
        }
        return (String(host), number)
    }

    /// As it stands in the `Host` field.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isEncrypted ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// Without a name, then.
    var isAddress: Bool {
        host.contains(":")
            || host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { UInt8($0) != nil }
    }

    public var url: String { "\(isEncrypted ? "https" : "http")://\(authority)\(path)" }

    /// This machine, by a name or address that can be no other.
    public var isLoopback: Bool {
        let name = host.lowercased()
        if name == "localhost" || name == "::1" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }

    /// Load harms who does not expect it: it goes to this machine, and to hosts that somebody named.
    ///
    /// - Parameter allowed: host names and addresses, compared without regard to case.
    /// - Throws: `DrillError` if the host is neither.
    public func check(allowed: [String]) throws {
        if isLoopback || allowed.contains(where: { $0.lowercased() == host.lowercased() }) { return }
        throw DrillError(
            "\(host) is not on the list of hosts that welcome load; if this shop is yours, "
                + "give --allow \(host) or set SOUK_LOAD_ALLOW=\(host)")
    }
}
