import AsyncHTTPClient
public import Kernel
import NIOCore
import NIOHTTP1
import Synchronization

/// Calls servers that are not Souk's: HTTP/1.1 with keep-alive, no redirects, bounded in time and bytes.
public final class OutboundHTTP: Sendable {
    /// Connection pools to pinned addresses that are kept for the next request.
    static let mostPools = 64
    static let connectTimeout = TimeAmount.seconds(5)

    private struct Pool {
        let client: HTTPClient
        var users = 0
        var lastUse = 0
    }
    private struct State {
        var pools: [OutboundRequest.Pin: Pool] = [:]
        var uses = 0
    }
    private let plain: HTTPClient
    private let state = Mutex(State())
    private let connections: Int

    /// - Parameter connections: open at once to one server; further requests wait for one.
    public init(connections: Int = 64) {
        self.connections = connections
        plain = Self.client(connections, nil)
    }

    /// Ends the connections. Must be called before it is let go.
    public func shutdown() async throws {
        let pools = state.withLock { state in
            defer { state.pools = [:] }
            return state.pools.values.map(\.client)
        }
        for client in pools + [plain] { try await client.shutdown() }
    }

    /// See `Outbound`.
    public func send(_ request: OutboundRequest) async throws -> OutboundAnswer {
        guard let pin = request.pin else { return try await Self.exchange(request, plain) }
        let (client, surplus) = borrow(pin)
        defer { giveBack(pin) }
        for client in surplus { try await client.shutdown() }
        return try await Self.exchange(request, client)
    }

    // MARK: - Pools

    /// A pool for the address, and those that were pushed out for it.
    private func borrow(_ pin: OutboundRequest.Pin) -> (HTTPClient, surplus: [HTTPClient]) {
        state.withLock { state in
            state.uses += 1
            var pool = state.pools[pin] ?? Pool(client: Self.client(connections, pin))
            pool.users += 1
            pool.lastUse = state.uses
            state.pools[pin] = pool
            let idle = state.pools.filter { $0.value.users == 0 }.sorted { $0.value.lastUse < $1.value.lastUse }
            let surplus = idle.prefix(max(0, state.pools.count - Self.mostPools))
            for (pin, _) in surplus { state.pools[pin] = nil }
            return (pool.client, surplus.map(\.value.client))
        }
    }

    private func giveBack(_ pin: OutboundRequest.Pin) { state.withLock { $0.pools[pin]?.users -= 1 } }

    private static func client(_ connections: Int, _ pin: OutboundRequest.Pin?) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = connectTimeout
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        if let pin { configuration.dnsOverride = [pin.host: pin.address] }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // MARK: - One exchange

    private static func exchange(_ request: OutboundRequest, _ client: HTTPClient) async throws -> OutboundAnswer {
        var sent = HTTPClientRequest(url: request.url)
        sent.method = NIOHTTP1.HTTPMethod(rawValue: request.method.rawValue)
        for (name, value) in request.headers { sent.headers.add(name: name, value: value) }
        if !request.body.isEmpty { sent.body = .bytes(ByteBuffer(bytes: request.body)) }
        let start = ContinuousClock.now
        let response = try await client.execute(sent, deadline: .now() + TimeAmount(request.timeout))
        var answer = OutboundAnswer(status: Int(response.status.code))
        for (name, value) in response.headers.reversed() { answer.headers[name.lowercased()] = value }
        let rest = request.timeout - (ContinuousClock.now - start)
        (answer.body, answer.isWhole) = await read(response.body, atMost: request.largestAnswer, within: rest)
        return answer
    }

    /// The client's own deadline ends with the answer's head: a body may drip for ever.
    private static func read(
        _ body: HTTPClientResponse.Body, atMost limit: Int, within time: Duration
    ) async -> ([UInt8], isWhole: Bool) {
        let read = Reading()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    for try await chunk in body {
                        guard read.take(chunk.readableBytesView, atMost: limit) else { return }
                    }
                    read.end()
                } catch {
                    // Cut off, or out of time: what came until then is kept, and is said not to be whole.
                }
            }
            group.addTask { try? await Task.sleep(for: time) }
            await group.next()
            group.cancelAll()
        }
        return read.result
    }

    private final class Reading: Sendable {
        private let state = Mutex((bytes: [UInt8](), isWhole: false))

        /// Whether all of it fits.
        func take(_ chunk: ByteBufferView, atMost limit: Int) -> Bool {
            state.withLock { state in
                let room = limit - state.bytes.count
                state.bytes += chunk.prefix(room)
                return chunk.count <= room
            }
        }

        func end() { state.withLock { $0.isWhole = true } }
        var result: ([UInt8], isWhole: Bool) { state.withLock { ($0.bytes, $0.isWhole) } }
    }
}
