import Kernel
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing
import Wire

/// A small shop to talk to.
struct Thing: Shaped {
    var id: String
    var note: String?
    var count: Int?
    var tags: [String]?
    static let schema = Schema.object(
        "Thing",
        [
            .required("id", .handle), .optional("note", .text(0...200)), .optional("count", .integer(1...200)),
            .optional("tags", .array(.handle, 0...5)),
        ])
}

struct Named: Shaped {
    var id: String
    static let schema = Schema.object("Named", [.required("id", .handle)])
}

struct ThingPage: Shaped {
    var items: [Thing]
    static let schema = Schema.object("ThingPage", [.required("items", .array(Thing.schema, 0...200))])
}

struct ThingQuery: Shaped {
    var limit: Int?
    var after: String?
    var tags: [String]?
    static let schema = Schema.object(
        "ThingQuery",
        [
            .optional("limit", .integer(1...200)), .optional("after", .token(1...100, example: "abc")),
            .optional("tags", .array(.handle, 0...3)),
        ])
}

enum Toy {
    static let get = Endpoint<Named, Thing>(
        "things.get", .get, "/api/things/{id}", summary: "One", cacheable: true, problems: [.notFound])
    static let list = Endpoint<ThingQuery, ThingPage>("things.list", .get, "/api/things", summary: "Many")
    static let put = Endpoint<Thing, Thing>(
        "things.put", .put, "/api/things/{id}", summary: "Replace", access: .staff, conditional: true)
    static let make = Endpoint<Thing, Thing>(
        "things.make", .post, "/api/things", summary: "Make", success: 201, idempotency: .keyRequired)
    static let mine = Endpoint<Nothing, Thing>(
        "things.mine", .get, "/api/mine", summary: "Mine", access: .customer)
    static let remove = Endpoint<Named, Nothing>(
        "things.remove", .delete, "/api/things/{id}", summary: "Remove", access: .customer, success: 204)
    static let fail = Endpoint<Nothing, Thing>("things.fail", .get, "/api/fail", summary: "Fails")
    static let lose = Endpoint<Nothing, Thing>("things.lose", .get, "/api/lose", summary: "Is lost")
    static let outage = Endpoint<Nothing, Thing>("things.outage", .get, "/api/outage", summary: "Is away")
    static let hang = Endpoint<Nothing, Thing>("things.hang", .get, "/api/hang", summary: "Hangs")
    static let inner = Endpoint<Nothing, Thing>(
        "things.inner", .get, "/internal/things", summary: "Inside", access: .service)

    struct Secret: Error {}

    static let user = UserID(at: Timestamp(year: 2026, month: 1, day: 1))

    static func routes(_ more: [Route] = []) -> [Route] {
        [
            Route(
                get,
                reply: { input, _ in
                    guard input.id != "none" else { throw Problem(.notFound, "no thing \(input.id)") }
                    let thing = Thing(id: input.id, note: String(repeating: "n", count: 20))
                    return Reply(thing).with(\.version, 7).with(\.tags, ["thing:\(input.id)"])
                }),
            Route(
                list,
                reply: { input, _ in
                    Reply(ThingPage(items: [Thing(id: "a", count: input.limit, tags: input.tags)]))
                        .with(\.next, input.after == nil ? "c d" : nil)
                }),
            Route(
                put,
                reply: { input, context in
                    guard context.expectedVersion == 7 || context.expectedVersion == 0 else {
                        throw Problem(.versionMismatch, "expected 7")
                    }
                    return Reply(input).with(\.version, 8)
                }),
            Route(
                make,
                reply: { input, context in
                    var thing = input
                    thing.note = context.idempotencyKey
                    return Reply(thing).with(\.location, "/api/things/\(input.id)")
                        .with(\.isReplayed, context.idempotencyKey == "again")
                }),
            Route(mine) { _, context in Thing(id: "mine", note: "\(context.caller)") },
            Route(remove) { _, _ in Nothing() },
            Route(fail) { _, _ -> Thing in throw Secret() },
            Route(lose) { _, _ -> Thing in throw OutcomeUnknown("lost") },
            Route(outage) { _, _ -> Thing in throw FileError.diskFull(path: "a") },
            Route(hang) { _, _ -> Thing in
                try await SystemClock().sleep(for: .seconds(600))
                return Thing(id: "a")
            },
            Route(inner) { _, context in Thing(id: "inner", note: "\(context.caller)") },
        ] + more
    }

    static let identity: Identity = { bearer, cookie in
        switch bearer ?? cookie {
        case "customer": .user(user, .customer)
        case "staff": .user(user, .staff)
        case "service": .service("peer")
        default: throw Problem(.unauthenticated, "no such token")
        }
    }

    static let pages: [PageRoute] = [
        PageRoute(.get, "/") { _ in .html("<p>home</p>", cache: .edge(tags: ["home"], maxAge: 0)) },
        PageRoute(.get, "/pages/{name}") { request in
            guard request.parameters["name"] != "none" else { throw Problem(.notFound, "no page") }
            return .html("<p>\(request.parameters["name"] ?? "") \(request.cookies["a"] ?? "")</p>")
        },
        PageRoute(.get, "/assets/{path*}") { request in
            PageResponse(
                contentType: "text/css", body: Array("/* \(request.parameters["path"] ?? "") */".utf8),
                cache: .immutable)
        },
        PageRoute(.post, "/forms") { request in
            var response = PageResponse.redirect(to: "/pages/\(request.form.first("name") ?? "nobody")")
            response.cookies = [Cookie("souk_cart", "a b", maxAge: 60)]
            return response
        },
    ]

