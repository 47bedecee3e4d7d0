import CHiredis
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One connection by hiredis: it blocks, and belongs to the one thread that made it.
final class RedisConnection {
    /// Of one answer, or of what has arrived of it.
    static let largestAnswer = 64 << 20

    /// Why a connection is of no use any more.
    struct Broken: Error { let reason: String }

    private let context: UnsafeMutablePointer<redisContext>

    private init(_ context: UnsafeMutablePointer<redisContext>) { self.context = context }
    deinit { redisFree(context) }

    var descriptor: Int32 { Int32(context.pointee.fd) }

    /// Connects, says who it is, chooses the database, and sees that the server answers.
    static func open(_ url: RedisURL, _ options: RedisClient.Options) throws(Broken) -> RedisConnection {
        guard let context = redisConnectWithTimeout(url.host, Int32(url.port), timeval(options.connectTimeout)) else {
            throw Broken(reason: "no memory for a connection")
        }
        let connection = RedisConnection(context)
        if context.pointee.err != 0 { throw connection.broken("no connection to \(url)") }
        guard redisSetTimeout(context, timeval(options.answerTimeout)) == REDIS_OK else {
            throw connection.broken("no connection to \(url)")
        }
        // What a firewall forgets in silence is found dead within minutes.
        _ = redisEnableKeepAlive(context)
        try connection.greet(url, within: options.connectTimeout)
        return connection
    }

    private func greet(_ url: RedisURL, within timeout: Duration) throws(Broken) {
        var commands: [RedisCommand] = []
        if let password = url.password {
            commands.append(RedisCommand("AUTH", (url.user.map { [$0] } ?? []) + [password]))
        }
        if url.database != 0 { commands.append(RedisCommand("SELECT", url.database)) }
        commands.append(RedisCommand("PING"))
        let deadline = ContinuousClock.now + timeout
        try write(commands.flatMap(\.bytes), by: deadline)
        for _ in commands {
            if case .error(let text) = try read(by: deadline) {
                throw Broken(reason: "\(url) does not let this client in: \(text)")
            }
        }
    }

    /// Whether nothing has come that nobody asked for: the end of the connection, mostly.
    var isQuiet: Bool {
        let reader = context.pointee.reader.pointee
        return reader.pos >= reader.len && !waitUntilReadable(.zero)
    }

    func write(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws(Broken) {
        let code = bytes.withUnsafeBytes { bytes in
            redisAppendFormattedCommand(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard code == REDIS_OK else { throw broken("nothing can be sent") }
        var isDone: Int32 = 0
        while isDone == 0 {
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw broken("nothing can be sent") }
            if isDone == 0, ContinuousClock.now >= deadline { throw Broken(reason: "it takes nothing in") }
        }
    }

    /// The next answer.
    func read(by deadline: ContinuousClock.Instant) throws(Broken) -> RedisValue {
        guard let value = try readIfAny(by: deadline) else { throw Broken(reason: "no answer in time") }
        return value
    }

    /// The next answer, or nil if none has arrived as a whole by then.
    func readIfAny(by deadline: ContinuousClock.Instant) throws(Broken) -> RedisValue? {
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &reply) == REDIS_OK else {
                throw broken("the answer cannot be read")
            }
            if let reply {
                defer { freeReplyObject(reply) }
                return RedisValue(reply.assumingMemoryBound(to: redisReply.self).pointee)
            }
            guard waitUntilReadable(max(.zero, deadline - .now)) else { return nil }
            guard redisBufferRead(context) == REDIS_OK else { throw broken("it broke off") }
            guard context.pointee.reader.pointee.len <= Self.largestAnswer else {
                throw Broken(reason: "an answer is larger than \(Self.largestAnswer >> 20) MiB")
            }
        }
    }

    private func waitUntilReadable(_ duration: Duration) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let deadline = ContinuousClock.now + duration
        while true {
            let left = max(0, (deadline - .now).microseconds)
            let code = poll(&watched, 1, Int32(clamping: (left + 999) / 1_000))
            if code >= 0 || errno != EINTR { return code != 0 }
        }
    }

    private func broken(_ what: String) -> Broken {
        let text = withUnsafeBytes(of: context.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return Broken(reason: text.isEmpty ? what : "\(what): \(text)")
    }

    private static func timeval(_ duration: Duration) -> timeval {
        let microseconds = max(1_000, duration.microseconds)
        var time = CHiredis.timeval()
        time.tv_sec = .init(microseconds / 1_000_000)
        time.tv_usec = .init(microseconds % 1_000_000)
        return time
    }
}

extension RedisValue {
    init(_ reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: self = .bytes(Self.content(reply))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.content(reply), as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            self = .array(
                UnsafeBufferPointer(start: reply.element, count: reply.elements).map { element in
                    element.map { RedisValue($0.pointee) } ?? .null
                })
        default: self = .null
        }
    }

    private static func content(_ reply: redisReply) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: reply.str, count: reply.len))
    }
}
