import Database
public import Kernel
public import Objects

/// Makes a backup: the rows of all services as they were at one moment, then the pictures, then the manifest.
public struct BackupMaker: Sendable {
    public struct Options: Sendable {
        /// Each part is read back and opened before the next but one is made.
        public var isVerified = true
        /// Told of so many rows, or pictures, more.
        public var onRows: @Sendable (Int) -> Void = { _ in }
        public var onObjects: @Sendable (Int) -> Void = { _ in }

        public init() {}
    }

    private let repository: BackupRepository
    private let release: String
    private let clock: any WallClock
    private let options: Options

    public init(_ repository: BackupRepository, release: String, clock: any WallClock, options: Options = Options()) {
        self.repository = repository
        self.release = release
        self.clock = clock
        self.options = options
    }

    /// - Parameter objects: where the pictures are; nil to leave them out.
    /// - Throws: what the databases and the stores throw. What was written by then is removed where that is allowed; it
    ///   is no backup in any case.
    public func make(_ stores: [BackedStore], objects: (any ObjectStore)?) async throws -> Manifest {
        let id = BackupID(at: clock.now())
        let folder = Manifest.folder(of: id.description)
        guard try await repository.store.list(prefix: folder, after: nil, limit: 1).isEmpty else {
            throw BackupError.exists(backup: id.description)
        }
        do {
            return try await write(id, stores, objects)
        } catch {
            // On AWS nobody who makes backups may delete any; then the bucket's own rules do.
            try? await repository.remove(id.description)
            throw error
        }
    }

    private func write(
        _ id: BackupID, _ stores: [BackedStore], _ objects: (any ObjectStore)?
    ) async throws -> Manifest {
        let salt = BackupKey.salt()
        let sealing = Sealing(repository.key, salt: salt)
        let parts = Parts(backup: id.description, sealing)
        // What was acknowledged before it is in the backup.
        let moment = clock.now()
        let contents = try await handed(parts) { hand in
            try await Snapshot.read(stores.map(\.database)) { transactions in
                try zip(stores, transactions).map { store, transaction in try read(store, transaction, parts, hand) }
            }
        }
        var summary: Manifest.Objects?
        if let objects {
            let copy = ContentCopy(repository, week: id.week, isVerified: options.isVerified, onCopy: options.onObjects)
            summary = try await copy.run(from: objects, parts) { try await keep($0, parts) }
        }
        let manifest = Manifest(
            id: id.description, release: release, taken_at: moment, finished_at: clock.now(),
            engine: stores.first?.database.dialect == .postgres ? "postgres" : "sqlite",
            encryption: repository.key.map {
                Manifest.Encryption(cipher: "AES-256-GCM", salt: Hex.text(salt), key: $0.fingerprint)
            },
            stores: contents, objects: summary, parts: parts.entries)
        let bytes = try manifest.signed(by: sealing)
        try await repository.store.put(Manifest.key(of: manifest.id), bytes, contentType: "text/plain")
        if options.isVerified { _ = try await repository.open(manifest.id) }
        return manifest
    }

    /// Runs the work, and keeps the parts that it hands over meanwhile.
    private func handed<T: Sendable>(
        _ parts: Parts, _ work: @escaping @Sendable (@escaping @Sendable (SealedPart) throws -> Void) async throws -> T
    ) async throws -> T {
        let handover = Handover<SealedPart>()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { handover.finish() }
                while let part = await handover.next() { try await keep(part, parts) }
            }
            let result = await Result {
                defer { handover.finish() }
                return try await work { try handover.put($0) }
            }
            // A part that could not be kept is why the work was refused.
            try await group.waitForAll()
            return try result.get()
        }
    }

    private func keep(_ part: SealedPart, _ parts: Parts) async throws {
        try await repository.put(part, of: parts.backup)
        guard options.isVerified else { return }
        let key = Manifest.key(of: parts.backup, part: part.number, part.entry.name)
        _ = try await repository.part(part.number, part.entry, key, parts.sealing)
    }

    // MARK: - On the snapshot's thread

    private func read(
        _ store: BackedStore, _ transaction: Transaction, _ parts: Parts, _ hand: (SealedPart) throws -> Void
    ) throws -> Manifest.Store {
        var tables: [Manifest.Table] = []
        for table in try StoreSchema.tables(in: transaction) {
            let columns = table.columns.map { "\"\($0)\"" }.joined(separator: ", ")
            let indices = table.columns.indices
            var writer = RowWriter()
            var rows = 0
            func flush() throws {
                let (bytes, count) = writer.take()
                rows += count
                try hand(try parts.seal(bytes, count: count, name: "\(store.name).\(table.name)"))
                options.onRows(count)
            }
            try transaction.forEach("SELECT \(columns) FROM \"\(table.name)\"") { row in
                writer.append(try indices.map { try row.value($0) })
                if writer.bytes.count >= SealedPart.size { try flush() }
            }
            if writer.rows > 0 { try flush() }
            tables.append(
                Manifest.Table(
                    name: table.name, columns: table.columns, rows: rows,
                    last_number: try StoreSchema.lastNumber(of: table, in: transaction)))
        }
        return Manifest.Store(
            name: store.name, migrations: try StoreSchema.migrations(in: transaction), tables: tables)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ work: () async throws -> Success) async {
        do { self = .success(try await work()) } catch { self = .failure(error) }
    }
}
