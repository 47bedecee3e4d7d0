import Contracts
import Kernel
import Storefront
import Testing
import Wire

@Suite struct AccountTests {
    let shop = Shop()

    init() { shop.add(.sample("linen-shirt")) }

    @Test func loggingInSetsCookiesAndGoesOn() async throws {
        var browser = try Browser(shop)
        let form = [("email", "ada@example.com"), ("password", "correct horse"), ("next", "/checkout")]
        let response = try await browser.post("/login", form)
        #expect(response.status == 303)
        #expect(response.location == "/checkout")
        #expect(response.cookies.map(\.name) == ["souk_session", "souk_refresh"])
        let areClosed = response.cookies.allSatisfy { $0.httpOnly && $0.sameSite == .lax && $0.path == "/" }
        #expect(areClosed)
    }

    @Test(arguments: ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", ""])
    func afterLoggingInNobodyIsSentElsewhere(next: String) async throws {
        var browser = try Browser(shop)
        let form = [("email", "ada@example.com"), ("password", "correct horse"), ("next", next)]
        #expect(try await browser.post("/login", form).location == "/account")
        #expect(!(try await browser.get("/login").text.contains("evil")))
    }

    @Test func aWrongPasswordIsNotShownAgain() async throws {
        var browser = try Browser(shop)
        let response = try await browser.post(
            "/login", [("email", "ada@example.com"), ("password", "hunter2 hunter2")])
        #expect(response.status == 401)
        #expect(response.text.contains("not right"))
        #expect(response.text.contains("value=\"ada@example.com\""))
        #expect(!response.text.contains("hunter2"))
        #expect(response.cookies.isEmpty)
        let short = try await browser.post(
            "/register", [("email", "a@b.example"), ("name", "A"), ("password", "hunter2")])
        #expect(short.status == 422)
        #expect(short.text.contains("href=\"#password\""))
        #expect(!short.text.contains("hunter2"))
    }

    @Test func anAddressIsTakenOnce() async throws {
        var browser = try Browser(shop)
        let form = [("email", "taken@example.com"), ("name", "A"), ("password", "correct horse")]
        let response = try await browser.post("/register", form)
        #expect(response.status == 409)
        #expect(response.text.contains("id=\"email-error\""))
        #expect(faults(in: response.text) == [])
        let fresh = [("email", "new@example.com"), ("name", "A"), ("password", "correct horse")]
        #expect(try await browser.post("/register", fresh).location == "/account")
    }

    @Test func anEndedSessionIsRenewedOnceForAllTabs() async throws {
        let storefront = try shop.storefront()
        let (route, _) = try #require(Browser.route(storefront, .get, "/fragments/me"))
        let request = PageRequest(path: "/fragments/me", cookies: ["souk_refresh": "refresh:ada"])
        let names = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let response = try await route.handle(request)
                    #expect(response.cookies.map(\.value) == ["access:ada", "refresh:ada"])
                    return try JSON.parse(response.body)["name"]?.stringValue
                }
            }
            var names: [String?] = []
            for try await name in group { names.append(name) }
            return names
        }
        #expect(Set(names) == [Shop.ada.name])
        #expect(shop.state.withLock { $0.refreshes } == 1)
    }

    @Test func aSessionThatCannotBeRenewedIsForgotten() async throws {
        var browser = try Browser(shop)
        browser.cookies = ["souk_session": "old", "souk_refresh": "refresh:stolen"]
        #expect(try await browser.get("/account").location == "/login?next=%2Faccount")
        #expect(browser.cookies.isEmpty)
    }

    @Test func loggingOutForgetsEverything() async throws {
        var browser = try Browser(shop)
        browser.cookies = ["souk_session": "access:ada", "souk_refresh": "refresh:ada"]
        #expect(try await browser.post("/logout", []).location == "/")
        #expect(browser.cookies.isEmpty)
    }

    @Test func theAccountIsChangedWithThePresentPassword() async throws {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.ada.id, .customer)
        let refused = try await browser.post("/account", [("name", "Ada"), ("email", "other@example.com")])
        #expect(refused.status == 401)
        #expect(refused.text.contains("href=\"#current_password\""))
        let form = [("name", "Ada"), ("email", "other@example.com"), ("current_password", "correct horse")]
        #expect(try await browser.post("/account", form).location == "/account?saved=1")
    }

    // MARK: Who may see what

    static let staffPages = [
        "/staff", "/staff/orders", "/staff/orders/order_01h455vb4pex5vsknk084sn02q", "/staff/products",
        "/staff/products/linen-shirt", "/staff/notifications", "/staff/webhooks", "/staff/events", "/topology",
    ]

    @Test(arguments: staffPages)
    func staffPagesAreForStaff(path: String) async throws {
        var browser = try Browser(shop)
        #expect(try await browser.get(path).location?.hasPrefix("/login?next=") == true)
        browser.caller = .user(Shop.ada.id, .customer)
        let problem = await #expect(throws: Problem.self) { try await browser.get(path) }
        #expect(problem?.type == .forbidden)
    }

    // MARK: Staff

    private func staff() throws -> Browser {
        var browser = try Browser(shop)
        browser.caller = .user(Shop.staff.id, .staff)
        return browser
    }

    @Test func staffSendRefundAndCancel() async throws {
        var browser = try staff()
        let order = Shop.order(
            PlaceOrder(
                email: "ada@example.com", shipping_address: try #require(Shop.ada.address),
                payment: PaymentInput(token: "tok_approved")), at: shop.clock.now())
        shop.state.withLock { $0.orders = [order] }
        let path = "/staff/orders/\(order.id)"
        let large = try await browser.post(path + "/refunds", [("amount", "18.995"), ("key", "a")])
        #expect(large.status == 422)
        #expect(large.text.contains("more than the 2 decimals of GBP"))
        #expect(faults(in: large.text) == [])
        #expect(try await browser.post(path + "/refunds", [("amount", "99"), ("key", "b")]).status == 409)
        #expect(
            try await browser.post(path + "/refunds", [("amount", "5"), ("key", "c")]).location == path
                + "?done=refunds")
        #expect(try await browser.post(path + "/fulfilments", [("quantity.HOT-1", "1"), ("key", "d")]).status == 303)
        #expect(try await browser.post(path + "/cancellation", [("key", "e")]).status == 409)
        #expect(faults(in: try await browser.get(path + "?done=fulfilments").text) == [])
    }

    @Test func staffEditAProduct() async throws {
        var browser = try staff()
        let form = [
            ("title", "Linen shirt, washed"), ("status", "active"), ("vendor", ""), ("description", "<p>Softer.</p>"),
            ("tags", " linen, , washed "), ("version", "3"), ("price.LINEN-SHIRT-1", "24.50"),
            ("compare.LINEN-SHIRT-1", ""),
        ]
        #expect(try await browser.post("/staff/products/linen-shirt", form).status == 303)
        let draft = try #require(shop.state.withLock { $0.puts.first })
        #expect(draft.title == "Linen shirt, washed" && draft.vendor == nil && draft.tags == ["linen", "washed"])
        #expect(draft.category == ["Clothing & more", "Shirts"])
        #expect(draft.variants[0].price == Money(2_450, .gbp) && draft.variants[0].stock == nil)
        let stale = form.map { $0.0 == "version" ? ("version", "2") : $0 }
        #expect(try await browser.post("/staff/products/linen-shirt", stale).status == 412)
        let wrong = form.map { $0.0 == "price.LINEN-SHIRT-1" ? ($0.0, "cheap") : $0 }
        #expect(try await browser.post("/staff/products/linen-shirt", wrong).status == 422)
    }

    @Test func staffAdjustStockWithAReason() async throws {
        var browser = try staff()
        let path = "/staff/products/linen-shirt/adjustments"
        let form = [("sku", "LINEN-SHIRT-1"), ("change", "+10"), ("reason", "counted"), ("key", "k")]
        #expect(try await browser.post(path, form).status == 303)
        #expect(shop.state.withLock { $0.adjustments.map(\.quantity) } == [10])
        for (name, value) in [("change", "0"), ("change", "ten"), ("reason", ""), ("sku", "OTHER")] {
            let wrong = form.map { $0.0 == name ? (name, value) : $0 }
            #expect(try await browser.post(path, wrong).status == 422, "\(name) '\(value)'")
        }
        #expect(shop.state.withLock { $0.adjustments.count } == 1)
    }
}