    static var settings: ServerSettings {
        var settings = ServerSettings()
        settings.port = 0
        // A test that is about time sets its own: the others say nothing of how fast the machine is.
        settings.headerTimeout = .seconds(3_600)
        settings.bodyTimeout = .seconds(3_600)
        settings.idleTimeout = .seconds(3_600)
        settings.requestTimeout = .seconds(3_600)
        settings.drainTimeout = .seconds(3_600)
        return settings
    }

    /// Runs a server for as long as `body` runs.
    static func serve(
        _ settings: ServerSettings = settings, routes: [Route] = routes(), pages: [PageRoute] = pages,
        identity: @escaping Identity = identity, edge: EdgeCache = EdgeCache(),
        log: any LogHandler = SwiftLogNoOpLogHandler(), _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = HTTPServer(
            settings, routes: routes, pages: pages, identity: identity, metricsText: { "# TYPE a counter\n" },
            errorPage: { problem, _ in .html("<h1>\(problem.type.status)</h1>") }, edge: edge,
            logger: Logger(label: "test", factory: { _ in log }), onReady: { port.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask {
                for await port in ports {
                    try await body(port)
                    return
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// One connection, by hand: bytes out, answers in.
struct Peer {
    struct Answer: CustomStringConvertible {
        let status: Int
        let headers: [(String, String)]
        let body: String
        subscript(name: String) -> String? { headers.first { $0.0.lowercased() == name }?.1 }
        var json: JSON { (try? JSON.parse(body.utf8)) ?? .null }
        var description: String { "\(status) \(headers) \(body.prefix(300))" }
    }

    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let channel: any Channel
    var buffer = ByteBuffer()

    static func connect<Value: Sendable>(
        _ port: Int, _ body: (inout Peer) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var peer = Peer(outbound: outbound, inbound: inbound.makeAsyncIterator(), channel: channel.channel)
            return try await body(&peer)
        }
    }

    func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }
    func halfClose() { outbound.finish() }

    /// What is left to the end of the connection.
    mutating func rest() async -> String {
        while let more = try? await inbound.next() { buffer.writeImmutableBuffer(more) }
        return String(buffer: buffer)
    }

    mutating func isClosed() async -> Bool {
        if buffer.readableBytes > 0 { return false }
        guard let more = try? await inbound.next() else { return true }
        buffer.writeImmutableBuffer(more)
        return false
    }

    /// The next answer; nil if the connection ends before it is whole.
    mutating func answer(head: Bool = false) async throws -> Answer? {
        while true {
            let text = String(buffer: buffer)
            if let end = text.utf8.firstEnd {
                let lines = String(decoding: Array(text.utf8)[..<end], as: UTF8.self).split(separator: "\r\n")
                let headers = lines.dropFirst().map { line -> (String, String) in
                    let colon = line.firstIndex(of: ":") ?? line.endIndex
                    return (String(line[..<colon]), String(line[colon...].dropFirst(2)))
                }
                let status = Int(lines[0].split(separator: " ")[1]) ?? 0
                let said = headers.first { $0.0 == "content-length" }.flatMap { Int($0.1) } ?? 0
                let length = head || status == 304 ? 0 : said
                if buffer.readableBytes >= end + 4 + length {
                    buffer.moveReaderIndex(forwardBy: end + 4)
                    let body = buffer.readBytes(length: length) ?? []
                    return Answer(status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
                }
            }
            guard let more = try await inbound.next() else { return nil }
            buffer.writeImmutableBuffer(more)
        }
    }

    mutating func ask(
        _ method: String = "GET", _ path: String, _ headers: [String: String] = [:], _ body: String? = nil
    ) async throws -> Answer {
        try await send(Peer.request(method, path, headers, body))
        guard let answer = try await answer(head: method == "HEAD") else { throw Closed() }
        return answer
    }

    mutating func expect(_ status: Int, at location: SourceLocation = #_sourceLocation) async throws {
        let answer = try await answer()
        #expect(answer?.status == status, "\(answer?.description ?? "closed")", sourceLocation: location)
    }

    mutating func expect(
        _ status: Int, _ method: String, _ path: String, at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await send(Peer.request(method, path))
        try await expect(status, at: location)
    }

    mutating func expectClosed(at location: SourceLocation = #_sourceLocation) async {
        let isClosed = await isClosed()
        #expect(isClosed, sourceLocation: location)
    }

    struct Closed: Error {}

    static func request(
        _ method: String = "GET", _ path: String, _ headers: [String: String] = [:], _ body: String? = nil
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: shop\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body {
            if headers["Content-Type"] == nil { text += "Content-Type: application/json\r\n" }
            text += "Content-Length: \(body.utf8.count)\r\n"
        }
        return text + "\r\n" + (body ?? "")
    }

    /// Expects the status of one request on a connection of its own.
    static func expect(
        _ status: Int, _ port: Int, _ method: String = "GET", _ path: String, _ headers: [String: String] = [:],
        _ body: String? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await ask(port, method, path, headers, body)
        #expect(answer.status == status, "\(method) \(path) \(headers): \(answer)", sourceLocation: location)
    }

    /// One request on a connection of its own.
    static func ask(
        _ port: Int, _ method: String = "GET", _ path: String, _ headers: [String: String] = [:], _ body: String? = nil
    ) async throws -> Answer {
        try await connect(port) { try await $0.ask(method, path, headers, body) }
    }
}

extension String.UTF8View {
    fileprivate var firstEnd: Int? {
        let bytes = Array(self)
        guard bytes.count >= 4 else { return nil }
        return (0...bytes.count - 4).first { Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10] }
    }
}
