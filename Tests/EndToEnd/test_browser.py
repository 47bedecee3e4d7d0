"""The shop in a real Chromium: the journeys with and without JavaScript, by keyboard, and every page's looks."""

import uuid

import pytest
from browser import CHECKOUT, LOOKS, launch, visiting
from playwright.sync_api import expect, sync_playwright
from shop import PASSWORD, order_for

# A page that is drawn while it is still read, on a machine that is busy with something else, moves.
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser, shop):
    with visiting(browser, shop) as visitor:
        yield visitor


@pytest.mark.parametrize("javascript", [True, False], ids=["JavaScript", "no JavaScript"])
class TestWithAndWithoutJavaScript:
    @pytest.fixture
    def visitor(self, browser, shop, javascript):
        with visiting(browser, shop, java_script_enabled=javascript) as visitor:
            yield visitor

    def test_guest_buys_and_staff_see_it(self, browser, shop, visitor, javascript):
        number = visitor.buy()
        page = visitor.page
        expect(page.locator("main")).to_contain_text("Ample lamp")
        expect(page.locator("main")).to_contain_text("£19.99")
        with visiting(browser, shop, java_script_enabled=javascript) as staff:
            staff.log_in()
            staff.open("/staff/orders")
            staff.page.get_by_role("link", name=number, exact=True).click()
            expect(staff.page.locator("h1")).to_contain_text(number)
            expect(staff.page.locator("main")).to_contain_text("ada@example.com")

    def test_declined_card_says_so_and_keeps_what_was_typed(self, visitor):
        visitor.find("ample lamp", "Ample lamp")
        visitor.choose("Size 1")
        visitor.add_to_cart()
        visitor.go_to_checkout()
        visitor.fill_checkout()
        visitor.pay("tok_declined")
        expect(visitor.page.locator("#problems")).to_contain_text("declined")
        expect(visitor.page.locator("main [name=line1]")).to_have_value(CHECKOUT["line1"])
        visitor.pay("tok_approved")
        assert visitor.order_number()

    def test_account_keeps_its_orders(self, visitor):
        email, password = f"{uuid.uuid4().hex}@example.com", PASSWORD
        page = visitor.open("/register")
        for name, value in {"name": "Ada L.", "email": email, "password": password}.items():
            page.locator(f"main [name={name}]").fill(value)
        page.locator("main form button").last.click()
        page.wait_for_url(lambda url: "/register" not in url)
        number = visitor.buy(email=email)
        expect(visitor.open("/account").locator("main table")).to_contain_text(number)
        page.get_by_role("button", name="Log out").click()
        visitor.open("/account")
        page.wait_for_url("**/login*")
        visitor.log_in(email, password)
        expect(visitor.open("/account").locator("main table")).to_contain_text(number)

    def test_wrong_form_has_a_summary_that_leads_to_its_fields(self, visitor, javascript):
        visitor.find("ample lamp", "Ample lamp")
        visitor.choose("Size 0")
        visitor.add_to_cart()
        visitor.go_to_checkout()
        visitor.fill_checkout(email="ada", city="")
        visitor.pay()
        page = visitor.page
        summary = page.locator("#problems")
        expect(summary).to_be_visible()
        expect(summary).to_have_attribute("role", "alert")
        expect(page.locator("[name=email]").last).to_have_attribute("aria-invalid", "true")
        expect(page.locator("[name=city]")).to_have_attribute("aria-invalid", "true")
        summary.get_by_role("link").first.click()
        expect(page.locator("[name=email]").last).to_be_focused()

    def test_cart_is_changed_and_emptied(self, visitor):
        visitor.find("ample lamp", "Ample lamp")
        visitor.choose("Size 3")
        visitor.add_to_cart()
        page = visitor.open("/cart")
        quantity = page.locator(".lines [name=quantity]")
        quantity.fill("3")
        quantity.press("Enter")
        expect(page.locator("main")).to_contain_text("£59.97")
        page.get_by_role("button", name="Remove").click()
        expect(page.locator("main")).to_contain_text("Nothing in it yet")

    def test_missing_page_is_plain_and_leads_on(self, visitor):
        page = visitor.open("/products/no-such-product")
        expect(page.locator("h1")).to_be_visible()
        expect(page.get_by_role("link", name="Browse everything")).to_be_visible()


