public import Logging
import Synchronization

/// Commands for one Redis server, over a few connections that each have a thread of their own.
///
/// Whatever the server does, a command is answered within twice `answerTimeout`, and while nothing can be reached it is
/// refused at once. A command that may have been carried out is never sent again by the client.
public final class RedisClient: Sendable {
    public struct Options: Sendable {
        public var connections = 2
        /// Until the server has let the client in; also how long the first commands wait for that.
        public var connectTimeout = Duration.seconds(1)
        /// From sending to the last answer of one round trip.
        public var answerTimeout = Duration.seconds(1)
        /// Requests that wait on one connection.
        public var waitingLimit = 10_000

        public init() {}
    }

    public let url: RedisURL
    private let options: Options
    private let logger: Logger
    private let lanes: [RedisLane]
    private let turn = Atomic<Int>(0)

    public init(_ url: RedisURL, options: Options = Options(), logger: Logger = Logger(label: "souk.redis")) {
        precondition(options.connections > 0, "a client has at least one connection")
        self.url = url
        self.options = options
        self.logger = logger
        lanes = (0..<options.connections).map { _ in RedisLane(url, options, logger) }
        for lane in lanes { lane.start() }
    }

    deinit { for lane in lanes { lane.abandon() } }

    /// Sends one command and gives its answer; an error answer is thrown.
    public func send(_ command: RedisCommand) async throws(RedisError) -> RedisValue {
        let values = try await exchange(command.bytes, count: 1)
        if case .error(let text) = values[0] { throw .answered(text) }
        return values[0]
    }

    /// Sends commands one behind the other on one connection, in one round trip. Throws the first error among the
    /// answers; the other commands were carried out all the same.
    public func send(_ commands: [RedisCommand]) async throws(RedisError) -> [RedisValue] {
        guard !commands.isEmpty else { return [] }
        let values = try await exchange(commands.flatMap(\.bytes), count: commands.count)
        for case .error(let text) in values { throw .answered(text) }
        return values
    }

    private func exchange(_ bytes: [UInt8], count: Int) async throws(RedisError) -> [RedisValue] {
        let first = turn.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        let answer = await withCheckedContinuation { continuation in
            let request = RedisLane.Request(bytes: bytes, count: count, continuation: continuation)
            var refusal: RedisError?
            for offset in lanes.indices {
                refusal = lanes[(first + offset) % lanes.count].add(request)
                if refusal == nil { return }
            }
            continuation.resume(returning: .failure(refusal ?? .closed))
        }
        return try answer.get()
    }

    /// Throws unless Redis answers at this moment: readiness.
    public func check() async throws(RedisError) { _ = try await send(RedisCommand("PING")) }

    /// Finishes what waits, then refuses with `RedisError.closed`.
    public func close() async { for lane in lanes { await lane.close() } }

    /// A listener on the same server, with a connection of its own.
    public func listener(
        to channels: [String], handler: @escaping @Sendable (RedisListener.Occurrence) -> Void
    ) -> RedisListener {
        RedisListener(url, channels: channels, options: options, logger: logger, handler: handler)
    }
}
