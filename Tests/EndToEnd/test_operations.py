"""What staff see of how the shop runs: its processes, events that were not taken, webhooks. And a shop of two processes
of which one is away: its pages go on without what it can do without."""

import json
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from browser import LOOKS, launch, visiting
from conftest import AMPLE
from playwright.sync_api import expect, sync_playwright
from shop import Shop, eventually, free_port, order_for, write_catalogue

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


class Receiver:
    """A merchant's server. It answers with `status` and keeps what it was told."""

    def __init__(self):
        self.status, self.told = 200, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.told.append((dict(self.headers), json.loads(body)))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def bury(database, consumer: str, number: int, error: str, event: dict, **data) -> None:
    """Puts a dead letter into a publisher's database, as a consumer that could not take an event would have."""
    now = int(time.time() * 1e6)
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO dead_letters (number, consumer, id, type, subject, time, data, error, died_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, consumer, event["id"], event["type"], event["subject"], now)
            + (json.dumps(data).encode(), error, now),
        )
    connection.close()


def event(number: int, subject: str, kind: str = "order.confirmed") -> dict:
    return {"id": f"evt_01h455vb4pex5vsknk084sn{number:03}", "type": kind, "subject": subject}


# --- events that were not taken -------------------------------------------------------------------------------------


@pytest.fixture
def small_shop(new_shop, tmp_path):
    shop = new_shop(SOUK_WEBHOOK_NETWORKS="127.0.0.0/8")
    return shop.fill(catalogue=write_catalogue(tmp_path / "ample.csv", AMPLE)).start()


def test_dead_letters_are_listed_and_replayed_once(small_shop, receiver):
    order = small_shop.order(order_for("AMPLE-0")).json()
    staff = small_shop.staff()
    hook = staff.post("/api/webhooks", json={"url": receiver.url, "types": ["order.confirmed"]}).json()["webhook"]
    for number in (1, 2, 3):
        bury(
            small_shop.data / "orders.sqlite", "webhooks", number, "it\tcould not\nbe read", event(number, order["id"]),
            order=order,
        )  # fmt: skip
    first = staff.get("/api/orders/dead-letters", params={"limit": 2})
    assert [letter["number"] for letter in first.json()["items"]] == [1, 2]
    assert first.json()["items"][0]["consumer"] == "webhooks"
    assert 'rel="next"' in first.headers["link"]
    rest = staff.get("/api/orders/dead-letters", params={"after": first.json()["next"]}).json()
    assert [letter["number"] for letter in rest["items"]] == [3]
    assert rest["next"] is None
    assert staff.get("/api/users/dead-letters").json() == {"items": [], "next": None}
    # What is an order's own address stays one.
    assert staff.get(f"/api/orders/{order['id']}").json()["id"] == order["id"]
    assert staff.post("/api/orders/dead-letters/2/replay").status_code == 204
    told = eventually(lambda: receiver.told, "the webhook is told")
    assert told[0][0]["webhook-id"] == event(2, "")["id"]
    assert told[0][1]["data"]["order"]["id"] == order["id"]
    again = staff.post("/api/orders/dead-letters/2/replay")
    assert (again.status_code, again.json()["type"]) == (404, "/problems/not-found")
    left = staff.get("/api/orders/dead-letters").json()["items"]
    assert [letter["number"] for letter in left] == [1, 3]

    def statuses() -> list[str]:
        deliveries = staff.get(f"/api/webhooks/{hook['id']}/deliveries").json()["items"]
        return [delivery["status"] for delivery in deliveries]

    # The receiver hears of it before its answer is written down.
    eventually(lambda: statuses() == ["delivered"], "the delivery is done")


@pytest.mark.parametrize("path", ["/api/orders/dead-letters", "/api/users/dead-letters", "/api/topology"])
def test_they_are_for_staff(shop, customer, path):
    assert shop.http.get(path).status_code == 401
    assert customer.get(path).status_code == 403


