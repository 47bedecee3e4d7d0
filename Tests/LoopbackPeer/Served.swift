public import Kernel
import Logging
import ServiceLifecycle
public import Wire

/// Routes served over HTTP on loopback, for as long as a test looks at them.
public enum Served {
    /// - Parameter identity: who calls with a bearer token; without one nobody is known.
    public static func with(
        _ routes: [Route], identity: @escaping @Sendable (String) -> Caller = { _ in .anonymous },
        _ body: @escaping @Sendable (_ base: String, _ http: OutboundHTTP) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var settings = ServerSettings()
        settings.port = 0
        let server = HTTPServer(
            settings, routes: routes, identity: { bearer, _ in bearer.map(identity) ?? .anonymous },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), onReady: { port.yield($0) })
        let http = OutboundHTTP()
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.addTask {
                    for await port in ports {
                        try await body("http://127.0.0.1:\(port)", http)
                        return
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        } catch {
            try await http.shutdown()
            throw error
        }
        try await http.shutdown()
    }
}
