import Auth
import Backups
import Database
import Kernel
import Notifications
import Orders
import Payments
import Products
import Users

/// What a service keeps its rows in: a file of its own, or a schema of its own.
enum Store: String, CaseIterable, Sendable {
    case products, orders, payments, users, auth, notifications
    /// The sandbox gateway's, which stands for somebody else's.
    case sandbox

    init?(_ role: ShopRole) { self.init(rawValue: role.rawValue) }

    /// Of a shop on files.
    func path(_ settings: Settings) -> String {
        let folder = settings.database.rest
        return folder + (folder.hasSuffix("/") ? "" : "/") + rawValue + ".sqlite"
    }

    var migrations: [Migration] {
        switch self {
        case .products: Products.migrations
        case .orders: Orders.migrations
        case .payments: Payments.migrations
        case .users: Users.migrations
        case .auth: Auth.migrations
        case .notifications: Notifications.migrations
        case .sandbox: SandboxGateway.migrations
        }
    }
}

/// The databases of the services that run here.
struct Databases: Sendable {
    private var opened: [Store: any Database] = [:]

    var all: [(store: Store, database: any Database)] {
        Store.allCases.compactMap { store in opened[store].map { (store, $0) } }
    }

    /// Those only are asked for whose service runs here.
    subscript(_ store: Store) -> any Database {
        guard let database = opened[store] else { preconditionFailure("\(store) has no database here") }
        return database
    }

    func has(_ store: Store) -> Bool { opened[store] != nil }

    enum Use {
        /// Files are brought to this release's schema. A server's schemas are `souk migrate`'s affair: they must be.
        case serving
        case migrating
        /// Beside a shop that runs, or of one that does not.
        case looking
        /// Whatever is there goes away; alone.
        case restoring
    }

    static func open(_ stores: Set<Store>, for use: Use, _ settings: Settings) async throws -> Databases {
        var databases = Databases()
        let patience = use == .serving || use == .migrating ? settings.databaseWait : .zero
        let deadline = ContinuousClock.now + patience
        do {
            for store in Store.allCases where stores.contains(store) {
                let database = try await open(store, for: use, settings, until: deadline)
                databases.opened[store] = database
                if use != .restoring { try await checkRestored(store, database) }
                switch use {
                case .serving where database.dialect == .sqlite: try await database.migrate(store.migrations)
                case .serving: try await check(store, database)
                case .migrating, .looking, .restoring: break
                }
            }
            return databases
        } catch {
            await databases.close()
            throw error
        }
    }

    private static func checkRestored(_ store: Store, _ database: any Database) async throws {
        guard let backup = try await database.read({ try RestoreMark.find(in: $0) }) else { return }
        throw Failure(
            "\(store.rawValue) is being restored from the backup \(backup), or that was broken off: run `souk restore` "
                + "again, to its end")
    }

    private static func check(_ store: Store, _ database: any Database) async throws {
        let missing = try await database.missing(store.migrations)
        guard missing.isEmpty else {
            throw Failure("the schema \(store.rawValue) lacks \(missing.count) of its migrations: run `souk migrate`")
        }
    }

    /// - Parameter deadline: by then a server that is not there has come.
    private static func open(
        _ store: Store, for use: Use, _ settings: Settings, until deadline: ContinuousClock.Instant
    ) async throws -> any Database {
        while true {
            do {
                return try await open(store, for: use, settings)
            } catch let error as DatabaseError where settings.database.scheme != "sqlite" {
                guard case .cannotOpen = error, ContinuousClock.now < deadline else { throw error }
                Console.complain("\(error); trying again")
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private static func open(_ store: Store, for use: Use, _ settings: Settings) async throws -> any Database {
        let name = store.rawValue
        // What the sandbox loses in a power cut, a real gateway would have kept: it is not the shop's promise.
        let isDurable = store != .sandbox
        guard settings.database.scheme == "sqlite" else {
            var options = PostgresDatabase.Options()
            options.isDurable = isDurable
            options.replica = settings.databaseReplica
            if use == .restoring {
                options.program = "souk restore"
                options.statementTimeout = .seconds(3_600)
            }
            options.closuresPerCommit = min(options.closuresPerCommit, settings.groupCommit)
            return try await PostgresDatabase.open(url: settings.database.text, schema: name, options: options)
        }
        let path = store.path(settings)
        if case .looking = use { return try await SQLiteDatabase.openReadOnly(path: path) }
        var options = SQLiteDatabase.Options()
        options.name = name
        options.synchronous = isDurable ? .full : .normal
        options.closuresPerCommit = settings.groupCommit
        return try await SQLiteDatabase.open(path: path, options: options)
    }

    func close() async { for entry in all { await entry.database.close() } }
}
