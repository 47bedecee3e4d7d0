import Database
import Events

/// In PostgreSQL texts that are identifiers, or are read in their order, are compared by their bytes, as SQLite does.
enum OrdersMigrations {
    static let all = [
        Migration(
            1, "orders and carts",
            sqlite: """
                CREATE TABLE orders (
                    id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE,
                    status TEXT NOT NULL CHECK (status IN
                        ('pending', 'confirmed', 'partially_fulfilled', 'fulfilled', 'returned', 'cancelled')),
                    payment_status TEXT NOT NULL, fulfilment_status TEXT NOT NULL,
                    email TEXT NOT NULL, customer TEXT, currency TEXT NOT NULL,
                    subtotal INTEGER NOT NULL, discount INTEGER NOT NULL, shipping INTEGER NOT NULL,
                    tax INTEGER NOT NULL, tax_included INTEGER NOT NULL, total INTEGER NOT NULL,
                    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND total),
                    coupon TEXT, shipping_method TEXT NOT NULL, address TEXT NOT NULL,
                    reason TEXT, refusal TEXT, line_count INTEGER NOT NULL, pieces INTEGER NOT NULL,
                    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
                    CHECK (total = subtotal - discount + shipping + tax)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX orders_by_customer ON orders (customer, id) WHERE customer IS NOT NULL;
                CREATE INDEX orders_by_email ON orders (email, id);

                CREATE TABLE order_lines (
                    order_id TEXT NOT NULL REFERENCES orders (id), position INTEGER NOT NULL,
                    sku TEXT NOT NULL, title TEXT NOT NULL, quantity INTEGER NOT NULL CHECK (quantity > 0),
                    fulfilled INTEGER NOT NULL DEFAULT 0 CHECK (fulfilled BETWEEN 0 AND quantity),
                    returned INTEGER NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND fulfilled),
                    unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
                    total INTEGER NOT NULL CHECK (total = unit_price * quantity), image TEXT,
                    PRIMARY KEY (order_id, position)
                ) STRICT, WITHOUT ROWID;

                -- An order that one key stands for, within the scope of who sent it. Its identifier tells its age.
                CREATE TABLE idempotency_keys (
                    scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint INTEGER NOT NULL,
                    order_id TEXT NOT NULL UNIQUE REFERENCES orders (id),
                    PRIMARY KEY (scope, key)
                ) STRICT, WITHOUT ROWID;

                -- Work on an order that is not at its end. Whoever holds the lease does it.
                CREATE TABLE sagas (
                    order_id TEXT PRIMARY KEY REFERENCES orders (id),
                    kind TEXT NOT NULL CHECK (kind IN ('checkout', 'refusal', 'cancellation')),
                    token TEXT, cart TEXT, owner TEXT NOT NULL, lease_until INTEGER NOT NULL,
                    attempts INTEGER NOT NULL DEFAULT 0, started_at INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE fulfilments (
                    reference TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders (id),
                    lines TEXT NOT NULL, tracking TEXT, at INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;

                -- Money on its way back, with the pieces that are taken back for it.
                CREATE TABLE repayments (
                    reference TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders (id),
                    fingerprint INTEGER NOT NULL, amount INTEGER NOT NULL CHECK (amount >= 0), currency TEXT NOT NULL,
                    restock TEXT, reason TEXT,
                    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')), at INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX repayments_pending ON repayments (at) WHERE state = 'pending';

                CREATE TABLE carts (id TEXT PRIMARY KEY, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
                CREATE INDEX carts_by_age ON carts (updated_at);
                CREATE TABLE cart_lines (
                    cart TEXT NOT NULL REFERENCES carts (id) ON DELETE CASCADE, sku TEXT NOT NULL,
                    quantity INTEGER NOT NULL CHECK (quantity > 0), added_at INTEGER NOT NULL,
                    PRIMARY KEY (cart, sku)
                ) STRICT, WITHOUT ROWID;
                """,
            postgres: """
                CREATE TABLE orders (
                    id TEXT COLLATE "C" PRIMARY KEY, number BIGINT NOT NULL UNIQUE,
                    status TEXT NOT NULL CHECK (status IN
                        ('pending', 'confirmed', 'partially_fulfilled', 'fulfilled', 'returned', 'cancelled')),
                    payment_status TEXT NOT NULL, fulfilment_status TEXT NOT NULL,
                    email TEXT COLLATE "C" NOT NULL, customer TEXT COLLATE "C", currency TEXT NOT NULL,
                    subtotal BIGINT NOT NULL, discount BIGINT NOT NULL, shipping BIGINT NOT NULL,
                    tax BIGINT NOT NULL, tax_included BIGINT NOT NULL, total BIGINT NOT NULL,
                    refunded BIGINT NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND total),
                    coupon TEXT, shipping_method TEXT NOT NULL, address TEXT NOT NULL,
                    reason TEXT, refusal TEXT, line_count BIGINT NOT NULL, pieces BIGINT NOT NULL,
                    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
                    CHECK (total = subtotal - discount + shipping + tax)
                );
                CREATE INDEX orders_by_customer ON orders (customer, id) WHERE customer IS NOT NULL;
                CREATE INDEX orders_by_email ON orders (email, id);

                CREATE TABLE order_lines (
                    order_id TEXT COLLATE "C" NOT NULL REFERENCES orders (id), position BIGINT NOT NULL,
                    sku TEXT COLLATE "C" NOT NULL, title TEXT NOT NULL, quantity BIGINT NOT NULL CHECK (quantity > 0),
                    fulfilled BIGINT NOT NULL DEFAULT 0 CHECK (fulfilled BETWEEN 0 AND quantity),
                    returned BIGINT NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND fulfilled),
                    unit_price BIGINT NOT NULL CHECK (unit_price >= 0),
                    total BIGINT NOT NULL CHECK (total = unit_price * quantity), image TEXT,
                    PRIMARY KEY (order_id, position)
                );

                -- An order that one key stands for, within the scope of who sent it. Its identifier tells its age.
                CREATE TABLE idempotency_keys (
                    scope TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, fingerprint BIGINT NOT NULL,
                    order_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES orders (id),
                    PRIMARY KEY (scope, key)
                );

                -- Work on an order that is not at its end. Whoever holds the lease does it.
                CREATE TABLE sagas (
                    order_id TEXT COLLATE "C" PRIMARY KEY REFERENCES orders (id),
                    kind TEXT NOT NULL CHECK (kind IN ('checkout', 'refusal', 'cancellation')),
                    token TEXT, cart TEXT, owner TEXT NOT NULL, lease_until BIGINT NOT NULL,
                    attempts BIGINT NOT NULL DEFAULT 0, started_at BIGINT NOT NULL
                );

                CREATE TABLE fulfilments (
                    reference TEXT COLLATE "C" PRIMARY KEY, order_id TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
                    lines TEXT NOT NULL, tracking TEXT, at BIGINT NOT NULL
                );

                -- Money on its way back, with the pieces that are taken back for it.
                CREATE TABLE repayments (
                    reference TEXT COLLATE "C" PRIMARY KEY, order_id TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
                    fingerprint BIGINT NOT NULL, amount BIGINT NOT NULL CHECK (amount >= 0), currency TEXT NOT NULL,
                    restock TEXT, reason TEXT,
                    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')), at BIGINT NOT NULL
                );
                CREATE INDEX repayments_pending ON repayments (at) WHERE state = 'pending';

                CREATE TABLE carts (id TEXT COLLATE "C" PRIMARY KEY, updated_at BIGINT NOT NULL);
                CREATE INDEX carts_by_age ON carts (updated_at);
                CREATE TABLE cart_lines (
                    cart TEXT COLLATE "C" NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
                    sku TEXT COLLATE "C" NOT NULL,
                    quantity BIGINT NOT NULL CHECK (quantity > 0), added_at BIGINT NOT NULL,
                    PRIMARY KEY (cart, sku)
                );
                """),
        Outbox.migration(2),
        // The first answer to a key is given again as it was, its time too.
        Migration(
            3, "when orders were confirmed", sqlite: "ALTER TABLE orders ADD COLUMN confirmed_at INTEGER;",
            postgres: "ALTER TABLE orders ADD COLUMN confirmed_at BIGINT;"),
    ]
}
