import Auth
import Contracts
import Database
import Events
import FoundationEssentials
import Kernel
import Logging
import Mail
import Notifications
import Objects
import Orders
import Payments
import Products
import ServiceLifecycle
import Users
import Wire

/// The shop, built from the settings: the one place that knows which back end is which, and which services run here and
/// which are reached over HTTP. `serve` runs it, the other commands borrow its services, and tests build it as they do.
struct Shop: Sendable {
    let settings: Settings
    let databases: Databases
    let objects: any ObjectStore
    let backEnds: BackEnds
    let peers: Peers
    let tokens: ServiceTokens?

    let products: any ProductsService
    let carts: any CartsService
    let orders: any OrdersService
    let payments: any PaymentsService
    let users: any UsersService
    let auth: any AuthService
    let notifications: any NotificationsService
    let webhooks: any WebhooksService
    let orderDeadLetters: any DeadLettersService
    let userDeadLetters: any DeadLettersService
    let topology: any TopologyService

    let local: LocalServices
    private let outbound: OutboundHTTP
    /// Nil where mail is spooled, or is another process's.
    private let smtp: SMTPMailer?
    private let folder: DataFolder?

    /// Opens the shop's catalogue, runs the work, and closes it whatever happens.
    static func using<T>(_ settings: Settings, _ work: (Shop) async throws -> T) async throws -> T {
        var settings = settings
        if settings.database.scheme != "sqlite" { settings.place.roles = [.products] }
        let shop = try await open(settings)
        do {
            let result = try await work(shop)
            await shop.close()
            return result
        } catch {
            await shop.close()
            throw error
        }
    }

