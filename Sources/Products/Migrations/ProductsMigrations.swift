import Database

enum ProductsMigrations {
    static let all = [catalogue, stock]

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
            """)
}
