/// An error that the server reported.
struct PostgresRefusal: Error {
    /// SQLSTATE.
    let code: String
    let severity: String
    let message: String
    /// May quote what was stored: never shown.
    let detail: String
    let table: String
    let column: String
    let constraint: String
    /// Which of the commands that went out together.
    var command = 0

    /// The server ends the connection with it: it shuts down, or was told to end this one.
    var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// What the whole transaction is to be run again after, since no closure is to blame.
    enum Remedy {
        /// In the same connection: a deadlock, a serialization failure.
        case again
        /// In a new one: a server that has become a standby, a statement that a pooler does not know any more.
        case reconnect
        /// It is given up: the writers' turn was waited for long enough.
        case none
    }

    /// Nil where it concerns the statement itself.
    func remedy(isWriter: Bool) -> Remedy? {
        switch code {
        case "40001", "40P01": .again
        case "25006" where isWriter: .reconnect  // read_only_sql_transaction
        case "26000": .reconnect  // invalid_sql_statement_name
        case "0A000" where message.contains("cached plan"): .reconnect
        case "57P01", "57P02", "57P03", "57P05", "25P03": .reconnect
        case "53000", "53200", "53300", "58000", "58030": .reconnect
        default: nil
        }
    }

    func error(database: String, sql: String) -> DatabaseError {
        switch code {
        case "23505", "23P01": .constraint(kind: .unique, detail: key)
        case "23514": .constraint(kind: .check, detail: constraint)
        case "23503": .constraint(kind: .foreignKey, detail: constraint)
        case "23502": .constraint(kind: .notNull, detail: "\(table).\(column)")
        case "22P02", "22P03", "22003", "22021", "42804": .constraint(kind: .dataType, detail: message)
        case "P0001": .constraint(kind: .trigger, detail: message)
        case let code where code.hasPrefix("23"): .constraint(kind: .other, detail: constraint)
        case "53100": .full(database: database)
        case "55P03", "40001", "40P01": .busy(database: database)
        case "57014": .timedOut(database: database, sql: sql)
        case "25006": .readOnly(database: database)
        case "XX001", "XX002": .corrupt(database: database, detail: message)
        case let code where ["53", "57", "58", "08"].contains(code.prefix(2)) && code != "08P01":
            .unavailable(database: database, reason: message)
        default: .statement(reason: message, sql: sql)
        }
    }

    /// `orders.number`, as SQLite names it; from `Key (number)=(…) already exists.` without the values.
    private var key: String {
        guard let start = detail.firstRange(of: "("), let end = detail.firstRange(of: ")=(") else { return constraint }
        guard start.upperBound < end.lowerBound else { return constraint }
        return detail[start.upperBound..<end.lowerBound].split(separator: ", ").map { "\(table).\($0)" }
            .joined(separator: ", ")
    }
}
