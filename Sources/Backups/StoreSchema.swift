public import Database

/// A service's database, under its name in backups.
public struct BackedStore: Sendable {
    public let name: String
    public let database: any Database
    public let migrations: [Migration]

    public init(name: String, database: any Database, migrations: [Migration]) {
        self.name = name
        self.database = database
        self.migrations = migrations
    }
}

/// What is in a schema, asked of the database itself: a table that a migration adds is in the next backup.
enum StoreSchema {
    struct Table {
        let name: String
        let columns: [String]
        let references: Set<String>
    }

    /// The log of migrations is written anew by those, PostgreSQL's `commits` is about connections, and the mark is the
    /// restore's own.
    private static let own: Set<String> = ["schema_migrations", "commits", RestoreMark.table]

    /// Each behind those that it refers to.
    static func tables(in transaction: Transaction) throws -> [Table] {
        let names = try transaction.rows(tables(transaction.dialect)).map { try $0.text(0) }
        let tables = try names.filter { !own.contains($0) }.sorted().map { name in
            Table(
                name: name,
                columns: try transaction.rows(columns(transaction.dialect), name).map { try $0.text(0) },
                references: Set(try transaction.rows(references(transaction.dialect), name).map { try $0.text(0) })
                    .subtracting([name]))
        }
        return ordered(tables)
    }

    static func ordered(_ tables: [Table]) -> [Table] {
        var left = tables
        var ordered: [Table] = []
        while !left.isEmpty {
            let waiting = Set(left.map(\.name))
            // Where tables refer to each other in a circle, any of them is the first.
            let index = left.firstIndex { $0.references.isDisjoint(with: waiting) } ?? 0
            ordered.append(left.remove(at: index))
        }
        return ordered
    }

    static func migrations(in transaction: Transaction) throws -> [String] {
        try transaction.rows("SELECT name FROM schema_migrations ORDER BY number").map { try $0.text(0) }
    }

    // MARK: - Numbers that a table gives by itself

    /// The last that it gave; nil where it gives none, or gave none yet.
    static func lastNumber(of table: Table, in transaction: Transaction) throws -> Int64? {
        guard let column = try numbered(table.name, transaction) else { return nil }
        switch transaction.dialect {
        case .sqlite:
            return try transaction.row("SELECT seq FROM sqlite_sequence WHERE name = $1", table.name)?.int64(0)
        case .postgres:
            return try transaction.row(
                "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass)", "\"\(table.name)\"", column
            )?.optionalInt64(0)
        }
    }

    /// Goes on behind that number, and behind all that are there.
    static func setLastNumber(_ last: Int64?, of table: String, in transaction: Transaction) throws {
        guard let column = try numbered(table, transaction) else { return }
        let highest = try transaction.row("SELECT max(\"\(column)\") FROM \"\(table)\"")?.optionalInt64(0)
        guard let number = [last, highest].compactMap({ $0 }).max(), number > 0 else { return }
        switch transaction.dialect {
        case .sqlite:
            try transaction.execute("DELETE FROM sqlite_sequence WHERE name = $1", table)
            try transaction.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, number)
        case .postgres:
            _ = try transaction.row(
                "SELECT setval(pg_get_serial_sequence($1, $2)::regclass, $3)", "\"\(table)\"", column, number)
        }
    }

    /// The column; nil where the database goes by what is there.
    private static func numbered(_ table: String, _ transaction: Transaction) throws -> String? {
        switch transaction.dialect {
        case .sqlite:
            try transaction.row(
                """
                SELECT c.name FROM sqlite_schema s, pragma_table_info(s.name) c
                WHERE s.type = 'table' AND s.name = $1 AND s.sql LIKE '%AUTOINCREMENT%' AND c.pk = 1
                """, table)?.text(0)
        case .postgres:
            try transaction.row(
                """
                SELECT attname FROM pg_catalog.pg_attribute
                WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attidentity <> ''
                """, "\"\(table)\"")?.text(0)
        }
    }

    // MARK: - Questions to the catalogues

    private static func tables(_ dialect: Dialect) -> String {
        switch dialect {
        case .sqlite: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        case .postgres: "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
        }
    }

    private static func columns(_ dialect: Dialect) -> String {
        switch dialect {
        case .sqlite: "SELECT name FROM pragma_table_info($1) ORDER BY cid"
        case .postgres:
            """
            SELECT attname FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
            """
        }
    }

    private static func references(_ dialect: Dialect) -> String {
        switch dialect {
        case .sqlite: "SELECT \"table\" FROM pragma_foreign_key_list($1)"
        case .postgres:
            """
            SELECT target.relname FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class target ON target.oid = k.confrelid
            WHERE k.contype = 'f' AND k.conrelid = to_regclass(quote_ident($1))
            """
        }
    }
}
