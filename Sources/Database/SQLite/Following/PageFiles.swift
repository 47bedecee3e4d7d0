import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Databases that are put together from pages, in a folder where no connection has them open.
public actor PageFiles {
    private let executor = BlockingExecutor(name: "pages")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let folder: String
    private var descriptors: [String: Int32] = [:]

    /// - Parameter folder: is made where it is missing, and emptied of what it had of these names.
    public init(folder: String) { self.folder = folder }

    /// The databases that there are, by the names that the follower had for them.
    public var names: [String] { descriptors.keys.sorted() }

    private func path(_ name: String) -> String { "\(folder)/\(name).sqlite" }

    /// Writes the pages, of the base or of what was changed, in the order in which they were told.
    ///
    /// - Throws: `FileError`; and an error that says so for what holds no pages.
    public func apply(_ content: [UInt8]) throws {
        try PageContent.read(content) { section, page, bytes in
            let offset = (Int(page) - 1) * section.pageSize
            try write(bytes, to: try descriptor(section.name), at: offset, section.name)
        } atEnd: { section in
            guard ftruncate(try descriptor(section.name), off_t(section.total * section.pageSize)) == 0 else {
                throw FileError(path(section.name), errno)
            }
        }
    }

    private func descriptor(_ name: String) throws -> Int32 {
        if let known = descriptors[name] { return known }
        try Files.makeFolder(folder)
        for ending in ["", "-wal", "-shm"] { try Files.remove(path(name) + ending) }
        let opened = open(path(name), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw FileError(path(name), errno) }
        descriptors[name] = opened
        return opened
    }

    private func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32, at offset: Int, _ name: String) throws {
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let start = buffer.baseAddress.map { $0 + done }
                let count = pwrite(descriptor, start, buffer.count - done, off_t(offset + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw FileError(path(name), errno) }
                done += count
            }
        }
    }

    /// All of it is on disk when this returns, and nothing more can be written.
    public func finish() throws {
        for (name, descriptor) in descriptors where fsync(descriptor) != 0 { throw FileError(path(name), errno) }
        close()
    }

    public func close() {
        for descriptor in descriptors.values { Systems.close(descriptor) }
        descriptors = [:]
    }
}

/// `close(2)`, which the method would hide.
private enum Systems {
    static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
        _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
        _ = Musl.close(descriptor)
        #else
        _ = Darwin.close(descriptor)
        #endif
    }
}
