import DequeModule
import HeapModule
import Kernel
import NIOCore

/// One event loop's share of a run: its arrivals, its connections, its counts. Confined to the loop, so that nothing of
/// it needs a lock.
///
/// Every visit that began is finished, failed, dropped or unfinished in the end, and never two of them.
final class Lane: NIOScheduledCallbackHandler {
    /// What this lane has of the whole.
    struct Share: Sendable {
        var number: Int
        var lanes: Int

        /// Its part of `total`, so that the parts add up.
        func of(_ total: Int) -> Int { total / lanes + (number < total % lanes ? 1 : 0) }
    }

    let loop: any EventLoop
    private let plan: LoadPlan
    private let work: any Work
    let addresses: [SocketAddress]
    /// Nil for plain HTTP.
    let encryption: Encryption?
    let timeout: Int64
    private let mostConnections: Int
    private let mostWaiting: Int
    private let done: EventLoopPromise<Void>

    private var tally: Tally
    private var arrivals: Schedule.Cursor?
    private var nextArrival: (number: Int, at: Int64)?
    /// For closed arrivals: the next visit's number, how many may begin yet, and where each lane's numbers differ.
    private var nextNumber: Int
    private var quota: Int
    private let stride: Int

    var connections: [Connection] = []
    var idle: [Connection] = []
    var opening = 0
    var opened = 0
    var waiting = Deque<Visit>()
    private var wakes = Heap<Wake>()
    private var wakesMade = 0
    private var spare: [Visit] = []
    private var live = 0
    /// Who will begin another visit in a moment.
    private var starters = 0

    private var startsAt: Int64 = 0
    private var endsAt = Int64.max
    private var givesUpAt = Int64.max
    private var isEnding = false
    private(set) var isOver = false
    private var nextSweep = Int64.max
    private var timer: (callback: NIOScheduledCallback, at: Int64)?
    private var chance: SeededGenerator

    private static let sweepInterval: Int64 = 20_000_000
    /// After a failed connection, before a closed loop's visitor tries again.
    private static let breath: Int64 = 100_000_000

    init(
        _ share: Share, _ plan: LoadPlan, _ work: any Work, to addresses: [SocketAddress], _ encryption: Encryption?,
        on loop: any EventLoop, done: EventLoopPromise<Void>
    ) {
        self.loop = loop
        self.plan = plan
        self.work = work
        self.addresses = addresses
        self.encryption = encryption
        self.done = done
        timeout = plan.timeout.nanoseconds
        mostConnections = share.of(plan.connections)
        mostWaiting = max(1, share.of(plan.queue))
        tally = Tally(steps: work.steps.count)
        nextNumber = share.number
        stride = share.lanes
        chance = SeededGenerator(seed: plan.seed &+ UInt64(share.number))
        switch plan.arrivals {
        case .open(let schedule):
            arrivals = Schedule.Cursor(schedule, first: share.number, stride: share.lanes)
            quota = 0
        case .closed(let visits):
            quota = visits.map(share.of) ?? .max
        }
    }

    static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    // MARK: - The run

    func start(at start: Int64) {
        nextSweep = start + Self.sweepInterval
        switch plan.arrivals {
        case .open(let schedule):
            endsAt = start + Int64(schedule.seconds * 1e9)
            startsAt = start
            takeNextArrival()
        case .closed:
            if let duration = plan.duration { endsAt = start + duration.nanoseconds }
            starters = min(mostConnections, quota)
            for _ in 0..<starters { wake(nil, at: start) }
        }
        tick()
    }

    private func takeNextArrival() {
        nextArrival = arrivals?.next().map { ($0.number, startsAt + $0.nanoseconds) }
    }

    /// What was counted since the last time.
    func takeTally() -> Tally {
        defer { tally = Tally(steps: work.steps.count) }
        return tally
    }

    /// Nobody arrives any more; who is being served is served, for as long as one request may take.
    func end() {
        guard !isEnding else { return }
        isEnding = true
        givesUpAt = Self.now() + timeout
        nextArrival = nil
        // Who was thinking goes home; who was told to come again does.
        let asleep = wakes.unordered
        wakes = Heap()
        for sleeper in asleep {
            if let visit = sleeper.visit, visit.attempt == 1, sleeper.isThinking {
                leave(visit)
            } else if sleeper.visit != nil {
                wakes.insert(sleeper)
            } else {
                starters -= 1
            }
        }
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        tick()
    }

    private func tick() {
        guard !isOver else { return }
        let now = Self.now()
        while let arrival = nextArrival, arrival.at <= now {
            tally.late(microseconds: UInt64(now - arrival.at) / 1_000)
            takeNextArrival()
            begin(arrival.number, at: arrival.at)
        }
        // After the arrivals: those that are late are still due.
        if now >= endsAt { end() }
        while let wake = wakes.min, wake.at <= now {
            wakes.removeMin()
            if let visit = wake.visit { dispatch(visit) } else { beginAnother(now) }
        }
        if now >= nextSweep { sweep(now) }
        if hasNobody {
            finish()
        } else if now >= givesUpAt {
            tally.visits.unfinished += live
            finish()
        } else {
            scheduleTick()
        }
    }

    private func scheduleTick() {
        var at = min(nextSweep, endsAt > Self.now() ? endsAt : .max, givesUpAt)
        if let nextArrival { at = min(at, nextArrival.at) }
        if let wake = wakes.min { at = min(at, wake.at) }
        if let timer {
            guard at < timer.at else { return }
            timer.callback.cancel()
        }
        do {
            let deadline = NIODeadline.uptimeNanoseconds(UInt64(max(0, at)))
            timer = (try loop.assumeIsolated().scheduleCallback(at: deadline, handler: self), at)
        } catch {
            // Only a loop that was shut down takes no callbacks.
            finish()
        }
    }

