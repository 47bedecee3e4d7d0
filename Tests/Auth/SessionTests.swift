import Contracts
import Database
import Kernel
import Testing

@testable import Auth

@Suite("Auth: sessions") struct SessionTests {
    @Test("logging in gives an access token that says who its bearer is")
    func logIn() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        #expect(tokens.token_type == "Bearer" && tokens.expires_in == 900)
        let caller = try await sessions.auth.caller(accessToken: tokens.access_token)
        #expect(caller == .user(sessions.ada.id, .customer))
        #expect(try await sessions.neighbour().caller(accessToken: tokens.access_token) == caller)
    }

    @Test("a wrong password opens nothing")
    func wrongPassword() async throws {
        let sessions = try await Sessions()
        #expect(try await problem { _ = try await sessions.logIn("wrong") }?.type == .wrongCredentials)
        let count = try await sessions.database.read { try $0.row("SELECT count(*) FROM sessions")?.int(0) }
        #expect(count == 0)
    }

    @Test("a refresh token works once; its successors go on, with the role that the account has by then")
    func rotation() async throws {
        let sessions = try await Sessions()
        var tokens = try await sessions.logIn()
        sessions.users.promote(sessions.ada.id, to: .staff)
        for _ in 0..<5 {
            sessions.clock.advance(by: .seconds(3_600))
            let next = try await sessions.refresh(tokens)
            #expect(next.refresh_token != tokens.refresh_token)
            tokens = next
        }
        #expect(try await sessions.auth.caller(accessToken: tokens.access_token) == .user(sessions.ada.id, .staff))
    }

    @Test("a stolen refresh token ends the session for the thief and the owner", arguments: 1...3)
    func theft(refreshesOfTheThief: Int) async throws {
        let sessions = try await Sessions()
        let owners = try await sessions.logIn()
        var thiefs = owners
        for _ in 0..<refreshesOfTheThief {
            sessions.clock.advance(by: .seconds(60))
            thiefs = try await sessions.refresh(thiefs)
        }
        sessions.clock.advance(by: .seconds(60))
        #expect(try await problem { _ = try await sessions.refresh(owners) }?.type == .invalidToken)
        #expect(try await problem { _ = try await sessions.refresh(thiefs) }?.type == .invalidToken)
        let access = try await problem { _ = try await sessions.auth.caller(accessToken: thiefs.access_token) }
        #expect(access?.type == .invalidToken)
    }

    @Test("tabs that refresh at the same moment get the same successor, and nobody is thrown out")
    func concurrentRefresh() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        let answers = try await withThrowingTaskGroup(of: Tokens.self) { group in
            for _ in 0..<20 { group.addTask { try await sessions.refresh(tokens) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers.map(\.refresh_token)).count == 1)
        sessions.clock.advance(by: .seconds(60))
        let next = try await sessions.refresh(answers[0])
        #expect(try await sessions.auth.caller(accessToken: next.access_token).userID == sessions.ada.id)
    }

    @Test(
        "a token that was never given ends nothing",
        arguments: [
            "", "sess_01h455vb4pex5vsknk084sn02q", "nonsense", "a.b", "sess_01h455vb4pex5vsknk084sn02q.AAAA", "..",
        ])
    func garbage(text: String) async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        let own = String(tokens.refresh_token.prefix { $0 != "." })
        for forged in [text, own + "." + String(repeating: "A", count: 43)] {
            let refused = try await problem {
                _ = try await sessions.auth.refresh(RefreshTokens(refresh_token: forged), CallContext())
            }
            #expect(refused?.type == .invalidToken)
        }
        _ = try await sessions.refresh(tokens)
    }

    @Test("a session that nobody refreshes ends after its 30 days, and is cleared away")
    func expiry() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        sessions.clock.advance(by: .seconds(30 * 86_400))
        #expect(try await problem { _ = try await sessions.refresh(tokens) }?.type == .invalidToken)
        _ = try await sessions.logIn()
        #expect(try await sessions.database.read { try $0.row("SELECT count(*) FROM sessions")?.int(0) } == 1)
    }

    @Test("logging out ends both tokens at once")
    func logOut() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        let other = try await sessions.logIn()
        _ = try await sessions.auth.caller(accessToken: tokens.access_token)
        let route = try #require(sessions.auth.routes.first { $0.endpoint.name == "sessions.end" })
        var context = CallContext(caller: .user(sessions.ada.id, .customer))
        #expect(try await problem { _ = try await route.handle([:], context) }?.type == .unauthenticated)
        context.accessToken = tokens.access_token
        _ = try await route.handle([:], context)
        let access = try await problem { _ = try await sessions.auth.caller(accessToken: tokens.access_token) }
        #expect(access?.type == .invalidToken)
        #expect(try await problem { _ = try await sessions.refresh(tokens) }?.type == .invalidToken)
        #expect(try await sessions.auth.caller(accessToken: other.access_token).userID == sessions.ada.id)
    }

    @Test("logging out works with an access token that has run out")
    func lateLogOut() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        sessions.clock.advance(by: .seconds(3_600))
        try await sessions.auth.logOut(accessToken: tokens.access_token)
        #expect(try await problem { _ = try await sessions.refresh(tokens) }?.type == .invalidToken)
    }

    @Test("when accounts are away, the refresh token is not used up; when the account is gone, so is the session")
    func accountsAway() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        sessions.users.setAway(true)
        #expect(try await problem { _ = try await sessions.refresh(tokens) }?.type == .unavailable)
        sessions.clock.advance(by: .seconds(600))
        sessions.users.setAway(false)
        let next = try await sessions.refresh(tokens)
        sessions.users.remove(sessions.ada.id)
        #expect(try await problem { _ = try await sessions.refresh(next) }?.type == .invalidToken)
        #expect(try await AuthAudit(database: sessions.database).checks().allSatisfy(\.holds))
    }

    @Test("the secret of a refresh token is not in the database")
    func storedHashed() async throws {
        let sessions = try await Sessions()
        let first = try await sessions.logIn()
        let second = try await sessions.refresh(first)
        let stored = try await sessions.database.read { transaction in
            try transaction.rows("SELECT seed, token FROM sessions").flatMap { [try $0.blob(0), try $0.blob(1)] }
                + transaction.rows("SELECT token FROM used_tokens").map { try $0.blob(0) }
        }
        for tokens in [first, second] {
            let secret = try #require(Base64URL.decode(tokens.refresh_token.drop { $0 != "." }.dropFirst()))
            #expect(!stored.contains(secret))
        }
    }
}

