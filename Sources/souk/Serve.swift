import ArgumentParser
import Contracts
import FoundationEssentials
import Kernel
import Logging
import ServiceLifecycle
import Storefront
import Telemetry
import Users
import Wire

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the shop: pages, HTTP interface and all that works behind them.",
        discussion: """
            Stops gracefully on SIGTERM and SIGINT: not ready any more, requests in flight are finished, unfinished \
            checkouts are taken up at the next start. Settings: `souk config`.

            Example:
              souk serve --port 8080 --data var
            """)

    @OptionGroup var options: DataOptions
    @Option(help: "The address to listen on (SOUK_HOST).") var host: String?
    @Option(help: "The port to listen on, 1 to 65535 (SOUK_PORT).") var port: Int?
    @Option(
        help:
            "What this process is, by comma; all of \(ShopRole.names) without (SOUK_ROLES)."
    )
    var roles: String?
    @Option(help: "Where another role is: ROLE=http://HOST:PORT; may be given again (SOUK_PEERS).")
    var peer: [String] = []

    func validate() throws {
        if let port, !(1...65_535).contains(port) {
            throw ValidationError("--port is \(port), expected 1 to 65535")
        }
    }

    func run() async throws {
        let settings = try await options.settings([
            "SOUK_HOST": host, "SOUK_PORT": port.map(String.init), "SOUK_ROLES": roles,
            "SOUK_PEERS": peer.isEmpty ? nil : peer.joined(separator: ","),
        ])
        try settings.requireShared()
        let telemetry = Telemetry.bootstrap(telemetryOptions(settings))
        let logger = Logger(label: "souk")
        let edge = EdgeCache(maxBytes: settings.edgeCacheBytes, maxAge: settings.edgeMaxAge)
        let shop = try await Shop.open(settings, staleness: edge, logger: logger)
        do {
            for prepare in shop.local.preparations { try await prepare() }
            let server = try shop.server(edge: edge, metrics: { telemetry.prometheus.exposition() }, logger: logger)
            // Stopped in reverse: the server first, so that what it still finishes finds the rest at work.
            let group = ServiceGroup(
                services: telemetry.services + shop.backEnds.services + [shop.backEnds.bus] + shop.local.workers
                    + [server],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            try await group.run()
        } catch {
            await shop.close()
            throw error
        }
        await shop.close()
        logger.info("stopped")
    }

    private func telemetryOptions(_ settings: Settings) -> Telemetry.Options {
        var options = Telemetry.Options()
        options.version = Souk.version
        options.logLevel = Logger.Level(rawValue: settings.logLevel) ?? .info
        options.logFormat = settings.logFormat == "json" ? .json : settings.logFormat == "text" ? .text : nil
        options.tracesEndpoint = settings.traceEndpoint
        options.tracesRatio = settings.traceRatio
        return options
    }
}

extension Shop {
    /// The HTTP server over the shop's routes and pages.
    func server(
        edge: EdgeCache, metrics: @escaping @Sendable () -> String, logger: Logger
    ) throws -> HTTPServer {
        let isStorefront = settings.place.roles.contains(.storefront)
        let storefront = try Storefront(
            settings: Storefront.Settings(
                name: settings.shop.name, baseURL: settings.publicURL, currency: settings.shop.currency,
                isSandbox: settings.payments.scheme == "sandbox"),
            services: Storefront.Services(
                products: products, carts: carts, orders: orders, users: users, auth: auth,
                notifications: notifications, webhooks: webhooks,
                publishers: [
                    .init(name: "orders", deadLetters: orderDeadLetters, api: .orders),
                    .init(name: "users", deadLetters: userDeadLetters, api: .users),
                ], topology: topology),
            endpoints: Interface.endpoints)
        let settings = settings
        return HTTPServer(
            serverSettings, routes: local.routes, pages: isStorefront ? storefront.routes + [pictures] : [],
            interface: Interface.endpoints,
            identity: { [auth, tokens] bearer, cookie in
                if let bearer, let tokens, ServiceTokens.isOne(bearer) { return try tokens.caller(bearer) }
                if let bearer { return try await auth.caller(accessToken: bearer) }
                // A browser with a stale cookie is a stranger, not an error: its page renews the session, or asks it
                // to log in.
                guard let cookie else { return .anonymous }
                return (try? await auth.caller(accessToken: cookie)) ?? .anonymous
            },
            readiness: isReady, metricsText: metrics,
            errorPage: { problem, _ in storefront.errorPage(problem: problem) }, edge: edge,
            sharedBuckets: backEnds.clientBuckets,
            logger: logger,
            onReady: { port in
                let url = "http://\(settings.host):\(port)"
                let roles = ShopRole.allCases.filter(settings.place.roles.contains).map(\.rawValue).joined(
                    separator: ", ")
                logger.info("serving", metadata: ["url": "\(url)", "roles": "\(roles)"])
                Console.complain(
                    "\(settings.shop.name) is open: \(url)" + (settings.place.isWhole ? "" : " (\(roles))"))
            })
    }

    private var serverSettings: ServerSettings {
        var server = ServerSettings()
        server.host = settings.host
        server.port = settings.port
        server.isHTTPS = settings.publicURL.hasPrefix("https:")
        server.version = Souk.version
        server.servesServices = tokens != nil
        server.maxConnections = settings.maximumConnections
        server.headerTimeout = settings.headerTimeout
        server.drainDelay = settings.drainDelay
        server.clients.rate = settings.clientRate
        server.clients.burst = settings.clientBurst
        server.clients.trustedProxies = settings.trustedProxies
        // One client makes the whole load of a bench or drill on loopback, unless a limit was asked for.
        server.clients.exemptsLoopback = !settings.isSet("SOUK_CLIENT_RATE")
        return server
    }

    /// Pictures from the object store.
    private var pictures: PageRoute {
        PageRoute(.get, "/images/{path*}", priority: .browse) { [objects] request in
            let key = request.parameters["path"] ?? ""
            guard let object = try await objects.get(key) else {
                throw Problem(.notFound, "there is no picture \(key)")
            }
            return PageResponse(
                contentType: object.contentType, body: object.bytes,
                cache: .edge(tags: ["image:" + key], maxAge: 86_400))
        }
    }
}

/// The first staff account.
enum Staff {
    /// Makes sure that there is one. A password that was made up is kept in a file that only the owner may read.
    static func ensure(_ users: Users, _ settings: Settings) async throws {
        let file = settings.data + "/staff-password"
        let kept = try? String(contentsOfFile: file, encoding: .utf8)
        let password = settings.staffPassword ?? kept ?? Secrets.madeUp(16)
        _ = try await users.ensureStaff(
            RegisterUser(email: settings.staffEmail, password: password, name: "Staff"), role: .admin)
        guard settings.staffPassword == nil else { return }
        if kept == nil {
            try FileManager.default.writePrivate(password, to: file)
        }
        Console.complain("staff: log in as \(settings.staffEmail), the password is in \(file)")
    }
}

/// Secrets for who gave none, from the system's randomness.
enum Secrets {
    static func madeUp(_ length: Int) -> String {
        let alphabet = Array("abcdefghjkmnpqrstvwxyz23456789")
        var random = SystemRandomNumberGenerator()
        return String((0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] })
    }
}

extension FileManager {
    fileprivate func writePrivate(_ text: String, to path: String) throws {
        guard createFile(atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600]) else {
            throw Failure("\(path) cannot be written")
        }
    }
}
