import Auth
import Contracts
import Database
import Events
import Kernel
import Logging
import Mail
import Notifications
import Objects
import Orders
import Payments
import Products
import Users

/// The whole shop, built from the settings: the one place that knows which back end is which. `serve` runs it, the
/// other commands borrow its services, and tests build it as they do.
struct Shop: Sendable {
    let settings: Settings
    let databases: Databases
    let objects: any ObjectStore
    let backEnds: BackEnds
    let products: Products
    let carts: Carts
    let orders: Orders
    let payments: Payments
    let users: Users
    let auth: Auth
    let notifications: Notifications
    private let folder: DataFolder

    /// Opens the shop, runs the work, and closes it whatever happens.
    static func using<T>(_ settings: Settings, _ work: (Shop) async throws -> T) async throws -> T {
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
        let folder = try DataFolder.claim(settings.data)
        do {
            let databases = try await Databases.open(settings)
            do {
                return try await Shop(settings, folder, databases, staleness, clock, logger)
            } catch {
                await databases.close()
                throw error
            }
        } catch {
            folder.release()
            throw error
        }
    }

    private init(
        _ settings: Settings, _ folder: DataFolder, _ databases: Databases, _ staleness: any Staleness,
        _ clock: any WallClock, _ logger: Logger
    ) async throws {
        self.settings = settings
        self.folder = folder
        self.databases = databases
        let policy = settings.shop
        let backEnds = try BackEnds(settings, staleness, clock, logger)
        let bus = backEnds.bus
        let objects = try FileObjects(folder: settings.objects.rest)
        let mailer = MailSpool(folder: settings.mail.rest)
        let keys = try await SigningKeys.kept(in: settings.data + "/keys")

        let products = Products(database: databases.products, staleness: backEnds.staleness, clock: clock)
        let payments = Payments(
            database: databases.payments,
            gateway: SandboxGateway(
                database: databases.sandbox, webhookSecret: settings.webhookSecret ?? Secrets.madeUp(32), clock: clock),
            clock: clock)
        let users = Users(database: databases.users, clock: clock) { bus.wake("users") }
        let carts = Carts(database: databases.orders, products: products, policy: policy, clock: clock)
        let orders = Orders(
            database: databases.orders, products: products, payments: payments, policy: policy,
            reservationTime: settings.reservationTime, clock: clock
        ) { bus.wake("orders") }
        let notifications = try Notifications(
            database: databases.notifications, mailer: mailer, shop: policy.name, publicURL: settings.publicURL,
            clock: clock)
        let auth = Auth(database: databases.auth, users: users, keys: keys, cache: backEnds.cache, clock: clock)

        bus.publishes(from: databases.orders, as: "orders")
        bus.publishes(from: databases.users, as: "users")
        // Whoever checks out comes before the letters to those who have.
        let patience = Patience(limit: .seconds(60)) { orders.isBusy }
        bus.subscribe(
            consumer: Orders.consumer, to: [EventTypes.orderConfirmed], patience: patience, handler: orders.settle)
        bus.subscribe(
            consumer: Notifications.consumer, to: Notifications.eventTypes, patience: patience,
            handler: notifications.handle)

        self.backEnds = backEnds
        self.objects = objects
        self.products = products
        self.payments = payments
        self.users = users
        self.carts = carts
        self.orders = orders
        self.notifications = notifications
        self.auth = auth
    }

    func close() async {
        await databases.close()
        await backEnds.close()
        folder.release()
    }

    /// Every route of every service.
    var routes: [Route] {
        products.routes + carts.routes + orders.routes + payments.routes + users.routes + auth.routes
            + notifications.routes
    }

    /// Whether every back end answers.
    func isReady() async -> Bool {
        for database in databases.all {
            do { try await database.check() } catch { return false }
        }
        return true
    }
}

/// A database a service, and the sandbox gateway's own, which stands for somebody else's.
struct Databases: Sendable {
    let products: any Database
    let orders: any Database
    let payments: any Database
    let users: any Database
    let auth: any Database
    let notifications: any Database
    let sandbox: any Database

    var all: [any Database] { [products, orders, payments, users, auth, notifications, sandbox] }

    static func open(_ settings: Settings) async throws -> Databases {
        var opened: [any Database] = []
        func open(
            _ name: String, _ migrations: [Migration], synchronous: SQLiteDatabase.Options.Synchronous = .full
        ) async throws -> any Database {
            var options = SQLiteDatabase.Options()
            options.name = name
            options.synchronous = synchronous
            options.closuresPerCommit = settings.groupCommit
            let database = try await SQLiteDatabase.open(path: path(of: name, settings), options: options)
            opened.append(database)
            try await database.migrate(migrations)
            return database
        }
        do {
            return Databases(
                products: try await open("products", Products.migrations),
                orders: try await open("orders", Orders.migrations),
                payments: try await open("payments", Payments.migrations),
                users: try await open("users", Users.migrations), auth: try await open("auth", Auth.migrations),
                notifications: try await open("notifications", Notifications.migrations),
                // What it loses in a power cut, a real gateway would have kept: it is not the shop's promise.
                sandbox: try await open("sandbox", SandboxGateway.migrations, synchronous: .normal))
        } catch {
            for database in opened { await database.close() }
            throw error
        }
    }

    /// The same files, for looking only: beside a shop that runs, or of one that does not.
    static func openReadOnly(_ settings: Settings) async throws -> Databases {
        func open(_ name: String) async throws -> any Database {
            try await SQLiteDatabase.openReadOnly(path: path(of: name, settings))
        }
        return Databases(
            products: try await open("products"), orders: try await open("orders"),
            payments: try await open("payments"), users: try await open("users"), auth: try await open("auth"),
            notifications: try await open("notifications"), sandbox: try await open("sandbox"))
    }

    private static func path(of name: String, _ settings: Settings) -> String {
        let folder = settings.database.rest
        return folder + (folder.hasSuffix("/") ? "" : "/") + name + ".sqlite"
    }

    func close() async { for database in all { await database.close() } }
}

/// For commands that serve nobody: there are no kept copies.
struct NobodyKeeps: Staleness {
    func markStale(_ tags: [String]) {}
}
