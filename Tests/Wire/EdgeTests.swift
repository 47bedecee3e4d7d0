import Kernel
import Synchronization
import Testing
import Wire

@Suite("The edge cache") struct EdgeTests {
    /// A shelf of numbered things; each write names its tag.
    final class Shelf: Sendable {
        struct Entry: Shaped {
            var id: String
            var value: Int
            var padding: String
            static let schema = Schema.object(
                "Entry",
                [
                    .required("id", .handle), .required("value", .integer(0...Int64.max)),
                    .required("padding", .text(0...100_000)),
                ])
        }

        static let endpoint = Endpoint<Named, Entry>(
            "shelf.get", .get, "/api/shelf/{id}", summary: "One", cacheable: true)

        let values = Mutex<[String: Int]>([:])
        let reads = Atomic(0)
        let padding: Int

        init(padding: Int = 0) { self.padding = padding }

        var route: Route {
            Route(
                Self.endpoint,
                reply: { [self] input, _ in
                    reads.add(1, ordering: .relaxed)
                    let value = values.withLock { $0[input.id] ?? 0 }
                    // Others run between the read and the answer: that is where a stale one could slip in.
                    for _ in 0..<Int.random(in: 0...20) { await Task.yield() }
                    let entry = Entry(id: input.id, value: value, padding: String(repeating: "p", count: padding))
                    return Reply(entry).with(\.tags, ["shelf", input.id])
                })
        }

        func write(_ id: String, _ value: Int) { values.withLock { $0[id] = value } }
    }

    @Test("the second reader is served without the route, the first after a write by it") func keeps() async throws {
        let shelf = Shelf(padding: 3_000)
        let edge = EdgeCache()
        try await Toy.serve(routes: [shelf.route], edge: edge) { port in
            for _ in 0..<5 { try await Peer.expect(200, port, "GET", "/api/shelf/a") }
            #expect(shelf.reads.load(ordering: .relaxed) == 1)
            let gzip = try await Peer.ask(port, "GET", "/api/shelf/a", ["Accept-Encoding": "gzip"])
            let again = try await Peer.ask(port, "GET", "/api/shelf/a", ["Accept-Encoding": "br, gzip;q=0.5"])
            let plain = try await Peer.ask(port, "GET", "/api/shelf/a", ["Accept-Encoding": "gzip;q=0"])
            for answer in [gzip, again] {
                #expect(answer["content-encoding"] == "gzip")
                #expect(answer["etag"]?.hasSuffix("-gz\"") == true)
                #expect(Int(answer["content-length"] ?? "").map { $0 < 300 } == true)
            }
            #expect(plain["content-encoding"] == nil && plain.body.count > 3_000)
            #expect(plain["vary"] == "accept-encoding" && gzip["vary"] == "accept-encoding")
            #expect(shelf.reads.load(ordering: .relaxed) == 1)
            try await Peer.expect(200, port, "GET", "/api/shelf/a", ["Authorization": "Bearer staff"])
            #expect(shelf.reads.load(ordering: .relaxed) == 2, "who says who they are is answered by the route")
            let tag = try #require(gzip["etag"])
            let unchanged = try await Peer.ask(port, "GET", "/api/shelf/a", ["If-None-Match": tag])
            #expect(unchanged.status == 304 && unchanged.body.isEmpty)
            let head = try await Peer.ask(port, "HEAD", "/api/shelf/a")
            #expect(head["content-length"] == plain["content-length"] && head.body.isEmpty)
            shelf.write("a", 1)
            edge.markStale(["a"])
            #expect(edge.contents.entries == 0)
            let fresh = try await Peer.ask(port, "GET", "/api/shelf/a")
            #expect(fresh.json["value"] == 1)
            edge.markStale(["*"])
            #expect(edge.contents.entries == 0)
        }
    }

    @Test("what is not for everybody is not kept") func keepsNothingElse() async throws {
        let edge = EdgeCache()
        try await Toy.serve(edge: edge) { port in
            for path in ["/api/things", "/api/things/none", "/pages/a", "/nothing", "/hello"] {
                _ = try await Peer.ask(port, "GET", path)
            }
            #expect(edge.contents.entries == 0)
            _ = try await Peer.ask(port, "GET", "/api/things/" + String(repeating: "a", count: 1_100))
            #expect(edge.contents.entries == 0)
            try await Peer.expect(200, port, "GET", "/assets/a.css")
            try await Peer.expect(200, port, "GET", "/")
            #expect(edge.contents.entries == 2)
            edge.markStale(["*"])
            #expect(edge.contents.entries == 1, "what is immutable stays")
        }
    }

