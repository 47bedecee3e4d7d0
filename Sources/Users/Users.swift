public import Contracts
public import Database
public import Kernel

/// Accounts: who they are, and whether a password is theirs.
public struct Users: UsersService {
    let store: UsersStore
    let passwords: Passwords
    let clock: any WallClock
    /// Called after a commit that appended to the outbox.
    let wake: @Sendable () -> Void

    /// - Parameters:
    ///   - passwords: how passwords are hashed; one for the process, as it owns the threads.
    ///   - wake: tells the event bus that `users` has published something.
    public init(
        database: any Database, passwords: Passwords = Passwords(), clock: any WallClock = SystemClock(),
        wake: @escaping @Sendable () -> Void = {}
    ) {
        store = UsersStore(database: database)
        self.passwords = passwords
        self.clock = clock
        self.wake = wake
    }

    public static let migrations = UsersMigrations.all

    public var routes: [Route] {
        [
            Route(UsersAPI.register, register), Route(UsersAPI.me, me), Route(UsersAPI.update, update),
            Route(UsersAPI.verify, verify), Route(UsersAPI.user, user),
        ]
    }
}
