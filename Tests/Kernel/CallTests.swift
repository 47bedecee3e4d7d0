import Kernel
import Testing

@Suite("A call carries its trace") struct TraceContextTests {
    /// W3C Trace Context, 3.2 and 4.
    @Test(
        "a traceparent is read",
        arguments: [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", false),
            // A later version: its first fields count.
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future", true),
        ])
    func reads(_ text: String, _ isSampled: Bool) throws {
        let trace = try #require(TraceContext(traceparent: text))
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.spanID == "00f067aa0ba902b7")
        #expect(trace.isSampled == isSampled)
    }

    @Test(
        "a malformed one is passed over",
        arguments: [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01extra",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "é0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ])
    func refuses(_ text: String) { #expect(TraceContext(traceparent: text) == nil) }

    @Test("what is written is read back; a child stays in its trace") func roundTrip() {
        for round in 0..<200 {
            let root = TraceContext.root(isSampled: round % 2 == 0)
            #expect(root.traceparent.utf8.count == 55)
            #expect(TraceContext(traceparent: root.traceparent) == root)
            let child = root.child()
            #expect(child.traceID == root.traceID && child.spanID != root.spanID)
            #expect(child.isSampled == root.isSampled)
        }
    }
}

@Suite("A call says who calls and for how long") struct CallContextTests {
    @Test("a call made on by a service keeps deadline and trace, not key, condition or token") func acting() {
        var context = CallContext(caller: .anonymous, idempotencyKey: "k", expectedVersion: 3)
        context.accessToken = "secret"
        let next = context.acting(as: "orders")
        #expect(next.caller == .service("orders"))
        #expect(next.deadline == context.deadline && next.trace == context.trace)
        #expect(next.idempotencyKey == nil && next.expectedVersion == nil && next.accessToken == nil)
    }

    @Test("the access token is never shown") func redaction() {
        var context = CallContext()
        context.accessToken = "s3cr3t"
        var dumped = ""
        dump(context, to: &dumped)
        for shown in ["\(context)", String(reflecting: context), dumped] { #expect(!shown.contains("s3cr3t")) }
    }

    @Test("a deadline that has passed is a problem to be tried again") func deadline() throws {
        try CallContext().checkDeadline()
        let error = #expect(throws: Problem.self) { try CallContext(timeout: .seconds(-1)).checkDeadline() }
        #expect(error?.type == .deadlineExceeded && error?.retryAfter == 1)
    }

    private static let user = UserID(at: Timestamp(seconds: 0))

    @Test(
        "who may call is decided by role",
        arguments: [
            (Access.anyone, Caller.anonymous, nil), (.customer, .anonymous, .unauthenticated),
            (.customer, .user(user, .customer), nil), (.customer, .user(user, .admin), nil),
            (.staff, .anonymous, .unauthenticated), (.staff, .user(user, .customer), .forbidden),
            (.staff, .user(user, .staff), nil), (.admin, .user(user, .staff), .forbidden),
            (.admin, .user(user, .admin), nil), (.admin, .service("orders"), nil),
            // It is not told that there is such a thing.
            (.service, .anonymous, .notFound), (.service, .user(user, .admin), .notFound),
            (.service, .service("orders"), nil),
        ] as [(Access, Caller, ProblemType?)])
    func access(_ access: Access, _ caller: Caller, _ refusal: ProblemType?) {
        do {
            try access.check(caller)
            #expect(refusal == nil)
        } catch {
            #expect(error.type == refusal)
        }
    }

    @Test("staff are staff, admins and services") func staff() {
        #expect(!Caller.anonymous.isStaff && !Caller.user(Self.user, .customer).isStaff)
        #expect(Caller.user(Self.user, .staff).isStaff && Caller.user(Self.user, .admin).isStaff)
        #expect(Caller.service("x").isStaff && Caller.service("x").userID == nil)
        #expect(Caller.user(Self.user, .customer).userID == Self.user)
    }
}

@Suite("An endpoint is declared once") struct EndpointTests {
    @Test(
        "a path template has literal segments and parameters",
        arguments: [
            ("/", []), ("/api/orders", []), ("/api/orders/{id}", ["id"]),
            ("/api/carts/{id}/lines/{sku}", ["id", "sku"]), ("/{a}", ["a"]), ("/x/{", []), ("/x{y}", []),
        ] as [(String, [String])])
    func path(_ text: String, _ parameters: [String]) {
        let path = PathTemplate(text)
        #expect(path.parameters == parameters)
        #expect(path.description == text)
        #expect(path == PathTemplate(text))
    }

    @Test("its segments are in order") func segments() {
        #expect(
            PathTemplate("/api/carts/{id}/lines").segments
                == [.literal("api"), .literal("carts"), .parameter("id"), .literal("lines")])
    }

    @Test("what is not in the path of a GET or DELETE is in the query") func query() {
        #expect(HTTPMethod.get.takesQuery && HTTPMethod.delete.takesQuery)
        #expect(!HTTPMethod.post.takesQuery && !HTTPMethod.put.takesQuery && !HTTPMethod.patch.takesQuery)
    }

    private struct Named: Shaped, Equatable {
        var name: String
        static let schema = Schema.object("Named", [.required("name", .text(1...9))])
    }

    @Test("a route decodes, calls, encodes, and passes on what goes into headers") func route() async throws {
        let endpoint = Endpoint<Named, Named>("names.echo", .post, "/names", summary: "Echo")
        let route = Route(endpoint) { input, _ in
            Reply(input).with(\.location, "/names/1").with(\.version, 7).with(\.isReplayed, true).with(\.tags, ["a"])
        }
        let reply = try await route.handle(.object(["name": "Ada"]), CallContext())
        #expect(String(decoding: reply.value, as: UTF8.self) == #"{"name":"Ada"}"#)
        #expect(reply.location == "/names/1" && reply.version == 7 && reply.isReplayed && reply.tags == ["a"])
    }

    @Test("nothing is answered with no bytes") func nothing() async throws {
        let endpoint = Endpoint<Named, Nothing>("names.drop", .delete, "/names/{name}", summary: "Drop", success: 204)
        let route = Route(endpoint) { (_: Named, _: CallContext) in Nothing() }
        #expect(try await route.handle(.object(["name": "Ada"]), CallContext()).value.isEmpty)
    }
}

@Suite("A problem is RFC 9457") struct ProblemTests {
    @Test("its members are type, title, status and detail, then its own") func members() {
        var problem = Problem(.conflict, "it changed", retryAfter: 3)
        problem.extensions["sku"] = "HOT-1"
        #expect(
            String(decoding: JSON.object(problem.json).serialized(), as: UTF8.self)
                == #"{"type":"/problems/conflict","title":"The request conflicts with the present state","status":409,"#
                + #""detail":"it changed","sku":"HOT-1"}"#)
        #expect("\(problem)" == "409 conflict: it changed")
    }

    @Test("one wrong field is told in the detail, many are listed") func invalid() {
        let one = Problem.invalid("/lines/0/quantity", "expected 1 to 9, found 0")
        #expect(one.type.status == 422 && one.detail == "/lines/0/quantity: expected 1 to 9, found 0")
        #expect(one.extensions["errors"]?[0]?["pointer"] == "/lines/0/quantity")
        let many = Problem.invalid([Violation(pointer: "", detail: "a"), Violation(pointer: "/b", detail: "c")])
        #expect(many.detail == "2 fields are not as expected: the body, /b")
        #expect(many.json["errors"] == [["pointer": "", "detail": "a"], ["pointer": "/b", "detail": "c"]])
    }
}
