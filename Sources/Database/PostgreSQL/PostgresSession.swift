import Kernel
import Metrics

/// A connection as transactions see it: opened when it is needed, and again when it was lost.
///
/// One round trip a statement: BEGIN, the writers' lock and savepoints go out with the statement behind them.
final class PostgresSession: Session {
    let dialect = Dialect.postgres
    let settings: PostgresSettings
    var link: PostgresLink?
    private var statements = PostgresStatements()
    private var arguments = PostgresArguments()
    /// Statements that are to be forgotten, whatever becomes of the transaction.
    private var surplus: [String] = []
    private var cursors = 0

    /// What goes out before the next statement.
    var framing: [String] = []
    /// And behind that, what nobody waits for.
    var posted: [(sql: String, values: [Value])] = []
    /// A closure may be undone by itself: what it posts is run at once, so that its failure is its own.
    var hasSavepoint = false
    /// Statements were prepared that are not known here: the connection is given up with the transaction.
    var isUntidy = false
    /// So many are held back at most.
    private static let mostPosted = 64
    var isBegun = false
    var isBeginSent = false
    /// A statement failed: only a rollback is possible.
    var hasFailed = false
    /// Names it in `commits`, where each of its transactions that writes leaves its number: by that the data tell what
    /// became of a commit that the server did not answer to.
    let name = String(UInt64.random(in: 0 ... .max), radix: 16)
    var number: Int64 = 0

    var hasWritten = false
    var survivesFailures = false
    var wentOnAfterFailure = false
    var interruption: (any Error)?
    var remedy = PostgresRefusal.Remedy.none
    /// Another transaction's, exported by the server, which each of this session's sees too.
    var snapshot: String?
    /// When connecting failed first, of the times in a row.
    var awaySince: ContinuousClock.Instant?

    private let connections: Meter
    private let failures: Counter

    private static let rowsAtOnce = 512

    init(_ settings: PostgresSettings) {
        self.settings = settings
        let labels = [("database", settings.options.name ?? settings.schema), ("role", settings.role.rawValue)]
        connections = Meter(label: "souk_database_connections", dimensions: labels)
        failures = Counter(label: "souk_database_connection_failures_total", dimensions: labels)
    }

    var isWriter: Bool { settings.isWriter }

    // MARK: Statements

    func execute(_ sql: String, _ arguments: [Value]) throws -> Int { try run(sql, arguments).changes }

    func post(_ sql: String, _ arguments: [Value]) throws {
        guard isBegun, !survivesFailures, !hasSavepoint, !hasFailed, interruption == nil, posted.count < Self.mostPosted
        else { return _ = try run(sql, arguments) }
        try PostgresStatements.check(PostgresStatements.verb(sql), sql)
        posted.append((sql, arguments))
        hasWritten = true
    }

    func rows(_ sql: String, _ arguments: [Value]) throws -> [Row] {
        let result = try run(sql, arguments)
        return Row.split(try result.values(), columns: result.columnCount, sql: sql)
    }

    func row(_ sql: String, _ arguments: [Value]) throws -> Row? {
        let result = try run(sql, arguments)
        guard result.rowCount > 0 else { return nil }
        return Row(try result.values(rows: 0..<1), start: 0, count: result.columnCount, sql: sql)
    }

    /// Through a cursor, so that memory holds no more than some hundred rows.
    func forEach(_ sql: String, _ arguments: [Value], _ body: (Row) throws -> Void) throws {
        guard isBegun, ["SELECT", "WITH"].contains(PostgresStatements.verb(sql)) else {
            return try rows(sql, arguments).forEach(body)
        }
        cursors += 1
        let cursor = "rows_\(cursors)"
        var result = try run(sql, arguments, cursor: cursor)
        defer { if isInTransaction { framing.append("CLOSE \(cursor)") } }
        while true {
            for row in Row.split(try result.values(), columns: result.columnCount, sql: sql) { try body(row) }
            if result.rowCount < Self.rowsAtOnce { return }
            result = try run(Self.fetch(cursor), [])
        }
    }

