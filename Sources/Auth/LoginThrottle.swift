import Cache
import Crypto
import Kernel

/// Counts failed log-ins in fixed windows, so that passwords cannot be tried out.
///
/// An attempt is counted before the password is looked at and forgiven when it was right: a hundred attempts at the
/// same moment are a hundred, too. Without its cache it lets everybody try; how many are tried at once is bounded by
/// the hashing pool anyway.
struct LoginThrottle: Sendable {
    struct Attempt: Sendable {
        fileprivate var keys: [String]
    }

    let cache: any Cache
    let clock: any WallClock
    let settings: Auth.Settings

    /// - Throws: `tooManyRequests` with the seconds until the window ends.
    func begin(account: String, address: String?) async throws -> Attempt {
        let length = max(settings.throttleWindow.components.seconds, 1)
        let now = clock.now().seconds
        let window = now / length
        // Hashed: what is typed into the field of the address is at times a password.
        let account = Base64URL.encode(Array(SHA256.hash(data: Array(account.lowercased().utf8)).prefix(16)))
        var counters = [("login:\(window):account:\(account)", settings.failuresPerAccount)]
        counters.append(
            ("login:\(window):pair:\(account):\(address ?? "")", settings.failuresPerAccountAndAddress))
        if let address { counters.append(("login:\(window):address:\(address)", settings.failuresPerAddress)) }

        let attempt = Attempt(keys: counters.map(\.0))
        var isTooMany = false
        for (key, limit) in counters {
            let count = try? await cache.increment(key, by: 1, ttl: settings.throttleWindow)
            isTooMany = isTooMany || (count ?? 0) > limit
        }
        guard isTooMany else { return attempt }
        await forgive(attempt)
        throw Problem(
            .tooManyRequests, "too many failed log-ins: wait before the next one",
            retryAfter: Int((window + 1) * length - now))
    }

    func forgive(_ attempt: Attempt) async {
        for key in attempt.keys { _ = try? await cache.increment(key, by: -1, ttl: settings.throttleWindow) }
    }
}
