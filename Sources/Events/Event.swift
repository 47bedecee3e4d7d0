public import Kernel

public enum EventKind: Identified { public static let idPrefix = "evt" }

/// One fact that a service publishes. Consumers may see it more than once, always with the same id.
public struct Event: Sendable, Hashable {
    public let id: ID<EventKind>
    /// `order.confirmed`: 1 to 100 characters.
    public let type: String
    /// What it is about, an identifier: 1 to 200 characters.
    public let subject: String
    public let time: Timestamp
    /// JSON.
    public let data: [UInt8]
    /// The call that caused it.
    public let trace: TraceContext?

    public init(
        id: ID<EventKind>, type: String, subject: String, time: Timestamp, data: [UInt8], trace: TraceContext? = nil
    ) {
        self.id = id
        self.type = type
        self.subject = subject
        self.time = time
        self.data = data
        self.trace = trace
    }

    /// A new event that happened at `time`, carrying `payload` as JSON.
    public init(
        _ type: String, about subject: String, at time: Timestamp, carrying payload: some Encodable,
        trace: TraceContext? = nil
    ) throws {
        self.init(
            id: ID(at: time), type: type, subject: subject, time: time, data: try JSON.encode(payload), trace: trace)
    }

    /// What it carries. Throws `JSONError` or `JSONDecodingError`.
    public func payload<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSON.decode(type, from: data)
    }
}
