import Contracts
import Database
import Kernel
import Logging
import Orders
import Payments
import PostgresPeer
import Products
import ServiceLifecycle
import Wire

/// How services reach each other.
enum Transport: CaseIterable {
    case direct, http
}

/// Products, payments and orders, as one process or as three.
struct Roles: Sendable {
    let products: any ProductsService
    let payments: any PaymentsService
    let carts: any CartsService
    let orders: any OrdersService
}

struct NobodyKeeps: Staleness {
    func markStale(_ tags: [String]) {}
}

extension Roles {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    static func with(_ transport: Transport, _ body: @escaping @Sendable (Roles) async throws -> Void) async throws {
        let products = Products(
            database: try await database(Products.migrations), staleness: NobodyKeeps(), logger: logger)
        let gateway = SandboxGateway(
            database: try await database(SandboxGateway.migrations), webhookSecret: "not a secret")
        let payments = Payments(
            database: try await database(Payments.migrations), gateway: gateway, logger: logger)
        let rows = try await database(Orders.migrations)
        switch transport {
        case .direct:
            try await body(
                Roles(
                    products: products, payments: payments, carts: Carts(database: rows, products: products),
                    orders: Orders(database: rows, products: products, payments: payments, logger: logger)))
        case .http:
            try await reach(products.routes) { toProducts in
                try await reach(payments.routes) { toPayments in
                    let (products, payments) = (RemoteProducts(toProducts), RemotePayments(toPayments))
                    let carts = Carts(database: rows, products: products)
                    let orders = Orders(database: rows, products: products, payments: payments, logger: logger)
                    try await reach(carts.routes + orders.routes) { toOrders in
                        try await body(
                            Roles(
                                products: products, payments: payments, carts: RemoteCarts(toOrders),
                                orders: RemoteOrders(toOrders)))
                    }
                }
            }
        }
    }

    private static func database(_ migrations: [Migration]) async throws -> any Database {
        let database = try await TestDatabase.open()
        try await database.migrate(migrations)
        return database
    }

    /// Serves the routes as a role of their own, and calls it.
    private static func reach(
        _ routes: [Route], _ body: @escaping @Sendable (HTTPCaller) async throws -> Void
    ) async throws {
        var settings = ServerSettings()
        settings.port = 0
        settings.servesServices = true
        settings.requestTimeout = .seconds(3_600)
        settings.headerTimeout = .seconds(3_600)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        guard let tokens = ServiceTokens(keys: [String(repeating: "k", count: 32)]) else { return }
        let server = HTTPServer(
            settings, routes: routes, identity: { bearer, _ in try identity(bearer ?? "", tokens) }, logger: logger,
            onReady: { port.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask {
                for await port in ports {
                    let identify = tokens.identification(as: "tester")
                    let caller = HTTPCaller("http://127.0.0.1:\(port)") { context in
                        var context = context
                        if case .user(let id, let role) = context.caller {
                            context.accessToken = "\(id).\(role.rawValue)"
                        }
                        return identify(context)
                    }
                    let result = await Result { try await body(caller) }
                    try await caller.shutdown()
                    return try result.get()
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Users' tokens are Auth's affair: here one says what it stands for.
    private static func identity(_ bearer: String, _ tokens: ServiceTokens) throws -> Caller {
        if ServiceTokens.isOne(bearer) { return try tokens.caller(bearer) }
        let parts = bearer.split(separator: ".").map(String.init)
        guard parts.count == 2, let id = UserID(parts[0]), let role = Role(rawValue: parts[1]) else {
            throw Problem(.unauthenticated, "no such token")
        }
        return .user(id, role)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
