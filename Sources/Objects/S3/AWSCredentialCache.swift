import Kernel

/// The credentials in use, renewed before they expire: by one caller at a time, while the others go on with the old
/// ones as long as these are good.
actor AWSCredentialCache {
    /// What AWS advises for credentials that live an hour.
    static let renewedBefore = Duration.seconds(300)
    /// For the requests on their way, and for a clock that is a little off.
    static let uselessBefore = Duration.seconds(30)
    /// How long the old ones are used before a failed renewal is tried again.
    static let pause = Duration.seconds(15)

    private let source: AWSCredentialSource
    private let send: Outbound
    private let now: @Sendable () -> Timestamp
    private var current: AWSCredentials?
    private var renewal: Task<AWSCredentials, any Error>?
    private var restsUntil = Timestamp(seconds: 0)

    /// `now` is the server's time as far as it is known.
    init(_ source: AWSCredentialSource, now: @escaping @Sendable () -> Timestamp, send: @escaping Outbound) {
        self.source = source
        self.now = now
        self.send = send
    }

    func credentials() async throws -> AWSCredentials {
        let now = now()
        let good = current.flatMap { Self.left($0, now) > Self.uselessBefore ? $0 : nil }
        if let good, Self.left(good, now) > Self.renewedBefore || renewal != nil || now < restsUntil { return good }
        do {
            return try await renewed()
        } catch {
            guard let good else { throw error }
            restsUntil = now + Self.pause
            return good
        }
    }

    /// The server no longer takes these.
    func discard(_ refused: AWSCredentials) { if current == refused { current = nil } }

    private func renewed() async throws -> AWSCredentials {
        if let renewal { return try await renewal.value }
        // Of its own, so that the first caller's cancellation takes nothing away from the others, who all await it.
        let task = Task { [source, send] in try await source.load(send) }
        renewal = task
        defer { renewal = nil }
        let loaded = try await task.value
        current = loaded
        return loaded
    }

    private static func left(_ credentials: AWSCredentials, _ now: Timestamp) -> Duration {
        credentials.expiry.map { $0 - now } ?? .seconds(Int64(Int32.max))
    }
}
