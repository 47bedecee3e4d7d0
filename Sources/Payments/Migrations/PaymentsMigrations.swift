import Database

enum PaymentsMigrations {
    static let all = [payments, stripe]

    /// One row an order. Without an amount it is a tombstone: the order was voided before it was authorised.
    ///
    /// `postings` is the book: each entry of an order has two rows or more that add up to zero.
    private static let payments = Migration(
        1, "payments",
        sqlite: """
            CREATE TABLE payments (
                order_id TEXT PRIMARY KEY,
                status TEXT NOT NULL CHECK (status IN ('pending', 'authorized', 'captured', 'partially_refunded',
                    'refunded', 'declined', 'voided')),
                amount INTEGER CHECK (amount >= 0),
                currency TEXT,
                captured INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= coalesce(amount, 0)),
                refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <= captured),
                provider TEXT NOT NULL,
                reference TEXT,
                reason TEXT,
                customer TEXT,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                CHECK ((amount IS NULL) = (currency IS NULL)),
                CHECK (amount IS NOT NULL OR status = 'voided')
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE postings (
                order_id TEXT NOT NULL,
                entry TEXT NOT NULL,
                account TEXT NOT NULL CHECK (account IN ('customers', 'holds', 'captured', 'refunds')),
                amount INTEGER NOT NULL,
                currency TEXT NOT NULL,
                at INTEGER NOT NULL,
                PRIMARY KEY (order_id, entry, account)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE refunds (
                order_id TEXT NOT NULL,
                reference TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount >= 0),
                is_done INTEGER NOT NULL DEFAULT 0 CHECK (is_done IN (0, 1)),
                at INTEGER NOT NULL,
                PRIMARY KEY (order_id, reference)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE webhooks (
                provider TEXT NOT NULL,
                event TEXT NOT NULL,
                reference TEXT NOT NULL,
                at INTEGER NOT NULL,
                PRIMARY KEY (provider, event, reference)
            ) STRICT, WITHOUT ROWID;
            """,
        postgres: """
            CREATE TABLE payments (
                order_id TEXT COLLATE "C" PRIMARY KEY,
                status TEXT NOT NULL CHECK (status IN ('pending', 'authorized', 'captured', 'partially_refunded',
                    'refunded', 'declined', 'voided')),
                amount BIGINT CHECK (amount >= 0),
                currency TEXT,
                captured BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= coalesce(amount, 0)),
                refunded BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <= captured),
                provider TEXT COLLATE "C" NOT NULL,
                reference TEXT COLLATE "C",
                reason TEXT,
                customer TEXT,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                CHECK ((amount IS NULL) = (currency IS NULL)),
                CHECK (amount IS NOT NULL OR status = 'voided')
            );
            CREATE TABLE postings (
                order_id TEXT COLLATE "C" NOT NULL,
                entry TEXT COLLATE "C" NOT NULL,
                account TEXT NOT NULL CHECK (account IN ('customers', 'holds', 'captured', 'refunds')),
                amount BIGINT NOT NULL,
                currency TEXT NOT NULL,
                at BIGINT NOT NULL,
                PRIMARY KEY (order_id, entry, account)
            );
            CREATE TABLE refunds (
                order_id TEXT COLLATE "C" NOT NULL,
                reference TEXT COLLATE "C" NOT NULL,
                amount BIGINT NOT NULL CHECK (amount >= 0),
                is_done BIGINT NOT NULL DEFAULT 0 CHECK (is_done IN (0, 1)),
                at BIGINT NOT NULL,
                PRIMARY KEY (order_id, reference)
            );
            CREATE TABLE webhooks (
                provider TEXT COLLATE "C" NOT NULL,
                event TEXT COLLATE "C" NOT NULL,
                reference TEXT COLLATE "C" NOT NULL,
                at BIGINT NOT NULL,
                PRIMARY KEY (provider, event, reference)
            );
            """)
}
