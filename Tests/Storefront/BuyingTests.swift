import Contracts
import Kernel
import Storefront
import Testing
import Wire

@Suite struct BuyingTests {
    let shop = Shop()

    init() {
        shop.add(.sample("linen-shirt"))
        shop.add(
            .sample("overshirt", "Overshirt", options: ["Colour", "Size"], values: [["Sand", "S"], ["Sand", "M"]]))
    }

    private func filled() async throws -> Browser {
        var browser = try Browser(shop)
        _ = try await browser.post("/cart/lines", [("handle", "linen-shirt"), ("quantity", "1")])
        return browser
    }

    private func change(_ form: [(String, String)], _ name: String, _ value: String) -> [(String, String)] {
        form.map { $0.0 == name ? (name, value) : $0 }
    }

    // MARK: The cart

    @Test func addingGoesOnToTheCart() async throws {
        var browser = try Browser(shop)
        let response = try await browser.post("/cart/lines", [("handle", "linen-shirt"), ("quantity", "2")])
        #expect(response.status == 303)
        #expect(response.location == "/cart?added=1")
        let cookie = try #require(response.cookies.first)
        #expect(cookie.name == "souk_cart" && cookie.httpOnly && cookie.sameSite == .lax)
        #expect(try await browser.get("/cart").text.contains("value=\"2\""))
        _ = try await browser.post("/cart/lines", [("handle", "linen-shirt"), ("quantity", "1")])
        #expect(try JSON.parse(try await browser.get("/fragments/me").body)["cart"] == 3)
    }

    @Test func aVariantIsChosenByItsOptions() async throws {
        var browser = try Browser(shop)
        let form = [("handle", "overshirt"), ("option1", "Sand"), ("option2", "S"), ("quantity", "1")]
        #expect(try await browser.post("/cart/lines", form).status == 303)
        #expect(shop.state.withLock { $0.carts.values.first } == [StockLine(sku: "OVERSHIRT-1", quantity: 1)])
    }

    @Test(arguments: [
        ([("option1", "Sand"), ("option2", "M"), ("quantity", "1")], "It is sold out."),
        ([("option1", "Sand"), ("option2", "XXL"), ("quantity", "1")], "not offered in that combination"),
        ([("sku", "OVERSHIRT-1"), ("quantity", "8")], "Only 7 left."),
        ([("sku", "OVERSHIRT-1"), ("quantity", "0")], "enter a whole number"),
        ([("sku", "OVERSHIRT-1"), ("quantity", "1e9")], "enter a whole number"),
        ([("sku", "LINEN-SHIRT-1"), ("quantity", "1")], "not offered in that combination"),
    ])
    func whatCannotBeAddedIsSaid(form: [(String, String)], message: String) async throws {
        var browser = try Browser(shop)
        let response = try await browser.post("/cart/lines", [("handle", "overshirt")] + form)
        #expect(response.status == 422)
        #expect(response.text.contains(message))
        #expect(faults(in: response.text) == [])
        #expect(shop.state.withLock { $0.carts.isEmpty })
    }

