import Contracts
import Kernel
import Wire

/// A running shop, as a member of staff sees it over HTTP: logs in, renews its token, repeats what may be repeated.
actor StaffSession {
    private let caller: HTTPCaller
    private let credentials: Credentials
    private var token: String?
    /// How long a shop that is away or busy is waited for.
    private let patience = Duration.seconds(60)

    private init(caller: HTTPCaller, credentials: Credentials) {
        self.caller = caller
        self.credentials = credentials
    }

    static func open(url: String, _ settings: Settings) async throws -> StaffSession {
        guard let password = settings.staffPassword else {
            throw SettingsError("SOUK_STAFF_PASSWORD is not set, expected the password of \(settings.staffEmail)")
        }
        let session = StaffSession(
            caller: HTTPCaller(url, identify: HTTPCaller.accessToken),
            credentials: Credentials(email: settings.staffEmail, password: password))
        do {
            try await session.logIn()
        } catch let problem as Problem {
            await session.close()
            throw Failure("\(url): \(problem)")
        } catch {
            await session.close()
            throw Failure("\(url) does not answer: \(error)")
        }
        return session
    }

    func close() async {
        do { try await caller.shutdown() } catch { Console.complain("connections did not close: \(error)") }
    }

    nonisolated func closing<T: Sendable>(_ work: () async throws -> T) async throws -> T {
        do {
            let result = try await work()
            await close()
            return result
        } catch {
            await close()
            throw error
        }
    }

    private func logIn() async throws {
        token = try await caller.call(AuthAPI.logIn, credentials, CallContext()).value.access_token
    }

    func importProducts(_ batch: ProductBatch) async throws -> ImportResult {
        try await call(ProductsAPI.importProducts, batch, key: nil).value
    }

    func place(_ order: PlaceOrder, key: String) async throws -> Reply<Order> {
        try await call(OrdersAPI.place, order, key: key)
    }

    /// Repeats after a lost connection, a busy shop or an ended token, until `patience` is over: what is called here is
    /// safe to repeat.
    private func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, key: String?
    ) async throws -> Reply<Output> {
        let giveUp = ContinuousClock.now + patience
        while true {
            do {
                var context = CallContext(timeout: .seconds(60), idempotencyKey: key)
                context.accessToken = token
                return try await caller.call(endpoint, input, context)
            } catch let problem as Problem where problem.type.status == 401 && token != nil {
                token = nil
                try await logIn()
            } catch let problem as Problem where problem.retryAfter != nil && ContinuousClock.now < giveUp {
                try await Task.sleep(for: .milliseconds(100))
            } catch let unknown as OutcomeUnknown {
                guard ContinuousClock.now < giveUp else { throw unknown }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
