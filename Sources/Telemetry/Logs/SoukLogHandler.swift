public import Kernel
public import Logging
import Tracing

/// swift-log's back end: one line a record, as JSON for machines or as text for people. Metadata comes flat
/// (`order.id`), secrets are hidden, and the ids of the trace are added where there is one.
public struct SoukLogHandler: LogHandler {
    public enum Format: String, Sendable, CaseIterable {
        /// `{"ts":"2026-01-01T00:00:00.000000Z","level":"info","message":"…","logger":"orders",…}`
        case json
        /// `00:00:00.000 INFO  orders: … order=order_01h4…`
        case text
    }

    /// Bytes of a message, or of one value; what is longer is cut.
    public static let maxValueBytes = 16 << 10

    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: Format
    private let writer: LogWriter
    private let clock: any WallClock

    public init(
        label: String, level: Logger.Level = .info, format: Format = .json, writer: LogWriter = .standardError,
        clock: any WallClock = SystemClock()
    ) {
        self.label = label
        self.logLevel = level
        self.format = format
        self.writer = writer
        self.clock = clock
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = LogLine(format, isColoured: format == .text && writer.isTerminal)
        line.start(clock.now(), event.level, label, event.message.description)
        var metadata = all(event.metadata)
        if let trace = ServiceContext.current?.traceContext {
            metadata["trace_id"] = "\(trace.traceID)"
            metadata["span_id"] = "\(trace.spanID)"
        }
        if let error = event.error { metadata["error"] = "\(error)" }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line.add(key, value) }
        writer.write(line.finished())
    }

    private func all(_ explicit: Logger.Metadata?) -> Logger.Metadata {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let explicit { all.merge(explicit) { $1 } }
        return all
    }
}
