public import Contracts
public import Kernel

extension Users {
    private static let wrong = Problem(.wrongCredentials, "the address or the password is not right")

    public func me(_ input: Nothing, _ context: CallContext) async throws -> User {
        try await own(context).user
    }

    public func user(_ query: UserByID, _ context: CallContext) async throws -> User {
        guard let stored = try await store.user(id: query.id) else {
            throw Problem(.notFound, "there is no account \(query.id)")
        }
        return stored.user
    }

    public func update(_ change: UpdateUser, _ context: CallContext) async throws -> User {
        let found = try await own(context)
        let email = change.email.map(Self.normalised)
        if let password = change.password { try PasswordPolicy.check(password, email: email ?? found.user.email) }
        if change.password != nil || email != nil && email != found.user.email {
            guard let current = change.current_password else {
                throw Problem.invalid("/current_password", "is needed to change the address or the password")
            }
            guard try await passwords.verify(current, against: found.password) else {
                throw Problem(.wrongCredentials, "the present password is not right")
            }
        }
        var hash: String?
        if let password = change.password { hash = try await passwords.hash(password) }
        let changed = try await store.change(found.user.id, at: clock.now()) { [hash] stored in
            // What was proved above was proved for this password: with another one, nothing is.
            if hash != nil || email != nil, stored.password != found.password { throw Self.wrong }
            if let email { stored.user.email = email }
            if let name = change.name { stored.user.name = name }
            if let address = change.address { stored.user.address = address }
            if let hash { stored.password = hash }
        }
        guard let changed else { throw Self.unknownCaller }
        return changed
    }

    /// An unknown address costs the same hashing as a known one, so that the time does not tell them apart.
    public func verify(_ credentials: Credentials, _ context: CallContext) async throws -> User {
        let found = try await store.user(email: Self.normalised(credentials.email))
        let isRight = try await passwords.verify(credentials.password, against: found?.password)
        guard let found, isRight else { throw Self.wrong }
        if passwords.isWeak(found.password) {
            let stronger = try await passwords.hash(credentials.password)
            try await store.rehash(found.user.id, from: found.password, to: stronger)
        }
        return found.user
    }

    private static let unknownCaller = Problem(.unauthenticated, "this account is no longer there: log in again")

    private func own(_ context: CallContext) async throws -> StoredUser {
        guard let id = context.caller.userID, let stored = try await store.user(id: id) else {
            throw Self.unknownCaller
        }
        return stored
    }
}
