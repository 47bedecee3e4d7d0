import InMemoryLogging
import Kernel
import Testing
import Wire

@Suite("The conventions of the interface") struct ConventionTests {
    @Test("a good read has an ETag, and what is unchanged is not sent again") func conditionalReads() async throws {
        try await Toy.serve { port in
            let first = try await Peer.ask(port, "GET", "/api/things/a")
            #expect(first.status == 200)
            let tag = try #require(first["etag"])
            #expect(tag.hasPrefix("\"7-"))
            #expect(first["cache-control"] == "public, max-age=0, must-revalidate")
            for header in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                let again = try await Peer.ask(port, "GET", "/api/things/a", ["If-None-Match": header])
                #expect(again.status == 304 && again.body.isEmpty, "\(header)")
                #expect(again["etag"] == tag)
            }
            try await Peer.expect(200, port, "GET", "/api/things/a", ["If-None-Match": "\"x\""])
            let head = try await Peer.ask(port, "HEAD", "/api/things/a")
            #expect(head.status == 200 && head.body.isEmpty)
            for name in ["content-length", "content-type", "etag", "cache-control"] {
                #expect(head[name] == first[name] && head[name] != nil)
            }
        }
    }

    @Test("a staff write needs the version") func conditionalWrites() async throws {
        try await Toy.serve { port in
            let body = "{\"note\": \"x\"}"
            func put(_ headers: [String: String]) async throws -> Peer.Answer {
                let all = headers.merging(["Authorization": "Bearer staff"]) { first, _ in first }
                return try await Peer.ask(port, "PUT", "/api/things/a", all, body)
            }
            let cases: [([String: String], Int)] = [
                ([:], 428), (["If-Match": "nonsense"], 412), (["If-Match": "\"6-abc\""], 412),
                (["If-None-Match": "*"], 200),
            ]
            for (headers, expected) in cases {
                let answer = try await put(headers)
                #expect(answer.status == expected, "\(headers)")
            }
            let written = try await put(["If-Match": "\"7-abc\""])
            #expect(written["etag"]?.hasPrefix("\"8-") == true)
        }
    }

    @Test("who may not is told before the input is looked at") func access() async throws {
        try await Toy.serve { port in
            let unknown = try await Peer.ask(port, "GET", "/api/mine")
            #expect(unknown.status == 401 && unknown["www-authenticate"] != nil)
            for header in ["Bearer bad", "Basic YTpi", "Bearer", ""] {
                try await Peer.expect(401, port, "GET", "/api/mine", ["Authorization": header])
            }
            let staffOnly = try await Peer.ask(
                port, "PUT", "/api/things/a", ["Authorization": "Bearer customer"], "nonsense")
            #expect(staffOnly.status == 403)
            try await Peer.expect(200, port, "GET", "/api/mine", ["Cookie": "souk_session=customer"])
            try await Peer.expect(404, port, "GET", "/internal/things", ["Authorization": "Bearer service"])
        }
    }

    @Test("a service is told who called, with what and from where") func context() async throws {
        let endpoint = Endpoint<Nothing, Thing>("me", .get, "/api/me", summary: "Me", access: .customer)
        let route = Route(endpoint) { _, context in
            Thing(id: "me", note: "\(context.accessToken ?? "") \(context.clientAddress ?? "")")
        }
        try await Toy.serve(routes: [route]) { port in
            for headers in [["Authorization": "Bearer customer"], ["Cookie": "souk_session=customer"]] {
                let answer = try await Peer.ask(port, "GET", "/api/me", headers)
                #expect(answer.json["note"] == "customer 127.0.0.1")
            }
        }
    }

    @Test("another site's page cannot act with a visitor's cookie") func crossSite() async throws {
        try await Toy.serve { port in
            let cookie = ["Cookie": "souk_session=customer"]
            func remove(_ more: [String: String]) async throws -> Int {
                try await Peer.ask(port, "DELETE", "/api/things/a", cookie.merging(more) { $1 }).status
            }
            let cases: [([String: String], Int)] = [
                ([:], 204), (["Sec-Fetch-Site": "same-origin"], 204), (["Origin": "http://shop"], 204),
                (["Origin": "http://evil"], 403), (["Origin": "null"], 403), (["Sec-Fetch-Site": "cross-site"], 403),
            ]
            for (headers, expected) in cases {
                let status = try await remove(headers)
                #expect(status == expected, "\(headers)")
            }
            let bearer = ["Authorization": "Bearer customer", "Origin": "http://evil"]
            try await Peer.expect(204, port, "DELETE", "/api/things/a", bearer)
            let form = ["Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-site"]
            try await Peer.expect(403, port, "POST", "/forms", form, "name=a")
        }
    }

    @Test(
        "a key is quoted or bare",
        arguments: [
            ("abc", "abc"), ("\"abc\"", "abc"), ("\"a\\\"b\\\\\"", "a\"b\\"), ("a b", "a b"),
            (String(repeating: "k", count: 255), String(repeating: "k", count: 255)),
        ])
    func keys(header: String, key: String) async throws {
        try await Toy.serve { port in
            let answer = try await Peer.ask(port, "POST", "/api/things", ["Idempotency-Key": header], "{\"id\":\"a\"}")
            #expect(answer.status == 201)
            #expect(answer.json["note"]?.stringValue == key)
            #expect(answer["location"] == "/api/things/a")
        }
    }

    @Test("a missing or malformed key is refused") func wrongKeys() async throws {
        try await Toy.serve { port in
            let missing = try await Peer.ask(port, "POST", "/api/things", [:], "{\"id\":\"a\"}")
            #expect(missing.status == 400)
            #expect(missing.json["type"] == "/problems/idempotency-key-missing")
            for key in [String(repeating: "k", count: 256), "\"open", "\"a\"b", "\u{e9}"] {
                let answer = try await Peer.ask(port, "POST", "/api/things", ["Idempotency-Key": key], "{\"id\":\"a\"}")
                #expect(answer.status == 400, "\(key)")
            }
            let again = try await Peer.ask(port, "POST", "/api/things", ["Idempotency-Key": "again"], "{\"id\":\"a\"}")
            #expect(again["idempotency-replayed"] == "true")
        }
    }

    @Test(
        "input that is not as declared is named",
        arguments: [
            ("GET", "/api/things?limit=0", "", 422, "limit"), ("GET", "/api/things?limit=x", "", 422, "limit"),
            ("GET", "/api/things?limit=1&limit=2", "", 422, "limit"), ("GET", "/api/things?odd=1", "", 422, "odd"),
            ("GET", "/api/things?tags=a,b&tags=c,d", "", 422, "tags"), ("GET", "/api/things/a?id=b", "", 422, "id"),
            ("POST", "/api/things?x=1", "{\"id\":\"a\"}", 422, "x"), ("POST", "/api/things", "{}", 422, "id"),
            ("POST", "/api/things", "[]", 422, "object"), ("POST", "/api/things", "{\"id\":", 400, "line 1"),
            ("POST", "/api/things", "{\"id\":\"a\",\"id\":\"a\"}", 400, "id"),
            ("POST", "/api/things", "{\"id\":\"a\",\"count\":1.5}", 422, "count"),
            ("GET", "/api/things?after=%zz", "", 400, "%"),
            ("GET", "/api/things?after=%00", "", 400, "NUL"), ("GET", "/api/things/%ff", "", 400, "UTF-8"),
        ])
    func inputs(method: String, path: String, body: String, status: Int, named: String) async throws {
        try await Toy.serve { port in
            let answer = try await Peer.ask(
                port, method, path, ["Idempotency-Key": "k"], body.isEmpty ? nil : body)
            #expect(answer.status == status, "\(answer)")
            #expect(answer["content-type"] == "application/problem+json")
            #expect(answer.body.contains(named), "\(answer)")
        }
    }

    @Test("a body is JSON and does not repeat the path") func bodies() async throws {
        try await Toy.serve { port in
            let staff = ["Authorization": "Bearer staff", "If-Match": "\"7-a\""]
            try await Peer.expect(422, port, "PUT", "/api/things/a", staff, "{\"id\":\"a\"}")
            let text = ["Content-Type": "text/plain", "Idempotency-Key": "k"]
            try await Peer.expect(415, port, "POST", "/api/things", text, "{}")
            let charset = ["Content-Type": "application/json; charset=utf-8", "Idempotency-Key": "k"]
            try await Peer.expect(201, port, "POST", "/api/things", charset, "{\"id\":\"a\"}")
        }
    }

    @Test("lists say where the next page is") func links() async throws {
        try await Toy.serve { port in
            let answer = try await Peer.ask(port, "GET", "/api/things?limit=3&tags=x,y&tags=z")
            #expect(answer["link"] == "</api/things?limit=3&tags=x,y&tags=z&after=c%20d>; rel=\"next\"")
            #expect(answer.json["items"]?[0]?["tags"]?.arrayValue?.count == 3)
            let last = try await Peer.ask(port, "GET", "/api/things?after=abc")
            #expect(last.status == 200 && last["link"] == nil)
        }
    }

    @Test("methods and paths that are not there") func routing() async throws {
        try await Toy.serve { port in
            let wrong = try await Peer.ask(port, "PATCH", "/api/things")
            #expect(wrong.status == 405 && wrong["allow"] == "GET, POST, HEAD, OPTIONS")
            try await Peer.expect(405, port, "BREW", "/api/things")
            let options = try await Peer.ask(port, "OPTIONS", "/api/things")
            #expect(options.status == 204 && options["allow"]?.contains("GET") == true)
            for path in ["/api/nothing", "/../../etc/passwd", "/api/things/", "//"] {
                try await Peer.expect(404, port, "GET", path)
            }
            try await Peer.expect(400, port, "GET", "/%")
        }
    }

    @Test("what goes wrong inside is not shown") func failures() async throws {
        try await Toy.serve { port in
            let failed = try await Peer.ask(port, "GET", "/api/fail")
            #expect(failed.status == 500 && !failed.body.contains("Secret"))
            for path in ["/api/lose", "/api/outage"] {
                let lost = try await Peer.ask(port, "GET", path)
                #expect(lost.status == 503 && lost["retry-after"] == "1", "\(path)")
            }
        }
    }

    @Test("a request that takes too long is ended") func deadline() async throws {
        var settings = Toy.settings
        settings.requestTimeout = .milliseconds(50)
        settings.headerTimeout = .milliseconds(50)
        let log = InMemoryLogHandler()
        try await Toy.serve(settings, log: log) { port in
            let answer = try await Peer.ask(port, "GET", "/api/hang")
            #expect(answer.status == 504)
        }
        let lines = log.entries.filter { $0.level == .warning && $0.metadata["path"] == "/api/hang" }
        #expect(lines.count == 1 && lines.first?.metadata["trace_id"] != nil)
    }

    @Test("a trace goes on, or begins anew") func traces() async throws {
        try await Toy.serve { port in
            let trace = "0af7651916cd43dd8448eb211c80319c"
            for path in ["/api/things", "/api/things/a", "/api/things/a"] {
                let answer = try await Peer.ask(port, "GET", path, ["traceparent": "00-\(trace)-b7ad6b7169203331-01"])
                let id = answer["traceparent"]?.split(separator: "-")[1]
                #expect(id == trace[...])
                let anew = try await Peer.ask(port, "GET", path, ["traceparent": "nonsense"])
                #expect(anew["traceparent"].flatMap { TraceContext(traceparent: $0) } != nil)
            }
        }
    }

    @Test("every answer has the security headers") func security() async throws {
        try await Toy.serve { port in
            for path in ["/", "/api/things", "/api/nothing", "/hello"] {
                let answer = try await Peer.ask(port, "GET", path)
                #expect(answer["x-content-type-options"] == "nosniff", "\(path)")
                #expect(answer["content-security-policy"]?.contains("default-src 'self'") == true)
            }
        }
    }

    @Test("surroundings answer") func surroundings() async throws {
        try await Toy.serve { port in
            for path in ["/health", "/healthz", "/alive", "/ready", "/readyz", "/metrics", "/openapi.json", "/version"]
            {
                try await Peer.expect(200, port, "GET", path)
            }
            let hello = try await Peer.ask(port, "GET", "/hello")
            #expect(hello.body == "{\"message\":\"Hello, world!\"}")
            let greeting = try await Peer.ask(port, "GET", "/greet?name=Ada+L")
            #expect(greeting.body == "{\"message\":\"Hello, Ada L!\"}")
            try await Peer.expect(422, port, "GET", "/greet?name=" + String(repeating: "a", count: 101))
        }
    }
}
