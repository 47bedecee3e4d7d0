import Cache
import Contracts
import Database
import Kernel
import PostgresPeer
import Synchronization

@testable import Auth

/// Accounts in memory: everybody's password is "right".
final class StubUsers: UsersService {
    private let accounts = Mutex<[User]>([])
    private let unavailable = Mutex(false)

    func add(_ email: String, _ role: Role = .customer, at time: Timestamp) -> User {
        let user = User(id: UserID(at: time), email: email, name: "Ada", role: role, address: nil, created_at: time)
        accounts.withLock { $0.append(user) }
        return user
    }

    func promote(_ id: UserID, to role: Role) {
        accounts.withLock { accounts in
            for index in accounts.indices where accounts[index].id == id { accounts[index].role = role }
        }
    }

    func remove(_ id: UserID) { accounts.withLock { accounts in accounts.removeAll { $0.id == id } } }
    func setAway(_ isAway: Bool) { unavailable.withLock { $0 = isAway } }

    func verify(_ credentials: Credentials, _ context: CallContext) async throws -> User {
        try checkAvailable()
        let found = accounts.withLock { $0.first { $0.email == credentials.email } }
        guard let found, credentials.password == "right" else { throw Problem(.wrongCredentials, "wrong") }
        return found
    }

    func user(_ query: UserByID, _ context: CallContext) async throws -> User {
        try checkAvailable()
        guard let found = accounts.withLock({ $0.first { $0.id == query.id } }) else {
            throw Problem(.notFound, "nobody")
        }
        return found
    }

    private func checkAvailable() throws {
        if unavailable.withLock({ $0 }) { throw Problem(.unavailable, "away") }
    }

    func register(_ registration: RegisterUser, _ context: CallContext) async throws -> User { throw unused }
    func me(_ input: Nothing, _ context: CallContext) async throws -> User { throw unused }
    func update(_ change: UpdateUser, _ context: CallContext) async throws -> User { throw unused }
    func ensureStaff(_ registration: RegisterUser, role: Role) async throws -> User { throw unused }
    private var unused: Problem { Problem(.internalError, "not part of this test") }
}

/// A shop's sessions, on a database of their own.
struct Sessions {
    let clock = ManualClock()
    let users = StubUsers()
    let database: any Database
    let keys: SigningKeys
    let auth: Auth
    let ada: User

    init() async throws {
        database = try await TestDatabase.open()
        try await database.migrate(Auth.migrations)
        keys = try await SigningKeys.ephemeral()
        auth = Auth(database: database, users: users, keys: keys, cache: MemoryCache(clock: clock), clock: clock)
        ada = users.add("ada@example.com", at: clock.now())
    }

    /// Another process of the same shop.
    func neighbour(keys: SigningKeys? = nil, settings: Auth.Settings = .init()) -> Auth {
        Auth(
            database: database, users: users, keys: keys ?? self.keys, cache: MemoryCache(clock: clock), clock: clock,
            settings: settings)
    }

    func logIn(_ password: String = "right", from address: String? = nil) async throws -> Tokens {
        var context = CallContext()
        context.clientAddress = address
        return try await auth.logIn(Credentials(email: "ada@example.com", password: password), context)
    }

    func refresh(_ tokens: Tokens) async throws -> Tokens {
        try await auth.refresh(RefreshTokens(refresh_token: tokens.refresh_token), CallContext())
    }
}

/// The problem that the work ends with; nil if it ends well.
func problem(_ work: () async throws -> Void) async throws -> Problem? {
    do {
        try await work()
        return nil
    } catch let problem as Problem {
        return problem
    }
}
