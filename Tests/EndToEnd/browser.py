"""A visitor in Debian's Chromium, who minds what the browser complains of."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright
from shop import ADDRESS, ARTIFACTS, STAFF, Shop

CHECKOUT = {"email": "ada@example.com", **ADDRESS}

LOOKS = {
    f"{scheme} {device}": {"color_scheme": scheme, "viewport": viewport}
    for scheme in ("light", "dark")
    for device, viewport in (("phone", {"width": 390, "height": 844}), ("desktop", {"width": 1280, "height": 900}))
}

SHIFT = """() => new Promise(resolve => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => setTimeout(() => resolve(sum)));
})"""


def launch(playwright: Playwright) -> Browser:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "there is no chromium: run scripts/setup test"
    # The sandbox needs rights that a container seldom has; only this shop's own pages are opened.
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


class Visitor:
    """One browser profile and its page in a shop."""

    def __init__(self, context: BrowserContext, shop: Shop):
        self.context, self.shop = context, shop
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # A page that is meant to be missing is no fault of the page.
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _see(self, response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.shop.url + path)
        return self.page

    def look_at(self, path: str, look: str, name: str) -> Page:
        """axe finds nothing serious, nothing moves after it was drawn, nothing sticks out at the side."""
        page = self.open(path)
        page.wait_for_load_state("networkidle")
        folder = ARTIFACTS / look.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name.replace(' ', '-')}.png", full_page=True)
        found = [
            f"{violation['impact']}: {violation['id']}: {violation['help']}: {violation['nodes'][0]['html'][:200]}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert found == []
        assert page.evaluate(SHIFT) < 0.01
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        return page

    # -- what a shopper does

    def find(self, words: str, title: str) -> None:
        self.open("/")
        self.page.locator("#q").fill(words)
        self.page.locator("#q").press("Enter")
        self.page.get_by_role("link", name=title).first.click()
        assert self.page.locator("h1").inner_text() == title

    def choose(self, value: str) -> None:
        self.page.locator("form[data-add] label", has_text=value).click()

    def add_to_cart(self) -> None:
        self.page.get_by_role("button", name="Add to cart").click()
        # Without JavaScript the answer is the cart itself.
        self.page.locator(".toast, h1:text-is('Your cart')").first.wait_for()

    def go_to_checkout(self) -> None:
        self.open("/cart")
        self.page.get_by_role("link", name="Go to checkout").click()

    def fill_checkout(self, **changes: str) -> None:
        for name, value in {**CHECKOUT, **changes}.items():
            field = self.page.locator(f"main [name={name}]")
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    def pay(self, token: str = "tok_approved") -> None:
        self.page.locator(f'label.choice:has(input[value="{token}"])').click()
        self.page.locator('form[action="/checkout"] button').last.click()

    def buy(self, **changes: str) -> str:
        """A whole visit, from the search to the order's page; the order's number."""
        self.find("ample lamp", "Ample lamp")
        self.choose("Size 2")
        self.add_to_cart()
        self.go_to_checkout()
        self.fill_checkout(**changes)
        self.pay()
        return self.order_number()

    def order_number(self) -> str:
        self.page.wait_for_url("**/orders/*")
        text = self.page.locator("main p.muted").first.inner_text()
        return text.split("·")[0].removeprefix("Order").strip()

    def log_in(self, email: str = STAFF["email"], password: str = STAFF["password"]) -> None:
        self.open("/login")
        self.page.locator("main [name=email]").fill(email)
        self.page.locator("main [name=password]").fill(password)
        self.page.locator("main form button").last.click()
        self.page.wait_for_url(lambda url: "/login" not in url)

    def tab_to(self, selector: str, limit: int = 150) -> None:
        """Presses Tab until the focus is on what the selector names, as one does who has no mouse."""
        for _ in range(limit):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{limit} times Tab does not reach {selector} on {self.page.url}")


@contextmanager
def visiting(browser: Browser, shop: Shop, **options) -> Iterator[Visitor]:
    context = browser.new_context(base_url=shop.url, **options)
    context.set_default_timeout(15_000)
    visitor = Visitor(context, shop)
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()
