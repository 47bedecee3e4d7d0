import Database
import Kernel
public import Objects

/// Puts a backup back, into either back end, whichever it was made on.
public struct BackupRestorer: Sendable {
    public struct Options: Sendable {
        /// Deletes what is there; otherwise only an empty shop is taken.
        public var replaces = false
        public var hasObjects = true
        public var onRows: @Sendable (Int) -> Void = { _ in }
        public var onObjects: @Sendable (Int) -> Void = { _ in }

        public init() {}
    }

    private let repository: BackupRepository
    private let options: Options

    public init(_ repository: BackupRepository, options: Options = Options()) {
        self.repository = repository
        self.options = options
    }

    /// Restores rows and pictures, brings the schemas to this release, and then asks `isRight`, whose answer is
    /// returned; the shop can be served afterwards whatever it is. One that is killed or fails in the middle leaves a
    /// shop that is refused by all but another restore.
    ///
    /// - Parameters:
    ///   - wanted: an ID; nil for the latest.
    ///   - stores: opened for writing. Nobody else uses them meanwhile.
    /// - Throws: `BackupError`, before anything is changed where that is possible.
    public func restore<Answer>(
        _ wanted: String?, into stores: [BackedStore], objects: any ObjectStore,
        then isRight: (Manifest) async throws -> Answer
    ) async throws -> (manifest: Manifest, answer: Answer) {
        let (manifest, sealing) = try await repository.open(wanted)
        let pairs = try matched(manifest, stores)
        if try await !Self.isUnfinished(stores) {
            if options.replaces {
                // Nothing is deleted for a backup that cannot be read to its end.
                try await BackupVerifier(repository).verify(manifest, sealing, hasObjects: options.hasObjects)
            } else {
                for store in stores { try await Self.checkEmpty(store) }
            }
        }
        for store in stores { try await store.database.write { try RestoreMark.set(manifest.id, in: $0) } }
        if options.hasObjects { try await ContentRestore(repository, options).run(manifest, sealing, into: objects) }
        for store in stores { try await empty(store.database) }
        for (content, store) in pairs {
            try await store.database.migrate(Array(store.migrations.prefix(content.migrations.count)))
            try await checkTables(of: content, in: store.database)
        }
        try await load(manifest, sealing, Dictionary(pairs.map { ($0.0.name, $0) }) { first, _ in first })
        for (content, store) in pairs { try await finish(content, store) }
        // A store that the backup does not know, because its release had none.
        for store in stores { try await store.database.migrate(store.migrations) }
        let answer = try await isRight(manifest)
        for store in stores { try await store.database.write { try RestoreMark.remove(in: $0) } }
        return (manifest, answer)
    }

    // MARK: - Before anything is changed

    private func matched(
        _ manifest: Manifest, _ stores: [BackedStore]
    ) throws -> [(content: Manifest.Store, store: BackedStore)] {
        try manifest.stores.map { content in
            guard let store = stores.first(where: { $0.name == content.name }) else {
                throw BackupError.newer(
                    backup: manifest.id, detail: "\(manifest.release), which has a schema \(content.name)")
            }
            let known = store.migrations.map(\.name)
            guard known.starts(with: content.migrations) else {
                throw BackupError.newer(
                    backup: manifest.id,
                    detail: "\(manifest.release), with \(content.migrations.count) migrations of \(content.name), of "
                        + "which this one knows \(known.count)")
            }
            return (content, store)
        }
    }

    static func isUnfinished(_ stores: [BackedStore]) async throws -> Bool {
        for store in stores where try await store.database.read({ try RestoreMark.find(in: $0) }) != nil { return true }
        return false
    }