    @Test func quantitiesChangeAndLinesGo() async throws {
        var browser = try await filled()
        #expect(try await browser.post("/cart/lines/LINEN-SHIRT-1", [("quantity", "5")]).status == 303)
        #expect(try await browser.get("/cart").text.contains("value=\"5\""))
        #expect(try await browser.post("/cart/lines/LINEN-SHIRT-1", [("quantity", "-1")]).status == 422)
        #expect(
            try await browser.post("/cart/lines/LINEN-SHIRT-1", [("remove", "1"), ("quantity", "5")]).status == 303)
        #expect(try await browser.get("/cart").text.contains("Nothing in it yet"))
    }

    @Test func aCartThatIsGoneIsEmpty() async throws {
        var browser = try Browser(shop)
        browser.cookies["souk_cart"] = CartID(at: shop.clock.now()).description
        #expect(try await browser.get("/cart").text.contains("Nothing in it yet"))
        #expect(try await browser.get("/checkout").location == "/cart")
        browser.cookies["souk_cart"] = "nonsense"
        #expect(try await browser.get("/cart").status == 200)
    }

    // MARK: The checkout

    @Test func anOrderIsPlacedOnceHoweverOftenItIsSent() async throws {
        var browser = try await filled()
        let form = try await PageTests.form(&browser)
        let first = try await browser.post("/checkout", form)
        #expect(first.status == 303)
        #expect(first.location?.hasPrefix("/orders/order_") == true)
        #expect(browser.cookies["souk_cart"] == nil)
        let second = try await browser.post("/checkout", form)
        #expect(second.location == first.location)
        #expect(shop.state.withLock { $0.orders.count } == 1)
        let page = try await browser.get(try #require(first.location)).text
        #expect(page.contains("Hot &lt;item&gt;"))
        #expect(page.contains("Discount (SPRING)"))
        #expect(page.contains("−£1.00"))
    }

    @Test func whatIsMissingIsSaidAtTheFieldAndInTheSummary() async throws {
        var browser = try await filled()
        var form = try await PageTests.form(&browser)
        form = change(change(change(form, "email", "nobody"), "city", ""), "name", "")
        let response = try await browser.post("/checkout", form)
        #expect(response.status == 422)
        let page = response.text
        #expect(faults(in: page) == [])
        #expect(page.contains("role=\"alert\""))
        for field in ["email", "city", "name"] {
            #expect(page.contains("<a href=\"#\(field)\">"))
            #expect(page.contains("id=\"\(field)-error\""))
        }
        #expect(page.contains("aria-describedby=\"email-hint email-error\" aria-invalid=\"true\""))
        #expect(page.contains("value=\"nobody\""))
        #expect(shop.state.withLock { $0.placements.isEmpty })
    }

    @Test func aRefusalWantsANewKey() async throws {
        var browser = try await filled()
        let form = try await PageTests.form(&browser)
        shop.state.withLock { $0.refusal = Problem(.paymentDeclined, "insufficient funds") }
        let response = try await browser.post("/checkout", form)
        #expect(response.status == 402)
        #expect(response.text.contains("nothing was charged"))
        #expect(
            PageTests.hidden("key", response.text) != PageTests.hidden("key", "name=\"key\" value=\"\(form[0].1)\""))
    }

    @Test(arguments: [ProblemType.orderUnsettled, .keyInUse, .overloaded])
    func anOpenOutcomeKeepsItsKey(type: ProblemType) async throws {
        var browser = try await filled()
        let form = try await PageTests.form(&browser)
        shop.state.withLock { $0.refusal = Problem(type, "wait") }
        let response = try await browser.post("/checkout", form)
        #expect(response.status == type.status)
        #expect(PageTests.hidden("key", response.text) == form[0].1)
        shop.state.withLock { $0.refusal = OutcomeUnknown("the line went dead") }
        let unknown = try await browser.post("/checkout", form)
        #expect(PageTests.hidden("key", unknown.text) == form[0].1)
    }

    @Test func whatIsSoldOutIsNamed() async throws {
        var browser = try await filled()
        let form = try await PageTests.form(&browser)
        var extensions = JSONObject()
        extensions["lines"] = [["sku": "LINEN-SHIRT-1"]]
        let refusal = Problem(.outOfStock, "1 of 1 lines", extensions: extensions)
        shop.state.withLock { $0.refusal = refusal }
        let response = try await browser.post("/checkout", form)
        #expect(response.status == 409)
        #expect(response.text.contains("Linen shirt: only 7 left"))
    }

    @Test func theTotalIsWorkedOutWithoutOrdering() async throws {
        var browser = try await filled()
        let form = change(try await PageTests.form(&browser), "coupon", "WRONG") + [("action", "update")]
        let response = try await browser.post("/checkout", form)
        #expect(response.text.contains("href=\"#coupon\""))
        #expect(response.text.contains("Place order · £19.99"))
        #expect(shop.state.withLock { $0.placements.isEmpty })
    }

    // MARK: The order

    @Test func anOrderIsCancelledFromItsPage() async throws {
        var browser = try await filled()
        let order = try #require(try await browser.post("/checkout", try await PageTests.form(&browser)).location)
        #expect(try await browser.get(order).text.contains("Cancel this order"))
        #expect(try await browser.post(order + "/cancellation", [("key", "k")]).location == order + "?cancelled=1")
        let page = try await browser.get(order + "?cancelled=1").text
        #expect(page.contains("This order is cancelled."))
        #expect(!page.contains("Cancel this order"))
        #expect(try await browser.post(order + "/cancellation", []).status == 409)
    }

    @Test(arguments: ["/orders/1001", "/orders/order_01h455vb4pex5vsknk084sn02q"])
    func ordersThatAreNotThereAreNotFound(path: String) async throws {
        var browser = try Browser(shop)
        await #expect(throws: Problem.self) { try await browser.get(path) }
    }
}