    private static func fetch(_ cursor: String) -> String { "FETCH \(rowsAtOnce) FROM \(cursor)" }

    func executeScript(_ sql: String) throws {
        precondition(isBegun, "a script is run in a transaction")
        if let interruption { throw interruption }
        do {
            let link = try connected()
            try sendFraming(on: link)
            _ = try sendPosted(on: link)
            _ = try link.receive()
            try link.script(sql)
        } catch {
            throw failure(error, inFraming: false, sql)
        }
        hasWritten = true
    }

    private func run(_ sql: String, _ values: [Value], cursor: String? = nil) throws -> PostgresResult {
        if let interruption { throw interruption }
        if hasFailed {
            wentOnAfterFailure = true
            throw DatabaseError.statement(reason: "an earlier statement of the transaction failed", sql: sql)
        }
        let verb = PostgresStatements.verb(sql)
        try PostgresStatements.check(verb, sql)
        let result = try exchange(sql, values, cursor)
        if result.isEmptyStatement { throw DatabaseError.statement(reason: "no statement", sql: sql) }
        switch verb {
        case "SELECT", "FETCH", "VALUES", "TABLE": break
        case "INSERT", "UPDATE", "DELETE", "MERGE": if result.changes > 0 { hasWritten = true }
        default: hasWritten = true
        }
        return result
    }

    /// The statement and all that goes with it, in one round trip.
    private func exchange(_ sql: String, _ values: [Value], _ cursor: String?) throws -> PostgresResult {
        var (framed, before) = (0, 0)
        var new: String?
        do {
            let link = try connected()
            framed = try sendFraming(on: link)
            let prepared = try sendPosted(on: link)
            before = framed + prepared.commands
            if survivesFailures, isBegun {
                try link.send("SAVEPOINT statement")
                before += 1
            }
            if let cursor {
                try arguments.set(values, sql: sql)
                // Its plan is its own, and a look at a whole table is what it is for.
                try link.send("SET LOCAL enable_seqscan = on")
                before += 1
                try link.send("DECLARE \(cursor) NO SCROLL CURSOR FOR " + sql, arguments)
                try link.send(Self.fetch(cursor))
            } else {
                new = try send(sql, values, on: link)
            }
            if survivesFailures, isBegun { try link.send("RELEASE SAVEPOINT statement") }
            let answers = try link.receive()
            prepared.remember(answers, from: framed, in: self)
            if let new { remember(new, sql, types: answers[before + 1].parameterTypes) }
            if !isBegun { try end(link) }
            return answers[before + (cursor != nil ? 1 : new != nil ? 2 : 0)]
        } catch {
            let command = (error as? PostgresRefusal)?.command ?? before
            // It is prepared, though it failed when it was run.
            if let new, error is PostgresRefusal, command >= before + 2 { remember(new, sql, types: arguments.types) }
            if !isBegun, let link, !link.isLost { try? end(link) }  // what is lost shows at the next statement
            if command >= framed, command < before { blamePosted() }
            throw failure(error, inFraming: command < framed, sql)
        }
    }

    /// - Returns: the name under which it is being prepared, where it was not yet: then it is three commands, else one.
    private func send(_ sql: String, _ values: [Value], on link: PostgresLink) throws -> String? {
        try arguments.set(values, sql: sql)
        if settings.url.isBehindPooler {
            try link.send(sql, arguments)
            return nil
        }
        if let known = statements.find(sql, values) {
            try link.sendPrepared(known, arguments)
            return nil
        }
        let name = statements.nextName()
        try link.sendPrepare(name, sql, types: arguments.types)
        try link.sendPrepared(name, arguments)
        return name
    }

    /// What was posted and is on its way.
    struct Posted {
        var commands = 0
        /// Those that are prepared with it, and where.
        var new: [(name: String, sql: String, command: Int)] = []

        /// - Parameter start: the index of its first answer.
        func remember(_ answers: [PostgresResult], from start: Int, in session: PostgresSession) {
            for entry in new {
                session.remember(entry.name, entry.sql, types: answers[start + entry.command + 1].parameterTypes)
            }
        }
    }

