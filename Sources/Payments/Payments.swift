public import Contracts
public import Database
public import Kernel
public import Logging

/// Money: held, taken, given back and let go of, each once, with a double-entry book of it all.
///
/// **Why there is no row before the gateway is asked.** The key at the gateway is the order's identifier, which whoever
/// asks has already written down (the Orders saga asks again until it knows). A crash between the gateway's answer and
/// the row loses nothing: the next `authorize` gets the same answer from the gateway and writes the row, and `void`
/// asks the gateway by the same key whether a row is there or not. So an authorisation costs one commit here instead of
/// two. Only where the gateway does not answer is a `pending` row written, for people to see.
///
/// The gateway decides between an authorisation and a void, or a capture and a void, that come at the same moment: it
/// is asked first, outside every transaction, and what is written here follows its answer.
public struct Payments: PaymentsService {
    let store: PaymentsStore
    let gateway: any Gateway
    let clock: any WallClock
    let logger: Logger

    public init(
        database: any Database, gateway: any Gateway, clock: any WallClock = SystemClock(),
        logger: Logger = Logger(label: "souk.payments")
    ) {
        store = PaymentsStore(database: database)
        self.gateway = MeasuredGateway(gateway)
        self.clock = clock
        self.logger = logger
        let receiver = self
        gateway.deliver { _ = try await receiver.webhook($0, .service("gateway")) }
    }

    public static let migrations = PaymentsMigrations.all

    public var routes: [Route] {
        [
            Route(PaymentsAPI.payment, payment), Route(PaymentsAPI.webhook, webhook),
            Route(PaymentsAPI.authorize, authorize), Route(PaymentsAPI.void, void),
            Route(PaymentsAPI.capture, capture), Route(PaymentsAPI.refund, refund),
            Route(PaymentsAPI.payments, payments),
        ]
    }

    /// Where nobody may see a payment, there is none.
    public func payment(_ query: PaymentByID, _ context: CallContext) async throws -> Payment {
        guard let found = try await store.payment(PaymentsStore.order(of: query.id)), let payment = found.payment,
            context.caller.isStaff || found.customer != nil && found.customer == context.caller.userID
        else { throw Problem(.notFound, "there is no payment \(query.id)") }
        return payment
    }

    public func payments(_ query: PaymentsOfOrders, _ context: CallContext) async throws -> PaymentList {
        PaymentList(items: try await store.payments(query.orders).compactMap(\.payment))
    }
}
