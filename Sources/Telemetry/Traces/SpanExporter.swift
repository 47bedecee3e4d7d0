import AsyncHTTPClient
public import Kernel
import Logging
import Metrics
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Sends finished spans to an OpenTelemetry collector: OTLP over HTTP, as JSON, in batches. What the bounded queue
/// cannot hold is dropped and counted: traces never slow the shop down.
public final class SpanExporter: Service {
    public static let queueLimit = 8_192
    static let batchLimit = 512
    static let interval = Duration.seconds(1)
    /// For what is left when the process stops.
    static let farewell = Duration.seconds(5)

    private let url: String
    private let headers: [(String, String)]
    private let resource: JSON
    private let clock: any WallClock
    private let logger = Logger(label: "traces")
    private let queue = Mutex<[SpanRecord]>([])
    private let dropped = Counter(label: "souk_spans_dropped_total")
    private let exported = Counter(label: "souk_spans_exported_total")

    /// `endpoint` is the collector's base, `http://localhost:4318`, as `OTEL_EXPORTER_OTLP_ENDPOINT` gives it.
    public init(
        endpoint: String, headers: [(String, String)] = [], serviceName: String, version: String,
        clock: any WallClock = SystemClock()
    ) {
        url = (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/traces"
        self.headers = headers
        self.clock = clock
        resource = OTLP.resource(serviceName: serviceName, version: version)
    }

    func add(_ span: SpanRecord) {
        let isKept = queue.withLock { queue in
            guard queue.count < Self.queueLimit else { return false }
            queue.append(span)
            return true
        }
        if !isKept { dropped.increment() }
    }

    /// Until the graceful shutdown, after which what is left is sent.
    public func run() async throws {
        do {
            while true {
                try await cancelWhenGracefulShutdown { [clock] in try await clock.sleep(for: Self.interval) }
                await flush()
            }
        } catch {
            guard !Task.isCancelled else { return }
            let deadline = clock.now() + Self.farewell
            while clock.now() < deadline, await sendBatch() {}
        }
    }

    /// All that waits now.
    func flush() async {
        for _ in 0..<(Self.queueLimit / Self.batchLimit) where await !sendBatch() { return }
    }

    /// False when there was nothing to send, or it could not be sent: then it is dropped, not kept for ever.
    private func sendBatch() async -> Bool {
        let batch = queue.withLock { queue in
            let batch = Array(queue.prefix(Self.batchLimit))
            queue.removeFirst(batch.count)
            return batch
        }
        guard !batch.isEmpty else { return false }
        do {
            try await send(batch)
            exported.increment(by: batch.count)
            return true
        } catch {
            dropped.increment(by: batch.count)
            logger.warning("spans were not exported", metadata: ["spans": "\(batch.count)", "error": "\(error)"])
            return false
        }
    }

    private struct Refused: Error, CustomStringConvertible {
        let status: UInt
        var description: String { "the collector answered \(status)" }
    }

    private func send(_ batch: [SpanRecord]) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: OTLP.body(resource: resource, batch).serialized()))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        // Read, so that the connection can be used again.
        _ = try? await response.body.collect(upTo: 64 << 10)
        guard (200..<300).contains(response.status.code) else { throw Refused(status: response.status.code) }
    }
}
