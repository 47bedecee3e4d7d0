import Kernel
import Metrics
import Synchronization

/// Bounds what one client may ask for: each address, or each user where one is known.
final class ClientLimits: Sendable {
    private enum Key: Hashable {
        case address(UInt64)
        case user(UserID)

        /// In buckets that several processes share.
        var name: String {
            switch self {
            case .address(let bucket): "address:" + String(bucket, radix: 16)
            case .user(let id): id.description
            }
        }
    }

    private let settings: ClientSettings
    private let proxies: [AddressRange]
    private let clock: any WallClock
    private let buckets: Mutex<TokenBuckets<Key>>
    /// Those of all processes. The ones above count what came to this one, with and without them: what these refuse,
    /// those need not be asked for.
    private let shared: (any SharedBuckets)?
    private let refused = Counter(label: "souk_client_limited_total")
    private let unshared = Counter(label: "souk_client_limits_unshared_total")

    init(_ settings: ClientSettings, shared: (any SharedBuckets)? = nil, clock: any WallClock = SystemClock()) {
        self.shared = shared
        self.settings = settings
        self.clock = clock
        proxies = settings.trustedProxies.compactMap { AddressRange($0) }
        buckets = Mutex(TokenBuckets(rate: settings.rate, burst: settings.burst))
    }

    /// Who is at the other end: behind proxies that are trusted, the last address they did not add themselves.
    func client(of request: Incoming) -> ClientAddress? {
        guard let peer = ClientAddress(request.peer) else { return nil }
        guard isTrusted(peer) else { return peer }
        var client = peer
        for header in request.headers("x-forwarded-for").reversed() {
            for part in header.split(separator: ",").reversed() {
                guard let address = ClientAddress(part.trimmed) else { return client }
                client = address
                if !isTrusted(address) { return client }
            }
        }
        return client
    }

    private func isTrusted(_ address: ClientAddress) -> Bool { proxies.contains { $0.contains(address) } }

    /// - Parameter isKnown: the client says who it is: its address must have something left, and its user pays.
    func check(_ client: ClientAddress?, isKnown: Bool) async throws(Problem) {
        guard isLimited(client), let client else { return }
        try await take(.address(client.bucket), cost: isKnown ? 0 : 1)
    }

    func check(_ user: UserID, at client: ClientAddress?) async throws(Problem) {
        guard isLimited(client) else { return }
        try await take(.user(user), cost: 1)
    }

    private func isLimited(_ client: ClientAddress?) -> Bool {
        settings.isEnabled && !(settings.exemptsLoopback && client?.isLoopback == true)
    }

    private func take(_ key: Key, cost: Double) async throws(Problem) {
        guard let wait = await wait(for: key, cost: cost) else { return }
        refused.increment()
        throw Problem(
            .tooManyRequests, "one client may send \(settings.rate) requests a second and \(settings.burst) at once",
            retryAfter: max(1, Int(wait.rounded(.up))))
    }

    /// Seconds until there is a token; nil if there was one.
    private func wait(for key: Key, cost: Double) async -> Double? {
        let now = clock.now()
        let wait = buckets.withLock { $0.take(key, cost: cost, now: now) }
        guard let shared, wait == nil, cost > 0 else { return wait }
        do {
            return try await shared.take(key.name)
        } catch {
            unshared.increment()
            return nil
        }
    }
}
