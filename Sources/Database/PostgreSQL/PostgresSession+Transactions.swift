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
        transactionID = nil
    }

    func commit() throws {
        // Its identifier must be known before it is committed.
        if !isBeginSent, !posted.isEmpty { try flush() }
        guard isBeginSent else { return ended() }
        var (framed, before) = (0, 0)
        do {
            guard let link else { throw PostgresLost(reason: "the connection was lost") }
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
            if (framed..<before).contains(refusal.command) { blamePosted() }
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

    /// The server did not answer to COMMIT. Asked again, by the transaction's identifier, it knows: a commit that
    /// reached it stands. Nobody knows where it stays away, and where another server has taken its place.
    private func findOut(after lost: PostgresLost) throws {
        let (identifier, history) = (transactionID, timeline)
        ended()
        disconnect()
        let error = DatabaseError.unavailable(database: settings.database, reason: lost.reason)
        let deadline = ContinuousClock.now + settings.options.patience
        asking: while let identifier, let history, ContinuousClock.now < deadline {
            do {
                let link = try connected()
                guard timeline == history else { break asking }
                try link.send("SELECT pg_xact_status('\(identifier)'::xid8)")
                switch try link.receive().first?.values().first.flatMap(Self.text) {
                case "committed": return
                case "aborted": throw interrupt(error, .again)
                case "in progress": break
                default: throw OutcomeUnknown(Self.unknown(error))
                }
            } catch is PostgresLost {
                disconnect()
            } catch is PostgresRefusal {
                break asking
            }
            Self.pause(Self.longestPause)
        }
        throw OutcomeUnknown(Self.unknown(error))
    }

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
