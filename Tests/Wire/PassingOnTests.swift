import Kernel
import Testing
import Wire

/// What another role passes on is its client's, and is proved to come from a role.
@Suite("A role that passes on what a client asked") struct PassingOnTests {
    private static let key = String(repeating: "k", count: 32)

    /// Says who calls, from where, and how long it waits.
    private static let echo = Endpoint<Nothing, Thing>("things.echo", .get, "/api/echo", summary: "Who calls")
    private static let routes = Toy.routes([
        Route(echo) { _, context in
            let seconds = (context.deadline - .now).components.seconds
            return Thing(id: "echo", note: "\(context.caller) \(context.clientAddress ?? "") \(seconds < 100)")
        }
    ])

    private static func serve(
        trusting isInner: Bool = true, rate: Double = 1_000, _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        var settings = Toy.settings
        settings.servesServices = isInner
        settings.clients.exemptsLoopback = false
        settings.clients.burst = rate
        settings.clients.rate = 0.001
        let tokens = try #require(ServiceTokens(keys: [key]))
        try await Toy.serve(
            settings, routes: routes,
            identity: { bearer, cookie in
                if let bearer, ServiceTokens.isOne(bearer) { return try tokens.caller(bearer) }
                return try await Toy.identity(bearer, cookie)
            }
        ) { try await body("http://127.0.0.1:\($0)") }
    }

    private static func call(
        _ base: String, _ context: CallContext, key: String = key
    ) async throws -> String? {
        let tokens = try #require(ServiceTokens(keys: [key]))
        let caller = HTTPCaller(base, identify: tokens.identification(as: "storefront"))
        do {
            let note = try await caller.call(echo, Nothing(), context).value.note
            try await caller.shutdown()
            return note
        } catch {
            try await caller.shutdown()
            throw error
        }
    }

    private static func shopper(timeout: Duration = .seconds(3_600)) -> CallContext {
        var context = CallContext(caller: .user(Toy.user, .customer), timeout: timeout)
        context.accessToken = "customer"
        context.clientAddress = "192.0.2.7"
        return context
    }

    @Test("the client stays who it is and where it is, and its deadline travels") func passing() async throws {
        try await Self.serve { base in
            #expect(
                try await Self.call(base, Self.shopper()) == "user(\(Toy.user), Kernel.Role.customer) 192.0.2.7 false")
            let hurried = try await Self.call(base, Self.shopper(timeout: .seconds(90)))
            #expect(hurried?.hasSuffix("true") == true)
            var stranger = CallContext(timeout: .seconds(3_600))
            stranger.clientAddress = "192.0.2.8"
            #expect(try await Self.call(base, stranger) == "anonymous 192.0.2.8 false")
            let own = CallContext.service("storefront", timeout: .seconds(3_600))
            let note = try await Self.call(base, own)
            #expect(note?.hasPrefix("service(\"storefront\")") == true)
        }
    }

    @Test("whoever met the client has counted it: here it is not counted again") func counting() async throws {
        try await Self.serve(rate: 1) { base in
            for _ in 0..<5 { _ = try await Self.call(base, Self.shopper()) }
        }
    }

    @Test("a forged proof is refused; where no role is expected it means nothing") func forgery() async throws {
        try await Self.serve { base in
            do {
                _ = try await Self.call(base, Self.shopper(), key: String(repeating: "x", count: 32))
                Issue.record("a forged proof was believed")
            } catch let problem as Problem {
                #expect(problem.type == .unauthenticated)
            }
        }
        try await Self.serve(trusting: false) { base in
            let note = try await Self.call(base, Self.shopper())
            #expect(note?.contains("127.0.0.1") == true)
        }
    }
}
