import Contracts
import Kernel
import Testing

@testable import Notifications

@Suite("Webhooks: signatures, schedule and targets") struct WebhookPureTests {
    @Test("the signature is that of Standard Webhooks, and of another implementation")
    func vector() throws {
        // From the specification's own libraries' tests: this secret, message and time.
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let headers = secret.headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: Timestamp(seconds: 1_614_265_330),
            body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(headers.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
        #expect(headers[2].value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("a secret is 32 random bytes that no description shows; others than whsec_ and base64 are none")
    func secrets() throws {
        let secret = WebhookSecret()
        #expect(secret.reveal().hasPrefix("whsec_") && secret.reveal().utf8.count == 50)
        #expect(secret.reveal() != WebhookSecret().reveal())
        #expect(WebhookSecret(secret.reveal())?.reveal() == secret.reveal())
        var shown = "\(secret)"
        dump(secret, to: &shown)
        #expect(!shown.contains(secret.reveal().dropFirst(6)))
        for text in ["", "whsec_", "whsec_AAAA", "sk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all!!"] {
            #expect(WebhookSecret(text) == nil)
        }
    }

    @Test("ten attempts in three days, each delay up to a tenth longer")
    func schedule() {
        #expect(WebhookAttempt(status: 204, after: 3, jitter: 0).outcome == .delivered)
        #expect(WebhookAttempt(status: 410, after: 0, jitter: 0).outcome == .gone)
        for status in [199, 301, 308, 400, 404, 429, 500, 503] {
            #expect(WebhookAttempt(status: status, after: 0, jitter: 0).outcome == .retry(after: .seconds(5)))
        }
        let delays = (0..<10).map { WebhookAttempt(noAnswer: "", after: $0, jitter: 0).outcome }
        let hour = 3_600
        let expected = [5, 300, 1_800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour].map {
            WebhookAttempt.Outcome.retry(after: .seconds($0))
        }
        #expect(delays == expected + [.failed])
        #expect(WebhookAttempt(noAnswer: "", after: 1, jitter: 1).outcome == .retry(after: .seconds(330)))
    }

    @Test("a URL has one form")
    func urls() throws {
        #expect(try WebhookURL("HTTPS://Merchant.Example/Hooks?a=B").text == "https://merchant.example/Hooks?a=B")
        #expect(try WebhookURL("https://merchant.example").text == "https://merchant.example/")
        #expect(try WebhookURL("https://merchant.example:8443?x").text == "https://merchant.example:8443/?x")
        #expect(try WebhookURL("https://[2606:4700::1111]:1/").host == "2606:4700::1111")
    }

    @Test(
        "what could be read in two ways is refused",
        arguments: [
            "", "ftp://a.example/", "//a.example/", "https:/a.example", "https://", "https:///x",
            "https://user@a.example/",
            "https://a.example@169.254.169.254/", "https://a.example\\@127.0.0.1/", "https://a.example#@b.example/",
            "https://a.example /", "https://ä.example/", "https://a.example:0/", "https://a.example:99999/",
            "https://a.example:+80/", "https://a.example:/", "https://[::1", "https://[127.0.0.1]/",
            "https://[::1%25lo]/", "https://a_b.example/", "https://a%2eexample/", "https://-a.example/", "https://.a/",
            "https://a.example/\r\nx",
        ])
    func strangeURLs(text: String) {
        #expect(throws: Problem.self) { try WebhookURL(text) }
    }

    @Test(
        "addresses that are not everybody's are known",
        arguments: [
            ("8.8.8.8", true), ("172.15.0.1", true), ("172.32.0.1", true), ("100.63.0.1", true), ("1.1.1.1", true),
            ("2606:4700::1111", true), ("2001:4860:4860::8888", true), ("0.0.0.0", false), ("10.1.2.3", false),
            ("100.64.0.1", false), ("127.0.0.1", false), ("127.255.255.254", false), ("169.254.169.254", false),
            ("172.16.0.1", false), ("172.31.255.255", false), ("192.0.0.170", false), ("192.168.1.1", false),
            ("198.18.0.1", false), ("203.0.113.9", false), ("224.0.0.1", false), ("255.255.255.255", false),
            ("::", false), ("::1", false), ("::ffff:127.0.0.1", false), ("::ffff:8.8.8.8", true), ("fe80::1", false),
            ("fd00:ec2::254", false), ("fc00::1", false), ("64:ff9b::a9fe:a9fe", false), ("2002:7f00:1::", false),
            ("2001:0:1::1", false), ("2001:db8::1", false), ("ff02::1", false), ("::127.0.0.1", false),
        ])
    func publicAddresses(text: String, isPublic: Bool) throws {
        #expect(try #require(IPAddress(text)).isPublic == isPublic)
    }

    private func refuses(_ url: String, allowing: String = "", _ addresses: String...) async throws -> Bool {
        let known = addresses.compactMap(IPAddress.init)
        let targets = try WebhookTargets(allowing: allowing) { _ in known }
        do {
            try await targets.check(try WebhookURL(url))
            return false
        } catch {
            return true
        }
    }

    @Test("a name is refused if any of its addresses is not public, and if it has none")
    func names() async throws {
        #expect(try await !refuses("https://a.example/", "8.8.8.8", "2606:4700::1111"))
        #expect(try await refuses("https://a.example/", "8.8.8.8", "10.0.0.1"))
        #expect(try await refuses("https://a.example/"))
        #expect(try await refuses("https://metadata.google.internal/", "169.254.169.254"))
        // What the system's resolver makes of such a name is looked at, not the name.
        #expect(try await refuses("https://127.1/", "127.0.0.1"))
        #expect(try await refuses("https://[::ffff:10.0.0.1]/"))
    }

    @Test("a network that is allowed is reached, http on loopback alone")
    func allowed() async throws {
        #expect(try await refuses("http://127.0.0.1/"))
        #expect(try await !refuses("http://127.0.0.1/", allowing: "127.0.0.0/8"))
        #expect(try await !refuses("https://10.0.0.1/", allowing: "127.0.0.0/8, 10.0.0.0/8"))
        #expect(try await refuses("http://10.0.0.1/", allowing: "10.0.0.0/8"))
        #expect(try await refuses("http://8.8.8.8/"))
        #expect(try await refuses("https://10.0.0.1/", allowing: "10.0.0.2"))
        #expect(try await !refuses("http://[::1]/", allowing: "::1"))
        #expect(throws: Problem.self) { try WebhookTargets(allowing: "ten") { _ in [] } }
        #expect(throws: Problem.self) { try WebhookTargets(allowing: "10.0.0.0/33") { _ in [] } }
    }

    @Test("the connection goes to the address that was looked at")
    func pinned() async throws {
        let address = try #require(IPAddress("8.8.8.8"))
        let targets = try WebhookTargets { _ in [address] }
        let pin = try await targets.check(try WebhookURL("https://a.example/"))
        #expect(pin == OutboundRequest.Pin(host: "a.example", address: "8.8.8.8"))
        #expect(try await targets.check(try WebhookURL("https://8.8.8.8/")) == nil)
        #expect(await IPAddress.resolve("127.0.0.1") == [IPAddress("127.0.0.1")])
    }
}
