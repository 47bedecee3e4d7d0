public import Cache
public import Contracts
public import Database
public import Kernel

/// Sessions and tokens: a short-lived signed access token (JWT, ES256) that any process verifies by itself, and a
/// refresh token that works once.
///
/// An access token cannot be called back: a session that was ended in another process is let in for up to
/// `Settings.accessLifetime`. In this process it ends at once.
public struct Auth: AuthService {
    public struct Settings: Sendable {
        /// Who says it (`iss`) and to whom (`aud`). A token of another shop is no token here.
        public var issuer = "souk"
        public var audience = "souk"
        public var accessLifetime: Duration = .seconds(15 * 60)
        /// How long a session lives without being refreshed.
        public var refreshLifetime: Duration = .seconds(30 * 86_400)
        /// A refresh token that was used up within this time gives the same successor again: two tabs that refresh at
        /// the same moment, or an answer that got lost, are no theft. Later it is one.
        public var refreshGrace: Duration = .seconds(10)
        /// Failed log-ins are counted over this time.
        public var throttleWindow: Duration = .seconds(15 * 60)
        /// Failures with one account from one network address, then `429`.
        public var failuresPerAccountAndAddress: Int64 = 10
        /// Failures with one account from anywhere. Well above the other: it lets a stranger lock an owner out.
        public var failuresPerAccount: Int64 = 200
        /// Failures with any accounts from one network address.
        public var failuresPerAddress: Int64 = 500

        public init() {}
    }

    let store: SessionStore
    let users: any UsersService
    let signingKeys: SigningKeys
    let throttle: LoginThrottle
    let accessTokens: AccessTokens
    let clock: any WallClock
    let settings: Settings

    /// - Parameters:
    ///   - users: whose accounts they are.
    ///   - cache: counts failed log-ins.
    public init(
        database: any Database, users: any UsersService, keys: SigningKeys, cache: any Cache,
        clock: any WallClock = SystemClock(), settings: Settings = Settings()
    ) {
        store = SessionStore(database: database)
        self.users = users
        signingKeys = keys
        throttle = LoginThrottle(cache: cache, clock: clock, settings: settings)
        accessTokens = AccessTokens(settings: settings, clock: clock)
        self.clock = clock
        self.settings = settings
    }

    public static let migrations = AuthMigrations.all

    public var routes: [Route] {
        [
            Route(AuthAPI.logIn, logIn), Route(AuthAPI.refresh, refresh),
            Route(AuthAPI.logOut) { _, context in
                guard let token = context.accessToken else {
                    throw Problem(.unauthenticated, "send the access token whose session is to be ended")
                }
                try await logOut(accessToken: token)
                return Nothing()
            },
            Route(
                AuthAPI.keys,
                reply: { input, context in Reply(try await keys(input, context)).with(\.tags, ["keys"]) }),
        ]
    }

    public func keys(_ input: Nothing, _ context: CallContext) async throws -> KeySet { signingKeys.published }
}
