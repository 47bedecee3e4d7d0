import Database
public import Kernel

/// Keeps a continuous copy of databases on SQLite, beside a shop that sells: a base, and a cut at every interval.
///
/// What was committed reaches the store within an interval, or stays in the logs, which are kept for as long as the
/// store is away. Each start begins a new generation: while nobody followed, the logs were nobody's.
public struct SQLiteCopy: Sendable {
    public struct Options: Sendable {
        public var interval = Duration.seconds(1)
        /// Where nothing is new, a cut says so: how far the copy reaches is known by what is stored.
        public var heartbeat = Duration.seconds(5)
        /// A restore reads all cuts since the base.
        public var baseEvery = Duration.seconds(86_400)
        /// Nil: nothing is ever removed.
        public var keep: KeepPolicy?
        /// Between two tries, where the store refuses.
        public var pause = Duration.seconds(1)

        public init() {}
    }

    public enum Event: Sendable {
        /// A base is complete: from now on its generation can be restored.
        case base(generation: BackupID, moment: Timestamp, bytes: Int)
        /// All that was committed before `until` is in the store. `held` is how long others could not write.
        case cut(until: Timestamp, bytes: Int, held: Duration)
        case removed([BackupID])
        /// Something that is tried again, or begun anew.
        case trouble(String)
    }

    /// Whether to come to the end.
    public typealias Stop = @Sendable () -> Bool

    /// Between two looks at whether to stop.
    private static let longestSleep = Duration.milliseconds(100)

    private let log: LogRepository
    private let files: [(name: String, path: String)]
    private let release: String
    private let clock: any WallClock
    private let options: Options
    private let onEvent: @Sendable (Event) -> Void

    /// - Parameter files: those first that are written to most; each with a name of small letters.
    public init(
        _ log: LogRepository, of files: [(name: String, path: String)], release: String, clock: any WallClock,
        options: Options = Options(), onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.log = log
        self.files = files
        self.release = release
        self.clock = clock
        self.options = options
        self.onEvent = onEvent
    }

    /// Follows until it is told to stop; then takes a last cut.
    ///
    /// - Throws: what opening the databases and the first look at the store throw; and where it was told to stop, what
    ///   the store has against the last cut.
    public func run(until isStopped: @escaping Stop) async throws {
        // What is wrong from the start is told; what comes later may go away, and who follows stays.
        var hasBegun = false
        while true {
            let follower = SQLiteFollower(files, partSize: LogRepository.partSize)
            do {
                try await follower.open()
                try await follow(follower, isStopped, &hasBegun)
                await follower.close()
                return
            } catch {
                await follower.close()
                if !hasBegun || isStopped() { throw error }
                onEvent(.trouble("\(error): beginning anew, with a new base"))
                await sleep(until: clock.now() + options.pause, isStopped)
            }
        }
    }

    /// A base that is being made.
    private struct Begun {
        let writer: LogWriter
        let moment: Timestamp
        var bytes = 0
    }

    private func follow(
        _ follower: SQLiteFollower, _ isStopped: @escaping Stop, _ hasBegun: inout Bool
    ) async throws {
        var current: LogWriter?
        var begun: Begun? = try await begin(follower)
        hasBegun = true
        var told = clock.now() - options.heartbeat
        while true {
            let isLast = isStopped()
            let due = clock.now() + options.interval
            // While a new base is made, the old generation reaches on too.
            let writers = [current, begun?.writer].compactMap { $0 }
            var wantsBase = false
            if begun == nil, let current { wantsBase = clock.now() - current.id.time >= options.baseEvery }
            if let until = try await cut(follower, writers, isStopped, wantsBase, isLast || clock.now() >= told) {
                told = until + options.heartbeat
                if wantsBase { begun = try await begin(at: until) }
            }
            if isLast { break }
            while var base = begun, clock.now() < due {
                if let part = try await follower.basePart() {
                    base.bytes += try await base.writer.addBase(
                        part.content, count: part.pages, name: part.name, retrying: retry(follower, isStopped))
                    begun = base
                } else {
                    try await finish(base, follower, isStopped)
                    (current, begun) = (base.writer, nil)
                }
            }
            if begun == nil { await sleep(until: due, isStopped) }
        }
        if current == nil { onEvent(.trouble("told to stop before the first base was complete: there is no copy")) }
    }

