import Database

extension NotificationsMigrations {
    /// `next_at` is when a pending delivery is anybody's to send: who takes it moves it into the future, and whoever
    /// comes back with a result must find it where he put it.
    static let webhooks = Migration(
        2, "webhooks",
        sqlite: """
            CREATE TABLE webhooks (
                id TEXT PRIMARY KEY,
                url TEXT NOT NULL,
                types TEXT NOT NULL,
                secret TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('enabled', 'disabled')),
                created_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE webhook_deliveries (
                id TEXT PRIMARY KEY,
                webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
                message TEXT NOT NULL,
                type TEXT NOT NULL,
                subject TEXT NOT NULL,
                body BLOB NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
                attempts INTEGER NOT NULL DEFAULT 0,
                response_status INTEGER,
                error TEXT,
                next_at INTEGER NOT NULL,
                created_at INTEGER NOT NULL,
                finished_at INTEGER,
                UNIQUE (webhook, message)
            ) STRICT;
            CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, next_at) WHERE status = 'pending';
            CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook, id);
            CREATE INDEX webhook_deliveries_old ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;
            """,
        postgres: """
            CREATE TABLE webhooks (
                id TEXT COLLATE "C" PRIMARY KEY,
                url TEXT NOT NULL,
                types TEXT NOT NULL,
                secret TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('enabled', 'disabled')),
                created_at BIGINT NOT NULL
            );
            CREATE TABLE webhook_deliveries (
                id TEXT COLLATE "C" PRIMARY KEY,
                webhook TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
                message TEXT COLLATE "C" NOT NULL,
                type TEXT NOT NULL,
                subject TEXT COLLATE "C" NOT NULL,
                body BYTEA NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
                attempts BIGINT NOT NULL DEFAULT 0,
                response_status BIGINT,
                error TEXT,
                next_at BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                finished_at BIGINT,
                UNIQUE (webhook, message)
            );
            CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, next_at) WHERE status = 'pending';
            CREATE INDEX webhook_deliveries_list ON webhook_deliveries (webhook, id);
            CREATE INDEX webhook_deliveries_old ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;
            """)
}
