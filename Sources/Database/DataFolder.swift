#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A data folder that this process has for itself, until it ends or releases it.
///
/// The claim is a lock held by the kernel on `PATH/lock`: it ends with the process, however that ends, so a crash
/// leaves nothing to clean up. The file's content, the process' number, only serves the message.
public struct DataFolder: Sendable {
    public let path: String
    private let descriptor: Int32

    /// Makes the folder (and those above it) where it is missing. Throws `DatabaseError.locked`, or `cannotOpen`.
    public static func claim(_ path: String) throws -> DataFolder {
        try makeFolders(path)
        let file = path + "/lock"
        let descriptor = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DatabaseError.cannotOpen(path: file, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = holder(descriptor)
            close(descriptor)
            if code == EWOULDBLOCK { throw DatabaseError.locked(folder: path, by: holder) }
            throw DatabaseError.cannotOpen(path: file, reason: String(cString: strerror(code)))
        }
        let content = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) != 0 || pwrite(descriptor, content, content.count, 0) != content.count {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw DatabaseError.cannotOpen(path: file, reason: reason)
        }
        return DataFolder(path: path, descriptor: descriptor)
    }

    /// Gives the folder up. Call it once.
    public func release() { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Readable by this user alone: it holds orders and addresses.
    private static func makeFolders(_ path: String) throws {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part + "/"
            if mkdir(made, 0o700) != 0, errno != EEXIST {
                throw DatabaseError.cannotOpen(path: path, reason: String(cString: strerror(errno)))
            }
        }
    }
}
