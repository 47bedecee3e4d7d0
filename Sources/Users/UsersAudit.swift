public import Contracts
public import Database

/// What `souk audit` checks of accounts.
public struct UsersAudit: Sendable {
    private let database: any Database

    public init(database: any Database) { self.database = database }

    public func checks() async throws -> [AuditCheck] {
        [
            try await database.read { transaction in
                var check = AuditCheck("users.passwords-hashed", "every password is stored as a scrypt hash")
                try transaction.forEach("SELECT id, password FROM users ORDER BY id") { row in
                    let id = try row.text(0)
                    check.check(Passwords.Encoded(try row.text(1)) != nil, "\(id) has none")
                }
                return check
            }
        ]
    }
}
