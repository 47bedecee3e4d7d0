import Database

enum ProductsMigrations {
    static let all = [catalogue, stock]

    // In PostgreSQL texts that are identifiers, or are read in their order, are compared by their bytes, as SQLite
    // compares them.

    /// `catalogue.version` counts every change that a search may see; a product keeps the number of its last change,
    /// and of the last one of its words, so that the index in memory reads only what is new.
    ///
    /// A category's `path` holds the identifiers from the root to itself, as `/1/5/`. The root's parent is 0.
    private static let catalogue = Migration(
        1, "catalogue",
        sqlite: """
            CREATE TABLE catalogue (
                id INTEGER PRIMARY KEY CHECK (id = 1),
                version INTEGER NOT NULL
            ) STRICT;
            INSERT INTO catalogue (id, version) VALUES (1, 0);
            CREATE TABLE categories (
                id INTEGER PRIMARY KEY,
                handle TEXT NOT NULL UNIQUE,
                title TEXT NOT NULL,
                parent INTEGER NOT NULL DEFAULT 0,
                path TEXT NOT NULL UNIQUE,
                UNIQUE (parent, title)
            ) STRICT;
            CREATE TABLE products (
                id INTEGER PRIMARY KEY,
                public_id TEXT NOT NULL,
                handle TEXT NOT NULL UNIQUE,
                title TEXT NOT NULL,
                vendor TEXT,
                category INTEGER REFERENCES categories (id),
                status TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
                currency TEXT NOT NULL,
                price INTEGER NOT NULL CHECK (price >= 0),
                price_max INTEGER NOT NULL CHECK (price_max >= price),
                compare_at INTEGER,
                variants INTEGER NOT NULL,
                in_stock INTEGER NOT NULL CHECK (in_stock IN (0, 1)),
                image TEXT,
                image_alt TEXT,
                version INTEGER NOT NULL,
                change INTEGER NOT NULL,
                text_change INTEGER NOT NULL,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                tags TEXT NOT NULL,
                options TEXT NOT NULL,
                images TEXT NOT NULL,
                description TEXT NOT NULL
            ) STRICT;
            CREATE INDEX products_change ON products (change);
            """,
        postgres: """
            CREATE TABLE catalogue (
                id BIGINT PRIMARY KEY CHECK (id = 1),
                version BIGINT NOT NULL
            );
            INSERT INTO catalogue (id, version) VALUES (1, 0);
            CREATE TABLE categories (
                id BIGINT PRIMARY KEY,
                handle TEXT COLLATE "C" NOT NULL UNIQUE,
                title TEXT NOT NULL,
                parent BIGINT NOT NULL DEFAULT 0,
                path TEXT COLLATE "C" NOT NULL UNIQUE,
                UNIQUE (parent, title)
            );
            CREATE TABLE products (
                id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                public_id TEXT COLLATE "C" NOT NULL,
                handle TEXT COLLATE "C" NOT NULL UNIQUE,
                title TEXT NOT NULL,
                vendor TEXT,
                category BIGINT REFERENCES categories (id),
                status TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
                currency TEXT NOT NULL,
                price BIGINT NOT NULL CHECK (price >= 0),
                price_max BIGINT NOT NULL CHECK (price_max >= price),
                compare_at BIGINT,
                variants BIGINT NOT NULL,
                in_stock BIGINT NOT NULL CHECK (in_stock IN (0, 1)),
                image TEXT,
                image_alt TEXT,
                version BIGINT NOT NULL,
                change BIGINT NOT NULL,
                text_change BIGINT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                tags TEXT NOT NULL,
                options TEXT NOT NULL,
                images TEXT NOT NULL,
                description TEXT NOT NULL
            );
            CREATE INDEX products_change ON products (change);
            """)

