import CPostgreSQL
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The connection is gone, or its server did not answer in time.
struct PostgresLost: Error {
    let reason: String
}

/// One connection to a server, used by one thread. Commands are gathered and go out together (libpq's pipeline), so
/// that what frames a statement costs no round trip of its own.
///
/// Nothing waits without an end: neither connecting, nor sending, nor an answer.
final class PostgresLink {
    let library: LibPQ
    let handle: LibPQ.Connection
    private let answerTimeout: Duration?
    /// Commands that were sent since the last synchronisation.
    private var sent = 0
    /// Commands of a batch that nobody has waited for yet; nil for none.
    private var owed: Int?
    private(set) var isLost = false

    /// - Parameter isPipelined: not where commands are those of replication, which a pipeline does not take.
    /// - Throws: `PostgresLost`, with what the server or the network said.
    init(_ parameters: [String: String], answerTimeout: Duration?, isPipelined: Bool = true) throws {
        let library = try LibPQ.load()
        self.library = library
        self.answerTimeout = answerTimeout
        let opened = Self.withTexts(parameters.map(\.key)) { keywords in
            // Of one dictionary, keys and values come in the same order.
            Self.withTexts(parameters.map(\.value)) { library.connect(keywords, $0, 0) }
        }
        guard let opened else { throw PostgresLost(reason: "out of memory") }
        // From here on `deinit` ends it, also after an error.
        handle = opened
        guard library.status(opened) == CONNECTION_OK else { throw lost() }
        // By default notices go to the standard error.
        _ = library.setNoticeReceiver(opened, { _, _ in }, nil)
        guard library.setNonblocking(opened, 1) == 0 else { throw lost() }
        guard !isPipelined || library.enterPipeline(opened) == 1 else { throw lost() }
    }

    deinit { library.finish(handle) }

    /// For an exchange that begins now.
    var deadline: ContinuousClock.Instant? { answerTimeout.map { ContinuousClock.now + $0 } }
    var serverVersion: Int { Int(library.serverVersion(handle)) }

    // MARK: Gathering

    /// One statement without parameters.
    func send(_ sql: String) throws {
        try add(library.sendParams(handle, sql, 0, nil, nil, nil, nil, 0))
    }

    func send(_ sql: String, _ arguments: borrowing PostgresArguments) throws {
        try add(
            arguments.withPointers { values, lengths, formats in
                library.sendParams(
                    handle, sql, Int32(arguments.count), arguments.types, values, lengths, formats, 0)
            })
    }

    /// Prepares a statement and asks for the types of its parameters: two answers.
    func sendPrepare(_ name: String, _ sql: String, types: [Oid]) throws {
        try add(library.sendPrepare(handle, name, sql, Int32(types.count), types))
        try add(library.sendDescribe(handle, name))
    }

    func sendPrepared(_ name: String, _ arguments: borrowing PostgresArguments) throws {
        try add(
            arguments.withPointers { values, lengths, formats in
                library.sendPrepared(handle, name, Int32(arguments.count), values, lengths, formats, 0)
            })
    }

    private func add(_ isSent: Int32) throws {
        guard isSent == 1 else { throw lost() }
        sent += 1
    }

    // MARK: Answers

    /// Sends what was gathered and waits for all of it.
    /// - Returns: an answer for each command.
    /// - Throws: `PostgresRefusal` of the first that failed (none after it was run), or `PostgresLost`.
    func receive() throws -> [PostgresResult] {
        let deadline = deadline
        let count = sent
        try synchronise()
        try flush(deadline)
        if let owed {
            self.owed = nil
            do { _ = try answers(owed, deadline) } catch is PostgresRefusal {}
        }
        return try answers(count, deadline)
    }

    /// Sends what was gathered. Its answers are read before the next ones, and a refusal is of no interest.
    func post() throws {
        if owed != nil { return _ = try receive() }
        let count = sent
        try synchronise()
        try flush(deadline)
        owed = count
    }

    /// Runs a script of several statements, which a pipeline does not take.
    func script(_ sql: String) throws {
        try outsidePipeline { library, handle in
            guard library.sendQuery(handle, sql) == 1 else { throw lost() }
            let deadline = deadline
            try flush(deadline)
            var refusal: PostgresRefusal?
            while let result = try next(deadline) {
                if let failure = result.refusal, refusal == nil { refusal = failure }
            }
            if let refusal { throw refusal }
        }
    }

