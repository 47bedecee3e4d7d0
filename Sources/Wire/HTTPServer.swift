import HummingbirdCore
public import Kernel
public import Logging
import NIOCore
import NIOPosix
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
public import ServiceLifecycle

/// Who sends a request with this bearer token or, without one, this session cookie. Throws `unauthenticated` for a
/// token that is not good.
public typealias Identity = @Sendable (_ bearer: String?, _ sessionCookie: String?) async throws -> Caller

/// The page that shows a problem to a person. The server sets the status.
public typealias ErrorPage = @Sendable (Problem, PageRequest?) -> PageResponse

/// Serves endpoints and pages over HTTP/1.1 until it is told to stop; then it finishes what is in flight.
public struct HTTPServer: Service {
    private let settings: ServerSettings
    private let responder: Responder
    private let turnstile: Turnstile
    private let drain: Drain
    private let logger: Logger
    private let onReady: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - interface: what `/openapi.json` describes; nil for the routes.
    ///   - readiness: whether all that is needed to serve is there; not asked during a drain, which is never ready.
    ///   - metricsText: what `/metrics` says, in Prometheus' text format.
    ///   - edge: what was written must be told to it, so that no older answer is served.
    ///   - sharedBuckets: what clients may ask for, counted over all processes; nil counts in this one.
    ///   - onReady: called once with the port, when requests are accepted.
    public init(
        _ settings: ServerSettings, routes: [Route], pages: [PageRoute] = [],
        interface: [EndpointDescription]? = nil, identity: @escaping Identity,
        readiness: @escaping @Sendable () async -> Bool = { true },
        metricsText: @escaping @Sendable () async -> String = { "" },
        errorPage: @escaping ErrorPage = HTTPServer.plainErrorPage, edge: EdgeCache = EdgeCache(),
        sharedBuckets: (any SharedBuckets)? = nil, logger: Logger,
        onReady: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.settings = settings
        self.logger = logger
        self.onReady = onReady
        drain = Drain()
        let mounted = routes.filter { settings.servesServices || $0.endpoint.access != .service }
        var router = Router<Served>()
        for route in mounted {
            let endpoint = route.endpoint
            let kind = Served.Kind.endpoint(route, InputReader(endpoint, maxBody: settings.maxBody))
            router.add(
                endpoint.method, endpoint.path,
                Served(kind, endpoint.method, endpoint.path.description, endpoint.priority))
        }
        for page in pages {
            router.add(
                page.method, page.path, Served(.page(page), page.method, page.path.description, page.priority))
        }
        let document = OpenAPI.document(
            interface?.filter { $0.access != .service } ?? mounted.map(\.endpoint), version: settings.version
        ).serialized()
        let surroundings = Surroundings(
            version: settings.version, readiness: readiness, metricsText: metricsText, document: document, drain: drain)
        for (path, handle) in surroundings.routes {
            router.add(.get, PathTemplate(path), Served(.surrounding(handle), .get, path, .browse))
        }
        let renderer = Renderer(isHTTPS: settings.isHTTPS)
        let admission = Admission(settings.admission)
        turnstile = Turnstile(router, admission, edge, renderer) { problem in
            .refusal(problem, page: errorPage(problem, nil), isHTTPS: settings.isHTTPS)
        }
        responder = Responder(
            settings: settings, router: router, identity: identity, errorPage: errorPage, renderer: renderer,
            edge: edge, admission: admission,
            clients: ClientLimits(settings.clients, shared: sharedBuckets), drain: drain, logger: logger)
    }

    /// Says the problem in plain text.
    public static let plainErrorPage: ErrorPage = { problem, _ in
        PageResponse(
            status: problem.type.status, contentType: "text/plain; charset=utf-8",
            body: Array("\(problem.type.title)\n\n\(problem.detail)\n".utf8))
    }

    /// - Throws: `ListenError` if the address cannot be listened on.
    public func run() async throws {
        let server = Server(
            childChannelSetup: ConnectionChannel(
                limits: ConnectionLimits(settings), edge: responder.edge, turnstile: turnstile,
                responder: responder),
            configuration: ServerConfiguration(
                address: .hostname(settings.host, port: settings.port), backlog: 1_024,
                availableConnectionsDelegate: MaximumAvailableConnections(settings.maxConnections)),
            onServerRunning: { [onReady] in await onReady($0.localAddress?.port ?? 0) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
        // Detached, so that the server does not hear of the shutdown by itself: readiness turns false first, and
        // requests are accepted for a while longer. It is awaited, and cancelled with this task.
        let serving = Task.detached { try await server.run() }
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await serving.value } catch { throw ListenError(settings, error) ?? error }
                }
                group.addTask { try await stop(server, serving) }
                group.addTask { try await tick() }
                try await group.next()
                group.cancelAll()
            }
        } onCancel: {
            serving.cancel()
        }
    }

    private func tick() async throws {
        while true {
            try await Task.sleep(for: .milliseconds(100))
            responder.admission.tick()
            responder.edge.tick()
        }
    }

    /// Waits for the shutdown, then drains within the time that is set.
    private func stop(_ server: Server<ConnectionChannel>, _ serving: Task<Void, any Error>) async throws {
        try await gracefulShutdown()
        drain.begin()
        logger.info("draining", metadata: ["delay": "\(settings.drainDelay)", "limit": "\(settings.drainTimeout)"])
        try await Task.sleep(for: settings.drainDelay)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.shutdownGracefully() }
            group.addTask {
                try await Task.sleep(for: settings.drainTimeout)
                serving.cancel()
            }
            try await group.next()
            group.cancelAll()
        }
        _ = try? await serving.value
    }

    /// Hummingbird says where it listens and every connection's end at levels of its own.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .notice)
        return logger
    }
}

/// Why an address cannot be listened on, and what to do.
public struct ListenError: Error, CustomStringConvertible {
    public let description: String

    init?(_ settings: ServerSettings, _ error: any Error) {
        guard let error = error as? IOError else { return nil }
        let address = "\(settings.host):\(settings.port)"
        description =
            switch error.errnoCode {
            case EADDRINUSE: "port \(settings.port) is in use: stop the other process or choose another with --port"
            case EACCES: "no permission to listen on \(address): ports below 1024 belong to root"
            case EADDRNOTAVAIL: "\(settings.host) is not an address of this machine"
            default: "cannot listen on \(address): \(error)"
            }
    }
}

extension ConnectionLimits {
    init(_ settings: ServerSettings) {
        self.init(
            body: settings.maxBody, headTime: TimeAmount(settings.headerTimeout),
            bodyTime: TimeAmount(settings.bodyTimeout), idleTime: TimeAmount(settings.idleTimeout),
            serveTime: TimeAmount(settings.requestTimeout))
    }
}
