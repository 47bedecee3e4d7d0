#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A copy while the database works on.
enum SQLiteBackup {
    static func copy(_ source: SQLiteConnection, to path: String) throws {
        guard access(path, F_OK) != 0 else { throw DatabaseError.alreadyExists(path: path) }
        // Under another name until it is whole, so that what bears the name is always a good copy.
        let partial = path + ".partial"
        unlink(partial)
        do {
            let target = try SQLiteConnection(path: partial, role: .copy, options: SQLiteDatabase.Options())
            defer { target.close() }
            try source.copy(to: target)
        } catch {
            unlink(partial)
            throw DatabaseError.backupFailed(path: path, reason: "\(error)")
        }
        guard rename(partial, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(partial)
            throw DatabaseError.backupFailed(path: path, reason: reason)
        }
        syncFolder(of: path)
    }

    /// The name is on disk as the content is.
    private static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
