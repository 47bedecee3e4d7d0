import Contracts
import Kernel
import Synchronization
import Testing

@testable import Auth

/// Another process of the shop, without a network between.
final class NeighbouringProcess: RemoteCaller {
    private struct State {
        var routes: [Route] = []
        var isAway = false
        var questions = 0
    }
    private let state = Mutex(State())

    init(_ auth: Auth) { serve(auth) }

    func serve(_ auth: Auth) { state.withLock { $0.routes = auth.routes } }
    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
    var questions: Int { state.withLock { $0.questions } }

    func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, _ context: CallContext
    ) async throws -> Reply<Output> {
        let route = try state.withLock { state in
            state.questions += 1
            guard !state.isAway else { throw Problem(.unavailable, "away") }
            return state.routes.first { $0.endpoint.name == endpoint.description.name }
        }
        guard let route else { throw Problem(.notFound, "no such endpoint") }
        let reply = try await route.handle(JSON(encoding: input), context)
        return Reply(try (reply.value.isEmpty ? [:] : JSON.parse(reply.value)).decode(Output.self))
    }
}

@Suite("Auth: from another process") struct RemoteAuthTests {
    @Test("sessions go on from there as from here, and end in both")
    func sessions() async throws {
        let sessions = try await Sessions()
        let remote = RemoteAuth(NeighbouringProcess(sessions.auth), clock: sessions.clock)
        let credentials = Credentials(email: "ada@example.com", password: "right")
        let first = try await remote.logIn(credentials, CallContext())
        let tokens = try await remote.refresh(RefreshTokens(refresh_token: first.refresh_token), CallContext())
        #expect(try await remote.caller(accessToken: tokens.access_token).userID == sessions.ada.id)
        #expect(try await sessions.auth.caller(accessToken: tokens.access_token).userID == sessions.ada.id)
        try await remote.logOut(accessToken: tokens.access_token)
        for auth: any AuthService in [remote, sessions.auth] {
            let refused = try await problem { _ = try await auth.caller(accessToken: tokens.access_token) }
            #expect(refused?.type == .invalidToken)
        }
        let wrong = Credentials(email: "ada@example.com", password: "wrong")
        let refused = try await problem { _ = try await remote.logIn(wrong, CallContext()) }
        #expect(refused?.type == .wrongCredentials)
    }

    @Test("who is known stays known while Auth is away; who never was is told to come again")
    func away() async throws {
        let sessions = try await Sessions()
        let token = try await sessions.logIn().access_token
        let peer = NeighbouringProcess(sessions.auth)
        let remote = RemoteAuth(peer, clock: sessions.clock)
        peer.setAway(true)
        let refused = try await problem { _ = try await remote.caller(accessToken: token) }
        #expect(refused?.type == .unavailable && refused?.retryAfter != nil)
        peer.setAway(false)
        #expect(try await remote.caller(accessToken: token).userID == sessions.ada.id)
        peer.setAway(true)
        sessions.clock.advance(by: KeyRing.longestAge)
        let later = try await sessions.logIn().access_token
        #expect(try await remote.caller(accessToken: later).userID == sessions.ada.id)
    }

    @Test("a new key is learnt when a token names it; one that was taken away counts no more")
    func rotation() async throws {
        let sessions = try await Sessions()
        let old = try await sessions.logIn().access_token
        let peer = NeighbouringProcess(sessions.auth)
        let remote = RemoteAuth(peer, clock: sessions.clock)
        #expect(try await remote.caller(accessToken: old).userID == sessions.ada.id)
        let next = sessions.neighbour(keys: try await .ephemeral())
        peer.serve(next)
        let new = try await next.openSession(for: sessions.ada).access_token
        sessions.clock.advance(by: KeyRing.shortestAge)
        #expect(try await remote.caller(accessToken: new).userID == sessions.ada.id)
        let another = try await sessions.logIn().access_token
        let refused = try await problem { _ = try await remote.caller(accessToken: another) }
        #expect(refused?.type == .invalidToken)
    }

    @Test("made-up keys ask Auth no more than now and then")
    func strangers() async throws {
        let sessions = try await Sessions()
        let peer = NeighbouringProcess(sessions.auth)
        let remote = RemoteAuth(peer, clock: sessions.clock)
        let stranger = sessions.neighbour(keys: try await .ephemeral())
        for _ in 0..<20 {
            let token = try await stranger.openSession(for: sessions.ada).access_token
            let refused = try await problem { _ = try await remote.caller(accessToken: token) }
            #expect(refused?.type == .invalidToken)
        }
        #expect(peer.questions == 1)
    }
}
