/// What a closure given to `write` or `read` works with. Synchronous, and good only inside that closure.
///
/// Placeholders are `$1`, `$2`… in both dialects; the same one may be used twice. Text given as SQL is prepared once
/// and kept, so write it as a literal and bind what varies.
public final class Transaction {
    public let dialect: Dialect
    let session: any Session

    init(_ session: any Session) {
        self.session = session
        self.dialect = session.dialect
    }

    /// Runs one statement and gives the number of rows it inserted, updated or deleted.
    @discardableResult
    public func execute(_ sql: String, _ arguments: any ValueConvertible...) throws -> Int {
        try session.execute(sql, arguments.map { $0.value })
    }

    @discardableResult
    public func execute(_ sql: String, _ arguments: [Value]) throws -> Int {
        try session.execute(sql, arguments)
    }

    /// Runs one statement of which nobody needs to know how many rows it changed, and which is not expected to fail.
    ///
    /// It may go out to a server with a later one or with the commit, one round trip for all. If it fails the closure
    /// does, though perhaps only after its last line.
    public func post(_ sql: String, _ arguments: any ValueConvertible...) throws {
        try session.post(sql, arguments.map { $0.value })
    }

    public func post(_ sql: String, _ arguments: [Value]) throws { try session.post(sql, arguments) }

    /// All rows, in memory. For many, use `forEach`.
    public func rows(_ sql: String, _ arguments: any ValueConvertible...) throws -> [Row] {
        try session.rows(sql, arguments.map { $0.value })
    }

    public func rows(_ sql: String, _ arguments: [Value]) throws -> [Row] {
        try session.rows(sql, arguments)
    }

    /// Inserts rows until `next` gives nil, the fastest way that the engine has; gives how many. Numbers that the table
    /// would give by itself are taken as they are.
    @discardableResult
    public func load(into table: String, columns: [String], _ next: () throws -> [Value]?) throws -> Int {
        try session.load(table, columns, next)
    }

    /// The first row, or nil if there is none.
    public func row(_ sql: String, _ arguments: any ValueConvertible...) throws -> Row? {
        try session.row(sql, arguments.map { $0.value })
    }

    public func row(_ sql: String, _ arguments: [Value]) throws -> Row? {
        try session.row(sql, arguments)
    }

    /// Row by row, in constant memory. The body may run further statements.
    public func forEach(_ sql: String, _ arguments: [Value] = [], _ body: (Row) throws -> Void) throws {
        try session.forEach(sql, arguments, body)
    }
}

/// One connection, owned by one thread: what an engine brings.
protocol Session: AnyObject {
    var dialect: Dialect { get }

    func execute(_ sql: String, _ arguments: [Value]) throws -> Int
    func rows(_ sql: String, _ arguments: [Value]) throws -> [Row]
    func row(_ sql: String, _ arguments: [Value]) throws -> Row?
    func forEach(_ sql: String, _ arguments: [Value], _ body: (Row) throws -> Void) throws
    /// Like `execute`, but it may be sent, and fail, later: with the next statement, or with the commit.
    func post(_ sql: String, _ arguments: [Value]) throws
    /// Into a table by its name, columns by theirs.
    func load(_ table: String, _ columns: [String], _ next: () throws -> [Value]?) throws -> Int
    /// Several statements, without parameters.
    func executeScript(_ sql: String) throws

    /// Takes the write lock at once.
    func begin() throws
    func commit() throws
    /// Harmless where no transaction is open.
    func rollback()
    func savepoint() throws
    func releaseSavepoint() throws
    func rollBackToSavepoint() throws

    /// Refuses to write while the work runs.
    func withoutWriting(_ work: () throws -> Void) throws

    /// Whether the transaction is still there. An engine may end it by itself: a full disk, an I/O error.
    var isInTransaction: Bool { get }
    /// Set by every statement that changed something; cleared by whoever wants to know.
    var hasWritten: Bool { get set }

    // MARK: Where the engine is a server

    /// Whether any statement that fails ends the transaction, back to the savepoint.
    var failureEndsTransaction: Bool { get }
    /// Whether a closure went on after such a failure, which it caught. Begun again with `survivesFailures`, the
    /// transaction lets it.
    var wentOnAfterFailure: Bool { get }
    var survivesFailures: Bool { get set }
    /// Why the transaction is to be run again as a whole, though no closure is to blame: a lost connection, a deadlock.
    var interruption: (any Error)? { get }
    /// Makes ready for that, after waiting a little; false where it is to be given up.
    func recover(tries: Int) -> Bool
}

/// An engine in this process.
extension Session {
    var failureEndsTransaction: Bool { false }
    var wentOnAfterFailure: Bool { false }
    var survivesFailures: Bool {
        get { true }
        set {}
    }
    var interruption: (any Error)? { nil }
    func post(_ sql: String, _ arguments: [Value]) throws { _ = try execute(sql, arguments) }
    func load(_ table: String, _ columns: [String], _ next: () throws -> [Value]?) throws -> Int {
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        let sql = "INSERT INTO \"\(table)\" (\(names)) VALUES (\(places))"
        var count = 0
        while let row = try next() {
            _ = try execute(sql, row)
            count += 1
        }
        return count
    }
    func recover(tries: Int) -> Bool { false }
}