    /// What a pipeline does not take; nothing is under way then.
    func outsidePipeline(_ work: (LibPQ, LibPQ.Connection) throws -> Void) throws {
        if owed != nil || sent > 0 { _ = try receive() }
        guard library.exitPipeline(handle) == 1 else { throw lost() }
        let outcome = Result { try work(library, handle) }
        if !isLost, library.enterPipeline(handle) != 1 { throw lost() }
        try outcome.get()
    }

    private func synchronise() throws {
        guard library.pipelineSync(handle) == 1 else { throw lost() }
        sent = 0
    }

    private func answers(_ count: Int, _ deadline: ContinuousClock.Instant?) throws -> [PostgresResult] {
        var results: [PostgresResult] = []
        results.reserveCapacity(count)
        var refusal: PostgresRefusal?
        for index in 0..<count {
            // The answers to one command end with a nil.
            while let result = try next(deadline) {
                if var failure = result.refusal {
                    failure.command = index
                    if refusal == nil { refusal = failure }
                } else if result.isAnswer {
                    results.append(result)
                }
            }
        }
        guard let end = try next(deadline), end.isSynchronisation else { throw lost() }
        if let refusal { throw refusal }
        return results
    }

    func next(_ deadline: ContinuousClock.Instant?) throws -> PostgresResult? {
        while library.isBusy(handle) == 1 {
            try wait(for: POLLIN, deadline)
            guard library.consumeInput(handle) == 1 else { throw lost() }
        }
        let result = library.getResult(handle).map { PostgresResult($0, library) }
        // The server's last words, before it ends the connection.
        if let refusal = result?.refusal, refusal.isFatal { throw lost(refusal.message) }
        if library.status(handle) != CONNECTION_OK { throw lost() }
        return result
    }

    func flush(_ deadline: ContinuousClock.Instant?) throws {
        while true {
            switch library.flush(handle) {
            case 0: return
            case 1:
                let events = try wait(for: POLLIN | POLLOUT, deadline)
                // A server that waits for us to read does not read either.
                if events & Int32(POLLIN) != 0, library.consumeInput(handle) != 1 { throw lost() }
            default: throw lost()
            }
        }
    }

    /// Whether something came within that time.
    func waitForInput(within limit: Duration) throws -> Bool {
        var descriptor = pollfd(fd: library.socket(handle), events: Int16(POLLIN), revents: 0)
        let count = poll(&descriptor, 1, Int32(clamping: max(0, limit.microseconds / 1_000)))
        if count < 0, errno != EINTR { throw lost(String(cString: strerror(errno))) }
        guard count > 0 else { return false }
        guard library.consumeInput(handle) == 1 else { throw lost() }
        return true
    }

    /// - Returns: what is possible now.
    @discardableResult
    private func wait(for events: Int32, _ deadline: ContinuousClock.Instant?) throws -> Int32 {
        var descriptor = pollfd(fd: library.socket(handle), events: Int16(events), revents: 0)
        while true {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = deadline - ContinuousClock.now
                guard left > .zero else { throw lost("the server did not answer in time") }
                milliseconds = Int32(clamping: left.microseconds / 1_000 + 1)
            }
            let count = poll(&descriptor, 1, milliseconds)
            if count > 0 { return Int32(descriptor.revents) }
            if count < 0, errno != EINTR { throw lost(String(cString: strerror(errno))) }
        }
    }

    func lost(_ reason: String? = nil) -> PostgresLost {
        isLost = true
        return PostgresLost(reason: reason ?? Self.message(library.errorMessage(handle)))
    }

    /// On one line.
    private static func message(_ text: LibPQ.Text?) -> String {
        let text = text.map { String(cString: $0) } ?? ""
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.isEmpty ? "the connection was lost" : line
    }

    private static func withTexts<T>(_ texts: [String], _ body: (LibPQ.Texts) -> T) -> T {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return (copies.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { pointers in
            guard let start = pointers.baseAddress else { preconditionFailure("it holds a nil at least") }
            return body(start)
        }
    }
}