    /// Nothing but what migrations themselves put there, which a database in memory shows.
    static func checkEmpty(_ store: BackedStore) async throws {
        let fresh = try await SQLiteDatabase.open(path: SQLiteDatabase.inMemory)
        try await fresh.migrate(store.migrations)
        let initial = try await fresh.read { transaction in
            Dictionary(
                try StoreSchema.tables(in: transaction).map { ($0.name, try Self.count($0.name, 1_000, transaction)) }
            ) { first, _ in first }
        }
        await fresh.close()
        try await store.database.read { transaction in
            for table in try StoreSchema.tables(in: transaction) {
                let expected = initial[table.name] ?? 0
                guard try Self.count(table.name, expected + 1, transaction) <= expected else {
                    throw BackupError.notEmpty(table: "\(store.name).\(table.name)")
                }
            }
        }
    }

    private static func count(_ table: String, _ limit: Int, _ transaction: Transaction) throws -> Int {
        try transaction.row("SELECT count(*) FROM (SELECT 1 FROM \"\(table)\" LIMIT \(limit)) AS first")?.int(0) ?? 0
    }

    // MARK: - The rows

    /// Of everything but the mark.
    private func empty(_ database: any Database) async throws {
        try await database.write { transaction in
            for table in try StoreSchema.tables(in: transaction).reversed() {
                try transaction.execute("DROP TABLE \"\(table.name)\"")
            }
            try transaction.execute("DROP TABLE IF EXISTS schema_migrations")
        }
    }

    private func checkTables(of content: Manifest.Store, in database: any Database) async throws {
        try await database.write { transaction in
            let tables = try StoreSchema.tables(in: transaction)
            let found = Set(tables.map(\.name))
            let expected = Set(content.tables.map(\.name))
            if let odd = found.symmetricDifference(expected).sorted().first {
                throw BackupError.unlikeSchema(
                    store: content.name,
                    detail: "the table \(odd) is \(found.contains(odd) ? "not in the backup" : "missing")")
            }
            for table in content.tables {
                let columns = tables.first { $0.name == table.name }?.columns ?? []
                guard Set(columns) == Set(table.columns) else {
                    throw BackupError.unlikeSchema(store: content.name, detail: "the columns of \(table.name) differ")
                }
            }
            // What migrations put there is in the backup as it was then.
            for table in tables.reversed() { try transaction.execute("DELETE FROM \"\(table.name)\"") }
        }
    }

    /// Each part in a transaction of its own; the next one is fetched and opened meanwhile.
    private func load(
        _ manifest: Manifest, _ sealing: Sealing, _ stores: [String: (content: Manifest.Store, store: BackedStore)]
    ) async throws {
        let numbers = manifest.parts.indices.filter { manifest.parts[$0].name != ContentCopy.partName }
        @Sendable func rows(at index: Int) async throws -> [UInt8] {
            index < numbers.count ? try await repository.part(numbers[index], of: manifest, sealing) : []
        }
        var current = try await rows(at: 0)
        var loaded: [String: Int] = [:]
        for (index, number) in numbers.enumerated() {
            async let next = rows(at: index + 1)
            let name = manifest.parts[number].name.split(separator: ".", maxSplits: 1).map(String.init)
            guard name.count == 2, let (content, store) = stores[name[0]],
                let table = content.tables.first(where: { $0.name == name[1] })
            else { throw BackupError.damagedManifest(backup: manifest.id, detail: "a part of no table") }
            let bytes = current
            let count = try await store.database.write { transaction in
                var reader = RowReader(bytes, columns: table.columns.count)
                return try transaction.load(into: table.name, columns: table.columns) { try reader.next() }
            }
            loaded[manifest.parts[number].name, default: 0] += count
            options.onRows(count)
            current = try await next
        }
        for (content, _) in stores.values {
            for table in content.tables where loaded["\(content.name).\(table.name)", default: 0] != table.rows {
                throw BackupError.damagedManifest(backup: manifest.id, detail: "parts of \(table.name) are missing")
            }
        }
    }

    /// Where the tables' own numbers go on; and what the server's planner wants to know.
    private func finish(_ content: Manifest.Store, _ store: BackedStore) async throws {
        try await store.database.write { transaction in
            for table in content.tables {
                try StoreSchema.setLastNumber(table.last_number, of: table.name, in: transaction)
                if transaction.dialect == .postgres { try transaction.execute("ANALYZE \"\(table.name)\"") }
            }
        }
    }
}
