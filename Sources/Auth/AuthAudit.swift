public import Contracts
public import Database

/// What `souk audit` checks of sessions.
public struct AuthAudit: Sendable {
    private let database: any Database

    public init(database: any Database) { self.database = database }

    public func checks() async throws -> [AuditCheck] {
        [
            try await database.read { transaction in
                var check = AuditCheck("auth.tokens-hashed", "every session keeps its refresh token as a hash only")
                try transaction.forEach("SELECT id, length(token), length(seed) FROM sessions ORDER BY id") { row in
                    let id = try row.text(0)
                    let isHash = try row.int(1) == 32 && row.int(2) == 32
                    check.check(isHash, "\(id) keeps something else")
                }
                return check
            }
        ]
    }
}
