import Database

extension PaymentsMigrations {
    /// One row for each authorisation asked of Stripe. Without an amount it is a tombstone: let go of before it was
    /// asked for.
    static let stripe = Migration(
        2, "stripe",
        sqlite: """
            CREATE TABLE stripe_intents (
                key TEXT PRIMARY KEY,
                amount INTEGER CHECK (amount >= 0),
                currency TEXT,
                token TEXT NOT NULL,
                attempt INTEGER NOT NULL DEFAULT 1,
                first_asked_at INTEGER NOT NULL,
                last_asked_at INTEGER NOT NULL,
                is_broken INTEGER NOT NULL DEFAULT 0 CHECK (is_broken IN (0, 1)),
                intent TEXT,
                verdict TEXT CHECK (verdict IN ('held', 'declined')),
                reason TEXT,
                is_voided INTEGER NOT NULL DEFAULT 0 CHECK (is_voided IN (0, 1)),
                CHECK ((amount IS NULL) = (currency IS NULL)),
                CHECK (amount IS NOT NULL OR is_voided = 1)
            ) STRICT, WITHOUT ROWID;
            """,
        postgres: """
            CREATE TABLE stripe_intents (
                key TEXT COLLATE "C" PRIMARY KEY,
                amount BIGINT CHECK (amount >= 0),
                currency TEXT,
                token TEXT NOT NULL,
                attempt BIGINT NOT NULL DEFAULT 1,
                first_asked_at BIGINT NOT NULL,
                last_asked_at BIGINT NOT NULL,
                is_broken BIGINT NOT NULL DEFAULT 0 CHECK (is_broken IN (0, 1)),
                intent TEXT COLLATE "C",
                verdict TEXT CHECK (verdict IN ('held', 'declined')),
                reason TEXT,
                is_voided BIGINT NOT NULL DEFAULT 0 CHECK (is_voided IN (0, 1)),
                CHECK ((amount IS NULL) = (currency IS NULL)),
                CHECK (amount IS NOT NULL OR is_voided = 1)
            );
            """)
}
