import Contracts
import Kernel
import Storefront
import Testing
import Wire

/// A page is there as long as its main thing is.
@Suite struct DegradingTests {
    let shop = Shop()

    init() {
        shop.add(.sample("linen-shirt"))
        shop.add(.sample("jug", "Stoneware jug"))
    }

    private func staff() throws -> Browser {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.staff.id, .staff)
        return browser
    }

    private func without(_ away: Set<String>, _ failure: any Error = Problem(.unavailable, "it is away")) {
        shop.state.withLock { state in
            state.away = away
            state.failure = failure
        }
    }

    static let failures: [any Error] = [
        Problem(.unavailable, "it is away"), Problem(.deadlineExceeded, "too slow"), OutcomeUnknown("the line is dead"),
        Problem(.internalError, "it is broken"),
    ]

    @Test(arguments: failures) func categoriesAreLeftOut(failure: any Error) async throws {
        var browser = try Browser(shop)
        without(["products.categories"], failure)
        for path in ["/", "/search", "/products/jug", "/docs", "/cart"] {
            let page = try await browser.get(path)
            #expect(page.status == 200, "\(path)")
            #expect(faults(in: page.text) == [], "\(path)")
            #expect(page.cache == .none, "what lacks a part is not kept: \(path)")
            let patience = shop.state.withLock { $0.patience["products.categories"] }
            #expect(try #require(patience) <= .seconds(1), "\(path)")
        }
    }

    @Test(arguments: ["/", "/search", "/products/jug"]) func nobodyWaitsLongForAPage(path: String) async throws {
        var browser = try Browser(shop)
        _ = try await browser.get(path)
        let patience = shop.state.withLock { $0.patience.filter { $0.key.hasPrefix("products.") } }
        #expect(!patience.isEmpty)
        #expect(patience.values.allSatisfy { $0 <= .seconds(5) })
    }

    @Test func recommendationsAreLeftOut() async throws {
        var browser = try Browser(shop)
        without(["products.search"])
        let page = try await browser.get("/products/jug")
        #expect(page.text.contains("Stoneware jug") && !page.text.contains("Also on this shelf"))
        #expect(page.cache == .none)
        without([])
        #expect(try await browser.get("/products/jug").cache != .none)
    }

    @Test(arguments: ["/", "/search", "/categories/shirts", "/products/jug", "/sitemap.xml", "/staff/products"])
    func withoutItsMainThingThereIsNoPage(path: String) async throws {
        var browser = try staff()
        without(["products"])
        let problem = await #expect(throws: Problem.self) { try await browser.get(path) }
        #expect(problem?.type == .unavailable)
        let page = browser.storefront.errorPage(problem: try #require(problem))
        #expect(page.status == 503 && page.text.contains("is away"))
    }

    @Test func aCategoryThatCannotBeLookedUpIsNotMissing() async throws {
        var browser = try Browser(shop)
        without(["products.categories"])
        let problem = await #expect(throws: Problem.self) { try await browser.get("/categories/shirts") }
        #expect(problem?.type == .unavailable)
    }

    @Test func theHeadersPartLeavesOutWhatIsUnknown() async throws {
        var browser = try staff()
        _ = try await browser.post("/cart/lines", [("handle", "jug"), ("quantity", "2")])
        without(["carts"])
        #expect(try JSON.parse(try await browser.get("/fragments/me").body) == ["staff": true, "name": "Sam"])
        without(["users"])
        #expect(try JSON.parse(try await browser.get("/fragments/me").body) == ["staff": true, "cart": 2])
    }

    @Test func theAccountShowsWhatThereIs() async throws {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.ada.id, .customer)
        without(["orders"])
        let profile = try await browser.get("/account").text
        #expect(profile.contains("value=\"ada@example.com\"") && profile.contains("Your orders are safe"))
        without(["users"])
        let orders = try await browser.get("/account").text
        #expect(orders.contains("None yet") && orders.contains("They cannot be shown"))
        for page in [profile, orders] { #expect(faults(in: page) == []) }
        without(["users", "orders"])
        let problem = await #expect(throws: Problem.self) { try await browser.get("/account") }
        #expect(problem?.type == .unavailable)
    }

    @Test(arguments: [["orders.price"], ["orders.methods"], ["orders.price", "orders.methods"]])
    func nobodyPaysATotalThatIsNotKnown(away: Set<String>) async throws {
        var browser = try Browser(shop)
        _ = try await browser.post("/cart/lines", [("handle", "jug"), ("quantity", "2")])
        without(away)
        let page = try await browser.get("/checkout")
        #expect(page.status == 200)
        #expect(faults(in: page.text) == [])
        #expect(page.text.contains("cannot be worked out at the moment"))
        #expect(page.text.contains("Work out the total") && !page.text.contains("Place order"))
        without([])
        let whole = try await browser.post("/checkout", [("action", "update"), ("email", "ada@example.com")])
        #expect(whole.text.contains("Place order · £19.99") && whole.text.contains("value=\"ada@example.com\""))
    }

    @Test func theDashboardShowsWhatThereIs() async throws {
        var browser = try staff()
        without(["products"])
        let sales = try await browser.get("/staff").text
        #expect(sales.contains("£819.00") && sales.contains("Stock unknown"))
        without(["orders"])
        let stock = try await browser.get("/staff").text
        #expect(stock.contains("GONE &lt;1&gt;") && stock.contains("Unknown") && !stock.contains("No sales yet"))
        for page in [sales, stock] { #expect(faults(in: page) == []) }
        without(["orders", "products"])
        await #expect(throws: Problem.self) { try await browser.get("/staff") }
    }

    @Test func stockIsUnknown() async throws {
        var browser = try staff()
        without(["products.inventory"])
        let page = try await browser.get("/staff/products/jug")
        #expect(page.status == 200 && page.text.contains(">unknown</td>"))
    }

    // MARK: Auth

    @Test func whoseSessionCannotBeRenewedNowIsNotSentToLogIn() async throws {
        var browser = try Browser(shop)
        browser.cookies = ["souk_refresh": "refresh:ada"]
        without(["auth"])
        let problem = await #expect(throws: Problem.self) { try await browser.get("/account") }
        #expect(problem?.type == .unavailable)
        #expect(browser.cookies["souk_refresh"] != nil, "the session goes on when Auth is back")
        #expect(try await browser.get("/cart").status == 200)
        without([])
        #expect(try await browser.get("/account").status == 200)
    }

    @Test func anAccountIsOpenedThoughNobodyCanLogInYet() async throws {
        var browser = try Browser(shop)
        without(["auth"])
        let form = [("email", "new@example.com"), ("name", "A"), ("password", "correct horse")]
        #expect(try await browser.post("/register", form).location == "/login?opened=1")
        #expect(try await browser.get("/login?opened=1").text.contains("Your account is open"))
    }
}