    /// - Parameter staleness: told what was written.
    /// - Throws: `DatabaseError` when another process has the folder, when a database is of a newer release, is no
    ///   database, or its disk is full.
    static func open(
        _ settings: Settings, staleness: any Staleness = NobodyKeeps(), clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "souk")
    ) async throws -> Shop {
        var stores = Set(settings.place.roles.compactMap { Store($0) })
        if settings.payments.scheme == "sandbox", stores.contains(.payments) { stores.insert(.sandbox) }
        let folder = settings.database.scheme == "sqlite" && !stores.isEmpty ? try DataFolder.claim(settings.data) : nil
        do {
            let databases = try await Databases.open(stores, for: .serving, settings)
            do {
                return try await Shop(settings, folder, databases, staleness, clock, logger)
            } catch {
                await databases.close()
                throw error
            }
        } catch {
            folder?.release()
            throw error
        }
    }

    private init(
        _ settings: Settings, _ folder: DataFolder?, _ databases: Databases, _ staleness: any Staleness,
        _ clock: any WallClock, _ logger: Logger
    ) async throws {
        self.settings = settings
        self.folder = folder
        self.databases = databases
        let roles = settings.place.roles
        tokens =
            settings.place.isWhole
            ? nil : settings.place.serviceKeys.flatMap { ServiceTokens(keys: $0, clock: clock) }
        backEnds = try BackEnds(settings, staleness, clock, logger)
        let makeObjects = try Self.objects(settings.objects, "SOUK_OBJECTS", clock)
        smtp = roles.contains(.notifications) ? try settings.mail.smtp("SOUK_MAIL").map { try SMTPMailer($0) } : nil
        let targets = try WebhookTargets(allowing: settings.webhookNetworks)
        // From here on nothing is wrong with the settings: these have to be closed.
        peers = Peers(settings.place, tokens, clock: clock)
        outbound = OutboundHTTP()
        objects = makeObjects(outbound.send)

        var services = LocalServices()
        if roles.contains(.products) {
            let local = Products(database: databases[.products], staleness: backEnds.staleness, clock: clock)
            products = services.serve(local, local.routes, workers: [ReservationExpiry(local)], prepare: local.warm)
        } else {
            products = RemoteProducts(peers[.products])
        }
        if roles.contains(.payments) {
            let gateway = try Self.gateway(settings, databases, outbound, clock)
            let local = Payments(database: databases[.payments], gateway: gateway, clock: clock)
            payments = services.serve(local, local.routes)
        } else {
            payments = RemotePayments(peers[.payments])
        }
        if roles.contains(.users) {
            let local = Users(database: databases[.users], clock: clock) { [bus = backEnds.bus] in bus.wake("users") }
            backEnds.bus.publishes(from: databases[.users], as: "users")
            users = services.serve(local, local.routes) { try await Staff.ensure(local, settings) }
        } else {
            users = RemoteUsers(peers[.users])
        }
        if roles.contains(.auth) {
            let keys = try await SigningKeys.kept(in: settings.signingKeys)
            let local = Auth(
                database: databases[.auth], users: users, keys: keys, cache: backEnds.cache, clock: clock)
            auth = services.serve(local, local.routes)
        } else {
            auth = RemoteAuth(peers[.auth], clock: clock)
        }
        if roles.contains(.orders) {
            let database = databases[.orders]
            let baskets = Carts(database: database, products: products, policy: settings.shop, clock: clock)
            let local = Orders(
                database: database, products: products, payments: payments, policy: settings.shop,
                isAlone: folder != nil, reservationTime: settings.reservationTime, clock: clock
            ) { [bus = backEnds.bus] in bus.wake("orders") }
            carts = services.serve(baskets, baskets.routes)
            orders = services.serve(local, local.routes, workers: [OrdersRecovery(local)])
            // Whoever checks out comes before the letters to those who have.
            let patience = Patience(limit: .seconds(60)) { local.isBusy }
            backEnds.bus.publishes(from: database, as: "orders", patience: patience)
            backEnds.bus.subscribe(
                consumer: Orders.consumer, to: [EventTypes.orderConfirmed], handler: local.settle)
        } else {
            carts = RemoteCarts(peers[.orders])
            orders = RemoteOrders(peers[.orders])
        }
        if roles.contains(.notifications) {
            let local = try Notifications(
                database: databases[.notifications],
                mailer: (smtp as (any Mailer)?) ?? MailSpool(folder: settings.mail.rest),
                shop: settings.shop.name, publicURL: settings.publicURL, clock: clock)
            let hooks = Webhooks(
                database: databases[.notifications],
                targets: targets, clock: clock)
            notifications = services.serve(local, local.routes)
            webhooks = services.serve(
                hooks, hooks.routes, workers: [WebhookDispatcher(hooks, send: outbound.send)])
            backEnds.bus.subscribe(
                consumer: Notifications.consumer, to: Notifications.eventTypes, handler: local.handle)
            backEnds.bus.subscribe(consumer: Webhooks.consumer, to: Webhooks.eventTypes, handler: hooks.handle)
        } else {
            notifications = RemoteNotifications(peers[.notifications])
            webhooks = RemoteWebhooks(peers[.notifications])
        }
        orderDeadLetters = services.deadLetters(.orders, .orders, databases, backEnds.bus, peers)
        userDeadLetters = services.deadLetters(.users, .users, databases, backEnds.bus, peers)
        let survey = Survey(settings, databases, backEnds, objects, peers, clock: clock)
        topology = services.serve(survey, survey.routes)
        local = services
    }

    /// All that can be wrong is found here; the rest waits for the connections.
    static func objects(
        _ place: Settings.BackEnd, _ setting: String, _ clock: any WallClock
    ) throws -> (@escaping Outbound) -> any ObjectStore {
        guard let url = try place.s3(setting) else {
            let files = try FileObjects(folder: place.rest)
            return { _ in files }
        }
        do {
            let environment = ProcessInfo.processInfo.environment
            let source = try AWSCredentialSource.named(in: environment, region: url.region)
            return { S3Objects(url, source, clock: clock, send: $0) }
        } catch {
            throw SettingsError("\(setting): \(error)")
        }
    }

    private static func gateway(
        _ settings: Settings, _ databases: Databases, _ outbound: OutboundHTTP, _ clock: any WallClock
    ) throws -> any Gateway {
        guard settings.payments.scheme == "stripe" else {
            return SandboxGateway(
                database: databases[.sandbox], webhookSecret: settings.webhookSecret ?? Secrets.madeUp(32),
                clock: clock)
        }
        guard let key = settings.stripeKey, let secrets = settings.webhookSecret else {
            throw SettingsError("SOUK_PAYMENTS is stripe:, expected SOUK_STRIPE_KEY and SOUK_WEBHOOK_SECRET too")
        }
        let base = settings.payments.rest
        return StripeGateway(
            key: key, webhookSecrets: secrets.split(separator: ",").map(String.init), database: databases[.payments],
            baseURL: base.isEmpty ? StripeGateway.defaultBaseURL : base, clock: clock, send: outbound.send)
    }

    func close() async {
        await databases.close()
        await backEnds.close()
        await smtp?.close()
        await peers.close()
        do { try await outbound.shutdown() } catch { Console.complain("connections did not close: \(error)") }
        folder?.release()
    }

    /// Whether every database answers. Redis is not asked: without it the shop goes on, more slowly; nor are peers:
    /// each answers for itself.
    func isReady() async -> Bool {
        for entry in databases.all {
            do { try await entry.database.check() } catch { return false }
        }
        return true
    }
}

/// The services that run in this process.
struct LocalServices: Sendable {
    private(set) var routes: [Route] = []
    /// What works for them as long as the shop is served.
    private(set) var workers: [any Service] = []
    /// What is done before the first request.
    private(set) var preparations: [@Sendable () async throws -> Void] = []

    fileprivate mutating func serve<S>(
        _ service: S, _ routes: [Route], workers: [any Service] = [],
        prepare: (@Sendable () async throws -> Void)? = nil
    ) -> S {
        self.routes += routes
        self.workers += workers
        if let prepare { preparations.append(prepare) }
        return service
    }

    fileprivate mutating func deadLetters(
        _ role: ShopRole, _ api: DeadLettersAPI, _ databases: Databases, _ bus: any EventBus, _ peers: Peers
    ) -> any DeadLettersService {
        guard let store = Store(role), databases.has(store) else { return RemoteDeadLetters(peers[role], api) }
        let local = PublishedDeadLetters(database: databases[store], api: api) { bus.wake(role.rawValue) }
        return serve(local, local.routes)
    }
}

/// For commands that serve nobody: there are no kept copies.
struct NobodyKeeps: Staleness {
    func markStale(_ tags: [String]) {}
}
