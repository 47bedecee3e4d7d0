import Kernel
import Tracing

/// The span of one request. It goes on with the caller's trace, or begins one: the tracer decides which are sampled.
struct ServerSpan {
    let trace: TraceContext
    /// In force while the request is served, so that logs and further spans belong to it.
    let context: ServiceContext
    private let span: any Span

    init(_ request: Incoming) {
        let header = request.head.traceparent == nil ? nil : request.header("traceparent")
        var parent = ServiceContext.topLevel
        if let header {
            InstrumentationSystem.instrument.extract(Carrier(traceparent: header), into: &parent, using: Carrier())
        }
        span = startSpan("http", context: parent, ofKind: .server)
        context = span.context
        var carrier = Carrier()
        InstrumentationSystem.instrument.inject(context, into: &carrier, using: carrier)
        // Without a tracer the trace goes on all the same.
        trace =
            carrier.traceparent.flatMap { TraceContext(traceparent: $0) }
            ?? header.flatMap { TraceContext(traceparent: $0) }?.child() ?? .root()
    }

    func end(_ route: String, _ request: Incoming, status: Int) {
        if span.isRecording {
            span.operationName = "\(request.method) \(route)"
            span.attributes["http.request.method"] = request.method
            span.attributes["http.route"] = route
            span.attributes["http.response.status_code"] = status
            if status >= 500 { span.setStatus(SpanStatus(code: .error)) }
        }
        span.end()
    }

    private struct Carrier: Extractor, Injector {
        var traceparent: String?

        func extract(key: String, from carrier: Carrier) -> String? {
            key == "traceparent" ? carrier.traceparent : nil
        }

        func inject(_ value: String, forKey key: String, into carrier: inout Carrier) {
            if key == "traceparent" { carrier.traceparent = value }
        }
    }
}
