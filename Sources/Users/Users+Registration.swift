public import Contracts
import Events
public import Kernel

extension Users {
    static let taken = Problem(.emailTaken, "there is an account with that address: log in, or use another")

    /// Addresses are one whatever their case: nearly no mail host tells them apart, and people do not either.
    static func normalised(_ email: String) -> String { email.lowercased() }

    public func register(_ registration: RegisterUser, _ context: CallContext) async throws -> User {
        try PasswordPolicy.check(registration.password, email: registration.email)
        let stored = try await account(registration, role: .customer)
        let event = try Event(
            EventTypes.userRegistered, about: stored.user.id.description, at: stored.user.created_at,
            carrying: UserEvent(user: stored.user), trace: context.trace)
        guard try await store.insert(stored, publishing: event) else { throw Self.taken }
        wake()
        return stored.user
    }

    /// An account that is there gets the password, and the role if it is higher than its own.
    public func ensureStaff(_ registration: RegisterUser, role: Role) async throws -> User {
        try PasswordPolicy.check(registration.password, email: registration.email)
        let email = Self.normalised(registration.email)
        if let found = try await store.user(email: email) {
            let isRight = try await passwords.verify(registration.password, against: found.password)
            if isRight, found.user.role >= role { return found.user }
            let hash = isRight ? found.password : try await passwords.hash(registration.password)
            let changed = try await store.change(found.user.id, at: clock.now()) { stored in
                stored.password = hash
                stored.user.role = max(stored.user.role, role)
            }
            if let changed { return changed }
        }
        let stored = try await account(registration, role: role)
        if try await store.insert(stored, publishing: nil) { return stored.user }
        // Another process made the same account just now.
        guard let found = try await store.user(email: email) else { throw Self.taken }
        return found.user
    }

    private func account(_ registration: RegisterUser, role: Role) async throws -> StoredUser {
        let now = clock.now()
        let user = User(
            id: UserID(at: now), email: Self.normalised(registration.email), name: registration.name, role: role,
            address: nil, created_at: now)
        return StoredUser(user: user, password: try await passwords.hash(registration.password))
    }
}
