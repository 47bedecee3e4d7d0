#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What can go wrong between Souk and its files.
public enum FileError: OutageError, Sendable, Hashable {
    case diskFull(path: String)
    case permissionDenied(path: String)
    case missing(path: String)
    case tooLarge(path: String, bytes: Int, limit: Int)
    case inputOutput(path: String, reason: String)

    public var isOutage: Bool { true }

    /// - Parameter code: `errno`.
    public init(_ path: String, _ code: Int32) {
        self =
            switch code {
            case ENOSPC, EDQUOT: .diskFull(path: path)
            case EACCES, EPERM, EROFS: .permissionDenied(path: path)
            case ENOENT: .missing(path: path)
            default: .inputOutput(path: path, reason: String(cString: strerror(code)))
            }
    }
}

extension FileError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .diskFull(let path): "no space is left on the disk for \(path): free some, then try again"
        case .permissionDenied(let path): "\(path) may not be read or written by this user"
        case .missing(let path): "\(path) is not there"
        case .tooLarge(let path, let bytes, let limit): "\(path) has \(bytes) bytes, at most \(limit) are accepted"
        case .inputOutput(let path, let reason): "\(path) cannot be read or written: \(reason)"
        }
    }
}

/// Whole files, read and written in one go. All of it blocks: call it on a `BlockingPool`.
public enum Files {
    /// Makes the folder and those above it where they are missing, for this user alone.
    public static func makeFolder(_ path: String) throws(FileError) {
        if mkdir(path, 0o700) == 0 { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw FileError.missing(path: path)
            }
            try makeFolder(String(path[..<slash]))
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError(path, errno) }
        default: throw FileError(path, errno)
        }
    }

    /// Replaces the file by way of `temporary` on the same disk, so that a reader sees the old content or the new,
    /// never half. With `isSynced` it is on disk when this returns; without, a loss of power may take it back.
    public static func write(
        _ bytes: [UInt8], to path: String, by temporary: String, isSynced: Bool
    ) throws(FileError) {
        let descriptor = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileError(temporary, errno) }
        do throws(FileError) {
            do throws(FileError) {
                try writeAll(bytes, to: descriptor, path)
                if isSynced, fsync(descriptor) != 0 { throw FileError(path, errno) }
            } catch {
                close(descriptor)
                throw error
            }
            if close(descriptor) != 0 { throw FileError(path, errno) }
            if rename(temporary, path) != 0 { throw FileError(path, errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        if isSynced { try syncFolder(of: path) }
    }

    /// The content, or `FileError.missing`, or `.tooLarge`. Links are followed only for who asks for it: what
    /// Kubernetes mounts is links.
    public static func read(_ path: String, limit: Int, followsLinks: Bool = false) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else { throw FileError(path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path, errno) }
        let size = Int(status.st_size)
        guard size <= limit else { throw .tooLarge(path: path, bytes: size, limit: limit) }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = pread(descriptor, buffer.baseAddress.map { $0 + count }, size - count, off_t(count))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                count += got
            }
        }
        guard failure == 0 else { throw FileError(path, failure) }
        return bytes
    }

    /// Whether there was one.
    @discardableResult
    public static func remove(_ path: String) throws(FileError) -> Bool {
        if unlink(path) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw FileError(path, errno) }
        return false
    }

    /// Renames a file, over one that is there; on disk when this returns.
    public static func move(_ path: String, to target: String) throws(FileError) {
        guard rename(path, target) == 0 else { throw FileError(path, errno) }
        try syncFolder(of: target)
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(FileError) {
        var failure: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = Systems.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                if count < 0, errno == EINTR { continue }
                if count < 0 {
                    failure = errno
                    return
                }
                done += count
            }
        }
        guard failure == 0 else { throw FileError(path, failure) }
    }

    /// A rename is on disk when its folder is.
    private static func syncFolder(of path: String) throws(FileError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard descriptor >= 0 else { throw FileError(folder, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError(folder, errno) }
    }
}

/// `write(2)`, which `Files.write` would hide.
private enum Systems {
    static func write(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
        #elseif canImport(Musl)
        Musl.write(descriptor, bytes, count)
        #else
        Darwin.write(descriptor, bytes, count)
        #endif
    }
}
