public import Kernel
public import Logging
import Metrics
public import ServiceLifecycle
import Synchronization
import Tracing

/// Metrics, logs and traces of this process, set up in one place.
public enum Telemetry {
    public struct Options: Sendable {
        public var serviceName = "souk"
        public var version = "0"
        public var logLevel = Logger.Level.info
        /// Nil for text on a terminal and JSON elsewhere.
        public var logFormat: SoukLogHandler.Format?
        public var logWriter = LogWriter.standardError
        /// `OTEL_EXPORTER_OTLP_ENDPOINT`, the collector's base URL; without one nothing is traced.
        public var tracesEndpoint: String?
        /// `OTEL_EXPORTER_OTLP_HEADERS`: sent with each batch.
        public var tracesHeaders: [(String, String)] = []
        /// Of the traces that begin here, how many are exported: 0 to 1.
        public var tracesRatio = 0.1
        public var clock: any WallClock = SystemClock()

        public init() {}
    }

    /// What the rest of the program needs of it.
    public struct Installed: Sendable {
        public let prometheus: Prometheus
        /// To be run, and to be stopped last: they send what is left.
        public let services: [any Service]
    }

    private static let installed = Mutex<Installed?>(nil)

    /// Installs the back ends of swift-log, swift-metrics and swift-distributed-tracing. They are the process' own:
    /// the first call counts, a later one gives what that one made.
    public static func bootstrap(_ options: Options = Options()) -> Installed {
        installed.withLock { installed in
            if let installed { return installed }
            let format = options.logFormat ?? (options.logWriter.isTerminal ? .text : .json)
            let (level, writer, clock) = (options.logLevel, options.logWriter, options.clock)
            LoggingSystem.bootstrap { label in
                SoukLogHandler(label: label, level: level, format: format, writer: writer, clock: clock)
            }
            let prometheus = Prometheus()
            MetricsSystem.bootstrap(prometheus)
            var services: [any Service] = []
            if let endpoint = options.tracesEndpoint {
                let exporter = SpanExporter(
                    endpoint: endpoint, headers: options.tracesHeaders, serviceName: options.serviceName,
                    version: options.version, clock: clock)
                InstrumentationSystem.bootstrap(SoukTracer(exporter: exporter, ratio: options.tracesRatio))
                services.append(exporter)
            }
            let new = Installed(prometheus: prometheus, services: services)
            installed = new
            return new
        }
    }
}
