import CPostgreSQL
public import Kernel

/// A server's log and files as it hands them to a standby: PostgreSQL's streaming replication protocol (chapter 55.4 of
/// its manual), version 15 or newer. Used by one thread, which it blocks.
///
/// Two connections: one of replication's, and an ordinary one to ask questions by, for a streaming one answers none.
/// Everything throws `ReplicationError`.
public final class PostgresReplication {
    /// What a server is, for whoever has some of its log and asks whether it goes on there.
    public struct Server: Sendable, Equatable {
        /// Made up when its data folder was.
        public let identifier: String
        /// One more with every promotion.
        public let timeline: Int
        /// Bytes in a file of the log.
        public let segmentSize: Int
        public let version: Int
    }

    /// What the server keeps for one reader.
    public enum Slot: Sendable, Equatable {
        case absent
        /// The log is there from that place.
        case kept(from: LSN)
        /// It was longer than the server wants to keep (`max_slot_wal_keep_size`).
        case lost
    }

    /// A time by the server's clock, and a place in its log: what was acknowledged before the one is before the other.
    public struct Moment: Sendable, Equatable {
        public let time: Timestamp
        public let end: LSN
    }

    static let oldest = 150_000
    /// For an answer; not for a base, which waits for a checkpoint.
    static let answerTimeout = Duration.seconds(30)
    private static let connectTimeout = "10"

    let slot: String
    /// The server, without a password.
    public let name: String
    let link: PostgresLink
    private let questions: PostgresLink
    /// Of the message that came last.
    var header: [UInt8] = []
    var confirmed = LSN(0)

    /// Connects, and looks whether the server would hand out its log to this user.
    /// - Parameters:
    ///   - url: a primary's, `postgres://…`.
    ///   - slot: its name is also the connection's (`application_name`), for `synchronous_standby_names`.
    public init(url text: String, slot: String) throws {
        let url = try PostgresURL(text)
        self.slot = slot
        name = "\(url)"
        guard Self.isName(slot) else {
            throw ReplicationError.refused(
                server: name, reason: "'\(slot)' is not a slot's name, expected a to z, 0 to 9 and _, at most 63")
        }
        var parameters: [String: String] = [
            "connect_timeout": Self.connectTimeout, "keepalives": "1", "keepalives_idle": "15",
            "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000", "gssencmode": "disable",
        ]
        parameters.merge(url.parameters) { _, given in given }
        parameters["client_encoding"] = "UTF8"
        parameters["application_name"] = slot + " questions"
        do {
            questions = try PostgresLink(parameters, answerTimeout: Self.answerTimeout)
            try Self.check(questions, name)
            parameters["application_name"] = slot
            parameters["replication"] = "true"
            // The ordinary connection has found out that it is a primary.
            parameters["target_session_attrs"] = nil
            link = try PostgresLink(parameters, answerTimeout: Self.answerTimeout, isPipelined: false)
        } catch let error as PostgresLost {
            throw Self.refusal(error, name)
        } catch let error as PostgresRefusal {
            throw ReplicationError.refused(server: name, reason: error.message)
        }
    }

    static func isName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// What will be the same the next time is told from what passes.
    private static func refusal(_ error: PostgresLost, _ name: String) -> ReplicationError {
        let reason = error.reason
        if reason.contains("pg_hba.conf") {
            return .refused(
                server: name,
                reason: "\(reason) (pg_hba.conf needs a line `host replication USER ADDRESS scram-sha-256`)")
        }
        let isLasting = ["authentication failed", "must be superuser", "permission denied", "does not exist"]
            .contains { reason.contains($0) }
        return isLasting ? .refused(server: name, reason: reason) : .lost(server: name, reason: reason)
    }

    // MARK: - Questions

    private static let facts = """
        SELECT current_setting('server_version_num'), current_setting('wal_level'), pg_is_in_recovery(),
            current_setting('max_wal_senders'),
            (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user,
            EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'rdsadmin'),
            EXISTS (SELECT 1 FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))
        """