    final class Written: Sendable {
        let values = Mutex<[String: Int]>([:])
    }

    @Test("no reader ever sees less than what was written before it asked") func races() async throws {
        let shelf = Shelf()
        let edge = EdgeCache()
        try await Toy.serve(routes: [shelf.route], edge: edge) { port in
            // What is written and marked stale; whoever asks later must see at least this.
            let written = Written()
            let ids = ["a", "b", "c"]
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for value in 1...600 {
                        let id = ids[Int.random(in: 0..<3)]
                        shelf.write(id, value)
                        edge.markStale([value % 50 == 0 ? "*" : value % 7 == 0 ? "shelf" : id])
                        written.values.withLock { $0[id] = value }
                        for _ in 0..<Int.random(in: 0...30) { await Task.yield() }
                    }
                }
                for _ in 0..<6 {
                    group.addTask {
                        try await Peer.connect(port) { peer in
                            for _ in 0..<400 {
                                let id = ids[Int.random(in: 0..<3)]
                                let least = written.values.withLock { $0[id] ?? 0 }
                                let answer = try await peer.ask("GET", "/api/shelf/\(id)")
                                let value = try #require(answer.json["value"]?.integerValue)
                                #expect(Int(value) >= least)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a stampede is one call") func stampede() async throws {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (opened, open) = AsyncStream.makeStream(of: Void.self)
        let reads = Reads()
        let gate = Gate(opened: opened, start: start)
        let route = Route(
            Toy.get,
            reply: { input, _ in
                reads.count.add(1, ordering: .relaxed)
                await gate.pass()
                return Reply(Thing(id: input.id)).with(\.tags, ["a"])
            })
        try await Toy.serve(routes: [route]) { port in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { try await Peer.expect(200, port, "GET", "/api/things/a") } }
                for await _ in started { break }
                open.finish()
                try await group.waitForAll()
            }
            #expect(reads.count.load(ordering: .relaxed) == 1)
        }
    }

    @Test("a page that cannot be made is the one that was kept before, and nobody else is to keep it")
    func leftovers() async throws {
        let failure = Failure()
        let page = PageRoute(.get, "/shelf/{name}") { _ in
            if let error = failure.error.withLock({ $0 }) { throw error }
            return .html("<p>\(String(repeating: "shelf ", count: 400))</p>", cache: .edge(tags: ["a"], maxAge: 60))
        }
        let edge = EdgeCache()
        try await Toy.serve(pages: [page], edge: edge) { port in
            let before = try await Peer.ask(port, "GET", "/shelf/a")
            edge.markStale(["a"])
            edge.markStale(["a", "*"])
            let away = Problem(.unavailable, "away")
            for error in [away, OutcomeUnknown("lost"), Problem(.internalError, "broken")] as [any Error] {
                failure.error.withLock { $0 = error }
                let stale = try await Peer.ask(port, "GET", "/shelf/a", ["Accept-Encoding": "gzip"])
                #expect(stale.status == 200 && stale.body == before.body)
                #expect(stale["cache-control"] == "no-store" && stale["etag"] == nil)
                #expect(try await Peer.ask(port, "HEAD", "/shelf/a")["content-length"] == before["content-length"])
                #expect(try await Peer.ask(port, "GET", "/shelf/never-seen").status >= 500)
            }
            #expect(edge.contents.entries == 0, "what is stale is no hit")
            failure.error.withLock { $0 = Problem(.notFound, "it is gone") }
            try await Peer.expect(404, port, "GET", "/shelf/a")
            failure.error.withLock { $0 = away }
            try await Peer.expect(503, port, "GET", "/shelf/a")
            failure.error.withLock { $0 = nil }
            let after = try await Peer.ask(port, "GET", "/shelf/a")
            #expect(after["cache-control"]?.contains("max-age=60") == true)
            #expect(edge.contents.entries == 1)
        }
    }

    /// One request holds the only place, so that all others are too many.
    @Test("in a crowd who is turned away is told at once, and a page that was kept is shown as it was")
    func crowd() async throws {
        let held = Held()
        let shelf = String(repeating: "shelf ", count: 400)
        let pages = [
            PageRoute(.get, "/shelf/{name}") { _ in .html(shelf, cache: .edge(tags: ["a"], maxAge: 60)) },
            PageRoute(.get, "/held") { _ in
                await held.wait()
                return .html("let go")
            },
        ]
        let edge = EdgeCache()
        var settings = Toy.settings
        settings.admission.initial = 1
        settings.admission.bounds = 1...1
        settings.admission.patience = .milliseconds(20)
        try await Toy.serve(settings, pages: pages, edge: edge) { port in
            let kept = try await Peer.ask(port, "GET", "/shelf/a")
            edge.markStale(["a"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Peer.expect(200, port, "GET", "/held") }
                await held.untilHeld()
                for _ in 0..<16 {
                    group.addTask {
                        try await Peer.connect(port) { peer in
                            while !held.isLetGo {
                                let answer = try await peer.ask("GET", "/api/things")
                                guard answer.status == 503 else { continue }
                                #expect(answer["retry-after"] == "1")
                                #expect(answer.body.contains("overloaded"))
                            }
                        }
                    }
                }
                try await Peer.connect(port) { peer in
                    // Who waited in vain gets it, too, but then nobody else is to keep it.
                    var page = try await peer.ask("GET", "/shelf/a", ["Accept-Encoding": "gzip"])
                    while page["cache-control"] == "no-store" {
                        page = try await peer.ask("GET", "/shelf/a", ["Accept-Encoding": "gzip"])
                    }
                    #expect(page.status == 200 && page.body == kept.body)
                    let html = ["Accept": "text/html"]
                    let refused = try await peer.ask("GET", "/shelf/never-seen", html)
                    #expect(refused.status == 503 && refused.body == "<h1>503</h1>" && refused["retry-after"] == "1")
                    #expect(try await peer.ask("HEAD", "/shelf/never-seen", html)["content-length"] == "12")
                    try await peer.expect(200, "GET", "/health")
                }
                held.letGo()
                try await group.waitForAll()
            }
        }
    }

    final class Held: Sendable {
        private let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        private let (ends, end) = AsyncStream.makeStream(of: Void.self)
        private let flag = Atomic(false)
        var isLetGo: Bool { flag.load(ordering: .acquiring) }

        func wait() async {
            arrived.yield()
            for await _ in ends { return }
        }

        func untilHeld() async { for await _ in arrivals { return } }

        func letGo() {
            flag.store(true, ordering: .releasing)
            end.finish()
        }
    }

    final class Failure: Sendable {
        let error = Mutex<(any Error)?>(nil)
    }

    @Test("what is stale gives way when the bytes are needed") func leftoversAreBounded() async throws {
        let page = PageRoute(.get, "/shelf/{name}") { _ in
            .html("<p>\(String(repeating: "x", count: 2_000))</p>", cache: .edge(tags: ["a"], maxAge: 60))
        }
        let edge = EdgeCache(maxBytes: 16 * 40_000)
        try await Toy.serve(pages: [page], edge: edge) { port in
            try await Peer.connect(port) { peer in
                for round in 0..<3 {
                    for index in 0..<200 { try await peer.expect(200, "GET", "/shelf/x\(round)-\(index)") }
                    #expect(edge.contents.entries > 40)
                    edge.markStale(["a"])
                    #expect(edge.contents.entries == 0 && edge.contents.bytes <= 16 * 40_000)
                }
            }
        }
    }

    final class Reads: Sendable {
        let count = Atomic(0)
    }

    actor Gate {
        private let opened: AsyncStream<Void>
        private let start: AsyncStream<Void>.Continuation
        init(opened: AsyncStream<Void>, start: AsyncStream<Void>.Continuation) {
            self.opened = opened
            self.start = start
        }
        func pass() async {
            start.yield()
            for await _ in opened {}
        }
    }

    @Test("it is bounded, and keeps what is asked for") func bounds() async throws {
        let shelf = Shelf(padding: 2_000)
        let edge = EdgeCache(maxBytes: 16 * 40_000)
        try await Toy.serve(routes: [shelf.route], edge: edge) { port in
            try await Peer.connect(port) { peer in
                for index in 0..<1_000 { try await peer.expect(200, "GET", "/api/shelf/x\(index)") }
            }
            #expect(edge.contents.bytes <= 16 * 40_000)
            #expect(edge.contents.entries > 50)
        }
    }
}
