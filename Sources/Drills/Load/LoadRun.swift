import Kernel
import NIOCore
import NIOPosix
import Synchronization

/// A load run as it stands after another second.
public struct LoadProgress: Sendable {
    /// Since the start.
    public var elapsed: Duration
    /// The second that has just passed, and how long it was.
    public var last: Tally
    public var span: Duration
    /// Everything so far.
    public var total: Tally
}

/// Sends what a plan says and counts what becomes of it.
///
///     let result = try await LoadRun(plan).run { progress in … }
public final class LoadRun: Sendable {
    private let plan: LoadPlan
    private let work: any Work
    private let lanes = Mutex<[NIOLoopBound<Lane>]>([])
    private let book: Mutex<Book>

    public convenience init(_ plan: LoadPlan) {
        switch plan.errand {
        case .page: self.init(plan, OnePage(plan.target, headers: plan.headers, clients: plan.clients))
        case .journeys(let mix): self.init(plan, Journeys(mix, plan))
        }
    }

    init(_ plan: LoadPlan, _ work: any Work) {
        self.plan = plan
        self.work = work
        book = Mutex(Book(plan, steps: work.steps.count))
    }

    /// Returns when the schedule, the duration or the number of visits is over, after `stop`, and when a threshold is
    /// crossed for good.
    ///
    /// - Parameter watch: told once a second, and at the end.
    /// - Throws: `DrillError` if the target's name means nothing, and what `plan.acknowledge` threw.
    public func run(watching watch: @escaping @Sendable (LoadProgress) -> Void = { _ in }) async throws -> LoadResult {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: plan.threads)
        do {
            let addresses = try await plan.target.addresses().reachable(
                on: group, timeout: .nanoseconds(plan.timeout.nanoseconds))
            let encryption =
                try plan.target.isEncrypted ? Encryption(to: plan.target, authorities: plan.authorities) : nil
            try await encryption?.check(
                addresses[0], on: group, timeout: .nanoseconds(plan.timeout.nanoseconds))
            try await run(on: group, addresses, encryption, watch)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        if let trouble = work.trouble { throw trouble }
        return book.withLock { LoadResult($0, plan, steps: work.steps) }
    }

    /// Nobody arrives any more; what is being served is finished. For Ctrl-C.
    public func stop() {
        book.withLock { $0.isInterrupted = true }
        end()
    }

    /// The same, of a run that has come to its end: whoever began it has seen enough.
    public func end() {
        for lane in lanes.withLock({ $0 }) { lane.eventLoop.execute { lane.value.end() } }
    }

    private func run(
        on group: MultiThreadedEventLoopGroup, _ addresses: [SocketAddress], _ encryption: Encryption?,
        _ watch: @escaping @Sendable (LoadProgress) -> Void
    ) async throws {
        var made: [NIOLoopBound<Lane>] = []
        var ends: [EventLoopFuture<Void>] = []
        for number in 0..<plan.threads {
            let loop = group.next()
            let done = loop.makePromise(of: Void.self)
            let share = Lane.Share(number: number, lanes: plan.threads)
            made.append(
                try await loop.submit { [plan, work] in
                    NIOLoopBound(
                        Lane(share, plan, work, to: addresses, encryption, on: loop, done: done), eventLoop: loop)
                }.get())
            ends.append(done.futureResult)
        }
        let started = made
        lanes.withLock { $0 = started }
        let start = Lane.now()
        book.withLock { $0.begin(SystemClock().now(), at: start) }
        for lane in started { lane.eventLoop.execute { lane.value.start(at: start) } }
        let allEnd = EventLoopFuture.andAllComplete(ends, on: group.next())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.keepBook(from: .now, watch) }
            tasks.addTask { try await allEnd.get() }
            // The book is never closed first: it ends by being cancelled.
            try await tasks.next()
            tasks.cancelAll()
            while let result = await tasks.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        try await takeSecond(watch)
    }

    private func keepBook(from start: ContinuousClock.Instant, _ watch: @Sendable (LoadProgress) -> Void) async throws {
        var second = 0
        while true {
            second += 1
            try await Task.sleep(until: start + .seconds(second), clock: .continuous)
            try await takeSecond(watch)
        }
    }

    private func takeSecond(_ watch: @Sendable (LoadProgress) -> Void) async throws {
        var last = Tally(steps: work.steps.count)
        for lane in lanes.withLock({ $0 }) {
            last.add(try await lane.eventLoop.submit { lane.value.takeTally() }.get())
        }
        let now = Lane.now()
        let (progress, isCrossed) = book.withLock { book in
            (book.add(last, at: now), book.isCrossedForGood)
        }
        watch(progress)
        if isCrossed || work.trouble != nil { end() }
    }
}

extension Target {
    /// All that the name stands for, looked up once, off the cooperative pool.
    fileprivate func addresses() async throws -> [SocketAddress] {
        let pool = BlockingPool(name: "resolver", threads: 1)
        do {
            return try await pool.run { try SocketAddress.all(host: host, port: port) }
        } catch {
            throw DrillError("\(host) cannot be found: \(error)")
        }
    }
}
