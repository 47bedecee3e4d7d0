import Contracts
import Crypto
import FoundationEssentials
import Kernel
import Testing

@testable import Auth

@Suite("Auth: access tokens") struct TokenTests {
    @Test("a token ends by the clock, also one that was let in before")
    func expiry() async throws {
        let sessions = try await Sessions()
        let tokens = try await sessions.logIn()
        sessions.clock.advance(by: .seconds(899))
        _ = try await sessions.auth.caller(accessToken: tokens.access_token)
        sessions.clock.advance(by: .seconds(1))
        for auth in [sessions.auth, sessions.neighbour()] {
            let refused = try await problem { _ = try await auth.caller(accessToken: tokens.access_token) }
            #expect(refused?.type == .invalidToken)
        }
    }

    @Test("forged, altered and foreign tokens are refused")
    func forgeries() async throws {
        let sessions = try await Sessions()
        let token = try await sessions.logIn().access_token
        let parts = token.split(separator: ".").map(String.init)
        let none = Base64URL.encode(Array(#"{"alg":"none","typ":"JWT"}"#.utf8))
        let payload = try #require(Base64URL.decode(Substring(parts[1])))
        let raised = String(decoding: payload, as: UTF8.self).split(separator: "customer").joined(separator: "admin")
        let stranger = sessions.neighbour(keys: try await .ephemeral())
        var elsewhere = Auth.Settings()
        elsewhere.audience = "another shop"
        let forged = [
            "", "a", "a.b.c", "...", token + "A", String(token.dropLast(2)), parts[0] + "." + parts[1] + ".",
            none + "." + parts[1] + ".", none + "." + parts[1] + "." + parts[2],
            parts[0] + "." + Base64URL.encode(Array(raised.utf8)) + "." + parts[2],
            try await stranger.openSession(for: sessions.ada).access_token,
            try await sessions.neighbour(settings: elsewhere).openSession(for: sessions.ada).access_token,
            String(repeating: "A", count: 100_000),
        ]
        for token in forged {
            let refused = try await problem { _ = try await sessions.auth.caller(accessToken: token) }
            #expect(refused?.type == .invalidToken, "\(token.prefix(60))")
        }
    }

    @Test("after a rotation the new key signs, and both verify; without the old key its tokens end")
    func keyRotation() async throws {
        let sessions = try await Sessions()
        let folder = FileManager.default.temporaryDirectory.path + "/souk-auth-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try await SigningKeys.kept(in: folder)
        #expect(try await SigningKeys.kept(in: folder).published == first.published)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/0001.pem")
        #expect((attributes[.posixPermissions] as? Int) == 0o600)

        let old = try await sessions.neighbour(keys: first).openSession(for: sessions.ada).access_token
        let both = try await SigningKeys.rotate(in: folder)
        #expect(both.published.keys.count == 2)
        let new = try await sessions.neighbour(keys: both).openSession(for: sessions.ada).access_token
        for token in [old, new] {
            #expect(try await sessions.neighbour(keys: both).caller(accessToken: token).userID == sessions.ada.id)
        }
        let tooNew = try await problem { _ = try await sessions.neighbour(keys: first).caller(accessToken: new) }
        #expect(tooNew?.type == .invalidToken)
    }

    @Test("the published keys verify and hold nothing private")
    func published() async throws {
        let sessions = try await Sessions()
        let set = try await JSON(encoding: sessions.auth.keys(Nothing(), CallContext()))
        let keys = try #require(set["keys"]?.arrayValue)
        #expect(keys.count == 1)
        #expect(keys[0].objectValue?.names.sorted() == ["alg", "crv", "kid", "kty", "use", "x", "y"])
        let parts = try await sessions.logIn().access_token.split(separator: ".")
        let x = try #require(Base64URL.decode(Substring(keys[0]["x"]?.stringValue ?? "")))
        let y = try #require(Base64URL.decode(Substring(keys[0]["y"]?.stringValue ?? "")))
        let key = try P256.Signing.PublicKey(rawRepresentation: x + y)
        let signature = try P256.Signing.ECDSASignature(rawRepresentation: try #require(Base64URL.decode(parts[2])))
        #expect(key.isValidSignature(signature, for: Array("\(parts[0]).\(parts[1])".utf8)))
    }

    @Test(
        "keys are read from PEM, also from openssl's; what is none is named",
        arguments: [
            "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        ])
    func pem(wrong: String) async throws {
        await #expect(throws: SigningKeys.Failure.self) { try await SigningKeys(pem: wrong) }
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        let pem = P256.Signing.PrivateKey().pemRepresentation + "\n" + P256.Signing.PrivateKey().pemRepresentation
        #expect(try await SigningKeys(pem: parameters + pem).published.keys.count == 2)
    }

    @Test("what is kept of verified tokens and ended sessions is bounded")
    func bounds() async throws {
        let tokens = VerifiedTokens()
        let now = Timestamp(year: 2026, month: 1, day: 1)
        func key(_ number: Int) -> SHA256Digest { SHA256.hash(data: Array(String(number).utf8)) }
        let session = SessionID(at: now)
        for number in 0..<VerifiedTokens.limit * 3 {
            let token = VerifiedTokens.Token(caller: .anonymous, session: session, expiry: now + .seconds(1))
            #expect(tokens.keep(token, as: key(number), now: now))
        }
        if case .known = tokens.look(up: key(0), now: now) { Issue.record("the first is kept for ever") }
        guard case .known = tokens.look(up: key(VerifiedTokens.limit * 3 - 1), now: now) else {
            Issue.record("the last is forgotten")
            return
        }
        tokens.end(session, until: now + .seconds(1), now: now)
        guard case .ended = tokens.look(up: key(VerifiedTokens.limit * 3 - 1), now: now) else {
            Issue.record("an ended session goes on")
            return
        }
    }
}
