import Kernel
import NIOCore
import NIOEmbedded
import Testing

@testable import Wire

@Suite("One connection") struct ConnectionTests {
    static let get = Peer.request("GET", "/api/things/a")

    @Test("a connection that was long in coming has its deadlines all the same") func lateConnection() throws {
        let limits = ConnectionLimits(
            body: 1, headTime: .zero, bodyTime: .zero, idleTime: .hours(1), serveTime: .hours(1))
        let channel = EmbeddedChannel(
            handler: ConnectionHandler(limits: limits, edge: nil, turnstile: nil, drain: Drain(), watch: TaskWatch()))
        channel.embeddedEventLoop.advanceTime(to: .now() + .seconds(1))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: "GET /half"))
        channel.embeddedEventLoop.advanceTime(to: .now() + .seconds(2))
        #expect(try channel.readInbound(as: Incoming.self)?.refusal != nil)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test("pipelined requests are answered in order, from the edge and from routes") func pipelining() async throws {
        try await Toy.serve { port in
            let paths = ["/hello", "/api/things/a", "/version", "/api/things/none", "/greet?name=Ada", "/api/things/a"]
            try await Peer.connect(port) { peer in
                try await peer.send((0..<20).map { _ in paths.map { Peer.request("GET", $0) }.joined() }.joined())
                for _ in 0..<20 {
                    for path in paths {
                        let answer = try #require(try await peer.answer())
                        #expect(answer.status == (path.hasSuffix("none") ? 404 : 200))
                        if path == "/hello" { #expect(answer.body.contains("world")) }
                        if path == "/api/things/a" { #expect(answer.json["id"] == "a") }
                        if path.hasPrefix("/greet") { #expect(answer.body.contains("Ada")) }
                    }
                }
            }
        }
    }

    @Test("a request may arrive byte by byte, or in two halves at any place") func pieces() async throws {
        try await Toy.serve { port in
            let post = Peer.request("POST", "/api/things", ["Idempotency-Key": "k"], "{\"id\":\"a\"}")
            let bytes = Array((Self.get + post + Self.get).utf8)
            try await Peer.connect(port) { peer in
                for byte in bytes { try await peer.send([byte]) }
                for status in [200, 201, 200] { try await peer.expect(status) }
                for cut in 1..<bytes.count {
                    try await peer.send(Array(bytes[..<cut]))
                    try await peer.send(Array(bytes[cut...]))
                    for status in [200, 201, 200] { try await peer.expect(status) }
                }
            }
        }
    }

    @Test(
        "what has two readings is refused and the connection ends",
        arguments: [
            "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: -1\r\n", "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "Content-Length: \r\n",
            "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n", "X: a\r\n b\r\n", " X: a\r\n", "X : a\r\n", "X: a\nY: b\r\n", "X\r\n",
            "Host: other\r\n", "X: a\u{0}b\r\n", "X: a\rb\r\n", ": a\r\n", "Expect: magic\r\n",
        ])
    func smuggling(headers: String) async throws {
        try await Toy.serve { port in
            try await Peer.connect(port) { peer in
                try await peer.send("POST /api/things HTTP/1.1\r\nHost: a\r\n\(headers)\r\n0\r\n\r\n" + Self.get)
                let answer = try #require(try await peer.answer())
                #expect(answer.status == 400, "\(answer)")
                #expect(answer["content-type"] == "application/problem+json")
                #expect(answer["connection"] == "close")
                await peer.expectClosed()
            }
        }
    }

    @Test(
        "what is not HTTP/1.1 is refused",
        arguments: [
            "\u{16}\u{3}\u{1}", "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\n\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ])
    func nonsense(text: String) async throws {
        try await Toy.serve { port in
            try await Peer.connect(port) { peer in
                try await peer.send(text)
                try await peer.expect(400)
            }
        }
    }

    @Test(
        "a body in chunks is read",
        arguments: [
            ("9\r\n{\"id\":\"a\"\r\n1\r\n}\r\n0\r\n\r\n", 201),
            ("a;x=y\r\n{\"id\":\"a\"}\r\n0\r\nTrailer: x\r\n\r\n", 201),
            ("000A\r\n{\"id\":\"a\"}\r\n0\r\n\r\n", 201), ("g\r\n", 400), ("a\n{\"id\":\"a\"}\r\n0\r\n\r\n", 400),
            ("9\r\n{\"id\":\"a\"}\r\n0\r\n\r\n", 400), ("-1\r\n", 400), ("fffffffff\r\n", 400), ("\r\n", 400),
            ("0x1\r\n", 400), ("fffffff\r\n", 413),
        ])
    func chunks(body: String, status: Int) async throws {
        try await Toy.serve { port in
            let fields = ["Content-Type": "application/json", "Transfer-Encoding": "chunked", "Idempotency-Key": "k"]
            try await Peer.connect(port) { peer in
                try await peer.send(Peer.request("POST", "/api/things", fields) + body)
                let answer = try #require(try await peer.answer())
                #expect(answer.status == status, "\(answer)")
            }
        }
    }

    @Test("limits are named") func limits() async throws {
        try await Toy.serve { port in
            let cases: [(String, Int, String)] = [
                (Peer.request("GET", "/" + String(repeating: "a", count: 9_000)), 414, "8192"),
                (Peer.request("GET", "/" + String(repeating: "a", count: 200_000)), 414, "8192"),
                (Peer.request("GET", "/", ["X": String(repeating: "a", count: 17_000)]), 431, "16384"),
                (Peer.request("GET", "/", ["X": String(repeating: "a", count: 200_000)]), 431, "16384"),
                ("GET / HTTP/1.1\r\n" + (0..<70).map { "X-\($0): a\r\n" }.joined() + "Host: a\r\n\r\n", 431, "64"),
                ("POST /api/things HTTP/1.1\r\nHost: a\r\nContent-Length: 17179869184\r\n\r\n", 413, "1048576"),
            ]
            for (request, status, bound) in cases {
                let answer = try await Peer.connect(port) { peer in
                    try? await peer.send(request)
                    return try await peer.answer()
                }
                #expect(
                    answer?.status == status && answer?.body.contains(bound) == true, "\(answer?.description ?? "")")
            }
        }
    }

    @Test("a client that wants to go on, goes on; one that wants to end, ends") func persistence() async throws {
        try await Toy.serve { port in
            for path in ["/hello", "/api/things/a", "/api/things/a"] {
                try await Peer.connect(port) { peer in
                    for _ in 0..<3 { try await peer.expect(200, "GET", path) }
                    let last = try await peer.ask("GET", path, ["Connection": "close"])
                    #expect(last.status == 200 && last["connection"] == "close")
                    await peer.expectClosed()
                }
                try await Peer.connect(port) { peer in
                    try await peer.send("GET \(path) HTTP/1.0\r\n\r\n")
                    try await peer.expect(200)
                    await peer.expectClosed()
                }
            }
        }
    }

    @Test("what was sent before the client's end is answered") func halfClosed() async throws {
        try await Toy.serve { port in
            try await Peer.connect(port) { peer in
                try await peer.send(Self.get + Peer.request("GET", "/hello") + Self.get)
                peer.halfClose()
                for _ in 0..<3 { try await peer.expect(200) }
                await peer.expectClosed()
            }
            try await Peer.connect(port) { peer in
                try await peer.send("GET /hello HTTP/1.1\r\nHo")
                peer.halfClose()
                let rest = await peer.rest()
                #expect(rest == "")
            }
        }
    }

    @Test("100 is said to who waits for it") func continues() async throws {
        try await Toy.serve { port in
            try await Peer.connect(port) { peer in
                let fields = [
                    "Content-Type": "application/json", "Content-Length": "10", "Expect": "100-continue",
                    "Idempotency-Key": "k",
                ]
                try await peer.send(Peer.request("POST", "/api/things", fields))
                try await peer.expect(100)
                try await peer.send("{\"id\":\"a\"}")
                try await peer.expect(201)
            }
        }
    }

    @Test("who is slow is told, then let go") func slowness() async throws {
        var settings = Toy.settings
        settings.headerTimeout = .milliseconds(200)
        settings.bodyTimeout = .milliseconds(200)
        try await Toy.serve(settings) { port in
            for start in [
                "GET /hello HTTP/1.1\r\nHost:", Peer.request("POST", "/forms", ["Content-Length": "9"]) + "a",
            ] {
                try await Peer.connect(port) { peer in
                    try await peer.send(start)
                    try await peer.expect(408)
                    await peer.expectClosed()
                }
            }
        }
    }

    @Test("who says nothing is let go") func idleness() async throws {
        var settings = Toy.settings
        settings.headerTimeout = .milliseconds(200)
        settings.idleTimeout = .milliseconds(200)
        try await Toy.serve(settings) { port in
            try await Peer.connect(port) { peer in await peer.expectClosed() }
        }
    }

    @Test("a port in use is named") func portInUse() async throws {
        try await Toy.serve { port in
            var settings = Toy.settings
            settings.port = port
            do {
                try await Toy.serve(settings) { _ in }
                Issue.record("two servers listen on one port")
            } catch let error as ListenError {
                #expect(error.description.contains("\(port) is in use"))
            }
        }
    }
}
