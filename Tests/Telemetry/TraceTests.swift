import Kernel
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing
import Tracing

/// A collector on the loopback: keeps what is posted.
private final class Collector: Sendable {
    let requests = Mutex<[(head: HTTPRequestHead, body: JSON?)]>([])
    let status: HTTPResponseStatus

    init(status: HTTPResponseStatus = .ok) { self.status = status }

    /// One a connection.
    ///
    /// Unchecked: used on the connection's event loop alone.
    private final class Handler: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let collector: Collector
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ collector: Collector) { self.collector = collector }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let buffer): body += Array(buffer.readableBytesView)
            case .end:
                if let head { collector.requests.withLock { $0.append((head, try? JSON.parse(body))) } }
                let answer = HTTPResponseHead(
                    version: .http1_1, status: collector.status, headers: ["content-length": "0"])
                context.write(wrapOutboundOut(.head(answer)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }

    func serve<T>(_ body: (String) async throws -> T) async throws -> T {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMap {
                    channel.pipeline.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result = try await body("http://127.0.0.1:\(server.localAddress?.port ?? 0)")
        try await server.close()
        return result
    }
}

private struct Headers: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}

struct TraceTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func exporter(_ endpoint: String) -> SpanExporter {
        SpanExporter(
            endpoint: endpoint, headers: [("x-key", "k")], serviceName: "souk-test", version: "1",
            clock: ManualClock())
    }

    /// Stops gracefully at once: what waits is sent on the way out.
    private func stop(_ exporter: SpanExporter) async throws {
        let services = ServiceGroup(services: [exporter], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    @Test func spansReachTheCollectorAtShutdown() async throws {
        let collector = Collector()
        let trace = try await collector.serve { endpoint in
            let exporter = exporter(endpoint)
            let tracer = SoukTracer(exporter: exporter, ratio: 1)
            let outer = tracer.startSpan("POST /api/orders", context: .topLevel, ofKind: .server)
            struct Refused: Error {}
            try? tracer.withSpan("reserve", context: outer.context, ofKind: .client) { inner in
                inner.attributes["lines"] = 3
                inner.attributes["password"] = "hunter2"
                inner.addEvent("asked")
                throw Refused()
            }
            outer.end()
            outer.end()
            try await stop(exporter)
            return try #require(outer.context.traceContext)
        }
        let requests = collector.requests.withLock { $0 }
        #expect(requests.count == 1)
        let (head, body) = try #require(requests.first)
        #expect(head.uri == "/v1/traces" && head.method == .POST && head.headers["x-key"] == ["k"])
        #expect(head.headers["content-type"] == ["application/json"])
        let resource = body?["resourceSpans"]?[0]
        #expect(
            resource?["resource"]?["attributes"]?[0]
                == ["key": "service.name", "value": ["stringValue": "souk-test"]])
        let spans = try #require(resource?["scopeSpans"]?[0]?["spans"]?.arrayValue)
        #expect(spans.map { $0["name"] } == ["reserve", "POST /api/orders"])
        let (inner, outer) = (spans[0], spans[1])
        #expect(inner["traceId"] == .string(trace.traceID) && outer["traceId"] == .string(trace.traceID))
        #expect(outer["spanId"] == .string(trace.spanID) && outer["parentSpanId"] == nil)
        #expect(inner["parentSpanId"] == .string(trace.spanID))
        #expect(inner["kind"] == 3 && outer["kind"] == 2)
        #expect(inner["status"] == ["code": 2])
        #expect(inner["events"]?.arrayValue?.map { $0["name"] } == ["asked", "exception"])
        let attributes = try #require(inner["attributes"]?.arrayValue)
        #expect(attributes.contains(["key": "lines", "value": ["intValue": "3"]]))
        #expect(attributes.contains(["key": "password", "value": ["stringValue": "[redacted]"]]))
        #expect(UInt64(inner["startTimeUnixNano"]?.stringValue ?? "") != nil)
    }

    @Test func aCollectorThatRefusesHoldsNothingUp() async throws {
        let collector = Collector(status: .internalServerError)
        try await collector.serve { endpoint in
            let exporter = exporter(endpoint)
            SoukTracer(exporter: exporter, ratio: 1).startSpan("x", context: .topLevel).end()
            try await stop(exporter)
        }
        #expect(collector.requests.withLock { $0.count } == 1)
    }

    @Test func aTraceGoesOnAcrossACall() {
        let tracer = SoukTracer(exporter: exporter("http://127.0.0.1:1"), ratio: 0)
        var context = ServiceContext.topLevel
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        tracer.extract(["traceparent": header], into: &context, using: Headers())
        let span = tracer.startSpan("x", context: context)
        #expect(span.isRecording)
        var out: [String: String] = [:]
        tracer.inject(span.context, into: &out, using: Headers())
        #expect(out["traceparent"]?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
        #expect(out["traceparent"]?.hasSuffix("-01") == true && out["traceparent"] != header)
        span.end()
        var other = ServiceContext.topLevel
        tracer.extract(["traceparent": "00-nonsense"], into: &other, using: Headers())
        #expect(other.traceContext == nil)
    }

    @Test func theRatioDecidesForNewTracesAndOnlyForThem() {
        func sampled(_ ratio: Double) -> Int {
            let tracer = SoukTracer(exporter: exporter("http://127.0.0.1:1"), ratio: ratio)
            return (0..<4_000).filter { _ in tracer.startSpan("x", context: .topLevel).isRecording }.count
        }
        #expect(sampled(0) == 0)
        #expect(sampled(1) == 4_000)
        // Ten standard deviations.
        #expect((725...1_275).contains(sampled(0.25)))
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "+0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-é0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
    ])
    func aMalformedHeaderIsNoTrace(header: String) {
        #expect(TraceContext(traceparent: header) == nil)
    }

    @Test func aHeaderIsReadAndWrittenAlike() {
        for _ in 0..<100 {
            let trace = TraceContext.root(isSampled: .random())
            #expect(TraceContext(traceparent: trace.traceparent) == trace)
            #expect(TraceContext(traceparent: "cc" + trace.traceparent.dropFirst(2) + "-what-comes") == trace)
        }
    }
}