    func sendPosted(on link: PostgresLink) throws -> Posted {
        var sent = Posted()
        for statement in posted {
            let name = try send(statement.sql, statement.values, on: link)
            if let name {
                sent.new.append((name, statement.sql, sent.commands))
                isUntidy = true  // until it is known
            }
            sent.commands += name == nil ? 1 : 3
        }
        posted = []
        return sent
    }

    /// Whose it was shows when each closure has a transaction of its own.
    func blamePosted() { wentOnAfterFailure = true }

    private func remember(_ name: String, _ sql: String, types: [UInt32]) {
        isUntidy = false
        if let oldest = statements.add(name, sql, types: types) { surplus.append("DEALLOCATE \(oldest)") }
    }

    /// Of a statement outside a transaction of the engine's: it has one of its own.
    private func end(_ link: PostgresLink) throws {
        try link.send("COMMIT")
        try link.post()
    }

    /// What a closure is told, and what the transaction is in after it.
    func failure(_ error: any Error, inFraming: Bool, _ sql: String) -> any Error {
        switch error {
        case let lost as PostgresLost:
            return interrupt(.unavailable(database: settings.database, reason: lost.reason), .reconnect)
        case let refusal as PostgresRefusal:
            let error = refusal.error(database: settings.database, sql: sql)
            if let remedy = refusal.remedy(isWriter: isWriter) { return interrupt(error, remedy) }
            if inFraming { return interrupt(error, .none) }
            if survivesFailures {
                framing = ["ROLLBACK TO SAVEPOINT statement", "RELEASE SAVEPOINT statement"] + framing
            } else {
                hasFailed = isBegun
            }
            return error
        default: return error
        }
    }

    func interrupt(_ error: DatabaseError, _ remedy: PostgresRefusal.Remedy) -> DatabaseError {
        interruption = error
        self.remedy = remedy
        return error
    }

    // MARK: The connection

    /// - Throws: `PostgresLost`, `PostgresRefusal`.
    func connected() throws -> PostgresLink {
        if let link, !link.isLost { return link }
        disconnect()
        do {
            let new = try PostgresLink(settings.parameters, answerTimeout: settings.answerTimeout)
            try configure(new)
            link = new
            connections.increment(by: 1)
            awaySince = nil
            return new
        } catch {
            failures.increment()
            if awaySince == nil { awaySince = .now }
            throw error
        }
    }

    /// On the thread that uses it.
    func disconnect() {
        if link != nil { connections.decrement(by: 1) }
        link = nil
        isUntidy = false
        statements.removeAll()
        surplus = []
    }

    private static let oldestServer = 130_000

    private func configure(_ link: PostgresLink) throws {
        guard link.serverVersion >= Self.oldestServer else {
            throw PostgresLost(reason: "the server is older than PostgreSQL 13")
        }
        if !settings.url.isBehindPooler {
            try link.send(configuration(isLocal: false))
            _ = try link.receive()
        }
    }

    private func configuration(isLocal: Bool) -> String {
        let settings = settings.configuration.map { "set_config('\($0.name)', '\($0.value)', \(isLocal))" }
        return "SELECT " + settings.joined(separator: ", ")
    }

    /// - Returns: how many commands.
    @discardableResult
    func sendFraming(on link: PostgresLink) throws -> Int {
        var count = 0
        func send(_ sql: String) throws {
            try link.send(sql)
            count += 1
        }
        if !isBeginSent || !isBegun {
            isBeginSent = isBegun
            try send(
                isWriter
                    ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
                    : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if let snapshot { try send("SET TRANSACTION SNAPSHOT '\(snapshot)'") }
            if settings.url.isBehindPooler { try send(configuration(isLocal: true)) }
            if isBegun, isWriter { try send("SELECT pg_advisory_xact_lock(\(settings.lock))") }
        }
        for sql in framing + surplus { try send(sql) }
        framing = []
        surplus = []
        return count
    }
}
