import AsyncHTTPClient
public import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Calls endpoints of another Souk over HTTP: paths, queries, bodies and headers are made of their declarations.
///
/// What is known not to have been sent is `unavailable`; what may have been is `OutcomeUnknown`. Calls that may be
/// made twice are made again, within their deadline and a budget: retries stay a tenth of all calls, so that they never
/// become the load that keeps a peer down. A peer that cannot be reached is not asked for a while (`CircuitBreaker`).
public final class HTTPCaller: RemoteCaller {
    /// Bytes of an answer.
    static let largestAnswer = 16 << 20
    package static let attempts = 4
    static let connectTimeout = TimeAmount.seconds(2)
    /// Less than any server or balancer keeps an idle connection, so that none ends just as a call goes out on it.
    static let idleTimeout = TimeAmount.seconds(20)

    public typealias Identification = @Sendable (CallContext) -> [(name: String, value: String)]

    /// `http://host:port`, without a path.
    private let base: String
    private let client: HTTPClient
    private let identify: Identification
    private let budget: RetryBudget
    private let breaker = Mutex(CircuitBreaker())
    private let measures: CallMeasures
    private let clock: any WallClock

    /// - Parameters:
    ///   - peer: its name in metrics.
    ///   - connections: open at once to the peer; further calls wait for one.
    ///   - identify: the headers that say who calls.
    public init(
        _ base: String, peer: String = "shop", connections: Int = 64, clock: any WallClock = SystemClock(),
        identify: @escaping Identification = { _ in [] }
    ) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.identify = identify
        self.clock = clock
        budget = RetryBudget()
        measures = CallMeasures(peer: peer)
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = Self.connectTimeout
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = Self.idleTimeout
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// A caller that shows the access token of the context, where there is one.
    public static let accessToken: Identification = { context in
        context.accessToken.map { [("authorization", "Bearer \($0)")] } ?? []
    }

    /// Whether calls go out to the peer: its circuit breaker is closed.
    public var isBreakerClosed: Bool { breaker.withLock { $0.isClosed } }

    /// Ends the connections. Must be called before the caller is let go.
    public func shutdown() async throws { try await client.shutdown() }

    public func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, _ context: CallContext
    ) async throws -> Reply<Output> {
        let request = try CallRequest(endpoint.description, JSON(encoding: input), context)
        budget.deposit()
        var attempt = 1
        while true {
            do {
                try context.checkDeadline()
                guard breaker.withLock({ $0.allows(at: .now) }) else {
                    measures.barred()
                    throw Problem(.unavailable, "\(request.method) \(request.path): the peer is away", retryAfter: 1)
                }
                let answer = try await send(request, context)
                return try answer.reply(Output.self, endpoint.description)
            } catch let failure as CallFailure {
                let wait = failure.wait(after: attempt)
                guard failure.mayRepeat(request.isRepeatable), attempt < Self.attempts,
                    ContinuousClock.now + wait < context.deadline, budget.withdraw()
                else { throw failure.error }
                try await clock.sleep(for: wait)
                measures.retried()
                attempt += 1
            }
        }
    }

    private func send(_ call: CallRequest, _ context: CallContext) async throws -> CallAnswer {
        var request = HTTPClientRequest(url: base + call.target)
        request.method = HTTPMethod(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        for (name, value) in identify(context) { request.headers.add(name: name, value: value) }
        let remaining = context.deadline - ContinuousClock.now
        request.headers.add(name: ServiceHeaders.deadline, value: String(max(1, remaining.microseconds / 1_000)))
        if let body = call.body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let start = ContinuousClock.now
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await client.execute(request, deadline: .now() + TimeAmount(remaining))
            body = try await response.body.collect(upTo: Self.largestAnswer)
        } catch {
            guard let failure = CallFailure(error, call) else {
                breaker.withLock { $0.abandoned(at: .now) }
                throw CancellationError()
            }
            if case .unknown = failure { learn(.unknown, since: start) } else { learn(.unreached, since: start) }
            throw failure
        }
        learn(.answered, since: start)
        return CallAnswer(
            status: Int(response.status.code), headers: { response.headers.first(name: $0) },
            body: Array(body.readableBytesView), call: call)
    }

    private func learn(_ outcome: CallMeasures.Outcome, since start: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        breaker.withLock { breaker in
            let wasClosed = breaker.isClosed
            if outcome == .answered { breaker.answered() } else { breaker.failed(at: now) }
            // With the lock in hand, so that the last one to say it is right.
            if breaker.isClosed != wasClosed { measures.breaker(isClosed: breaker.isClosed) }
        }
        measures.ended(outcome, after: now - start)
    }

    private typealias HTTPMethod = NIOHTTP1.HTTPMethod
}

extension CallFailure {
    /// What a failed transport means; nil where the caller gave up.
    fileprivate init?(_ error: any Error, _ call: CallRequest) {
        if error is CancellationError || Task.isCancelled { return nil }
        let what = "\(call.method) \(call.path)"
        if Self.isBeforeSending(error) {
            self = .notSent(Problem(.unavailable, "\(what): the peer cannot be reached", retryAfter: 1))
        } else {
            self = .unknown(OutcomeUnknown("\(what): \(error)"))
        }
    }

    private static func isBeforeSending(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError: true
        case let error as HTTPClientError:
            [
                .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout, .invalidURL, .emptyHost,
                .emptyScheme,
            ]
            .contains(error)
        case let error as IOError: [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT].contains(error.errnoCode)
        default: false
        }
    }
}
