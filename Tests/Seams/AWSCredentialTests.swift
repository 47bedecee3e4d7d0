import Foundation
import Kernel
import Synchronization
import Testing

@testable import Objects

@Suite("AWS credentials") final class AWSCredentialTests {
    private static let start = Timestamp(year: 2026, month: 1, day: 1)

    /// Of one test; it goes with it.
    private let file = NSTemporaryDirectory() + "souk-token-\(UUID().uuidString)"

    deinit { for path in [file, file + ".kept"] { try? FileManager.default.removeItem(atPath: path) } }

    private func writeToken(_ content: String) throws {
        try content.write(toFile: file + ".kept", atomically: true, encoding: .utf8)
        // As Kubernetes mounts it.
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: file + ".kept")
    }

    @Test("the environment names the first of three sources") func sources() throws {
        func source(_ environment: [String: String]) throws -> AWSCredentialSource {
            try AWSCredentialSource.named(in: environment, region: "eu-west-1")
        }
        let keys = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"]
        let role = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:r"]
        let pod = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/p",
        ]
        #expect(
            try source(keys.merging(role) { $1 }.merging(pod) { $1 })
                == .fixed(AWSCredentials(accessKey: "A", secretKey: "S", sessionToken: "T")))
        #expect(
            try source(role.merging(pod) { $1 })
                == .webIdentity(
                    tokenFile: "/t", role: "arn:r", session: "souk", endpoint: "https://sts.eu-west-1.amazonaws.com"))
        #expect(
            try source(pod) == .container(url: "http://169.254.170.23/v1/credentials", tokenFile: "/p"))
        #expect(throws: S3Error.self) { try source([:]) }
        #expect(throws: S3Error.self) { try source(["AWS_ACCESS_KEY_ID": "A"]) }
        #expect(throws: S3Error.self) { try source(["AWS_ROLE_ARN": "A"]) }
    }

    @Test(
        "the token is sent in clear to the node's agent and to loopback only",
        arguments: [
            ("https://anywhere.example/c", true), ("http://127.0.0.1:8080/c", true), ("http://localhost/c", true),
            ("http://[fd00:ec2::23]/v1/credentials", true), ("http://169.254.170.2", true),
            ("http://anywhere.example/c", false), ("http://127.0.0.1.evil.example/", false),
            ("http://127.0.0.1@evil.example/", false), ("http://169.254.170.23:80x/", false), ("file:///etc", false),
        ])
    func trustedAgents(url: String, isTrusted: Bool) {
        let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]
        let source = try? AWSCredentialSource.named(in: environment, region: "r")
        #expect((source != nil) == isTrusted)
    }

    @Test("web identity: the role's credentials for the token in the file") func webIdentity() async throws {
        try writeToken("eyJ.token\n")
        let peer = ScriptedPeer(
            .text(
                """
                <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
                <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>TOK</SessionToken>
                <SecretAccessKey>SEC</SecretAccessKey><Expiration>2026-01-01T01:00:00Z</Expiration>
                <AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>
                </AssumeRoleWithWebIdentityResponse>
                """))
        let source = AWSCredentialSource.webIdentity(
            tokenFile: file, role: "arn:aws:iam::1:role/souk", session: "souk", endpoint: "https://sts.example")
        let loaded = try await source.load(peer.send)
        #expect(
            loaded
                == AWSCredentials(
                    accessKey: "ASIA", secretKey: "SEC", sessionToken: "TOK", expiry: Self.start + .seconds(3_600)))
        let request = try #require(peer.requests.first)
        #expect(request.method == .post && request.url == "https://sts.example/")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fsouk&RoleSessionName=souk"
                + "&Version=2011-06-15&WebIdentityToken=eyJ.token")
    }

    @Test("pod identity: what the node's agent answers") func podIdentity() async throws {
        try writeToken("pod-token")
        let peer = ScriptedPeer(
            .text(
                #"{"AccessKeyId":"ASIA","SecretAccessKey":"SEC","Token":"TOK","AccountId":"1","#
                    + #""Expiration":"2026-01-01T01:00:00Z"}"#))
        let source = AWSCredentialSource.container(url: "http://169.254.170.23/v1/credentials", tokenFile: file)
        let loaded = try await source.load(peer.send)
        #expect(loaded.accessKey == "ASIA" && loaded.expiry == Self.start + .seconds(3_600))
        let request = try #require(peer.requests.first)
        #expect(request.method == .get && request["authorization"] == "pod-token")
    }

    @Test(
        "who gives no credentials is named, without a word of the token",
        arguments: [
            Result<OutboundAnswer, ScriptedPeer.Lost>.lost, .half, .text("", 200), .text("{}", 200),
            .text("garbage", 200),
            .refusal(400, "InvalidIdentityToken"), .text("{\"AccessKeyId\":", 200),
            .text("{\"AccessKeyId\":\"\"}", 500),
        ])
    func badAgents(answer: Result<OutboundAnswer, ScriptedPeer.Lost>) async throws {
        try writeToken("pod-token")
        for source in [
            AWSCredentialSource.container(url: "http://127.0.0.1/", tokenFile: file),
            .webIdentity(tokenFile: file, role: "arn:r", session: "souk", endpoint: "https://sts.example"),
        ] {
            let error = await #expect(throws: S3Error.self) {
                try await source.load(ScriptedPeer(answer).send)
            }
            #expect(error?.kind == "noCredentials")
            #expect(error.map { "\($0)".contains("pod-token") } == false)
        }
    }

    @Test("a token's file that is missing, empty or could split the head is named", arguments: [nil, "", "a\r\nb: c"])
    func badTokens(content: String?) async throws {
        if let content { try writeToken(content) }
        let peer = ScriptedPeer(.text("{}"))
        let source = AWSCredentialSource.container(url: "http://127.0.0.1/", tokenFile: file)
        let error = await #expect(throws: S3Error.self) { try await source.load(peer.send) }
        #expect(error.map { "\($0)".contains(file) } == true)
        #expect(peer.requests.isEmpty)
    }

    /// An agent whose credentials live an hour from when they are asked for.
    private func agent(_ clock: HastyClock, isWell: @escaping @Sendable (Int) -> Bool = { _ in true })
        -> ScriptedPeer
    {
        ScriptedPeer { _, number in
            guard isWell(number) else { throw ScriptedPeer.Lost() }
            let expiry = clock.now() + .seconds(3_600)
            return OutboundAnswer(
                status: 200,
                body: Array(
                    (#"{"AccessKeyId":"A\#(number)","SecretAccessKey":"S","Token":"T","#
                        + #""Expiration":"\#(expiry)"}"#).utf8))
        }
    }

    private func cache(_ peer: ScriptedPeer, _ clock: HastyClock) -> AWSCredentialCache {
        AWSCredentialCache(.container(url: "http://127.0.0.1/", tokenFile: nil), now: clock.now, send: peer.send)
    }

    @Test("they are renewed five minutes before they expire") func renewal() async throws {
        let clock = HastyClock(Self.start)
        let peer = agent(clock)
        let cache = cache(peer, clock)
        #expect(try await cache.credentials().accessKey == "A1")
        clock.advance(by: .seconds(3_299))
        #expect(try await cache.credentials().accessKey == "A1")
        clock.advance(by: .seconds(1))
        #expect(try await cache.credentials().accessKey == "A2")
    }

    @Test("while they cannot be renewed, the old ones are used as long as they are good") func failedRenewal()
        async throws
    {
        let clock = HastyClock(Self.start)
        let peer = agent(clock) { $0 == 1 }
        let cache = cache(peer, clock)
        _ = try await cache.credentials()
        clock.advance(by: .seconds(3_400))
        #expect(try await cache.credentials().accessKey == "A1")
        #expect(try await cache.credentials().accessKey == "A1")
        // Not asked at each call.
        #expect(peer.requests.count == 2)
        clock.advance(by: .seconds(180))
        await #expect(throws: S3Error.self) { try await cache.credentials() }
    }

    @Test("many callers are one question") func singleFlight() async throws {
        let clock = HastyClock(Self.start)
        let gate = Gate()
        let answers = agent(clock)
        let peer = ScriptedPeer { request, _ in
            await gate.wait()
            return try await answers.send(request)
        }
        let cache = cache(peer, clock)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { try await cache.credentials().accessKey } }
            group.addTask {
                await gate.open()
                return "A1"
            }
            for try await key in group { #expect(key == "A1") }
        }
        #expect(peer.requests.count == 1)
    }

    @Test("credentials that S3 calls expired are replaced, once a call") func expiredEarly() async throws {
        let clock = HastyClock(Self.start)
        let answers = agent(clock)
        let peer = ScriptedPeer { request, _ in
            if request.url.hasPrefix("http://127.0.0.1") {
                return try await answers.send(request)
            }
            let isNew = request["authorization"]?.contains("Credential=A2/") == true
            return isNew
                ? OutboundAnswer(status: 200, body: [1]) : try Result.refusal(400, "ExpiredToken").get()
        }
        let store = try scripted(peer, clock: clock, .container(url: "http://127.0.0.1/", tokenFile: nil))
        #expect(try await store.get("a")?.bytes == [1])
        #expect(answers.requests.count == 2)
        #expect(peer.requests.last?["x-amz-security-token"] == "T")
    }
}

/// Holds all who wait until it is opened.
private actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    func open() {
        isOpen = true
        for one in waiting { one.resume() }
        waiting = []
    }
}