    private func sweep(_ now: Int64) {
        nextSweep = now + Self.sweepInterval
        for connection in connections where connection.visit != nil && now - connection.sentAt >= timeout {
            connection.fail(.timeout)
        }
    }

    private func finish() {
        guard !isOver else { return }
        isOver = true
        timer?.callback.cancel()
        for connection in connections { connection.close() }
        // They know the lane, too.
        connections = []
        idle = []
        waiting = []
        wakes = Heap()
        done.succeed()
    }

    // MARK: - Visits

    private func beginAnother(_ now: Int64) {
        starters -= 1
        guard !isEnding, quota > 0 else { return }
        quota -= 1
        let number = nextNumber
        nextNumber += stride
        begin(number, at: now)
    }

    private func begin(_ number: Int, at intended: Int64) {
        live += 1
        tally.visits.begun += 1
        let visit = spare.popLast() ?? Visit()
        visit.start(number, work.course(number))
        advance(visit, nil, at: intended)
    }

    private func advance(_ visit: Visit, _ answer: Answered?, at now: Int64) {
        switch visit.course.next(answer) {
        case .leave: leave(visit)
        case .ask(let request, let pause):
            visit.request = request
            visit.attempt = 1
            visit.intended = now + pause
            visit.begun = visit.intended
            if pause == 0 {
                dispatch(visit)
            } else if isEnding {
                leave(visit)
            } else {
                wake(visit, at: visit.intended, isThinking: true)
            }
        }
    }

    private func leave(_ visit: Visit) {
        tally.visits.finished += 1
        goHome(visit, after: 0)
    }

    private func goHome(_ visit: Visit, after pause: Int64) {
        live -= 1
        spare.append(visit)
        guard case .closed = plan.arrivals, !isEnding, quota > 0 else {
            if hasNobody { tickNow() }
            return
        }
        starters += 1
        if pause > 0 { wake(nil, at: Self.now() + pause) } else { beginAnother(Self.now()) }
    }

    /// Nobody is here, and nobody will come.
    private var hasNobody: Bool {
        guard live == 0, starters == 0 else { return false }
        if isEnding { return true }
        if case .closed = plan.arrivals { return quota <= 0 }
        return false
    }

    /// The end is noticed in `tick` alone.
    private func tickNow() {
        nextSweep = Self.now()
        scheduleTick()
    }

    func wake(_ visit: Visit?, at moment: Int64, isThinking: Bool = false) {
        wakesMade += 1
        wakes.insert(Wake(at: moment, order: wakesMade, visit: visit, isThinking: isThinking))
        if timer.map({ moment < $0.at }) ?? false { scheduleTick() }
    }

    /// Who arrived first is served first.
    private func dispatch(_ visit: Visit) {
        if let connection = idle.popLast() {
            connection.send(visit)
        } else if connections.count + opening < mostConnections {
            open(for: visit)
        } else if waiting.count < mostWaiting {
            waiting.append(visit)
        } else {
            tally.visits.dropped += 1
            goHome(visit, after: 0)
        }
    }

    func answered(_ visit: Visit, _ answer: AnswerParser.Answer, _ body: [UInt8]) {
        guard !isOver else { return }
        let now = Self.now()
        let step = visit.request.step
        tally.steps[step].answered(answer, microseconds: UInt64(max(0, now - visit.intended)) / 1_000)
        switch visit.request.answer.verdict(status: answer.status, body: body, attempt: visit.attempt) {
        case .good:
            tally.steps[step].good += 1
            if plan.attempts > 1 {
                tally.steps[step].settled(microseconds: UInt64(max(0, now - visit.begun)) / 1_000)
            }
            advance(visit, Answered(status: answer.status, body: body), at: now)
        case .again:
            let wait = Patience.wait(answer.retryAfter, chance: .random(in: 0...1, using: &chance))
            repeatOrFail(visit, after: wait, pauseIfOver: 0)
        case .bad: fail(visit, after: 0)
        }
    }

    func failed(_ visit: Visit, _ failing: Failing) {
        guard !isOver else { return }
        let elapsed = UInt64(max(0, Self.now() - visit.intended)) / 1_000
        tally.steps[visit.request.step].failed(failing, microseconds: elapsed)
        repeatOrFail(visit, after: nil, pauseIfOver: Self.breath)
    }

    private func repeatOrFail(_ visit: Visit, after wait: Int64?, pauseIfOver pause: Int64) {
        guard visit.attempt < plan.attempts else { return fail(visit, after: pause) }
        let delay = wait ?? Patience.backOff(attempt: visit.attempt, chance: .random(in: 0...1, using: &chance))
        tally.steps[visit.request.step].retries += 1
        visit.attempt += 1
        visit.intended = Self.now() + delay
        wake(visit, at: visit.intended)
    }

    private func fail(_ visit: Visit, after pause: Int64) {
        tally.steps[visit.request.step].bad += 1
        tally.visits.failed += 1
        goHome(visit, after: pause)
    }
}

/// When a visit goes on; without one, another begins.
private struct Wake: Comparable {
    let at: Int64
    let order: Int
    let visit: Visit?
    let isThinking: Bool

    static func < (left: Wake, right: Wake) -> Bool { (left.at, left.order) < (right.at, right.order) }
    static func == (left: Wake, right: Wake) -> Bool { left.order == right.order }
}
