import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Drills

/// A server that says what it is told to say: an answer for each request, by its number; nil closes the connection.
private func withServer<T>(
    _ answer: @escaping @Sendable (Int) -> String?, _ body: (Target) async throws -> T
) async throws -> T {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let count = Mutex(0)
    let channel = try await ServerBootstrap(group: group)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    Script {
                        let number = count.withLock { count in
                            count += 1
                            return count
                        }
                        return answer(number)
                    })
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    do {
        let result = try await body(try Target("http://127.0.0.1:\(channel.localAddress?.port ?? 0)/x"))
        try await group.shutdownGracefully()
        return result
    } catch {
        try await group.shutdownGracefully()
        throw error
    }
}

private final class Script: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let answer: () -> String?
    private var received = ""

    init(_ answer: @escaping () -> String?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        guard received.hasSuffix("\r\n\r\n") else { return }
        received = ""
        guard let text = answer() else { return context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Every visit that begins is accounted for") struct EngineTests {
    private func plan(_ target: Target, _ arrivals: LoadPlan.Arrivals) -> LoadPlan {
        var plan = LoadPlan(target: target, arrivals: arrivals, errand: .page)
        plan.connections = 8
        plan.threads = 2
        return plan
    }

    private func expectWhole(_ result: LoadResult) {
        let visits = result.visits
        #expect(visits.begun == visits.finished + visits.failed + visits.dropped + visits.unfinished)
        let answers = result.total.statuses.values.reduce(0, +) + result.total.failures.values.reduce(0, +)
        #expect(result.total.requests == answers)
        #expect(result.series.reduce(0) { $0 + $1.requests } == result.total.requests)
        #expect(result.total.requests == result.total.good + result.total.failed + result.total.retries)
    }

    @Test("as many requests as were asked for, whatever the number", arguments: [1, 7, 100, 1_001])
    func closed(_ requests: Int) async throws {
        let result = try await withServer({ _ in ok }) { try await LoadRun(plan($0, .closed(visits: requests))).run() }
        expectWhole(result)
        #expect(result.total.good == requests && result.visits.finished == requests)
        #expect(result.total.bytes == 2 * requests)
    }

    @Test("arrivals that are due arrive") func open() async throws {
        let result = try await withServer({ _ in ok }) { target in
            try await LoadRun(plan(target, .open(Schedule(rate: 500, for: .milliseconds(400))))).run()
        }
        expectWhole(result)
        #expect(result.visits.begun == 200 && result.generator.lag?.count == 200)
    }

    @Test("connections that end, and answers that are none, are failures by their kind") func failures() async throws {
        let result = try await withServer({ number in
            switch number % 5 {
            case 0: nil
            case 1: "SMTP ready\r\n"
            case 2: "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            default: ok
            }
        }) { try await LoadRun(plan($0, .closed(visits: 100))).run() }
        expectWhole(result)
        #expect(result.total.failures == ["reset": 20, "malformed": 20])
        #expect(result.total.statuses == ["200": 40, "500": 20] && result.total.failed == 60)
    }

    @Test("nobody listens") func refused() async throws {
        // A port that nobody is given by chance.
        let result = try await LoadRun(plan(Target("http://127.0.0.1:9/x"), .closed(visits: 16))).run()
        expectWhole(result)
        #expect(result.total.failures == ["connect": 16])
    }

    @Test("a refusal is asked again after as long as it said, and counted") func retryAfter() async throws {
        let result = try await withServer({ number in
            number == 1 ? "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n" : ok
        }) { target in
            var plan = plan(target, .closed(visits: 1))
            plan.attempts = 3
            return try await LoadRun(plan).run()
        }
        expectWhole(result)
        #expect(result.total.refused == 1 && result.total.refused_without_retry_after == 0)
        #expect(result.total.good == 1 && result.total.retries == 1)
        #expect(result.total.until_good?.max ?? 0 >= 1_000)
        // From when the second attempt was meant, not the first.
        #expect(result.total.latency?.count == 1)
    }

    @Test("a refusal that does not say when to come again is named") func unannounced() async throws {
        let busy = "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"
        let result = try await withServer({ _ in busy }) { try await LoadRun(plan($0, .closed(visits: 5))).run() }
        expectWhole(result)
        #expect(result.total.refused == 5 && result.total.refused_without_retry_after == 5)
        #expect(result.total.failed == 5)
    }

    @Test("more than may wait are dropped, and who never gets an answer is a timeout") func silence() async throws {
        let result = try await withServer({ _ in "" }) { target in
            var plan = plan(target, .open(try Schedule(rate: 1_000, for: .milliseconds(200))))
            plan.connections = 4
            plan.queue = 10
            plan.timeout = .milliseconds(300)
            return try await LoadRun(plan).run()
        }
        expectWhole(result)
        #expect(result.visits.begun == 200 && result.visits.dropped >= 100)
        #expect(result.total.failures["timeout"] ?? 0 >= 4)
    }

    @Test("a count that is crossed for good ends the run") func threshold() async throws {
        let result = try await withServer({ _ in "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" }) { target in
            var plan = plan(target, .closed(visits: nil))
            plan.duration = .seconds(3_600)
            plan.thresholds = [try Threshold("http_5xx==0", steps: ["get"])]
            return try await LoadRun(plan).run()
        }
        expectWhole(result)
        #expect(!result.passed && result.thresholds.first?.aborted == true)
    }
}
