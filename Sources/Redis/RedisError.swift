public import Kernel

/// What can go wrong between Souk and Redis.
public enum RedisError: OutageError, Sendable, Equatable {
    /// Redis is away, too slow, or broke off. `isSent`: the commands may have been carried out, nobody knows.
    case unavailable(reason: String, isSent: Bool)
    /// More commands wait than the bound allows; these were not sent.
    case overloaded(limit: Int)
    /// The client was closed; the commands were not sent.
    case closed
    /// Redis answered with an error: `WRONGTYPE Operation against a key…`.
    case refused(String)
    /// The answer has another shape than the command gives.
    case unexpected(String)

    /// Errors that say how the server is, not what is wrong with the command.
    private static let conditions = [
        "BUSY ", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM ", "READONLY", "TRYAGAIN",
    ]
    /// Those after which another server may stand behind the name: connect anew.
    private static let movedConditions = ["LOADING", "MASTERDOWN", "READONLY"]

    static func answered(_ text: String) -> RedisError {
        conditions.contains { text.hasPrefix($0) } ? .unavailable(reason: text, isSent: false) : .refused(text)
    }

    static func tellsToReconnect(_ text: String) -> Bool { movedConditions.contains { text.hasPrefix($0) } }

    /// Whether that may pass by itself: try again later, or do without.
    public var isOutage: Bool {
        switch self {
        case .unavailable, .overloaded, .closed: true
        case .refused, .unexpected: false
        }
    }
}

extension RedisError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unavailable(let reason, let isSent):
            "Redis is away: \(reason)" + (isSent ? "; what was asked for may have been done" : "")
        case .overloaded(let limit): "\(limit) commands wait for Redis already"
        case .closed: "the Redis client is closed"
        case .refused(let text): "Redis refused: \(text)"
        case .unexpected(let text): "Redis answered otherwise than expected: \(text)"
        }
    }
}