    // MARK: - A base

    /// The first: its moment is that of the generation's beginning.
    private func begin(_ follower: SQLiteFollower) async throws -> Begun {
        let moment = try await follower.take(clock, beginsBase: true)
        return try await begin(at: moment.time)
    }

    private func begin(at time: Timestamp) async throws -> Begun {
        Begun(writer: try await log.begin(at: time, release: release, engine: "sqlite"), moment: time)
    }

    private func finish(_ base: Begun, _ follower: SQLiteFollower, _ isStopped: @escaping Stop) async throws {
        _ = try await base.writer.finishBase(
            showing: base.moment, finishedAt: clock.now(), details: [:], retrying: retry(follower, isStopped))
        onEvent(.base(generation: base.writer.id, moment: base.moment, bytes: base.bytes))
        guard let policy = options.keep else { return }
        do {
            let removed = try await log.prune(policy, current: base.writer.id, now: clock.now())
            if !removed.isEmpty { onEvent(.removed(removed)) }
        } catch {
            onEvent(.trouble("what is not to be kept cannot be removed: \(error)"))
        }
    }

    // MARK: - A cut

    /// - Returns: up to when all is in the store; nil where nothing was new and nothing had to be said.
    private func cut(
        _ follower: SQLiteFollower, _ writers: [LogWriter], _ isStopped: @escaping Stop, _ beginsBase: Bool,
        _ isDue: Bool
    ) async throws -> Timestamp? {
        var moment: SQLiteFollower.Moment
        do {
            moment = try await follower.take(clock, beginsBase: beginsBase)
        } catch let error as DatabaseError {
            guard case .busy = error else { throw error }
            onEvent(.trouble("\(error)"))
            return nil
        }
        if moment.pages > 0 || isDue || beginsBase { try await store(moment, follower, writers, isStopped) }
        await follower.settle()
        guard await follower.wantsRestart else { return moment.pages > 0 || isDue || beginsBase ? moment.time : nil }
        try await follower.checkpoint()
        moment = try await follower.take(clock, restartsLogs: true)
        try await store(moment, follower, writers, isStopped)
        await follower.settle()
        return moment.time
    }

    private func store(
        _ moment: SQLiteFollower.Moment, _ follower: SQLiteFollower, _ writers: [LogWriter], _ isStopped: @escaping Stop
    ) async throws {
        var bytes = 0
        var content = try await follower.content() ?? []
        while true {
            let next = try await follower.content()
            for writer in writers {
                bytes += try await writer.append(
                    content, until: next == nil ? moment.time : nil, retrying: retry(follower, isStopped))
            }
            guard let next else { break }
            content = next
        }
        // As the store has it, in milliseconds.
        onEvent(.cut(until: BackupID(at: moment.time).time, bytes: bytes, held: moment.held))
    }

    /// The readers stay where they are meanwhile, so that nothing is lost.
    private func retry(_ follower: SQLiteFollower, _ isStopped: @escaping Stop) -> LogWriter.Retry {
        { error in
            try await follower.checkLogs()
            if isStopped() { throw error }
            onEvent(.trouble("\(error): trying again"))
            await sleep(until: clock.now() + options.pause, isStopped)
        }
    }

    private func sleep(until time: Timestamp, _ isStopped: @escaping Stop) async {
        while !isStopped(), case let rest = time - clock.now(), rest > .zero {
            try? await clock.sleep(for: min(rest, Self.longestSleep))
        }
    }
}
