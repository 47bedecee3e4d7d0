import Database
import Dispatch
public import Kernel

/// Keeps a copy of a PostgreSQL server beside it: its files once, and then its log as it is written. Any moment since
/// can be had back from it.
///
/// The server keeps its log until it is told that it is in the store (a physical replication slot): what this process
/// misses while it is away it gets afterwards. A server that is away is waited for.
public struct PostgresFollower: Sendable {
    public struct Options: Sendable {
        /// Between two cuts.
        public var interval = Duration.seconds(1)
        /// The replication slot, and the connection's name for `synchronous_standby_names`.
        public var slot = "souk_backup"
        public init() {}
    }

    public enum Event: Sendable {
        /// It can be restored from now on. `bytes` as they are kept.
        case base(generation: BackupID, at: Timestamp, bytes: Int)
        /// An earlier process's copy goes on.
        case resumed(generation: BackupID)
        /// All that was committed before is in the store.
        case cut(until: Timestamp, bytes: Int)
        /// Something passes, and is tried again.
        case trouble(String)
    }

    let repository: LogRepository
    let url: String
    let release: String
    let clock: any WallClock
    let options: Options
    let onEvent: @Sendable (Event) -> Void

    /// So long another process's connection is waited for, which may have ended without the server's notice
    /// (`wal_sender_timeout`).
    private static let slotPatience = Duration.seconds(90)
    private static let pause = Duration.seconds(1)

    /// - Parameter url: of the primary.
    public init(
        _ repository: LogRepository, url: String, release: String, clock: any WallClock, options: Options = Options(),
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.repository = repository
        self.url = url
        self.release = release
        self.clock = clock
        self.options = options
        self.onEvent = onEvent
    }

    /// Until `isStopped` says so, which is looked at a few times a second: then after a last cut.
    /// - Throws: `ReplicationError` for what will not pass by itself; what the store throws before there is a copy.
    public func run(isStopped: @escaping @Sendable () -> Bool) async throws {
        let errands = Errands()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await errands.serve() }
            let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
                startThread(named: "follow") {
                    continuation.resume(returning: Result { try follow(errands, isStopped) })
                }
            }
            errands.finish()
            try await group.waitForAll()
            try result.get()
        }
    }

    // MARK: - On the thread

    private func follow(_ errands: Errands, _ isStopped: @escaping @Sendable () -> Bool) throws {
        var state = FollowSession.State()
        var wasConnected = false
        var slotDeadline = ContinuousClock.now + Self.slotPatience
        while true {
            do {
                let replication = try PostgresReplication(url: url, slot: options.slot)
                wasConnected = true
                let session = FollowSession(self, replication, errands, isStopped)
                return try session.run(&state)
            } catch is CancellationError {
                return
            } catch let error as ReplicationError {
                switch error {
                case .lost where wasConnected: slotDeadline = ContinuousClock.now + Self.slotPatience
                case .slotInUse where ContinuousClock.now < slotDeadline: break
                case .logRemoved: state = FollowSession.State(mayResume: false)
                default: throw error
                }
                onEvent(.trouble("\(error); trying again"))
            }
            let end = ContinuousClock.now + Self.pause
            while ContinuousClock.now < end {
                if isStopped() { return }
                // It waits on a thread of its own, none of the cooperative pool.
                _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(100))
            }
        }
    }
}
