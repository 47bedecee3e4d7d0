import Kernel
import Synchronization

/// Hands messages to a mail server, several at once, over a few connections that stay open.
///
/// A letter that the server refuses for ever is a `MailError`, and the others go on; one that it wants later, and a
/// server that is away, are an `SMTPError`, and all stay due. What it has taken is remembered for a while, so that
/// letters sent again because of others do not arrive twice; after a crash they may, with the same Message-ID.
public final class SMTPMailer: Mailer {
    /// Open at once while `send` runs, and kept afterwards.
    public static let connections = 4
    /// Message-IDs that are remembered.
    public static let memory = 10_000
    /// Servers close what is idle after some minutes; a firewall on the way may forget it sooner, and without a word.
    public static let idleTime = Duration.seconds(30)

    struct Timeouts: Sendable {
        /// With TLS and the log-in.
        var connect = Duration.seconds(15)
        /// For each reply; whole seconds.
        var reply = Duration.seconds(60)
        /// For a letter with all its replies: a server may look through it first.
        var letter = Duration.seconds(120)
    }

    private let url: SMTPURL
    private let library: LibCurl
    private let timeouts: Timeouts
    private let idle = Mutex<[SMTPSession]>([])
    private let taken = Mutex(RecentIDs(limit: SMTPMailer.memory))

    /// Throws `SMTPError.libraryMissing`. Nothing is sent yet.
    public convenience init(_ url: SMTPURL) throws { try self.init(url, Timeouts()) }

    init(_ url: SMTPURL, _ timeouts: Timeouts) throws {
        library = try LibCurl.load()
        self.url = url
        self.timeouts = timeouts
    }

    /// Ends the connections that are idle. To be called when no more is sent.
    public func close() async {
        let sessions = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        _ = try? await behindOthers { for session in sessions { session.close() } }
    }

    /// Throws `MailError` of one message, `SMTPError`, or `CancellationError`.
    public func send(_ messages: [Message]) async throws {
        guard !messages.isEmpty else { return }
        let letters = try await behindOthers { try messages.map { message throws in try SMTPLetter(message) } }
        let due = taken.withLock { taken in letters.filter { !taken.contains($0.messageID) } }
        let batch = SMTPBatch(due)
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup { group in
                for _ in 0..<min(Self.connections, due.count) {
                    group.addTask { try await behindOthers { try self.work(on: batch) } }
                }
                try await group.waitForAll()
            }
        } onCancel: {
            batch.cancel()
        }
        try Task.checkCancellation()
        if let error = batch.error { throw error }
    }

    /// Letter after letter over one connection, until there are no more or the server is of no use.
    private func work(on batch: SMTPBatch) throws {
        ignoreBrokenPipes()
        let session = try idle.withLock { $0.popLast() } ?? SMTPSession(url, library, timeouts)
        while let letter = batch.next() {
            switch session.send(letter, isCancelled: { batch.isCancelled }) {
            case .taken: taken.withLock { $0.insert(letter.messageID) }
            case .refused(let error): batch.fail(error, isOutage: false)
            case .failed(let error):
                batch.fail(error, isOutage: !error.isOfOneLetter)
            case .cancelled: return
            }
        }
        idle.withLock { if $0.count < Self.connections { $0.append(session) } }
    }
}

/// The letters that several threads share, and what has gone wrong.
private final class SMTPBatch: Sendable {
    private struct State {
        var due: ArraySlice<SMTPLetter>
        var error: (any Error)?
        var isOutage = false
        var isCancelled = false
    }

    private let state: Mutex<State>

    init(_ letters: [SMTPLetter]) { state = Mutex(State(due: letters[...])) }

    var error: (any Error)? { state.withLock { $0.error } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func next() -> SMTPLetter? { state.withLock { $0.due.popFirst() } }

    /// In an outage the other letters would fare no better: they are left.
    func fail(_ error: any Error, isOutage: Bool) {
        state.withLock { state in
            if state.error == nil || (isOutage && !state.isOutage) { state.error = error }
            if isOutage { state.due = [] }
            state.isOutage = state.isOutage || isOutage
        }
    }

    func cancel() {
        state.withLock { state in
            state.due = []
            state.isCancelled = true
        }
    }
}

extension SMTPError {
    fileprivate var isOfOneLetter: Bool { if case .postponed = self { true } else { false } }
}

/// The last so many.
private struct RecentIDs {
    private let limit: Int
    private var known: Set<String> = []
    private var order: [String] = []
    private var oldest = 0

    init(limit: Int) { self.limit = limit }

    func contains(_ id: String) -> Bool { known.contains(id) }

    mutating func insert(_ id: String) {
        guard known.insert(id).inserted else { return }
        if order.count < limit { return order.append(id) }
        known.remove(order[oldest])
        order[oldest] = id
        oldest = (oldest + 1) % limit
    }
}
