import Contracts
import Kernel
import Storefront
import Testing
import Wire

@Suite struct PageTests {
    let shop = Shop()

    init() {
        shop.add(.sample("linen-shirt", "Linen <shirt> & \"co\"", before: 2_999))
        shop.add(.sample("jug", "Stoneware jug", options: ["Size"], values: [["Small"], ["Large"]]))
        shop.add(
            .sample(
                "overshirt", "Overshirt", options: ["Colour", "Size"],
                values: [["Bottle green", "S"], ["Bottle green", "M"], ["Sand", "S"]]))
        shop.add(.sample("secret", "Not ready", status: .draft))
    }

    /// A confirmed order, placed through the pages.
    private func order(_ browser: inout Browser) async throws -> String {
        _ = try await browser.post("/cart/lines", [("handle", "linen-shirt"), ("quantity", "1")])
        let response = try await browser.post("/checkout", try await Self.form(&browser))
        return try #require(response.location)
    }

    static func form(_ browser: inout Browser) async throws -> [(String, String)] {
        let page = try await browser.get("/checkout").text
        return [
            ("key", hidden("key", page)), ("cart", hidden("cart", page)), ("email", "ada@example.com"),
            ("name", "Ada L."), ("line1", "1 High St"), ("city", "Leeds"), ("postal_code", "LS1 1AA"),
            ("country", "GB"), ("shipping_method", "standard"), ("token", "tok_approved"), ("line2", ""),
            ("region", ""), ("phone", ""), ("coupon", ""),
        ]
    }

    static func hidden(_ name: String, _ page: String) -> String {
        guard let start = page.range(of: "name=\"\(name)\" value=\"") else { return "" }
        return String(page[start.upperBound...].prefix { $0 != "\"" })
    }

    @Test func everyPageIsWellFormed() async throws {
        var browser = try Browser(shop)
        let order = try await order(&browser)
        _ = try await browser.post("/cart/lines", [("handle", "jug"), ("sku", "JUG-1"), ("quantity", "2")])
        browser.caller = .user(Shop.staff.id, .staff)
        let pages = [
            "/", "/search", "/search?q=shirt&vendor=Atlas+%26+Sons&price_min=10&price_max=x&available=true&sort=title",
            "/search?q=nothing", "/categories/clothing", "/categories/shirts?after=2", "/products/linen-shirt",
            "/products/jug", "/products/overshirt", "/products/overshirt?sku=OVERSHIRT-3", "/cart", "/checkout", order,
            "/register", "/account", "/staff", "/staff/orders", "/staff/orders?status=confirmed",
            "/staff/orders/" + order.dropFirst("/orders/".count), "/staff/products", "/staff/products/linen-shirt",
            "/staff/products/overshirt?done=saved", "/staff/notifications", "/staff/webhooks", "/staff/events",
            "/topology", "/docs",
        ]
        for path in pages {
            let response = try await browser.get(path)
            #expect(response.status == 200, "\(path)")
            #expect(faults(in: response.text) == [], "\(path)")
            #expect(!response.text.contains("{{"), "\(path)")
        }
        browser.caller = .anonymous
        #expect(faults(in: try await browser.get("/login?next=/checkout").text) == [])
        for type in [ProblemType.notFound, .forbidden, .internalError, .overloaded] {
            let page = browser.storefront.errorPage(problem: Problem(type, "because <of> that", retryAfter: 2))
            #expect(page.status == type.status)
            #expect(faults(in: page.text) == [])
            #expect(page.headers.contains { $0 == ("retry-after", "2") })
        }
    }

    @Test func whatBrokeInsideStaysInside() async throws {
        let page = try shop.storefront().errorPage(problem: Problem(.internalError, "SQLITE_CORRUPT in var/orders"))
        #expect(!page.text.contains("SQLITE"))
    }

    @Test func aRefusedFormSaysWhy() throws {
        let page = try shop.storefront().errorPage(problem: Problem(.forbidden, "it came from another site"))
        #expect(page.status == 403)
        #expect(page.text.contains("it came from another site"))
    }

    @Test(arguments: ["/", "/search?q=shirt", "/categories/shirts", "/products/linen-shirt", "/docs", "/robots.txt"])
    func cataloguePagesAreTheSameForEveryVisitor(path: String) async throws {
        var stranger = try Browser(shop)
        var staff = try Browser(shop)
        _ = try await staff.post("/cart/lines", [("handle", "linen-shirt"), ("quantity", "1")])
        staff.caller = .user(Shop.staff.id, .staff)
        let (one, other) = (try await stranger.get(path), try await staff.get(path))
        let isSame = one.body == other.body
        #expect(isSame)
        #expect(!other.text.contains("Not ready"))
        #expect(one.cookies.isEmpty && other.cookies.isEmpty)
        guard case .edge(_, let age) = one.cache else {
            Issue.record("not kept by the edge")
            return
        }
        #expect(age > 0)
    }

    @Test func aProductPageIsStaleWhenItsProductIsWritten() async throws {
        var browser = try Browser(shop)
        #expect(try await browser.get("/products/jug").cache == .edge(tags: ["product:jug"], maxAge: 60))
        #expect(try await browser.get("/").cache == .edge(tags: ["catalogue"], maxAge: 60))
    }

    @Test func personalPagesAreNotKept() async throws {
        var browser = try Browser(shop)
        let order = try await order(&browser)
        for path in ["/cart", order, "/login", "/fragments/me"] {
            #expect(try await browser.get(path).cache == .none, "\(path)")
        }
    }

