import Crypto
public import Kernel

/// How one role of Souk proves to another that it is one: a name and a time under a key that all roles share.
///
/// A token is `souk-service.NAME.SECONDS.CODE`: HMAC-SHA256, in hex, of what stands before it. It counts for a quarter
/// of an hour before and after its time, so that clocks may differ by ten minutes. The first key signs and all verify:
/// to change keys, add the new one behind on every role, then put it first, then take the old one away.
public struct ServiceTokens: Sendable {
    static let scheme = "souk-service"
    static let tolerance: Int64 = 15 * 60
    /// Bytes of a key at the least.
    public static let shortestKey = 32

    private let keys: [SymmetricKey]
    private let clock: any WallClock

    /// Nil where there is no key, or one is shorter than `shortestKey`.
    public init?(keys: [String], clock: any WallClock = SystemClock()) {
        guard !keys.isEmpty, keys.allSatisfy({ $0.utf8.count >= Self.shortestKey }) else { return nil }
        self.keys = keys.map { SymmetricKey(data: Array($0.utf8)) }
        self.clock = clock
    }

    /// - Parameter name: of the role that calls: letters.
    public func token(for name: String) -> String {
        let text = "\(Self.scheme).\(name).\(clock.now().seconds)"
        return text + "." + Hex.text(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: keys[0]))
    }

    /// Whether this is meant to be one: anything else is a user's token.
    public static func isOne(_ token: String) -> Bool { token.hasPrefix(scheme + ".") }

    /// The caller that the token stands for.
    /// - Throws: `unauthenticated` if it was forged, or its time is too far from ours.
    public func caller(_ token: String) throws(Problem) -> Caller {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == Self.scheme, let time = Int64(parts[2]), let code = Hex.bytes(parts[3]),
            !parts[1].isEmpty
        else { throw Self.refused("is no service token") }
        let text = Array(token.utf8.dropLast(parts[3].utf8.count + 1))
        guard keys.contains(where: { HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: text, using: $0) })
        else { throw Self.refused("was signed with another key") }
        let age = clock.now().seconds.subtractingReportingOverflow(time)
        guard !age.overflow, age.partialValue.magnitude <= UInt64(Self.tolerance) else {
            throw Self.refused("is of a time more than \(Self.tolerance / 60) minutes from now: compare the clocks")
        }
        return .service(String(parts[1]))
    }

    /// What a role sends along with its calls. When it calls for itself, its token says who it is. When it passes on
    /// what somebody asked of it, that client's own token does, or none; and its own says beside it that the client
    /// was counted already, and where it is.
    ///
    /// - Parameter role: of this process: letters.
    public func identification(as role: String) -> HTTPCaller.Identification {
        { context in
            if case .service(let name) = context.caller { return [("authorization", "Bearer \(token(for: name))")] }
            var headers = [(name: ServiceHeaders.proof, value: token(for: role))]
            if let address = context.clientAddress { headers.append((ServiceHeaders.client, address)) }
            if case .user = context.caller, let token = context.accessToken {
                headers.append(("authorization", "Bearer \(token)"))
            }
            return headers
        }
    }

    private static func refused(_ what: String) -> Problem {
        Problem(.unauthenticated, "the service token \(what)")
    }
}

/// With a call that another role passes on.
enum ServiceHeaders {
    /// That it is one: its service token.
    static let proof = "souk-service"
    /// The client's network address.
    static let client = "souk-client"
    /// Milliseconds until nobody waits for the answer any more.
    static let deadline = "souk-deadline"
}