# --- in the browser -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("javascript", [True, False], ids=["JavaScript", "no JavaScript"])
def test_staff_add_watch_and_delete_a_webhook(browser, small_shop, receiver, javascript):
    receiver.status = 500
    with visiting(browser, small_shop, java_script_enabled=javascript) as visitor:
        visitor.log_in()
        page = visitor.open("/staff/webhooks")
        page.get_by_label("Address").fill("http://merchant.example/hooks")
        page.get_by_role("button", name="Add it").click()
        expect(page.locator("#problems")).to_contain_text("Address")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_role("button", name="Add it").click()
        expect(page.locator(".secret code.copied")).to_contain_text("whsec_")
        assert "whsec_" not in visitor.open("/staff/webhooks").content()
        small_shop.order(order_for("AMPLE-0"))
        eventually(lambda: receiver.told, "the webhook is told")
        page.get_by_role("link", name=receiver.url).click()
        eventually(lambda: "It said 500" in page.reload().text(), "what the server said is shown")
        expect(page.locator("main")).to_contain_text("Next try")
        receiver.status = 200
        page.get_by_role("button", name="Tell it again").click()
        page.wait_for_url("**done=replayed")
        eventually(lambda: "Delivered" in page.reload().text().split("<tbody>")[1], "it is delivered")
        page.get_by_role("button", name="Delete this webhook").click()
        expect(page.locator("main")).to_contain_text("Nobody yet")


def test_staff_have_an_event_delivered_again(browser, small_shop):
    order = small_shop.order(order_for("AMPLE-1")).json()
    bury(small_shop.data / "orders.sqlite", "webhooks", 1, "it could not be read", event(1, order["id"]), order=order)
    with visiting(browser, small_shop) as visitor:
        visitor.log_in()
        page = visitor.open("/staff/events")
        page.get_by_role("button", name="Deliver again").click()
        expect(page.locator(".notice")).to_contain_text("on its way once more")
        expect(page.get_by_role("button", name="Deliver again")).to_have_count(0)


