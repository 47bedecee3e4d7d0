import Kernel
import Testing
import Wire

@Suite("Pages") struct PageTests {
    @Test("a page gets its parameters, cookies and form") func requests() async throws {
        try await Toy.serve { port in
            let page = try await Peer.ask(port, "GET", "/pages/a%20b", ["Cookie": "x=1; a=c"])
            #expect(page.body == "<p>a b c</p>")
            #expect(page["content-type"] == "text/html; charset=utf-8")
            #expect(page["cache-control"] == "no-store")
            let form = ["Content-Type": "application/x-www-form-urlencoded"]
            let answer = try await Peer.ask(port, "POST", "/forms", form, "name=a%2Bb+c&name=d")
            #expect(answer.status == 303 && answer["location"] == "/pages/a+b c")
            #expect(answer["set-cookie"] == "souk_cart=a%20b; Path=/; SameSite=Lax; Max-Age=60; HttpOnly")
            let (body, expected) = (try await Peer.ask(port, "GET", "/assets/css/site.css").body, "/* css/site.css */")
            #expect(body == expected)
        }
    }

    @Test("a slash too many leads to the page, for pages") func slashes() async throws {
        try await Toy.serve { port in
            let answer = try await Peer.ask(port, "GET", "/pages/a%20b/?x=1")
            #expect(answer.status == 308 && answer["location"] == "/pages/a%20b?x=1")
            for path in ["/api/things/", "//", "//pages/a/", "/pages//"] {
                try await Peer.expect(404, port, "GET", path)
            }
        }
    }

    @Test("a form that is not one is refused", arguments: [("name=%ff", 400), ("name=%00", 400), ("name=%z", 400)])
    func badForms(body: String, status: Int) async throws {
        try await Toy.serve { port in
            let form = ["Content-Type": "application/x-www-form-urlencoded"]
            try await Peer.expect(status, port, "POST", "/forms", form, body)
        }
    }

    @Test("forms are bounded") func largeForms() async throws {
        try await Toy.serve { port in
            let form = ["Content-Type": "application/x-www-form-urlencoded"]
            let large = "name=" + String(repeating: "a", count: 64 << 10)
            let answer = try await Peer.ask(port, "POST", "/forms", form, large)
            #expect(answer.status == 413 && answer.body.contains("65536"))
            try await Peer.expect(415, port, "POST", "/forms", [:], "{}")
        }
    }

    @Test("a browser is shown a page, a client a problem") func errors() async throws {
        try await Toy.serve { port in
            let browser = ["Accept": "text/html,*/*"]
            for path in ["/pages/none", "/nothing"] {
                let page = try await Peer.ask(port, "GET", path, browser)
                #expect(page.status == 404 && page.body == "<h1>404</h1>", "\(page)")
                let problem = try await Peer.ask(port, "GET", path)
                #expect(problem.status == 404 && problem["content-type"] == "application/problem+json")
            }
            let problem = try await Peer.ask(port, "GET", "/api/nothing", browser)
            #expect(problem["content-type"] == "application/problem+json")
        }
    }

    @Test("https makes cookies secure and browsers stay") func https() async throws {
        var settings = Toy.settings
        settings.isHTTPS = true
        try await Toy.serve(settings) { port in
            let form = ["Content-Type": "application/x-www-form-urlencoded"]
            let answer = try await Peer.ask(port, "POST", "/forms", form, "name=a")
            #expect(answer["set-cookie"]?.hasSuffix("; Secure") == true)
            #expect(answer["strict-transport-security"] != nil)
        }
    }
}
