import Contracts
import Database
import Events
import Kernel

/// An account as it is stored, with what never leaves this service.
struct StoredUser: Sendable {
    var user: User
    var password: String
}

/// The SQL of accounts.
struct UsersStore: Sendable {
    let database: any Database

    private static let columns = "id, email, name, role, address, created_at, password"

    func user(id: UserID) async throws -> StoredUser? {
        try await database.read { transaction in
            try transaction.row("SELECT \(Self.columns) FROM users WHERE id = $1", id).map(Self.stored)
        }
    }

    func user(email: String) async throws -> StoredUser? {
        try await database.read { transaction in
            try transaction.row("SELECT \(Self.columns) FROM users WHERE email = $1", email).map(Self.stored)
        }
    }

    /// False if the address is taken; then nothing is written.
    func insert(_ stored: StoredUser, publishing event: Event?) async throws -> Bool {
        let user = stored.user
        let address = try Self.text(user.address)
        return try await database.write { transaction in
            let count = try transaction.execute(
                """
                INSERT INTO users (id, email, name, role, address, password, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (email) DO NOTHING
                """,
                user.id, user.email, user.name, user.role.rawValue, address, stored.password, user.created_at)
            guard count == 1 else { return false }
            if let event { try Outbox.append(event, in: transaction) }
            return true
        }
    }

    /// Changes the account in one transaction; nil if there is none.
    /// - Throws: `emailTaken`.
    func change(
        _ id: UserID, at time: Timestamp, _ change: @escaping @Sendable (inout StoredUser) throws -> Void
    ) async throws -> User? {
        try await database.write { transaction in
            guard
                var stored = try transaction.row("SELECT \(Self.columns) FROM users WHERE id = $1", id)
                    .map(Self.stored)
            else { return nil }
            try change(&stored)
            do {
                try transaction.execute(
                    """
                    UPDATE users SET email = $2, name = $3, role = $4, address = $5, password = $6, updated_at = $7
                    WHERE id = $1
                    """,
                    id, stored.user.email, stored.user.name, stored.user.role.rawValue,
                    try Self.text(stored.user.address), stored.password, time)
            } catch DatabaseError.constraint(.unique, _) {
                throw Users.taken
            }
            return stored.user
        }
    }

    /// Replaces a hash by a stronger one of the same password, unless it was changed in the meantime.
    func rehash(_ id: UserID, from old: String, to new: String) async throws {
        try await database.write { transaction in
            _ = try transaction.execute("UPDATE users SET password = $3 WHERE id = $1 AND password = $2", id, old, new)
        }
    }

    private static func stored(_ row: Row) throws -> StoredUser {
        guard let role = Role(rawValue: try row.text(3)) else {
            throw DatabaseError.column(index: 3, expected: "a role", found: try row.text(3), sql: "users")
        }
        let address = try row.optionalText(4).map { try JSON.decode(Address.self, from: Array($0.utf8)) }
        let user = User(
            id: try row.id(0), email: try row.text(1), name: try row.text(2), role: role, address: address,
            created_at: try row.timestamp(5))
        return StoredUser(user: user, password: try row.text(6))
    }

    private static func text(_ address: Address?) throws -> String? {
        try address.map { String(decoding: try JSON.encode($0), as: UTF8.self) }
    }
}
