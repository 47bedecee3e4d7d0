import Database
public import Kernel

/// Puts databases on SQLite together again from a continuous copy, as they were at one moment.
public struct SQLiteCopyRestorer: Sendable {
    private let log: LogRepository
    private let onObjects: @Sendable (Int) -> Void

    /// - Parameter onObjects: told of so many objects more that have been read.
    public init(_ log: LogRepository, onObjects: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.log = log
        self.onObjects = onObjects
    }

    /// Databases that were put together, and have not taken the place of others.
    public struct Built: Sendable {
        public let generation: BackupID
        /// The moment that they show.
        public let until: Timestamp
        /// Of the databases; each is `NAME.sqlite` in the folder.
        public let names: [String]
        public let folder: String
    }

    /// Builds the databases, in a folder of their own. Each of them bears a mark: nobody serves them before `finish`.
    ///
    /// - Parameters:
    ///   - until: nil for the latest.
    ///   - folder: what it had of these names is removed.
    /// - Throws: `BackupError`, `FileError`.
    public func build(until: Timestamp?, in folder: String) async throws -> Built {
        let reader = try await log.open(until: until)
        guard reader.manifest.engine == "sqlite" else {
            throw BackupError.otherEngine(reader.manifest.engine, generation: reader.id.description)
        }
        let files = PageFiles(folder: folder)
        let names: [String]
        do {
            try await reader.forEachPart { _, content in
                try await files.apply(content)
                onObjects(1)
            }
            try await reader.forEachCut { content, _, _ in
                try await files.apply(content)
                onObjects(1)
            }
            names = await files.names
            try await files.finish()
        } catch {
            await files.close()
            throw error
        }
        for name in names { try await mark("\(folder)/\(name).sqlite", reader.id, reader.until) }
        return Built(generation: reader.id, until: reader.until, names: names, folder: folder)
    }

    /// Its last connection puts what it wrote into the file.
    private func mark(_ path: String, _ id: BackupID, _ until: Timestamp) async throws {
        let database = try await SQLiteDatabase.open(path: path)
        do {
            try await database.write { transaction in
                if let other = try RestoreMark.find(in: transaction) {
                    throw BackupError.amidstRestore(until: until, backup: other)
                }
                try RestoreMark.set(id.description, in: transaction)
            }
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    /// Puts them into the place of those that are there, which nobody has open. Broken off in the middle, it leaves a
    /// shop of which at least one database bears a mark.
    ///
    /// - Parameter known: the names of all databases that a shop may have: those that it did not have then go.
    public func install(_ built: Built, known: [String], in folder: String) async throws {
        let log = log
        try await log.backups.pool.run {
            for name in built.names {
                for ending in ["-wal", "-shm"] { try Files.remove("\(folder)/\(name).sqlite\(ending)") }
                try Files.move("\(built.folder)/\(name).sqlite", to: "\(folder)/\(name).sqlite")
            }
            for name in known where !built.names.contains(name) {
                for ending in ["-wal", "-shm", ""] { try Files.remove("\(folder)/\(name).sqlite\(ending)") }
            }
        }
    }

    /// They are a shop again.
    public static func finish(_ stores: [BackedStore]) async throws {
        for store in stores {
            try await store.database.write { transaction in
                if try RestoreMark.find(in: transaction) != nil { try RestoreMark.remove(in: transaction) }
            }
        }
    }

    /// Before anything is replaced: what is there now is nobody's any more.
    public static func mark(_ stores: [BackedStore], with id: BackupID) async throws {
        for store in stores { try await store.database.write { try RestoreMark.set(id.description, in: $0) } }
    }

    /// - Throws: `BackupError.notEmpty` where there is a shop, unless its restore was broken off.
    public static func checkEmpty(_ stores: [BackedStore]) async throws {
        if try await BackupRestorer.isUnfinished(stores) { return }
        for store in stores { try await BackupRestorer.checkEmpty(store) }
    }
}
