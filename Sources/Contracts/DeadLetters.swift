public import Kernel

/// Events that a consumer could not take, kept by the service that published them until staff replay them.
public protocol DeadLettersService: Sendable {
    /// In the order in which they died.
    func list(_ query: DeadLetterQuery, _ context: CallContext) async throws -> DeadLetterPage
    /// Gives the event once more to the consumer that could not take it, and to no other. Whoever asks twice finds
    /// nothing the second time.
    /// - Throws: `notFound`.
    func replay(_ letter: DeadLetterByNumber, _ context: CallContext) async throws -> Nothing
}

/// Each publisher serves its own.
public struct DeadLettersAPI: Sendable {
    public static let orders = DeadLettersAPI("orders")
    public static let users = DeadLettersAPI("users")

    public let list: Endpoint<DeadLetterQuery, DeadLetterPage>
    public let replay: Endpoint<DeadLetterByNumber, Nothing>

    private init(_ publisher: String) {
        list = Endpoint(
            "\(publisher).deadletters.list", .get, "/api/\(publisher)/dead-letters",
            summary: "Events of \(publisher) that a consumer could not take", access: .staff, priority: .reports)
        replay = Endpoint(
            "\(publisher).deadletters.replay", .post, "/api/\(publisher)/dead-letters/{number}/replay",
            summary: "Give it to that consumer once more", access: .staff, priority: .reports, success: 204,
            problems: [.notFound])
    }
}

/// Dead letters of a publisher in another process.
public struct RemoteDeadLetters: DeadLettersService {
    private let caller: any RemoteCaller
    private let api: DeadLettersAPI

    public init(_ caller: any RemoteCaller, _ api: DeadLettersAPI) {
        self.caller = caller
        self.api = api
    }

    public func list(_ query: DeadLetterQuery, _ context: CallContext) async throws -> DeadLetterPage {
        try await caller.call(api.list, query, context).value
    }

    public func replay(_ letter: DeadLetterByNumber, _ context: CallContext) async throws -> Nothing {
        try await caller.call(api.replay, letter, context).value
    }
}

public struct DeadLetterSummary: Shaped {
    static let numberSchema = Schema.integer(0...Int64.max)

    /// Ascending in time, for one publisher.
    public var number: Int64
    /// Who could not take it.
    public var consumer: String
    /// The event's own identifier.
    public var event: String
    public var type: String
    /// What it is about: an order's or a user's identifier.
    public var subject: String
    /// When it happened.
    public var time: Timestamp
    /// What the consumer said the last time.
    public var error: String
    public var died_at: Timestamp

    public init(
        number: Int64, consumer: String, event: String, type: String, subject: String, time: Timestamp, error: String,
        died_at: Timestamp
    ) {
        self.number = number
        self.consumer = consumer
        self.event = event
        self.type = type
        self.subject = subject
        self.time = time
        self.error = error
        self.died_at = died_at
    }

    public static let schema = Schema.object(
        "DeadLetter",
        [
            .required("number", numberSchema), .required("consumer", .text(1...100)),
            .required("event", .text(1...100)), .required("type", .text(1...100)),
            .required("subject", .text(0...200)), .required("time", .time), .required("error", .text(0...1_000)),
            .required("died_at", .time),
        ])
}

public struct DeadLetterQuery: Shaped {
    public var limit: Int?
    public var after: Int64?

    public init(limit: Int? = nil, after: Int64? = nil) {
        self.limit = limit
        self.after = after
    }

    public static let schema = Schema.object(
        "DeadLetterQuery",
        [
            .optional("limit", .integer(1...200)),
            .optional("after", DeadLetterSummary.numberSchema, "The cursor `next`"),
        ])
}

public struct DeadLetterPage: Shaped {
    public var items: [DeadLetterSummary]
    public var next: String?

    public init(items: [DeadLetterSummary], next: String?) {
        self.items = items
        self.next = next
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(next, forKey: .next)
    }

    public static let schema = Schema.object(
        "DeadLetterPage",
        [
            .required("items", .array(DeadLetterSummary.schema, 0...200)),
            .required("next", .nullable(.text(1...200))),
        ])
}

public struct DeadLetterByNumber: Shaped {
    public var number: Int64
    public init(number: Int64) { self.number = number }
    public static let schema = Schema.object(
        "DeadLetterByNumber", [.required("number", DeadLetterSummary.numberSchema)])
}