# --- two processes, of which one is away ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Everything but the products, and the products."""
    folder = tmp_path_factory.mktemp("pair")
    ports = {"front": free_port(), "products": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    keys = {"SOUK_SERVICE_KEYS": "k" * 32, "SOUK_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    roles = "storefront,users,auth,orders,payments,notifications"
    shops = {
        "front": ["--roles", roles, "--peer", f"products={urls['products']}"],
        "products": ["--roles", "products", "--peer", f"auth={urls['front']}"],
    }
    made = {}
    for name, arguments in shops.items():
        (folder / name).mkdir()
        made[name] = Shop(folder / name, port=ports[name], arguments=arguments, **keys)
    made["products"].fill(products=60, catalogue=write_catalogue(folder / "ample.csv", AMPLE)).start()
    made["front"].start()
    yield made["front"], made["products"]
    for shop in made.values():
        shop.close()


def page_of(shop: Shop, path: str, client: httpx.Client | None = None) -> httpx.Response:
    return (client or shop.http).get(path, headers=HTML)


def as_staff(shop: Shop) -> httpx.Client:
    """A member of staff's browser, by its cookies."""
    client = shop.client(**HTML)
    login = client.post("/login", data={"email": "staff@souk.example", "password": "a long password for staff"})
    assert login.status_code == 303, login.text
    return client


def test_topology_of_two_processes(pair):
    front, _products = pair
    staff = front.staff()
    own, other = staff.get("/api/topology").json()["processes"]
    assert other["roles"] == ["products"]
    assert other["answers"]
    assert {peer["role"]: peer["answers"] for peer in own["process"]["peers"]} == {"products": True}
    assert {peer["role"]: peer["answers"] for peer in other["process"]["peers"]} == {"auth": True}
    kinds = {end["setting"]: (end["kind"], end.get("answers")) for end in own["process"]["back_ends"]}
    assert kinds["SOUK_DATABASE"] == ("sqlite", True)
    assert kinds["SOUK_MAIL"] == ("spool", None)
    # What a process says of itself is for the others alone.
    for path in ("/internal/topology", "/internal/ping"):
        assert staff.get(path).status_code == 404
        assert front.http.get(path).status_code == 404


def test_orders_and_calls_are_counted(pair):
    front, products = pair
    counts = {
        "approved": lambda: front.metric("souk_payment_provider_calls_total", call="authorize", outcome="done"),
        "declined": lambda: front.metric("souk_payment_provider_calls_total", call="authorize", outcome="declined"),
        "timed": lambda: front.metric("souk_payment_provider_seconds_count", call="authorize"),
        "calls": lambda: min(2, front.metric("souk_peer_calls_total", peer="products", outcome="answered") - calls),
        "held": lambda: products.metric("souk_reservations_total", state="held"),
        "released": lambda: products.metric("souk_reservations_total", state="released"),
        "committed": lambda: products.metric("souk_reservations_total", state="committed"),
        "letters": lambda: front.metric("souk_letters_total", outcome="sent"),
    }
    calls = front.metric("souk_peer_calls_total", peer="products", outcome="answered")
    before = {name: count() for name, count in counts.items()}
    assert front.order(order_for("AMPLE-2")).status_code == 201
    assert front.order(order_for("AMPLE-2", payment={"token": "tok_declined"})).status_code == 402
    added = {
        "approved": 1,
        "declined": 1,
        "timed": 2,
        "calls": 2,
        "held": 2,
        "released": 1,
        "committed": 1,
        "letters": 1,
    }
    for name, count in added.items():
        eventually(lambda name=name, count=count: counts[name]() - before[name] == count, f"{count} {name} more")
    assert front.metric("souk_peer_breaker_open", peer="products") == 0


def test_pages_go_on_while_a_process_is_away(browser, pair):
    front, products = pair
    staff = as_staff(front)
    order = front.order(order_for("AMPLE-2"), client=front.staff()).json()["id"]
    bury(front.data / "orders.sqlite", "webhooks", 1, "it could not be read", event(1, order), order={"id": order})
    front.staff().post("/api/webhooks", json={"url": "http://127.0.0.1:9/hooks", "types": ["order.confirmed"]})
    kept = {path: page_of(front, path) for path in ("/", "/products/ample-lamp", "/search?q=lamp")}
    assert {page.status_code for page in kept.values()} == {200}
    products.kill()
    try:
        for path, before in kept.items():
            after = eventually(
                lambda path=path: (page := page_of(front, path)).headers["cache-control"] == "no-store" and page,
                f"{path} is what was kept before",
            )
            assert after.status_code == 200
            assert after.text == before.text
        never_seen = page_of(front, "/search?q=never-seen")
        assert never_seen.status_code == 503
        assert "is away" in never_seen.text
        for path, text in {
            "/cart": "Nothing in it yet",
            "/account": "staff@souk.example",
            "/login": "",
            f"/orders/{order}": "Ample lamp",
            "/staff": "Stock unknown",
            "/staff/orders": "ada@example.com",
            "/staff/events": "it could not be read",
            "/staff/webhooks": "127.0.0.1:9",
            "/topology": "Products does not answer",
        }.items():
            page = page_of(front, path, staff)
            assert page.status_code in (200, 303), path
            assert text in page.text, path
        assert page_of(front, "/staff/products", staff).status_code == 503
        _own, other = front.staff().get("/api/topology").json()["processes"]
        assert not other["answers"]
        assert "cannot be reached" in other["error"] or "away" in other["error"]
        assert front.metric("souk_peer_breaker_open", peer="products") == 1
        assert front.metric("souk_peer_calls_total", peer="products", outcome="unreached") >= 5
        assert front.metric("souk_peer_calls_total", peer="products", outcome="barred") > 0
        hook = front.staff().get("/api/webhooks").json()["items"][0]["id"]
        for look, options in LOOKS.items():
            with visiting(browser, front, **options) as visitor:
                visitor.log_in()
                for name, path in {
                    "topology away": "/topology",
                    "events": "/staff/events",
                    "webhooks": "/staff/webhooks",
                    "webhook": f"/staff/webhooks/{hook}",
                    "dashboard away": "/staff",
                }.items():
                    visitor.look_at(path, look, name)
    finally:
        products.start()
    fresh = eventually(lambda: "max-age=60" in page_of(front, "/").headers["cache-control"], "home is made anew")
    assert fresh
    assert page_of(front, "/search?q=never-seen").status_code == 200
