import Kernel
public import Tracing

/// swift-distributed-tracing's back end: spans with W3C ids, sampled by trace, handed to an exporter in batches.
public struct SoukTracer: Tracer {
    private let exporter: SpanExporter
    /// Of the traces that begin here, how many are exported: 0 to 1. One that began elsewhere was decided there.
    private let ratio: Double

    public init(exporter: SpanExporter, ratio: Double) {
        self.exporter = exporter
        self.ratio = min(1, max(0, ratio))
    }

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> SoukSpan {
        var context = context()
        let parent = context.traceContext
        let trace = parent?.child() ?? newTrace()
        context.traceContext = trace
        guard trace.isSampled else { return SoukSpan(operationName, context, trace) }
        let start = SpanRecord(
            name: operationName, trace: trace, parent: parent?.span, kind: kind, start: instant().nanosecondsSinceEpoch)
        return SoukSpan(operationName, context, trace, recording: start, to: exporter)
    }

    /// The trace's own random bits decide, so that every process would decide alike.
    private func newTrace() -> TraceContext {
        var trace = TraceContext.root()
        trace.isSampled = ratio >= 1 || Double(trace.traceLow >> 11) / Double(UInt64(1) << 53) < ratio
        return trace
    }

    public func forceFlush() {}

    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        if let header = extractor.extract(key: "traceparent", from: carrier) {
            context.traceContext = TraceContext(traceparent: header)
        }
    }

    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        if let trace = context.traceContext {
            injector.inject(trace.traceparent, forKey: "traceparent", into: &carrier)
        }
    }
}