def test_keyboard_alone_reaches_the_order(visitor):
    page, keyboard = visitor.open("/"), visitor.page.keyboard
    visitor.tab_to("#q")
    keyboard.type("ample lamp")
    keyboard.press("Enter")
    page.wait_for_url("**/search*")
    visitor.tab_to('a[href="/products/ample-lamp"]')
    keyboard.press("Enter")
    page.wait_for_url("**/products/ample-lamp")
    visitor.tab_to("input[name=sku]")
    keyboard.press("ArrowDown")
    visitor.tab_to("[data-buy]")
    keyboard.press("Enter")
    page.locator(".toast").wait_for()
    visitor.open("/cart")
    visitor.tab_to('a[href="/checkout"]')
    keyboard.press("Enter")
    page.wait_for_url("**/checkout*")
    for name, value in CHECKOUT.items():
        if name != "country":
            visitor.tab_to(f"main [name={name}]")
            keyboard.press("Control+a")
            keyboard.type(value)
    visitor.tab_to('form[action="/checkout"] button')
    keyboard.press("Enter")
    assert visitor.order_number()


def test_skip_link_is_first(visitor):
    page = visitor.open("/")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_hostile_text_stays_text(visitor):
    page = visitor.open("/products/hostile-lamp")
    expect(page.locator("h1")).to_contain_text("<script>")
    assert page.title() != "broken"


def test_personal_parts_come_afterwards(visitor):
    visitor.find("ample lamp", "Ample lamp")
    visitor.choose("Size 1")
    visitor.add_to_cart()
    page = visitor.open("/")
    expect(page.locator("[data-cart]")).to_have_text("1")
    visitor.log_in()
    page = visitor.open("/")
    expect(page.locator("[data-staff]")).to_be_visible()


# --- every page, in light and dark, on a phone and on a desktop -------------------------------------------------------

PAGES = {
    "home": "/",
    "search": "/search?q=lamp",
    "everything": "/search",
    "category": "/categories/{category}",
    "nothing found": "/search?q=zzzzzz",
    "product": "/products/{product}",
    "product with variants": "/products/ample-lamp",
    "cart": "/cart",
    "checkout": "/checkout",
    "order": "/orders/{order}",
    "log-in": "/login",
    "register": "/register",
    "account": "/account",
    "missing": "/no-such-page",
    "interface": "/docs",
    "staff": "/staff",
    "staff orders": "/staff/orders",
    "staff order": "/staff/orders/{order}",
    "staff products": "/staff/products",
    "staff notifications": "/staff/notifications",
    "staff webhooks": "/staff/webhooks",
    "staff events": "/staff/events",
    "topology": "/topology",
}


@pytest.fixture(scope="module")
def examples(shop, staff) -> dict[str, str]:
    """What stands in the braces of PAGES."""
    demo = shop.http.get("/api/products?limit=50").json()["items"]
    return {
        "category": shop.http.get("/api/categories").json()["items"][0]["handle"],
        "product": next(item["handle"] for item in demo if item["vendor"] != "Souk"),
        "order": shop.order(order_for("AMPLE-0"), client=staff).json()["id"],
    }


@pytest.fixture(scope="module", params=LOOKS)
def look(request, browser, shop):
    """A member of staff with something in the cart, who sees every page, in one look."""
    with visiting(browser, shop, **LOOKS[request.param]) as visitor:
        visitor.log_in()
        visitor.find("ample lamp", "Ample lamp")
        visitor.choose("Size 1")
        visitor.add_to_cart()
        yield request.param, visitor


@pytest.mark.parametrize("name", PAGES)
def test_page(look, name, examples):
    look_name, visitor = look
    visitor.look_at(PAGES[name].format(**examples), look_name, name)
