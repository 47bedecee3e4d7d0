import Kernel
import Logging
import ServiceLifecycle
import Testing
import Wire

@Suite("A drain") struct DrainTests {
    @Test("readiness is false, what is in flight is finished, what is idle is closed") func drains() async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let (opened, open) = AsyncStream.makeStream(of: Void.self)
        let gate = EdgeTests.Gate(opened: opened, start: enter)
        let slow = Endpoint<Nothing, Thing>("slow", .get, "/api/slow", summary: "Slow")
        let route = Route(slow) { _, _ in
            await gate.pass()
            return Thing(id: "slow")
        }
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = HTTPServer(
            Toy.settings, routes: [route], identity: Toy.identity, logger: logger, onReady: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                try await Peer.connect(port) { idle in
                    try await idle.expect(200, "GET", "/ready")
                    try await Peer.connect(port) { half in
                        try await half.send("GET /hello HTTP/1.1\r\nHost: a\r\n")
                        try await Peer.connect(port) { busy in
                            try await busy.send(Peer.request("GET", "/api/slow") + Peer.request("GET", "/ready"))
                            _ = await entered.first { _ in true }
                            await group.triggerGracefulShutdown()
                            await idle.expectClosed()
                            try await half.send("\r\n")
                            try await half.expect(200)
                            await half.expectClosed()
                            open.finish()
                            let answer = try #require(try await busy.answer())
                            #expect(answer.status == 200 && answer["connection"] == "close")
                            await busy.expectClosed()
                        }
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }

    @Test("an answer that was kept is the last of its connection, too") func keptAnswers() async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var settings = Toy.settings
        settings.drainDelay = .seconds(3_600)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = HTTPServer(
            settings, routes: Toy.routes(), pages: Toy.pages, identity: Toy.identity, logger: logger,
            onReady: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                try await Peer.connect(port) { peer in
                    for _ in 1...2 { try await peer.expect(200, "GET", "/") }
                    await group.triggerGracefulShutdown()
                    var status = 200
                    while status == 200 {
                        status = try await Peer.connect(port) { other in
                            try await other.send(Peer.request("GET", "/ready"))
                            return try await other.answer()?.status ?? 0
                        }
                    }
                    try await peer.send(Peer.request("GET", "/"))
                    let answer = try #require(try await peer.answer())
                    #expect(answer.status == 200 && answer["connection"] == "close")
                    await peer.expectClosed()
                }
            }
            try await tasks.next()
            tasks.cancelAll()
        }
    }

    @Test("what does not finish in time is ended") func bounded() async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var settings = Toy.settings
        settings.drainTimeout = .milliseconds(50)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = HTTPServer(
            settings, routes: Toy.routes(), identity: Toy.identity, logger: logger, onReady: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                try await Peer.connect(port) { peer in
                    try await peer.send(Peer.request("GET", "/hello") + Peer.request("GET", "/api/hang"))
                    try await peer.expect(200)
                    await group.triggerGracefulShutdown()
                    _ = try? await peer.answer()
                }
            }
            try await tasks.waitForAll()
        }
    }
}