    @Test func textIsEscaped() async throws {
        let name = "Jug \"\u{301} onmouseover=alert(1) x=\" <\u{301}img src=x> 'q'"
        shop.add(.sample("evil", name, description: "<script>alert(1)</script><p onclick=x>Fine</p>", vendor: name))
        var browser = try Browser(shop)
        for path in ["/products/evil", "/search?q=Jug"] {
            let page = try await browser.get(path).text
            #expect(faults(in: page) == [])
            // In the data block the quote stands behind a backslash.
            for raw in ["\"\u{301}", "<\u{301}"] {
                let isThere = Self.withoutData(page).contains(sequence: Array(raw.utf8))
                #expect(!isThere, "\(path)")
            }
            #expect(!page.contains("onclick"))
        }
    }

    private static func withoutData(_ page: String) -> [UInt8] {
        guard let start = page.range(of: "<script type=\"application/"),
            let end = page[start.upperBound...].range(of: "</script>")
        else { return Array(page.utf8) }
        return Array(page[..<start.lowerBound].utf8) + Array(page[end.upperBound...].utf8)
    }

    @Test func aDraftIsNotShownEvenToStaff() async throws {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.staff.id, .staff)
        await #expect(throws: Problem.self) { try await browser.get("/products/secret") }
    }

    @Test func linkedDataIsJSON() async throws {
        var browser = try Browser(shop)
        for path in ["/", "/categories/shirts", "/products/linen-shirt", "/products/overshirt"] {
            let page = try await browser.get(path).text
            let start = try #require(page.range(of: "<script type=\"application/ld+json\">"))
            let rest = page[start.upperBound...]
            let end = try #require(rest.range(of: "</script>"))
            let data = try JSON.parse(Array(rest[..<end.lowerBound].utf8))
            #expect(data[0]?["@context"]?.stringValue == "https://schema.org")
            guard path == "/products/linen-shirt" else { continue }
            #expect(data[0]?["name"]?.stringValue == "Linen <shirt> & \"co\"")
            #expect(data[0]?["offers"]?[0]?["price"]?.stringValue == "19.99")
            #expect(data[0]?["offers"]?[0]?["availability"]?.stringValue == "https://schema.org/InStock")
            #expect(data[0]?["image"]?.arrayValue == ["https://shop.example/images/linen-shirt.svg"])
            #expect(data[1]?["itemListElement"]?.arrayValue?.count == 4)
        }
    }

    @Test func theScriptsDataIsJSON() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/products/overshirt").text
        let start = try #require(page.range(of: "id=\"variants\">"))
        let rest = page[start.upperBound...]
        let data = try JSON.parse(Array(rest[..<(try #require(rest.range(of: "</script>")).lowerBound)].utf8))
        #expect(data[0]?["options"] == ["Bottle green", "S"])
        #expect(data[1]?["available"]?.boolValue == false)
    }

    @Test func salesShowThePriceBefore() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/products/linen-shirt").text
        #expect(page.contains("<del><span class=\"hidden\">Was </span>£29.99</del>"))
        #expect(page.contains("Save 33 %"))
    }

    @Test func listsLinkToTheirNextPage() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/search?vendor=Atlas+%26+Sons").text
        let next = "/search?vendor=Atlas%20%26%20Sons&amp;after=2"
        #expect(page.contains("<link rel=\"next\" href=\"https://shop.example\(next)\">"))
        #expect(page.contains("<a class=\"button quiet\" rel=\"next\" href=\"\(next)\""))
        #expect(page.contains("noindex"))
        #expect(!page.contains("rel=\"canonical\""))
    }

    @Test func aPriceThatIsNoneIsSaidAndLeftOut() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/search?price_min=cheap").text
        #expect(page.contains("href=\"#price_min\""))
        #expect(page.contains("&#39;cheap&#39; is not an amount of GBP"))
    }

    @Test func categoriesThatAreNotThereAreNotFound() async throws {
        var browser = try Browser(shop)
        await #expect(throws: Problem.self) { try await browser.get("/categories/nothing") }
    }

    @Test func apiClientsAreSentToTheInterface() async throws {
        var browser = try Browser(shop)
        #expect(try await browser.get("/orders", accept: "*/*").location == "/api/orders")
        #expect(try await browser.get("/orders").location == "/account")
        #expect(try await browser.get("/inventory", accept: "application/json").location == "/api/inventory")
    }

    @Test func assetsAreNamedByTheirContent() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/").text
        let start = try #require(page.range(of: "<link rel=\"stylesheet\" href=\""))
        let path = String(page[start.upperBound...].prefix { $0 != "\"" })
        #expect(path.hasPrefix("/assets/souk.") && path.hasSuffix(".css"))
        #expect(try await browser.get(path).cache == .immutable)
    }

    @Test func theDocumentationLeavesOutWhatIsInternal() async throws {
        var browser = try Browser(shop)
        let page = try await browser.get("/docs").text
        #expect(page.contains("/api/orders"))
        #expect(!page.contains("/internal/"))
    }
}

extension Array where Element == UInt8 {
    func contains(sequence: [UInt8]) -> Bool {
        guard count >= sequence.count else { return false }
        return (0...(count - sequence.count)).contains { self[$0..<($0 + sequence.count)].elementsEqual(sequence) }
    }
}
