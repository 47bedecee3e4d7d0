import Testing

@testable import Drills

@Suite("Load goes where it is welcome") struct TargetTests {
    @Test(
        "a URL is read into host, port and path",
        arguments: [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/"),
            ("HTTP://Shop.example/a?b=c", "Shop.example", 80, "/a?b=c"),
            ("https://shop.example/a", "shop.example", 443, "/a"), ("https://a:80", "a", 80, "/"),
            ("http://[::1]:81/x", "::1", 81, "/x"), ("http://localhost?q=1", "localhost", 80, "/?q=1"),
        ])
    func read(_ url: String, _ host: String, _ port: Int, _ path: String) throws {
        let target = try Target(url)
        #expect(target.host == host && target.port == port && target.path == path)
    }

    @Test(
        "what is no plain HTTP URL is named",
        arguments: [
            "", "127.0.0.1:8080", "ftp://x", "https://", "http://", "http://:80", "http://a:0",
            "http://a:99999",
            "http://a:+1", "http://user@a", "http://a/b c", "http://a/#f", "http://a/\r\nX: y", "http://[::1",
            "http://é",
        ])
    func refuse(_ url: String) {
        let error = #expect(throws: DrillError.self) { try Target(url) }
        #expect(error?.description.contains("expected http://HOST") == true)
    }

    @Test(
        "this machine is welcome to itself", arguments: ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "[::1]"])
    func loopback(_ host: String) throws { try Target("http://\(host)/").check(allowed: []) }

    @Test(
        "others have to be named",
        arguments: [
            "shop.example", "10.0.0.1", "128.0.0.1", "127.0.0.1.nip.io", "127.1", "0.0.0.0", "localhost.example",
        ])
    func foreign(_ host: String) throws {
        let target = try Target("http://\(host)/")
        let error = #expect(throws: DrillError.self) { try target.check(allowed: ["other.example"]) }
        #expect(error?.description.contains("--allow \(host)") == true)
        try target.check(allowed: ["other.example", host.uppercased()])
    }
}