@Suite("Auth: throttling") struct ThrottleTests {
    @Test("ten failures with one account from one address, then 429 until the window ends, even for the right password")
    func pair() async throws {
        let sessions = try await Sessions()
        for _ in 0..<10 {
            let refused = try await problem { _ = try await sessions.logIn("wrong", from: "192.0.2.1") }
            #expect(refused?.type == .wrongCredentials)
        }
        sessions.clock.advance(by: .seconds(100))
        let refused = try await problem { _ = try await sessions.logIn("right", from: "192.0.2.1") }
        #expect(refused?.type == .tooManyRequests)
        #expect(refused?.retryAfter == 800)
        // Others are not concerned, nor is the account from elsewhere.
        _ = try await sessions.logIn("right", from: "192.0.2.2")
        sessions.clock.advance(by: .seconds(800))
        _ = try await sessions.logIn("right", from: "192.0.2.1")
    }

    @Test("attempts at the same moment count as well as those one after another")
    func burst() async throws {
        let sessions = try await Sessions()
        let types = try await withThrowingTaskGroup(of: ProblemType?.self) { group in
            for _ in 0..<100 {
                group.addTask { try await problem { _ = try await sessions.logIn("wrong", from: "192.0.2.1") }?.type }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(types.filter { $0 == .wrongCredentials }.count <= 10)
        #expect(types.allSatisfy { $0 == .wrongCredentials || $0 == .tooManyRequests })
    }

    @Test("who logs in often and well is never throttled, nor for a back end that is away")
    func forgiven() async throws {
        let sessions = try await Sessions()
        for _ in 0..<50 { _ = try await sessions.logIn("right", from: "192.0.2.1") }
        sessions.users.setAway(true)
        for _ in 0..<50 {
            let refused = try await problem { _ = try await sessions.logIn("right", from: "192.0.2.1") }
            #expect(refused?.type == .unavailable)
        }
        sessions.users.setAway(false)
        _ = try await sessions.logIn("right", from: "192.0.2.1")
    }
}
