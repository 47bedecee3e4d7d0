import Kernel

/// What one connection is opened with.
struct PostgresSettings: Sendable {
    enum Role: String {
        case writer, reader
        /// Of a server that may be away: then the primary is read.
        case replica
        /// Changes the schema: as long as it takes.
        case migration
        /// Reads all there is, and pauses between two rows for as long as it likes.
        case snapshot
    }

    let url: PostgresURL
    let schema: String
    let role: Role
    let options: PostgresDatabase.Options

    /// As messages name it.
    var database: String { "\(schema) at \(url)" }

    /// Writers of one schema take turns, in whatever process they are: the lock's number is its name's FNV-1a.
    var lock: Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "souk/\(schema)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: hash)
    }

    /// A writer that stops in the middle, with its process or its network, holds the others up for so long.
    static let longestPause = Duration.seconds(10)
    /// Of those who wait for the writer's turn; longer than the pause above.
    static let migrationLockTimeout = Duration.seconds(120)
    /// After the server's own limit has passed, it is taken for lost.
    static let answerGrace = Duration.seconds(5)

    var isWriter: Bool { role == .writer || role == .migration }
    private var takesItsTime: Bool { role == .migration || role == .snapshot }

    var answerTimeout: Duration? { takesItsTime ? nil : options.statementTimeout + Self.answerGrace }

    /// For libpq. What the URL says goes first.
    var parameters: [String: String] {
        var parameters: [String: String] = [
            "connect_timeout": "\(max(1, options.connectTimeout.microseconds / 1_000_000))",
            "application_name": "\(options.program) \(schema)",
            "keepalives": "1", "keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3",
            // Until what was sent and is not acknowledged ends the connection.
            "tcp_user_timeout": "\(Self.longestPause.microseconds / 1_000)",
            "gssencmode": "disable",
        ]
        // After a failover the old primary must not be written to, nor a URL of several hosts end at a standby.
        if isWriter { parameters["target_session_attrs"] = "read-write" }
        parameters.merge(url.parameters) { _, given in given }
        parameters["client_encoding"] = "UTF8"
        return parameters
    }

    /// The server's settings, as arguments of `set_config`. Behind a pooler they are set in each transaction.
    var configuration: [(name: String, value: String)] {
        func milliseconds(_ duration: Duration) -> String { "\(max(1, duration.microseconds / 1_000))" }
        let isMigration = role == .migration
        return [
            ("search_path", "\"\(schema)\""),
            ("statement_timeout", takesItsTime ? "0" : milliseconds(options.statementTimeout)),
            ("lock_timeout", milliseconds(isMigration ? Self.migrationLockTimeout : options.lockTimeout)),
            ("idle_in_transaction_session_timeout", role == .snapshot ? "0" : milliseconds(Self.longestPause)),
            ("bytea_output", "hex"),
            ("synchronous_commit", options.isDurable ? "on" : "off"),
            // Plans are kept. One that was made while a table was empty would go on reading all of it when it has grown
            // (measured: a quarter of the orders, until the server's next look at the table).
            ("enable_seqscan", "off"),
            // The cost of what is switched off above would have small queries compiled (measured: 75 ms for each look
            // at ten rows).
            ("jit", "off"),
            // What is read row by row is read to its end.
            ("cursor_tuple_fraction", "1"),
        ]
    }
}
