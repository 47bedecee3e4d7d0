import Kernel
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Wire

@Suite("Calls to another process") struct CallerTests {
    /// No test depends on how fast the machine is.
    private static var context: CallContext { CallContext(timeout: .seconds(3_600)) }

    static func with(
        _ base: String, _ body: (HTTPCaller) async throws -> Void
    ) async throws {
        let caller = HTTPCaller(base) { $0.caller == .anonymous ? [] : [("authorization", "Bearer service")] }
        do {
            try await body(caller)
        } catch {
            try await caller.shutdown()
            throw error
        }
        try await caller.shutdown()
    }

    @Test("what goes in comes out, with all that goes along") func roundTrip() async throws {
        var settings = Toy.settings
        settings.servesServices = true
        try await Toy.serve(settings) { port in
            try await Self.with("http://127.0.0.1:\(port)/") { caller in
                var context = Self.context
                let read = try await caller.call(Toy.get, Named(id: "a.b"), context)
                #expect(read.value.id == "a.b" && read.version == 7)
                let page = try await caller.call(Toy.list, ThingQuery(limit: 3, tags: ["x", "y"]), context)
                #expect(page.value.items.first?.count == 3 && page.value.items.first?.tags == ["x", "y"])
                #expect(page.next == "c d")
                context.idempotencyKey = "a \"quoted\" \\ key"
                let made = try await caller.call(Toy.make, Thing(id: "a"), context)
                #expect(made.value.note == context.idempotencyKey && made.location == "/api/things/a")
                context.idempotencyKey = "again"
                #expect(try await caller.call(Toy.make, Thing(id: "a"), context).isReplayed)
                let service = CallContext.service("orders", timeout: .seconds(3_600))
                #expect(try await caller.call(Toy.inner, Nothing(), service).value.note?.contains("service") == true)
                _ = try await caller.call(Toy.remove, Named(id: "a"), service)
                var conditional = service
                conditional.expectedVersion = 7
                #expect(try await caller.call(Toy.put, Thing(id: "a"), conditional).version == 8)
                conditional.expectedVersion = 0
                #expect(try await caller.call(Toy.put, Thing(id: "a"), conditional).version == 8)
            }
        }
    }

    @Test("a refusal is the peer's problem, whole") func refusals() async throws {
        try await Toy.serve { port in
            try await Self.with("http://127.0.0.1:\(port)") { caller in
                for (id, type) in [("none", ProblemType.notFound), ("NOT A HANDLE", .invalid)] {
                    do {
                        _ = try await caller.call(Toy.get, Named(id: id), Self.context)
                        Issue.record("expected \(type)")
                    } catch let problem as Problem {
                        #expect(problem.type == type)
                        if type == .invalid { #expect(problem.extensions["errors"]?[0]?["pointer"] == "/id") }
                    }
                }
            }
        }
    }

    /// A peer that answers every connection with these bytes and ends it.
    static func speak(_ text: String, _ body: @escaping @Sendable (Int, Reads) async throws -> Void) async throws {
        let reads = Reads()
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Parrot(text: text, reads: reads))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(server.localAddress?.port ?? 0, reads)
        } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    final class Reads: Sendable {
        let count = Atomic(0)
    }

    final class Parrot: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let text: String
        let reads: Reads
        init(text: String, reads: Reads) {
            self.text = text
            self.reads = reads
        }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            reads.count.add(1, ordering: .relaxed)
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
                channel.close(promise: nil)
            }
        }
    }

    @Test(
        "garbage and halves leave the outcome unknown, after some more tries where they do no harm",
        arguments: [
            "", "nonsense", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":", "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot json!", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nno",
        ])
    func garbage(text: String) async throws {
        try await Self.speak(text) { port, reads in
            try await Self.with("http://127.0.0.1:\(port)") { caller in
                await #expect(throws: OutcomeUnknown.self) {
                    _ = try await caller.call(Toy.get, Named(id: "a"), Self.context)
                }
                // Fewer where a connection that is being closed was taken for another try.
                let before = reads.count.load(ordering: .relaxed)
                #expect((1...HTTPCaller.attempts).contains(before))
                let once = Endpoint<Thing, Thing>("x", .post, "/x", summary: "", idempotency: .none)
                await #expect(throws: OutcomeUnknown.self) {
                    _ = try await caller.call(once, Thing(id: "a"), Self.context)
                }
                #expect((before...before + 1).contains(reads.count.load(ordering: .relaxed)))
            }
        }
    }

    @Test("who cannot be reached is unavailable, and nothing is unknown") func unreachable() async throws {
        // Nobody listens on port 1, and no other test will.
        try await Self.with("http://127.0.0.1:1") { caller in
            do {
                _ = try await caller.call(Toy.make, Thing(id: "a"), Self.context)
                Issue.record("nobody listens")
            } catch let problem as Problem {
                #expect(problem.type == .unavailable)
            }
        }
    }

    @Test("a deadline that passed is not sent on") func deadline() async throws {
        try await Self.speak("") { port, reads in
            try await Self.with("http://127.0.0.1:\(port)") { caller in
                do {
                    _ = try await caller.call(Toy.get, Named(id: "a"), CallContext(timeout: .zero - .seconds(1)))
                    Issue.record("too late")
                } catch let problem as Problem {
                    #expect(problem.type == .deadlineExceeded)
                }
                #expect(reads.count.load(ordering: .relaxed) == 0)
            }
        }
    }

    @Test("retries are a part of the calls") func budget() {
        let budget = RetryBudget()
        var retries = 0
        for _ in 0..<1_000 {
            budget.deposit()
            while budget.withdraw() { retries += 1 }
        }
        #expect((90...111).contains(retries))
    }
}
