import Database
import Events

enum UsersMigrations {
    static let all: [Migration] = [users, Outbox.migration(2)]

    /// `email` is kept normalised, so that its uniqueness does not look at case. `address` is JSON.
    private static let users = Migration(
        1, "users",
        sqlite: """
            CREATE TABLE users (
                id TEXT PRIMARY KEY,
                email TEXT NOT NULL UNIQUE CHECK (email = lower(email) AND email <> ''),
                name TEXT NOT NULL,
                role TEXT NOT NULL CHECK (role IN ('customer', 'staff', 'admin')),
                address TEXT,
                password TEXT NOT NULL,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL
            ) STRICT;
            """,
        postgres: """
            CREATE TABLE users (
                id TEXT COLLATE "C" PRIMARY KEY,
                email TEXT COLLATE "C" NOT NULL UNIQUE CHECK (email = lower(email) AND email <> ''),
                name TEXT NOT NULL,
                role TEXT NOT NULL CHECK (role IN ('customer', 'staff', 'admin')),
                address TEXT,
                password TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL
            );
            """)
}
