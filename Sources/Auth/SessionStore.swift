import Contracts
import Database
import Kernel

enum SessionKind: Identified { static let idPrefix = "sess" }
typealias SessionID = ID<SessionKind>

struct Session: Sendable {
    var id: SessionID
    var user: UserID
    var seed: [UInt8]
    /// SHA-256 of the refresh token's secret.
    var token: [UInt8]
    var refreshedAt: Timestamp
    var expiresAt: Timestamp
}

/// One use of a refresh token.
struct Rotation: Sendable {
    enum Outcome: Sendable {
        case rotated
        /// It was used up just now and its successor not yet: the same answer again.
        case again
        case unknown
        /// It was used up before: somebody else has it. The session is gone.
        case stolen
    }
    var used: [UInt8]
    var next: [UInt8]
    var at: Timestamp
    var expiresAt: Timestamp
    /// A token used up since then may be shown again.
    var graceBegan: Timestamp
}

/// The SQL of sessions.
struct SessionStore: Sendable {
    let database: any Database
    /// What ran out is cleared away by those who come, a little at a time.
    private static let clearedAtOnce = 20

    func insert(_ session: Session) async throws {
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO sessions (id, user_id, seed, token, created_at, refreshed_at, expires_at)
                VALUES ($1, $2, $3, $4, $5, $5, $6)
                """,
                session.id, session.user, session.seed, session.token, session.refreshedAt, session.expiresAt)
            try transaction.execute(
                """
                DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT \
                \(Self.clearedAtOnce))
                """, session.refreshedAt)
            // A session lives that long without being refreshed, so a token used before that names none.
            let oldest = session.refreshedAt - (session.expiresAt - session.refreshedAt)
            try transaction.execute(
                """
                DELETE FROM used_tokens WHERE token IN (SELECT token FROM used_tokens WHERE used_at <= $1 LIMIT \
                \(Self.clearedAtOnce))
                """, oldest)
        }
    }

    func session(_ id: SessionID) async throws -> Session? {
        try await database.read { transaction in
            try transaction.row(
                "SELECT id, user_id, seed, token, refreshed_at, expires_at FROM sessions WHERE id = $1", id
            ).map { row in
                Session(
                    id: try row.id(0), user: try row.id(1), seed: try row.blob(2), token: try row.blob(3),
                    refreshedAt: try row.timestamp(4), expiresAt: try row.timestamp(5))
            }
        }
    }

    func rotate(_ id: SessionID, _ rotation: Rotation) async throws -> Rotation.Outcome {
        try await database.write { transaction in
            let rotated = try transaction.execute(
                """
                UPDATE sessions SET token = $3, refreshed_at = $4, expires_at = $5
                WHERE id = $1 AND token = $2 AND expires_at > $4
                """,
                id, rotation.used, rotation.next, rotation.at, rotation.expiresAt)
            if rotated == 1 {
                try transaction.execute(
                    "INSERT INTO used_tokens (token, session_id, used_at) VALUES ($1, $2, $3)", rotation.used, id,
                    rotation.at)
                return .rotated
            }
            let wasUsed = try transaction.row(
                "SELECT 1 FROM used_tokens WHERE token = $1 AND session_id = $2", rotation.used, id)
            guard wasUsed != nil,
                let session = try transaction.row(
                    "SELECT token, refreshed_at FROM sessions WHERE id = $1", id)
            else { return .unknown }
            let isPredecessor = try session.blob(0) == rotation.next
            if isPredecessor, try session.timestamp(1) >= rotation.graceBegan { return .again }
            try Self.delete(id, in: transaction)
            return .stolen
        }
    }

    func delete(_ id: SessionID) async throws {
        try await database.write { try Self.delete(id, in: $0) }
    }

    private static func delete(_ id: SessionID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM used_tokens WHERE session_id = $1", id)
        try transaction.execute("DELETE FROM sessions WHERE id = $1", id)
    }
}
