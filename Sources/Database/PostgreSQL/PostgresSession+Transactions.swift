import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// **Writers take turns.** A transaction that writes holds an advisory lock of its schema up to its commit, whatever
/// process it is in. So closures see what SQLite's single writer gives them, and `max(number) + 1`, or a look followed
/// by a write, is right as it stands; group commit makes each turn worth taking.
///
/// The isolation is READ COMMITTED, whose statements see all that was committed while the lock was waited for: under
/// the higher levels the snapshot is older than the lock. Those levels without the lock would let two writers run and
/// then undo one of them; with many closures to a transaction, nearly always. A read is REPEATABLE READ: one snapshot.
extension PostgresSession {
    /// Nothing is sent yet: it goes out with the first statement.
    func begin() throws {
        framing = []
        posted = []
        hasSavepoint = false
        isBegun = true
        isBeginSent = false
        hasFailed = false
        hasWritten = false
        wentOnAfterFailure = false
        interruption = nil
    }

    func commit() throws {
        if hasWritten {
            number += 1
            posted.append((Self.note, [.text(name), .integer(number)]))
        }
        guard isBeginSent || !posted.isEmpty else { return ended() }
        var (framed, before) = (0, 0)
        do {
            guard let link = try isBeginSent ? link : connected() else {
                throw PostgresLost(reason: "the connection was lost")
            }
            framed = try sendFraming(on: link)
            let prepared = try sendPosted(on: link)
            before = framed + prepared.commands
            try link.send("COMMIT")
            let answers = try link.receive()
            prepared.remember(answers, from: framed, in: self)
            ended()
            // It says ROLLBACK where a statement had failed before.
            guard answers.last?.verb == "COMMIT" else {
                throw DatabaseError.statement(reason: "the transaction was ended before its commit", sql: "COMMIT")
            }
        } catch let lost as PostgresLost {
            try findOut(after: lost)
        } catch let refusal as PostgresRefusal {
            if refusal.command >= framed, refusal.command < before { blamePosted() }
            rollback()
            throw failure(refusal, inFraming: refusal.command < framed, "COMMIT")
        }
    }

    func rollback() {
        if isBeginSent, let link, !link.isLost {
            do {
                try link.send("ROLLBACK")
                try link.post()
            } catch {
                disconnect()  // and the server rolls back by itself
            }
        }
        ended()
        if isUntidy { disconnect() }
    }

    private func ended() {
        framing = []
        posted = []
        hasSavepoint = false
        isBegun = false
        isBeginSent = false
        hasFailed = false
    }

    func savepoint() throws {
        hasSavepoint = true
        framing.append("SAVEPOINT closure")
    }
    func releaseSavepoint() throws { framing.append("RELEASE SAVEPOINT closure") }

    func rollBackToSavepoint() throws {
        hasFailed = false
        framing.append("ROLLBACK TO SAVEPOINT closure")
    }

    /// Reads have connections of their own.
    func withoutWriting(_ work: () throws -> Void) throws { try work() }

    var isInTransaction: Bool { isBegun && !hasFailed && interruption == nil }
    var failureEndsTransaction: Bool { true }

    // MARK: When something is in the way

    private static let maxTries = 10
    private static let longestPause = Duration.milliseconds(100)

    func recover(tries: Int) -> Bool {
        guard tries <= Self.maxTries else { return false }
        switch remedy {
        case .none: return false
        case .again:
            Self.pause(min(Self.longestPause, .milliseconds(1 << min(tries, 10))))
            return true
        case .reconnect:
            disconnect()
            while true {
                do {
                    _ = try connected()
                    return true
                } catch {
                    interruption = failure(error, inFraming: true, "")
                    remedy = .reconnect
                }
                guard let awaySince, ContinuousClock.now - awaySince < settings.options.patience else { return false }
                Self.pause(Self.longestPause)
            }
        }
    }

    /// The server did not answer to COMMIT. The data tell, with the writers' lock in hand: then that transaction is
    /// over, one way or the other. Nobody knows where no server can be asked.
    ///
    /// `pg_xact_status` will not do: a server that is killed forgets the identifiers of transactions that did not reach
    /// its disk, and gives them to others, which are then taken for them.
    private func findOut(after lost: PostgresLost) throws {
        let isNoted = hasWritten
        ended()
        disconnect()
        // Nothing was changed, and what was read has been answered.
        guard isNoted else { return }
        let error = DatabaseError.unavailable(database: settings.database, reason: lost.reason)
        let deadline = ContinuousClock.now + settings.options.patience
        repeat {
            if case .success(let latest) = Result(catching: latestNote) {
                if latest == number { return }
                throw interrupt(error, .again)
            }
            Self.pause(Self.longestPause)
        } while ContinuousClock.now < deadline
        interruption = nil
        throw OutcomeUnknown(Self.unknown(error))
    }

    private func latestNote() throws -> Int64? {
        try begin()
        defer { rollback() }
        return try row("SELECT number FROM commits WHERE session = $1", [.text(name)])?.int64(0)
    }

    private static let note = """
        INSERT INTO commits (session, number) VALUES ($1, $2)
        ON CONFLICT (session) DO UPDATE SET number = excluded.number, at = now()
        """

    private static func unknown(_ error: DatabaseError) -> String {
        "\(error); it is not known whether the last commit was kept"
    }

    /// On the connection's own thread. Between half and all of it, so that those who failed together do not meet again.
    private static func pause(_ longest: Duration) {
        let nanoseconds = longest.microseconds * 1_000
        var time = timespec(tv_sec: 0, tv_nsec: Int(Int64.random(in: nanoseconds / 2...nanoseconds)))
        nanosleep(&time, nil)
    }
}
