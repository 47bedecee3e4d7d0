/// What a server is told at its start.
public struct ServerSettings: Sendable {
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 8080
    /// Whether the public URL is https: cookies are `Secure` and browsers are told to stay on https.
    public var isHTTPS = false
    /// What `/version` says.
    public var version = "development"
    /// Whether endpoints for other roles of Souk are served too. Only where the network lets nobody else in.
    public var servesServices = false

    public var maxConnections = 10_000
    /// Bytes of a request's body.
    public var maxBody = 1 << 20
    /// Bytes of a form's body.
    public var maxForm = 64 << 10
    public var headerTimeout = Duration.seconds(10)
    public var bodyTimeout = Duration.seconds(30)
    public var idleTimeout = Duration.seconds(60)
    /// How long a request may be served before it is cancelled and answered `504`.
    public var requestTimeout = Duration.seconds(30)

    /// How long requests are still accepted after readiness turned false, so that load balancers can notice.
    public var drainDelay = Duration.zero
    /// How long requests in flight may take to finish after that.
    public var drainTimeout = Duration.seconds(25)

    /// The cookie that holds a browser's session.
    public var sessionCookie = "souk_session"
    public var admission = AdmissionSettings()
    public var clients = ClientSettings()

    public init() {}
}

/// How much is let in at once.
public struct AdmissionSettings: Sendable {
    public var isEnabled = true
    /// Requests in flight: the limit starts here and adapts between the bounds.
    public var initial = 64
    public var bounds = 16...1_000
    /// Requests that may wait for a place.
    public var queue = 1_000
    /// How long one may wait for a place when a crowd comes; a tenth of it when the crowd stays.
    public var patience = Duration.seconds(1)

    public init() {}
}

/// How much one client may ask for: a token bucket for each address, or user where known.
public struct ClientSettings: Sendable {
    public var isEnabled = true
    /// Requests a second, for long.
    public var rate = 200.0
    /// Requests at once.
    public var burst = 400.0
    public var exemptsLoopback = true
    /// Addresses, or ranges of them (`10.0.0.0/8`), whose `X-Forwarded-For` is believed.
    public var trustedProxies: [String] = []

    public init() {}

    /// Whether a text is an address or a range of addresses.
    public static func isAddressRange(_ text: String) -> Bool { AddressRange(text) != nil }
}
