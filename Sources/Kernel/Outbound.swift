/// A request to a server that is not Souk's: a payment provider's, a merchant's.
public struct OutboundRequest: Sendable {
    public var method: HTTPMethod
    /// `https://host/path`. Redirects are not followed.
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// For the whole exchange.
    public var timeout: Duration
    /// Bytes of the answer's body; what comes behind them is not read.
    public var largestAnswer: Int
    /// Connect there, whatever the URL's host resolves to by then. TLS still asks for the host's own certificate.
    public var pin: Pin?

    public struct Pin: Sendable, Hashable {
        /// As the URL has it.
        public var host: String
        /// An IP address.
        public var address: String

        public init(host: String, address: String) {
            self.host = host
            self.address = address
        }
    }

    public init(
        _ method: HTTPMethod, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Duration, largestAnswer: Int, pin: Pin? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.largestAnswer = largestAnswer
        self.pin = pin
    }
}

/// What such a server answered.
public struct OutboundAnswer: Sendable {
    public var status: Int
    /// By name in lower case; of repeated ones the first.
    public var headers: [String: String]
    public var body: [UInt8]
    /// Whether the body ended within the time and the bound. If not, `body` is its beginning.
    public var isWhole: Bool

    public init(status: Int, headers: [String: String] = [:], body: [UInt8] = [], isWhole: Bool = true) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isWhole = isWhole
    }
}

/// Makes the exchange. It throws when there is no answer; whether the server did what it was asked is then unknown.
///
/// `OutboundHTTP` in Wire is the network's; tests answer themselves.
public typealias Outbound = @Sendable (OutboundRequest) async throws -> OutboundAnswer
