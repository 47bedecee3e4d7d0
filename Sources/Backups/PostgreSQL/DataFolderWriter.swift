import Database
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes a PostgreSQL server's data folder, each step behind the one before. All of it blocks.
struct DataFolderWriter: Sendable {
    /// Below the data folder, where the server's `restore_command` finds the log.
    static let logFolder = "souk_wal"

    private let root: String
    private let base: ServerBase
    private var tar = TarReader()
    private var folders: [String] = [""]
    private var files: [String] = []
    /// The file that is being written: of the archive, or of the log.
    private var open: (name: String, descriptor: Int32)?
    /// The log before it has been written.
    private var logEnd: LSN

    /// - Throws: `BackupError.notEmptyFolder`, `FileError`.
    init(_ folder: String, _ base: ServerBase) throws {
        root = folder
        self.base = base
        logEnd = base.logStart
        try Files.makeFolder(folder)
        guard let listing = opendir(folder) else { throw FileError.permissionDenied(path: folder) }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name == "." || name == ".." else { throw BackupError.notEmptyFolder(path: folder) }
        }
        guard chmod(folder, 0o700) == 0 else { throw FileError.permissionDenied(path: folder) }
    }

    func close() { if let open { _ = systemClose(open.descriptor) } }

    // MARK: - The files

    func unpacking(_ bytes: [UInt8]) throws -> Self {
        var (tar, copy) = (tar, self)
        try tar.feed(bytes) { try copy.take($0) }
        copy.tar = tar
        return copy
    }

    private mutating func take(_ entry: TarReader.Entry) throws {
        switch entry {
        case .folder(let name): try makeFolder(name)
        case .file(let name, _): try begin(name)
        case .bytes(let bytes): try write(bytes, at: nil)
        case .end: try end()
        }
    }

    mutating func finishFiles() throws {
        try tar.finish()
        // Without it a server would take the files for whole as they are.
        guard files.contains("backup_label"), files.contains("global/pg_control") else {
            throw TarReader.Damaged(description: "it is not a server's data folder")
        }
        try makeFolder(Self.logFolder)
    }

    private mutating func makeFolder(_ name: String) throws {
        if name.isEmpty || folders.contains(name) { return }
        guard mkdir(root + "/" + name, 0o700) == 0 else { throw failure(name) }
        folders.append(name)
    }

    private mutating func begin(_ name: String) throws {
        let descriptor = systemOpen(root + "/" + name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(name) }
        open = (name, descriptor)
        files.append(name)
    }

    private mutating func end() throws {
        guard let file = open else { return }
        open = nil
        let isSynced = fsync(file.descriptor) == 0
        let code = errno
        guard systemClose(file.descriptor) == 0, isSynced else {
            errno = code
            throw failure(file.name)
        }
    }

    /// - Parameter offset: nil for behind what was written.
    private func write(_ bytes: ArraySlice<UInt8>, at offset: Int?) throws {
        guard let open else { return }
        var (rest, offset) = (bytes, offset)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                offset.map { pwrite(open.descriptor, buffer.baseAddress, buffer.count, off_t($0)) }
                    ?? systemWrite(open.descriptor, buffer.baseAddress, buffer.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(open.name) }
            rest = rest.dropFirst(count)
            offset = offset.map { $0 + count }
        }
    }

    private func failure(_ name: String) -> FileError {
        let path = root + "/" + name
        return switch errno {
        case ENOSPC, EDQUOT: .diskFull(path: path)
        case EACCES, EPERM, EROFS: .permissionDenied(path: path)
        case let code: .inputOutput(path: path, reason: String(cString: strerror(code)))
        }
    }

    // MARK: - The log

    /// What goes on where the one before has ended.
    func adding(_ bytes: [UInt8], _ stretch: Stretch) throws -> Self {
        var copy = self
        guard stretch.start == logEnd, stretch.end == stretch.start + bytes.count else {
            throw TarReader.Damaged(description: "its log has a gap at \(logEnd)")
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let offset = Int(copy.logEnd.position % UInt64(base.segmentSize))
            let segment = copy.logEnd.segmentName(timeline: base.timeline, segmentSize: base.segmentSize)
            let name = "\(Self.logFolder)/\(segment)"
            if copy.open?.name != name {
                try copy.end()
                try copy.begin(name)
                // What nobody has written reads as zeros, at which a server sees that the log ends.
                guard let file = copy.open, ftruncate(file.descriptor, off_t(base.segmentSize)) == 0 else {
                    throw failure(name)
                }
            }
            let piece = rest.prefix(base.segmentSize - offset)
            try copy.write(piece, at: offset)
            copy.logEnd = copy.logEnd + piece.count
            rest = rest.dropFirst(piece.count)
        }
        return copy
    }

    // MARK: - The end

    /// Read when the server starts: it takes the log from its folder, to its end, and is then a primary of a timeline
    /// of its own.
    private static let settings = """

        # Written by souk restore; not needed any more once the server has started.
        restore_command = 'cp "\(logFolder)/%f" "%p"'
        recovery_target_timeline = 'current'
        # The old server's limits may have come from its command line: a standby that can be read would wait for them.
        hot_standby = off

        """

    /// Debian keeps these elsewhere, and no server starts without them: this machine alone may connect.
    private static let elsewhere = [
        "postgresql.conf": "# Written by souk restore: the old server had its settings outside of its folder.\n",
        "pg_hba.conf": """
        # Written by souk restore: the old server had its rules outside of its folder.
        local all all peer
        host all all 127.0.0.1/32 scram-sha-256
        host all all ::1/128 scram-sha-256

        """,
        "pg_ident.conf": "",
    ]

    func finish(_ owner: FileOwner?) throws {
        var copy = self
        try copy.end()
        guard logEnd >= base.end else {
            throw TarReader.Damaged(description: "its log ends at \(logEnd), before the files are whole at \(base.end)")
        }
        for (name, text) in Self.elsewhere where !files.contains(name) { try copy.append(text, to: name) }
        try copy.append(Self.settings, to: "postgresql.auto.conf")
        try copy.append("", to: "recovery.signal")
        for name in copy.files {
            if let owner, lchown(root + "/" + name, owner.user, owner.group) != 0 { throw failure(name) }
        }
        // What is in a folder is on disk when the folder is.
        for name in copy.folders.reversed() {
            let path = root + "/" + name
            if let owner, lchown(path, owner.user, owner.group) != 0 { throw failure(name) }
            let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0)
            guard descriptor >= 0 else { throw failure(name) }
            defer { _ = systemClose(descriptor) }
            guard fsync(descriptor) == 0 else { throw failure(name) }
        }
    }

    private mutating func append(_ text: String, to name: String) throws {
        let isNew = !files.contains(name)
        let descriptor = systemOpen(
            root + "/" + name, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(name) }
        open = (name, descriptor)
        if isNew { files.append(name) }
        try write(Array(text.utf8)[...], at: nil)
        try end()
    }
}

// The functions of that name would call themselves.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