    private static func check(_ questions: PostgresLink, _ name: String) throws {
        try questions.send(facts)
        guard let values = try questions.receive().first?.values(), values.count == 8 else {
            throw ReplicationError.protocolViolation(server: name, detail: "no settings")
        }
        func refuse(_ reason: String) -> ReplicationError { .refused(server: name, reason: reason) }
        let isTrue = Value.integer(1)
        if values[6] == isTrue {
            throw refuse("Amazon RDS has no physical replication; restore to a point in time with RDS itself")
        }
        guard case .text(let version) = values[0], Int(version) ?? 0 >= oldest else {
            throw refuse("version 15 or newer is needed")
        }
        guard values[2] != isTrue else { throw refuse("it is a standby; expected a primary") }
        guard values[1] != .text("minimal") else {
            throw refuse("its wal_level is minimal; set it to replica, and restart the server")
        }
        guard values[3] != .text("0") else { throw refuse("its max_wal_senders is 0; set it to 10, and restart it") }
        guard values[4] == isTrue else {
            let role = if case .text(let user) = values[5] { user } else { "the user" }
            throw refuse("\(role) has no right to; an administrator gives it: ALTER ROLE \"\(role)\" REPLICATION")
        }
        guard values[7] != isTrue else { throw refuse("it has tablespaces, which are not copied") }
    }

    private func ask(_ sql: String) throws -> [Value] {
        do {
            try questions.send(sql)
            return try questions.receive().first?.values() ?? []
        } catch {
            throw translated(error)
        }
    }

    /// The time first, then the place.
    public func moment() throws -> Moment {
        let values = try ask(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_current_wal_flush_lsn()::text")
        guard values.count == 2, case .integer(let time) = values[0], case .text(let text) = values[1],
            let end = LSN(text)
        else { throw ReplicationError.protocolViolation(server: name, detail: "no place in its log") }
        return Moment(time: Timestamp(microseconds: time), end: end)
    }

    public func server() throws -> Server {
        let row = try values(of: "IDENTIFY_SYSTEM")
        let size = try ask("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'")
        guard row.count >= 3, case .text(let identifier) = row[0], case .integer(let timeline) = row[1],
            case .integer(let bytes)? = size.first, bytes.nonzeroBitCount == 1
        else { throw ReplicationError.protocolViolation(server: name, detail: "it does not say what it is") }
        return Server(
            identifier: identifier, timeline: Int(timeline), segmentSize: Int(bytes), version: link.serverVersion)
    }

    // MARK: - The slot

    public func slotState() throws -> Slot {
        let row = try values(of: "READ_REPLICATION_SLOT \(slot)")
        guard row.count >= 3, case .text = row[0] else { return .absent }
        guard case .text(let text) = row[1], let start = LSN(text) else { return .lost }
        let state = try ask("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '\(slot)'")
        return state == [.text("lost")] ? .lost : .kept(from: start)
    }

    /// From now on the server keeps its log for whoever asks by this name, for as long as it takes.
    public func createSlot() throws { _ = try values(of: "CREATE_REPLICATION_SLOT \(slot) PHYSICAL (RESERVE_WAL)") }

    public func dropSlot() throws { _ = try values(of: "DROP_REPLICATION_SLOT \(slot) WAIT") }

    // MARK: - Commands

    /// The first row of the answer.
    private func values(of command: String) throws -> [Value] {
        let results = try translating {
            guard link.library.sendQuery(link.handle, command) == 1 else { throw link.lost() }
            let deadline = link.deadline
            try link.flush(deadline)
            var results: [PostgresResult] = []
            while let result = try link.next(deadline) {
                if let refusal = result.refusal { throw refusal }
                results.append(result)
            }
            return results
        }
        guard let first = results.first(where: { $0.rowCount > 0 }) else { return [] }
        return try first.values(rows: 0..<1)
    }

    func translating<T>(_ work: () throws -> T) throws -> T {
        do { return try work() } catch { throw translated(error) }
    }

    private func translated(_ error: any Error) -> any Error {
        switch error {
        case let error as PostgresLost: ReplicationError.lost(server: name, reason: error.reason)
        case let error as PostgresRefusal:
            switch error.code {
            case "55006": ReplicationError.slotInUse(slot: slot, reason: error.message)
            case "58P01": ReplicationError.logRemoved(slot: slot)
            case "55000" where error.message.contains(slot): ReplicationError.logRemoved(slot: slot)
            case "53300", "57P01", "57P02", "57P03", "53400":
                ReplicationError.lost(server: name, reason: error.message)
            default: ReplicationError.refused(server: name, reason: error.message)
            }
        default: error
        }
    }
}
