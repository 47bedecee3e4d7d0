import Database

enum NotificationsMigrations {
    static let all = [notifications, webhooks]

    /// `key` says what must not be told twice: for a confirmation the order, for a part delivery that one event.
    private static let notifications = Migration(
        1, "notifications",
        sqlite: """
            CREATE TABLE notifications (
                id TEXT PRIMARY KEY,
                key TEXT NOT NULL UNIQUE,
                type TEXT NOT NULL,
                order_id TEXT,
                customer TEXT,
                recipient TEXT NOT NULL,
                subject TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'failed')),
                error TEXT,
                created_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX notifications_customer ON notifications (customer, id) WHERE customer IS NOT NULL;
            """,
        postgres: """
            CREATE TABLE notifications (
                id TEXT COLLATE "C" PRIMARY KEY,
                key TEXT COLLATE "C" NOT NULL UNIQUE,
                type TEXT NOT NULL,
                order_id TEXT COLLATE "C",
                customer TEXT COLLATE "C",
                recipient TEXT NOT NULL,
                subject TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'failed')),
                error TEXT,
                created_at BIGINT NOT NULL
            );
            CREATE INDEX notifications_customer ON notifications (customer, id) WHERE customer IS NOT NULL;
            """)
}
