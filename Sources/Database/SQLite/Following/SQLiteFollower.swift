public import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Follows databases that others write to: takes moments that all of them share, and tells which pages were changed
/// between one and the next, and all pages of one of them, the base.
///
/// Others wait while a moment is taken, some milliseconds. One who follows must not stop: the logs grow until the next
/// moment.
public actor SQLiteFollower {
    /// A moment: all that was committed before is in it, and nothing that was acknowledged later.
    public struct Moment: Sendable {
        public let time: Timestamp
        /// How long others could not write.
        public let held: Duration
        /// How many pages have been changed since the one before.
        public let pages: Int
    }

    public struct BasePart: Sendable {
        public let name: String
        public let content: [UInt8]
        public let pages: Int
    }

    /// How long a moment is looked for at which nobody writes.
    static let patience = Duration.seconds(30)
    /// How long those wait of whom the lock was got already, until all is given up and tried again.
    static let longestHold = Duration.milliseconds(50)
    /// Bytes of a log that are kept for the next moment. More, and the shop's disk counts for more than the copy.
    public static let largestLog = 1 << 30

    /// The changed pages of one file that have not been handed out.
    private struct Section {
        let file: FollowedFile
        let total: Int
        var pages: ArraySlice<(page: UInt32, frame: Int)>
    }

    private let executor = BlockingExecutor(name: "follow")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let paths: [(name: String, path: String)]
    private let partSize: Int
    private var files: [FollowedFile] = []
    private var sections: [Section] = []
    private var prepared: [[UInt8]] = []
    private var bases: [(file: FollowedFile, base: FollowedFile.Base)] = []

    /// - Parameters:
    ///   - files: with a name of small letters each. Their locks are taken in this order, so that of two who follow
    ///     none waits for the other: those first that are written to most.
    ///   - partSize: bytes of content that are handed out at once; a little more where a page asks for it.
    public init(_ files: [(name: String, path: String)], partSize: Int) {
        paths = files
        self.partSize = partSize
    }

    /// - Throws: what opening a database throws.
    public func open() throws {
        do {
            for (name, path) in paths { files.append(try FollowedFile(name: name, path: path)) }
        } catch {
            close()
            throw error
        }
    }

    /// The logs are everybody's again.
    public func close() {
        for file in files { file.close() }
        files = []
    }

    // MARK: - Moments

    /// Takes a moment. What has been changed since the one before is then told by `content`, until `settle`.
    ///
    /// - Parameters:
    ///   - beginsBase: its pages are then told by `basePart`.
    ///   - restartsLogs: so that the next writers begin those anew that have become large.
    /// - Throws: `DatabaseError.busy` where somebody else wrote all the time: it may be tried again. After any other
    ///   error nothing more can be told.
    public func take(
        _ clock: any WallClock, beginsBase: Bool = false, restartsLogs: Bool = false
    ) throws -> Moment {
        settle()
        try lockAll()
        let began = ContinuousClock.now
        let time = clock.now()
        var changes: [(FollowedFile, FollowedFile.Change)] = []
        var count = 0
        do {
            defer { for file in files { file.unlock() } }
            for file in files {
                let wantsRestart = file.wantsRestart
                let change = try file.take()
                changes.append((file, change))
                if beginsBase { bases.append((file, try file.beginBase())) }
                if restartsLogs, wantsRestart { count += try restart(file, &changes) }
            }
        }
        let held = ContinuousClock.now - began
        for (file, change) in changes { count += try queue(change, of: file) }
        return Moment(time: time, held: held, pages: count)
    }

    /// What it has must be read first. If that is much, it is left for another time.
    private func restart(
        _ file: FollowedFile, _ changes: inout [(FollowedFile, FollowedFile.Change)]
    ) throws -> Int {
        guard let (_, change) = changes.last,
            (change.end.frames - (change.start?.frames ?? 0)) * file.pageSize <= FollowedFile.mostWhileLocked
        else { return 0 }
        changes.removeLast()
        let waiting = sections
        sections = []
        let count = try queue(change, of: file)
        while let content = try content(from: &sections) { prepared.append(content) }
        sections = waiting
        try file.restart()
        return count
    }

    private func queue(_ change: FollowedFile.Change, of file: FollowedFile) throws -> Int {
        let pages = try file.pages(of: change)
        if !pages.isEmpty { sections.append(Section(file: file, total: change.total, pages: pages[...])) }
        return pages.count
    }

    /// The next of what was changed before the last moment; nil at the end.
    public func content() throws -> [UInt8]? {
        if !prepared.isEmpty { return prepared.removeFirst() }
        return try content(from: &sections)
    }

    private func content(from sections: inout [Section]) throws -> [UInt8]? {
        var content = PageContent()
        while var section = sections.first, content.bytes.count < partSize {
            let size = section.file.pageSize
            let room = max(1, (partSize - content.bytes.count) / (size + PageContent.numberSize))
            let pages = section.pages.prefix(room)
            content.beginSection(section.file.name, pageSize: size, total: section.total, count: pages.count)
            for (page, frame) in pages { content.append(page, try section.file.page(in: frame)) }
            section.pages = section.pages.dropFirst(room)
            if section.pages.isEmpty { sections.removeFirst() } else { sections[0] = section }
        }
        return content.bytes.isEmpty ? nil : content.bytes
    }

    /// Lets go of the moment before the last: what was changed between the two is not told any more.
    public func settle() {
        sections = []
        prepared = []
        for file in files { file.settle() }
    }

    // MARK: - The base

    /// The next pages of the base, in their order; nil at its end, when it is let go of.
    public func basePart() throws -> BasePart? {
        while let (file, current) = bases.first {
            var base = current
            let room = max(1, partSize / (file.pageSize + PageContent.numberSize))
            let (first, bytes) = try file.read(&base, atMost: room)
            let count = bytes.count / file.pageSize
            guard count > 0 else {
                file.endBase()
                bases.removeFirst()
                continue
            }
            bases[0].base = base
            var content = PageContent()
            content.beginSection(file.name, pageSize: file.pageSize, total: base.total, count: count)
            for index in 0..<count {
                content.append(first + UInt32(index), bytes[index * file.pageSize..<(index + 1) * file.pageSize])
            }
            return BasePart(name: file.name, content: content.bytes, pages: count)
        }
        return nil
    }

    // MARK: - The logs

    /// Whether `take(restartsLogs:)` would be good.
    public var wantsRestart: Bool { files.contains { $0.wantsRestart } }

    /// Moves to the files what the last moment has: while others write.
    public func checkpoint() throws { for file in files where file.wantsRestart { try file.checkpoint() } }

    /// - Throws: `FollowError.overrun` where a log has become so large that it must not be kept any longer.
    public func checkLogs() throws {
        for file in files {
            let size = try file.logFileSize()
            if size > Self.largestLog { throw FollowError.overrun(path: file.path, bytes: size) }
        }
    }

    // MARK: - Locks

    private func lockAll() throws {
        let deadline = ContinuousClock.now + Self.patience
        while try !lockOnce(before: deadline) {
            guard ContinuousClock.now < deadline else { throw DatabaseError.busy(database: files[0].path) }
            usleep(5_000)  // On this actor's own thread: those who write go first.
        }
    }

    /// SQLite's own waiting would sleep up to a tenth of a second between two tries, and others wait meanwhile.
    private func lockOnce(before deadline: ContinuousClock.Instant) throws -> Bool {
        var deadline = deadline
        for (index, file) in files.enumerated() {
            while try !file.tryLock() {
                if ContinuousClock.now > deadline {
                    for file in files[..<index] { file.unlock() }
                    return false
                }
                usleep(100)  // On this actor's own thread.
            }
            // From the first one on somebody may be waiting.
            if index == 0 { deadline = ContinuousClock.now + Self.longestHold }
        }
        return true
    }
}
