import Kernel
import Synchronization
public import Tracing

/// What is exported of a span.
struct SpanRecord: Sendable {
    static let maxEvents = 128
    static let maxLinks = 32

    var name: String
    let trace: TraceContext
    let parent: UInt64?
    let kind: SpanKind
    /// Nanoseconds since 1970.
    let start: UInt64
    var end: UInt64 = 0
    var attributes = SpanAttributes()
    var events: [SpanEvent] = []
    var links: [SpanLink] = []
    var status: SpanStatus?
}

/// One span. Without a record (its trace is not sampled) it only carries the ids on.
public final class SoukSpan: Span {
    public let context: ServiceContext
    private let record: Mutex<SpanRecord?>
    private let exporter: SpanExporter?
    private let firstName: String

    init(
        _ name: String, _ context: ServiceContext, _ trace: TraceContext, recording record: SpanRecord? = nil,
        to exporter: SpanExporter? = nil
    ) {
        firstName = name
        self.context = context
        self.record = Mutex(record)
        self.exporter = exporter
    }

    public var isRecording: Bool { record.withLock { $0 != nil } }

    public var operationName: String {
        get { record.withLock { $0?.name } ?? firstName }
        set { record.withLock { $0?.name = newValue } }
    }

    public var attributes: SpanAttributes {
        get { record.withLock { $0?.attributes } ?? SpanAttributes() }
        set { record.withLock { $0?.attributes = newValue } }
    }

    public func setStatus(_ status: SpanStatus) { record.withLock { $0?.status = status } }

    public func addEvent(_ event: SpanEvent) {
        record.withLock { record in
            if record.map({ $0.events.count < SpanRecord.maxEvents }) == true { record?.events.append(event) }
        }
    }

    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        guard isRecording else { return }
        var attributes = attributes
        attributes["exception.type"] = "\(type(of: error))"
        attributes["exception.message"] = "\(error)"
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    public func addLink(_ link: SpanLink) {
        record.withLock { record in
            if record.map({ $0.links.count < SpanRecord.maxLinks }) == true { record?.links.append(link) }
        }
    }

    /// The first call counts; what is set afterwards goes nowhere.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let exporter else { return }
        let finished = record.withLock { record in
            defer { record = nil }
            return record
        }
        guard var finished else { return }
        finished.end = max(finished.start, instant().nanosecondsSinceEpoch)
        exporter.add(finished)
    }
}
