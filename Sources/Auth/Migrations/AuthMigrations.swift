import Database

enum AuthMigrations {
    static let all = [sessions]

    /// Refresh tokens are kept as SHA-256 of their secret; `seed` alone makes none, without the token before.
    private static let sessions = Migration(
        1, "sessions",
        sqlite: """
            CREATE TABLE sessions (
                id TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                seed BLOB NOT NULL,
                token BLOB NOT NULL,
                created_at INTEGER NOT NULL,
                refreshed_at INTEGER NOT NULL,
                expires_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX sessions_expiry ON sessions (expires_at);
            CREATE TABLE used_tokens (
                token BLOB PRIMARY KEY,
                session_id TEXT NOT NULL,
                used_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX used_tokens_session ON used_tokens (session_id);
            CREATE INDEX used_tokens_age ON used_tokens (used_at);
            """,
        postgres: """
            CREATE TABLE sessions (
                id TEXT COLLATE "C" PRIMARY KEY,
                user_id TEXT COLLATE "C" NOT NULL,
                seed BYTEA NOT NULL,
                token BYTEA NOT NULL,
                created_at BIGINT NOT NULL,
                refreshed_at BIGINT NOT NULL,
                expires_at BIGINT NOT NULL
            );
            CREATE INDEX sessions_expiry ON sessions (expires_at);
            CREATE TABLE used_tokens (
                token BYTEA PRIMARY KEY,
                session_id TEXT COLLATE "C" NOT NULL,
                used_at BIGINT NOT NULL
            );
            CREATE INDEX used_tokens_session ON used_tokens (session_id);
            CREATE INDEX used_tokens_age ON used_tokens (used_at);
            """)
}
