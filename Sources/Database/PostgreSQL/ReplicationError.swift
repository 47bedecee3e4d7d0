/// Why a server's log cannot be had. Each says what to do where something can be done.
public enum ReplicationError: Error, Sendable, Equatable {
    /// The server or the network went away: connecting again may help.
    case lost(server: String, reason: String)
    /// It will be the same the next time.
    case refused(server: String, reason: String)
    /// Another process reads from the slot, or one that ended and that the server has not noticed yet.
    case slotInUse(slot: String, reason: String)
    /// The server has thrown away the log from where it would go on.
    case logRemoved(slot: String)
    /// What came is not what the protocol has there.
    case protocolViolation(server: String, detail: String)
}

extension ReplicationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lost(let server, let reason): "the server \(server) went away: \(reason)"
        case .refused(let server, let reason): "\(server) does not hand out its log: \(reason)"
        case .slotInUse(let slot, let reason):
            "the replication slot \(slot) is in use (\(reason)): one process follows a server, or give another --slot"
        case .logRemoved(let slot): "the server has removed the log that the replication slot \(slot) had still to give"
        case .protocolViolation(let server, let detail): "\(server) answered what was not expected: \(detail)"
        }
    }
}