    /// A variant is a SKU with its pieces. Its `movements` numbers the entries of its book without gaps, so that a lost
    /// one shows. A reservation is one row, because all of its lines have the same fate: a line is `quantity SKU`.
    private static let stock = Migration(
        2, "stock",
        sqlite: """
            CREATE TABLE variants (
                id INTEGER PRIMARY KEY,
                public_id TEXT NOT NULL,
                product INTEGER NOT NULL REFERENCES products (id),
                position INTEGER NOT NULL,
                sku TEXT NOT NULL UNIQUE,
                on_hand INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
                reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
                movements INTEGER NOT NULL DEFAULT 0,
                is_archived INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
                price INTEGER NOT NULL CHECK (price >= 0),
                compare_at INTEGER,
                weight_grams INTEGER,
                barcode TEXT,
                image TEXT,
                options TEXT NOT NULL,
                CHECK (reserved <= on_hand)
            ) STRICT;
            CREATE INDEX variants_product ON variants (product, position);
            CREATE TABLE stock_movements (
                variant INTEGER NOT NULL REFERENCES variants (id),
                number INTEGER NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('adjusted', 'reserved', 'released', 'sold', 'restocked')),
                on_hand INTEGER NOT NULL,
                reserved INTEGER NOT NULL,
                order_id TEXT,
                reason TEXT,
                at INTEGER NOT NULL,
                PRIMARY KEY (variant, number)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE reservations (
                order_id TEXT PRIMARY KEY,
                state TEXT NOT NULL CHECK (state IN ('held', 'committed', 'released', 'expired', 'refused')),
                lines TEXT NOT NULL,
                lacking TEXT,
                expires_at INTEGER NOT NULL,
                at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX reservations_expiry ON reservations (expires_at) WHERE state = 'held';
            CREATE TABLE restocks (
                reference TEXT PRIMARY KEY,
                order_id TEXT NOT NULL,
                at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE adjustments (
                caller TEXT NOT NULL,
                key TEXT NOT NULL,
                sku TEXT NOT NULL,
                quantity INTEGER NOT NULL,
                reason TEXT NOT NULL,
                on_hand INTEGER NOT NULL,
                reserved INTEGER NOT NULL,
                at INTEGER NOT NULL,
                PRIMARY KEY (caller, key)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX adjustments_age ON adjustments (at);
            """,
        postgres: """
            CREATE TABLE variants (
                id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                public_id TEXT COLLATE "C" NOT NULL,
                product BIGINT NOT NULL REFERENCES products (id),
                position BIGINT NOT NULL,
                sku TEXT COLLATE "C" NOT NULL UNIQUE,
                on_hand BIGINT NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
                reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
                movements BIGINT NOT NULL DEFAULT 0,
                is_archived BIGINT NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
                price BIGINT NOT NULL CHECK (price >= 0),
                compare_at BIGINT,
                weight_grams BIGINT,
                barcode TEXT,
                image TEXT,
                options TEXT NOT NULL,
                CHECK (reserved <= on_hand)
            );
            CREATE INDEX variants_product ON variants (product, position);
            CREATE TABLE stock_movements (
                variant BIGINT NOT NULL REFERENCES variants (id),
                number BIGINT NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('adjusted', 'reserved', 'released', 'sold', 'restocked')),
                on_hand BIGINT NOT NULL,
                reserved BIGINT NOT NULL,
                order_id TEXT COLLATE "C",
                reason TEXT,
                at BIGINT NOT NULL,
                PRIMARY KEY (variant, number)
            );
            CREATE TABLE reservations (
                order_id TEXT COLLATE "C" PRIMARY KEY,
                state TEXT NOT NULL CHECK (state IN ('held', 'committed', 'released', 'expired', 'refused')),
                lines TEXT NOT NULL,
                lacking TEXT,
                expires_at BIGINT NOT NULL,
                at BIGINT NOT NULL
            );
            CREATE INDEX reservations_expiry ON reservations (expires_at) WHERE state = 'held';
            CREATE TABLE restocks (
                reference TEXT COLLATE "C" PRIMARY KEY,
                order_id TEXT COLLATE "C" NOT NULL,
                at BIGINT NOT NULL
            );
            CREATE TABLE adjustments (
                caller TEXT COLLATE "C" NOT NULL,
                key TEXT COLLATE "C" NOT NULL,
                sku TEXT COLLATE "C" NOT NULL,
                quantity BIGINT NOT NULL,
                reason TEXT NOT NULL,
                on_hand BIGINT NOT NULL,
                reserved BIGINT NOT NULL,
                at BIGINT NOT NULL,
                PRIMARY KEY (caller, key)
            );
            CREATE INDEX adjustments_age ON adjustments (at);
            """)
}
