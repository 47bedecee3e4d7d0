import Dispatch
import Kernel
import Logging
import Metrics
import Synchronization

/// One connection and its thread. What waits while an answer is on its way goes out together after it: many callers
/// share one round trip, and nobody waits for a timer.
///
/// When the connection breaks, it is made anew at once; when that fails, everybody is told right away that Redis is
/// away, until an attempt in the background succeeds.
final class RedisLane: Sendable {
    static let commandsAtOnce = 1_000
    static let bytesAtOnce = 1 << 20
    static let firstPause = Duration.milliseconds(50)
    static let longestPause = Duration.seconds(2)

    typealias Answer = Result<[RedisValue], RedisError>

    /// Commands that go out one behind the other.
    struct Request: Sendable {
        let bytes: [UInt8]
        let count: Int
        let continuation: CheckedContinuation<Answer, Never>
    }

    private struct State {
        var waiting: [Request] = []
        /// Why nothing is taken in at the moment.
        var outage: RedisError?
        var isAsleep = false
        var isClosed = false
        var hasEnded = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    /// Wakes the thread, which blocks on it, and on nothing else but its connection.
    private let wake = DispatchSemaphore(value: 0)
    private let url: RedisURL
    private let options: RedisClient.Options
    private let logger: Logger
    private let connections = Meter(label: "souk_redis_connections")
    private let failures = Counter(label: "souk_redis_failures_total")

    init(_ url: RedisURL, _ options: RedisClient.Options, _ logger: Logger) {
        self.url = url
        self.options = options
        self.logger = logger
    }

    func start() { startThread(named: "redis") { [self] in run() } }

    /// Nil, or why the request was not taken in.
    func add(_ request: Request) -> RedisError? {
        let (refusal, isAsleep): (RedisError?, Bool) = state.withLock { state in
            if state.isClosed { return (.closed, false) }
            if let outage = state.outage { return (outage, false) }
            if state.waiting.count >= options.waitingLimit { return (.overloaded(limit: options.waitingLimit), false) }
            state.waiting.append(request)
            defer { state.isAsleep = false }
            return (nil, state.isAsleep)
        }
        if isAsleep { wake.signal() }
        return refusal
    }

    /// Takes nothing more in; what waits is finished.
    func abandon() {
        state.withLock { $0.isClosed = true }
        wake.signal()
    }

    /// Returns when the connection is closed.
    func close() async {
        abandon()
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.closers.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    // MARK: - The thread

    private func run() {
        ignoreBrokenPipes()
        var connection: RedisConnection? {
            didSet {
                if oldValue == nil, connection != nil { connections.increment(by: 1) }
                if oldValue != nil, connection == nil { connections.decrement(by: 1) }
            }
        }
        defer { connection = nil }
        var batch: [Request] = []
        var failures = 0
        while true {
            guard let open = connection else {
                if batch.isEmpty, isOver { break }
                do {
                    connection = try RedisConnection.open(url, options)
                    if failures > 0 { logger.notice("redis is back", metadata: ["url": "\(url)"]) }
                    failures = 0
                    state.withLock { $0.outage = nil }
                } catch {
                    failures += 1
                    self.failures.increment()
                    fail(batch, because: error.reason, isFirst: failures == 1)
                    batch = []
                    pause(after: failures)
                }
                continue
            }
            if batch.isEmpty {
                batch = take()
                if batch.isEmpty { break }
                if !open.isQuiet {
                    connection = nil
                    continue
                }
            }
            if !serve(batch, on: open) { connection = nil }
            batch = []
        }
        let closers = state.withLock { state in
            state.hasEnded = true
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer.resume() }
    }

    private var isOver: Bool { state.withLock { $0.isClosed && $0.waiting.isEmpty } }

    /// Waits for requests, and takes what one round trip carries. Empty when the lane was closed.
    private func take() -> [Request] {
        while true {
            let taken: [Request]? = state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.isAsleep = !state.isClosed
                    return state.isClosed ? [] : nil
                }
                var (count, commands, bytes) = (0, 0, 0)
                for request in state.waiting {
                    commands += request.count
                    bytes += request.bytes.count
                    if count > 0, commands > Self.commandsAtOnce || bytes > Self.bytesAtOnce { break }
                    count += 1
                }
                if count == state.waiting.count {
                    defer { state.waiting = [] }
                    return state.waiting
                }
                defer { state.waiting.removeFirst(count) }
                return Array(state.waiting[..<count])
            }
            if let taken { return taken }
            wake.wait()
        }
    }

    /// Whether the connection is still of use.
    private func serve(_ batch: [Request], on connection: RedisConnection) -> Bool {
        var answers: [Answer] = []
        answers.reserveCapacity(batch.count)
        var isUseful = true
        do throws(RedisConnection.Broken) {
            let deadline = ContinuousClock.now + options.answerTimeout
            try connection.write(batch.count == 1 ? batch[0].bytes : batch.flatMap(\.bytes), by: deadline)
            for request in batch {
                var values: [RedisValue] = []
                values.reserveCapacity(request.count)
                for _ in 0..<request.count {
                    let value = try connection.read(by: deadline)
                    if case .error(let text) = value, RedisError.tellsToReconnect(text) { isUseful = false }
                    values.append(value)
                }
                answers.append(.success(values))
            }
        } catch {
            logger.warning("redis broke off", metadata: ["url": "\(url)", "reason": "\(error.reason)"])
            let lost = Answer.failure(.unavailable(reason: error.reason, isSent: true))
            while answers.count < batch.count { answers.append(lost) }
            isUseful = false
        }
        answer(batch, answers)
        return isUseful
    }

    private func fail(_ batch: [Request], because reason: String, isFirst: Bool) {
        let error = RedisError.unavailable(reason: reason, isSent: false)
        if isFirst { logger.warning("redis is away", metadata: ["url": "\(url)", "reason": "\(reason)"]) }
        let waiting = state.withLock { state in
            state.outage = error
            defer { state.waiting = [] }
            return state.waiting
        }
        answer(batch + waiting, Array(repeating: .failure(error), count: batch.count + waiting.count))
    }

    /// From one thread of the pool, where the resumed tasks will run: resumed from here, each would take the core from
    /// this thread, there and back.
    private func answer(_ batch: [Request], _ answers: [Answer]) {
        if batch.count == 1 { return batch[0].continuation.resume(returning: answers[0]) }
        DispatchQueue.global().async {
            for (request, answer) in zip(batch, answers) { request.continuation.resume(returning: answer) }
        }
    }

    /// Grows with each failure, between half of it and all; a close ends it.
    private func pause(after failures: Int) {
        let whole = min(Self.longestPause, Self.firstPause * (1 << min(failures - 1, 10)))
        let microseconds = (whole * Double.random(in: 0.5...1)).microseconds
        _ = wake.wait(timeout: .now() + .microseconds(Int(microseconds)))
    }
}
