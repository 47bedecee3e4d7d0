import Dispatch
import Kernel
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Hears what others publish on channels, on a connection and a thread of its own.
///
/// What is published while nobody is connected is lost: whoever listens catches up at every `connected`.
public final class RedisListener: Sendable {
    public enum Occurrence: Sendable, Equatable {
        /// From now on nothing is missed until the next one. Comes at the first time too.
        case connected
        case message(channel: String, [UInt8])
    }

    /// Without a message for so long, the connection is tried: a half-open one is found within this and the timeout.
    static let silence = Duration.seconds(1)

    private struct State {
        /// The connection's while it is open.
        var descriptor: Int32?
        var isStopped = false
    }

    private let state = Mutex(State())
    /// Ends a pause of the thread, which blocks on it.
    private let wake = DispatchSemaphore(value: 0)
    private let url: RedisURL
    private let channels: [String]
    private let options: RedisClient.Options
    private let logger: Logger
    private let handler: @Sendable (Occurrence) -> Void

    /// The handler is called on the listener's thread, one occurrence after the other: it must not block.
    init(
        _ url: RedisURL, channels: [String], options: RedisClient.Options, logger: Logger,
        handler: @escaping @Sendable (Occurrence) -> Void
    ) {
        precondition(!channels.isEmpty, "a listener listens to something")
        self.url = url
        self.channels = channels
        self.options = options
        self.logger = logger
        self.handler = handler
    }

    /// Until the task is cancelled. Connects again and again for as long as that takes. Once only.
    public func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                startThread(named: "redis-listen") { [self] in
                    listen()
                    continuation.resume()
                }
            }
        } onCancel: {
            state.withLock { state in
                state.isStopped = true
                if let descriptor = state.descriptor { shutdown(descriptor, Int32(SHUT_RDWR)) }
            }
            wake.signal()
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func listen() {
        ignoreBrokenPipes()
        var failures = 0
        while !isStopped {
            do throws(RedisConnection.Broken) {
                let connection = try RedisConnection.open(url, options)
                // Not closed before `shutdown` can no longer be called on it.
                defer { withExtendedLifetime(connection) { state.withLock { $0.descriptor = nil } } }
                let isStopped = state.withLock { state in
                    state.descriptor = connection.descriptor
                    return state.isStopped
                }
                if isStopped { return }
                try subscribe(connection)
                failures = 0
                handler(.connected)
                while true { try hear(connection) }
            } catch {
                if isStopped { return }
                failures += 1
                if failures == 1 {
                    logger.warning("not listening", metadata: ["url": "\(url)", "reason": "\(error.reason)"])
                }
                let pause = min(RedisLane.longestPause, RedisLane.firstPause * (1 << min(failures - 1, 10)))
                _ = wake.wait(timeout: .now() + .microseconds(Int(pause.microseconds)))
            }
        }
    }

    private func subscribe(_ connection: RedisConnection) throws(RedisConnection.Broken) {
        let deadline = ContinuousClock.now + options.answerTimeout
        try connection.write(RedisCommand("SUBSCRIBE", channels).bytes, by: deadline)
        for _ in channels {
            if case .error(let text) = try connection.read(by: deadline) {
                throw RedisConnection.Broken(reason: text)
            }
        }
    }

    /// One message, or one sign of life.
    private func hear(_ connection: RedisConnection) throws(RedisConnection.Broken) {
        var value = try connection.readIfAny(by: .now + Self.silence)
        if value == nil {
            let deadline = ContinuousClock.now + options.answerTimeout
            try connection.write(RedisCommand("PING").bytes, by: deadline)
            value = try connection.read(by: deadline)
        }
        guard case .array(let parts)? = value, parts.count == 3, case .bytes(let kind) = parts[0],
            kind == Array("message".utf8), case .bytes(let channel) = parts[1], case .bytes(let content) = parts[2]
        else { return }
        handler(.message(channel: String(decoding: channel, as: UTF8.self), content))
    }
}
