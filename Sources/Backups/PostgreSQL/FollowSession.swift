import Database
import Kernel

/// Follows a server as long as one connection lasts. On its thread.
struct FollowSession {
    /// What outlives a connection.
    struct State {
        var copy: Copy?
        /// Whether an earlier process's copy may go on.
        var mayResume = true
    }

    /// The generation that is being written.
    struct Copy {
        let writer: LogWriter
        let base: ServerBase
        /// The log before it is in the store.
        var end: LSN
        /// When the files were copied, and there is no log beside them yet: how many bytes they have in the store.
        var unfinished: Int?
    }

    private let follower: PostgresFollower
    private let replication: PostgresReplication
    private let errands: Errands
    private let isStopped: @Sendable () -> Bool

    private static let engine = ServerBase.engine
    /// Without a cut, so often it is told that all is well.
    private static let quiet = Duration.seconds(5)
    /// Without the log that a server has written, it is given up.
    private static let silence = Duration.seconds(60)

    init(
        _ follower: PostgresFollower, _ replication: PostgresReplication, _ errands: Errands,
        _ isStopped: @escaping @Sendable () -> Bool
    ) {
        self.follower = follower
        self.replication = replication
        self.errands = errands
        self.isStopped = isStopped
    }

    /// Returns after the last cut.
    func run(_ state: inout State) throws {
        let server = try replication.server()
        var copy = try state.copy.flatMap { try goesOn($0, server) ? $0 : nil } ?? resumed(server, state)
        if copy == nil {
            state.copy = nil
            copy = try begun(server)
        }
        guard var copy else { return }
        defer { state.copy = copy }
        state.mayResume = true
        try replication.start(at: copy.end, timeline: copy.base.timeline)
        try cutUntilStopped(&copy)
    }

    // MARK: - Where it goes on

    private func goesOn(_ copy: Copy, _ server: PostgresReplication.Server) throws -> Bool {
        guard copy.base.isOf(server), case .kept(let start) = try replication.slotState() else { return false }
        return start.segmentStart(server.segmentSize) <= copy.end
    }

    private func resumed(_ server: PostgresReplication.Server, _ state: State) throws -> Copy? {
        guard state.copy == nil, state.mayResume else { return nil }
        let repository = follower.repository
        do {
            let latest = try errands.run { try await repository.resume(engine: Self.engine) }
            guard let (writer, manifest, details) = latest else { return nil }
            guard let stretch = Stretch(details) else {
                throw BackupError.damagedManifest(backup: manifest.id, detail: "a cut without its place")
            }
            let copy = Copy(writer: writer, base: try ServerBase(manifest), end: stretch.end)
            guard try goesOn(copy, server) else {
                throw BackupError.cannotGoOn(backup: manifest.id)
            }
            follower.onEvent(.resumed(generation: writer.id))
            return copy
        } catch let error as ReplicationError {
            throw error
        } catch {
            follower.onEvent(.trouble("\(error); a new copy is begun"))
            return nil
        }
    }

    // MARK: - The base

    private func begun(_ server: PostgresReplication.Server) throws -> Copy {
        switch try replication.slotState() {
        case .kept: break
        case .absent: try replication.createSlot()
        case .lost:
            try replication.dropSlot()
            try replication.createSlot()
        }
        let (repository, release, now) = (follower.repository, follower.release, follower.clock.now())
        let writer = try errands.run {
            try await repository.begin(at: now, release: release, engine: Self.engine)
        }
        do {
            var (part, kept): ([UInt8], Int) = ([], 0)
            func keep() throws {
                let bytes = part
                part = []
                kept += try errands.run { try await writer.addBase(bytes, count: 1, name: "files") { throw $0 } }
            }
            let base = try replication.base(isStopped: isStopped) { bytes in
                part += bytes
                if part.count >= LogRepository.partSize { try keep() }
            }
            if !part.isEmpty { try keep() }
            let place = ServerBase(server, base)
            return Copy(writer: writer, base: place, end: place.logStart, unfinished: kept)
        } catch {
            // On AWS nobody who makes backups may delete any; then the bucket's own rules do.
            try? errands.run { try await repository.remove(writer.id) }
            throw error
        }
    }

    // MARK: - The cuts

    private func cutUntilStopped(_ copy: inout Copy) throws {
        var log: [UInt8] = []
        var told = ContinuousClock.now - Self.quiet
        while true {
            let isLast = isStopped()
            let next = ContinuousClock.now + follower.options.interval
            let moment = try replication.moment()
            // As the cut's name has it.
            let until = BackupID(at: moment.time).time
            var heard = ContinuousClock.now
            while copy.end + log.count < moment.end {
                if try gather(&log, copy.end, within: .seconds(1)) { heard = .now }
                guard ContinuousClock.now - heard < Self.silence else {
                    throw ReplicationError.lost(server: replication.name, reason: "its log does not come")
                }
                if log.count >= LogRepository.partSize, copy.end + log.count < moment.end {
                    try keep(&log, log.count, nil, &copy)
                }
            }
            let count = moment.end < copy.end ? 0 : Int(moment.end.position - copy.end.position)
            if count > 0 || copy.unfinished != nil {
                let bytes = try keep(&log, count, until, &copy)
                if let kept = copy.unfinished { try finish(kept, until, &copy) }
                follower.onEvent(.cut(until: until, bytes: bytes))
                told = .now
            } else if ContinuousClock.now - told >= Self.quiet {
                follower.onEvent(.cut(until: until, bytes: 0))
                told = .now
            }
            try replication.confirm(copy.end)
            if isLast { return }
            while !isStopped(), log.count < LogRepository.partSize, case let left = next - ContinuousClock.now,
                left > .zero
            {
                try gather(&log, copy.end, within: min(left, .milliseconds(200)))
            }
        }
    }

    /// Whether anything came.
    @discardableResult
    private func gather(_ log: inout [UInt8], _ start: LSN, within limit: Duration) throws -> Bool {
        guard let piece = try replication.receive(within: limit) else { return false }
        guard piece.start == start + log.count else {
            throw ReplicationError.lost(
                server: replication.name, reason: "its log went on at \(piece.start), not at \(start + log.count)")
        }
        log += piece.bytes
        return true
    }

    /// Keeps the first so many bytes; returns when they are in the store, whatever it says at first.
    /// - Returns: how many they are there.
    @discardableResult
    private func keep(_ log: inout [UInt8], _ count: Int, _ until: Timestamp?, _ copy: inout Copy) throws -> Int {
        let content = Array(log.prefix(count))
        let (writer, stretch) = (copy.writer, Stretch(start: copy.end, end: copy.end + count))
        let (onEvent, isStopped) = (follower.onEvent, isStopped)
        let kept = try errands.run(meanwhile: confirmAgain) {
            try await writer.append(content, until: until, details: stretch.details) { error in
                if isStopped() { throw error }
                onEvent(.trouble("\(error); trying again"))
                try await Task.sleep(for: .seconds(1))
            }
        }
        log.removeFirst(count)
        copy.end = stretch.end
        return kept
    }

    /// A server that hears nothing for a minute ends the connection.
    private func confirmAgain() { try? replication.confirm(LSN(0)) }

    /// From here on it can be restored.
    private func finish(_ kept: Int, _ time: Timestamp, _ copy: inout Copy) throws {
        let (writer, details, now) = (copy.writer, copy.base.details, follower.clock.now())
        _ = try errands.run {
            try await writer.finishBase(showing: time, finishedAt: now, details: details) { throw $0 }
        }
        copy.unfinished = nil
        follower.onEvent(.base(generation: writer.id, at: time, bytes: kept))
    }
}
