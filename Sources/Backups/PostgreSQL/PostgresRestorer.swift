import Database
public import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes a data folder of a followed server's copy: its files, its log up to a moment, and what makes it read that log
/// when it is started.
public struct PostgresRestorer: Sendable {
    public struct Restored: Sendable {
        /// All that was committed before it is there.
        public let until: Timestamp
        public let generation: BackupID
        /// Of the server's version, `15`.
        public let version: Int
        /// Of its files and its log.
        public let bytes: Int
    }

    /// Below the server's folder: the log that it reads when it is started for the first time.
    public static let logFolder = DataFolderWriter.logFolder

    private let folder: String
    private let owner: FileOwner?
    private let onBytes: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - folder: not there yet, or empty.
    ///   - owner: the user who will run the server; nil for the one who runs this.
    ///   - onBytes: told of so many more.
    public init(into folder: String, owner: FileOwner? = nil, onBytes: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.folder = folder
        self.owner = owner
        self.onBytes = onBytes
    }

    /// Returns when all is on disk. What was broken off leaves a folder that no server starts on.
    /// - Throws: `BackupError`, `FileError`.
    public func restore(_ reader: LogReader) async throws -> Restored {
        let base = try ServerBase(reader.manifest)
        let pool = reader.pool
        var data = try await pool.run { [folder] in try DataFolderWriter(folder, base) }
        var bytes = 0
        do {
            try await reader.forEachPart { part, content in
                data = try await pool.run { [data] in try data.unpacking(content) }
                bytes += content.count
                onBytes(content.count)
            }
            try data.finishFiles()
            try await reader.forEachCut { content, _, details in
                guard let stretch = Stretch(details) else {
                    throw BackupError.damagedManifest(backup: reader.id.description, detail: "a cut without its place")
                }
                data = try await pool.run { [data] in try data.adding(content, stretch) }
                bytes += content.count
                onBytes(content.count)
            }
            try await pool.run { [data, owner] in try data.finish(owner) }
        } catch let error as TarReader.Damaged {
            data.close()
            throw BackupError.damagedManifest(backup: reader.id.description, detail: "\(error)")
        } catch {
            data.close()
            throw error
        }
        return Restored(
            until: reader.until, generation: reader.id, version: base.version / 10_000, bytes: bytes)
    }
}

/// A user of this machine, to whom files are given.
public struct FileOwner: Sendable, Equatable {
    let user: uid_t
    let group: gid_t

    /// Nil where there is none of that name.
    public init?(named name: String) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        (user, group) = (entry.pw_uid, entry.pw_gid)
    }
}
