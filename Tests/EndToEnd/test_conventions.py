"""The conventions that every endpoint keeps: idempotency, conditions, problems, paging, traces."""

import concurrent.futures
import re
import uuid

import pytest
from shop import ADDRESS, eventually, order_for


def lamp(title: str) -> dict:
    """A draft of a product without stock."""
    variant = {"sku": "GUARDED", "options": [], "price": {"amount": 1999, "currency": "GBP"}, "stock": 0}
    lists = {"category": [], "tags": [], "images": [], "options": []}
    return {"title": title, "description": "", "status": "draft", "variants": [variant], **lists}


def problem(answer, status: int, type_: str | None = None) -> dict:
    """The RFC 9457 body of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("/problems/")
    assert body["title"]
    assert body["detail"]
    if type_:
        assert body["type"] == f"/problems/{type_}", body
    return body


class TestAnOrder:
    def test_is_answered_whole(self, shop):
        answer = shop.order(order_for("AMPLE-0", 2))
        assert answer.status_code == 201, answer.text
        order = answer.json()
        assert answer.headers["location"].endswith(order["id"])
        assert re.fullmatch(r"order_[0-7][0-9a-hjkmnp-tv-z]{25}", order["id"])
        assert order["status"] == "confirmed"
        assert order["payment_status"] in ("authorized", "captured")
        assert order["fulfilment_status"] == "unfulfilled"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", order["created_at"])
        (line,) = order["lines"]
        assert (line["sku"], line["quantity"]) == ("AMPLE-0", 2)
        assert line["unit_price"] == {"amount": 1999, "currency": "GBP"}
        assert line["total"] == order["subtotal"] == {"amount": 3998, "currency": "GBP"}
        parts = {name: order[name]["amount"] for name in ("subtotal", "discount", "shipping", "tax", "total")}
        assert parts["total"] == parts["subtotal"] - parts["discount"] + parts["shipping"] + parts["tax"]

    def test_takes_its_pieces_from_stock(self, shop):
        before = shop.available("AMPLE-1")
        assert shop.order(order_for("AMPLE-1", 3)).status_code == 201
        assert shop.available("AMPLE-1") == before - 3

    def test_that_is_declined_stays_cancelled_and_gives_its_pieces_back(self, shop, staff):
        before = shop.available("AMPLE-2")
        email = f"{uuid.uuid4().hex}@example.com"
        body = order_for("AMPLE-2", payment={"token": "tok_declined"}, email=email)
        problem(shop.order(body), 402)
        assert shop.available("AMPLE-2") == before
        (kept,) = staff.get("/api/orders", params={"q": email}).json()["items"]
        assert (kept["status"], kept["payment_status"]) == ("cancelled", "declined")

    @pytest.mark.parametrize("token", ["tok_slow", "tok_twice", "tok_lost"])
    def test_is_authorised_once_whatever_the_gateway_does(self, shop, token):
        answer = shop.order(order_for("AMPLE-2", payment={"token": token}))
        assert answer.status_code in (201, 402), answer.text

    def test_of_a_cart_is_priced_as_the_cart(self, shop):
        cart = shop.http.post("/api/carts").json()
        for sku, quantity in (("AMPLE-0", 1), ("AMPLE-1", 2)):
            answer = shop.http.put(f"/api/carts/{cart['id']}/lines/{sku}", json={"quantity": quantity})
            assert answer.status_code == 200, answer.text
        body = order_for("AMPLE-0") | {"cart": cart["id"]}
        del body["lines"]
        order = shop.order(body).json()
        assert sorted((line["sku"], line["quantity"]) for line in order["lines"]) == [("AMPLE-0", 1), ("AMPLE-1", 2)]

    def test_that_is_cancelled_gives_money_and_pieces_back(self, shop, staff):
        before = shop.available("AMPLE-3")
        order = shop.order(order_for("AMPLE-3")).json()
        path = f"/api/orders/{order['id']}"
        answer = shop.http.post(f"{path}/cancellation", json={"reason": "changed their mind"})
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "cancelled"
        assert answer.json()["payment_status"] in ("voided", "refunded"), "by whether it was captured meanwhile"
        problem(staff.post(f"{path}/fulfilments", json={}), 409, "not-fulfillable")
        assert staff.get(path).json()["status"] == "cancelled"
        assert shop.available("AMPLE-3") == before

    def test_that_is_sent_comes_back_and_is_refunded(self, shop, staff):
        order = shop.order(order_for("AMPLE-3", 2)).json()
        path, before = f"/api/orders/{order['id']}", shop.available("AMPLE-3")
        eventually(lambda: staff.get(path).json()["payment_status"] == "captured", "the money is captured")
        sent = staff.post(f"{path}/fulfilments", json={"tracking": "RM1"})
        assert (sent.status_code, sent.json()["fulfilment_status"]) == (201, "fulfilled"), sent.text
        problem(staff.post(f"{path}/cancellation", json={}), 409, "not-cancellable")
        back = staff.post(f"{path}/returns", json={"lines": [{"sku": "AMPLE-3", "quantity": 1}]})
        assert back.status_code == 201, back.text
        assert back.json()["payment_status"] == "partially_refunded"
        eventually(lambda: shop.available("AMPLE-3") == before + 1, "the piece is back in stock")
        rest = staff.post(f"{path}/refunds", json={"reason": "goodwill"})
        assert (rest.status_code, rest.json()["refunded"]) == (201, order["total"]), rest.text
        problem(staff.post(f"{path}/refunds", json={"amount": order["total"]}), 409, "refund-too-large")

    def test_of_an_account_is_shown_to_its_owner_and_staff_only(self, shop, staff, customer):
        mine = shop.order(order_for("AMPLE-0"), client=customer).json()
        path = f"/api/orders/{mine['id']}"
        assert customer.get(path).status_code == 200
        assert staff.get(path).status_code == 200
        assert shop.register().get(path).status_code in (403, 404)
        assert shop.http.get(path).status_code in (401, 403, 404)
        assert mine["id"] in [order["id"] for order in customer.get("/api/orders").json()["items"]]


class TestIdempotency:
    def test_key_is_needed(self, shop):
        answer = shop.http.post("/api/orders", json=order_for("AMPLE-0"))
        problem(answer, 400, "idempotency-key-missing")

    @pytest.mark.parametrize("write", ["{}", '"{}"'], ids=["bare", "quoted"])
    def test_repeat_is_the_first_answer(self, shop, write):
        key, body = uuid.uuid4().hex, order_for("AMPLE-0")
        first = shop.order(body, key)
        again = shop.order(body, write.format(key))
        assert first.status_code == again.status_code == 201
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json()["id"] == first.json()["id"]
        assert again.headers["location"] == first.headers["location"]

    def test_key_of_another_request_is_refused(self, shop):
        key = uuid.uuid4().hex
        assert shop.order(order_for("AMPLE-0"), key).status_code == 201
        problem(shop.order(order_for("AMPLE-1"), key), 422, "idempotency-key-reused")

    def test_refusal_is_repeated_too(self, shop):
        key, body = uuid.uuid4().hex, order_for("AMPLE-0", payment={"token": "tok_declined"})
        assert [shop.order(body, key).status_code for _ in range(2)] == [402, 402]

    def test_at_once_is_one_order(self, shop):
        key, body = uuid.uuid4().hex, order_for("AMPLE-0")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: shop.order(body, key), range(16)))
        placed = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        assert len(placed) == 1
        for answer in answers:
            if answer.status_code != 201:
                problem(answer, 409, "idempotency-key-in-use")

    @pytest.mark.parametrize("key", ['""', "k" * 300], ids=["empty", "300 characters"])
    def test_key_has_a_shape(self, shop, key):
        assert shop.order(order_for("AMPLE-0"), key).status_code in (400, 422)


class TestConditions:
    def test_what_is_unchanged_is_not_sent_again(self, shop):
        first = shop.http.get("/api/products/ample-lamp")
        again = shop.http.get("/api/products/ample-lamp", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]

    def test_any_of_several_tags_may_match(self, shop):
        tag = shop.http.get("/api/products/ample-lamp").headers["etag"]
        for value in (f'"other", {tag}', f"W/{tag.removeprefix('W/')}", "*"):
            answer = shop.http.get("/api/products/ample-lamp", headers={"If-None-Match": value})
            assert answer.status_code == 304, value
        assert shop.http.get("/api/products/ample-lamp", headers={"If-None-Match": '"other"'}).status_code == 200

    def test_staff_write_names_the_version_it_changes(self, staff):
        path, draft = "/api/products/guarded-lamp", lamp("Guarded lamp")
        assert staff.put(path, json=draft, headers={"If-None-Match": "*"}).status_code in (200, 201)
        tag = staff.get(path).headers["etag"]
        problem(staff.put(path, json=draft), 428, "version-required")
        assert staff.put(path, json=lamp("Renamed lamp"), headers={"If-Match": tag}).status_code == 200
        problem(staff.put(path, json=draft, headers={"If-Match": tag}), 412, "version-mismatch")
        assert staff.get(path).json()["title"] == "Renamed lamp"

    @pytest.mark.one_process
    def test_change_is_seen_at_once(self, shop, staff):
        """The edge cache keeps nothing that was written since, in the process that wrote it."""

        def available() -> int:
            (first, *_) = shop.http.get("/api/products/ample-lamp").json()["variants"]
            return first["available"]

        for _ in range(5):
            before = available()
            answer = staff.post("/api/inventory/AMPLE-0/adjustments", json={"quantity": -1, "reason": "broken"})
            assert answer.status_code == 201, answer.text
            assert available() == before - 1

    def test_adjustment_below_zero_is_refused(self, staff):
        body = {"quantity": -999_999_999, "reason": "stolen"}
        problem(staff.post("/api/inventory/AMPLE-0/adjustments", json=body), 409, "stock-below-zero")


class TestAccess:
    def test_staff_write_needs_staff(self, shop, customer):
        body, path = {"quantity": 1, "reason": "counted"}, "/api/inventory/AMPLE-3/adjustments"
        problem(shop.http.post(path, json=body), 401)
        problem(customer.post(path, json=body), 403)

    @pytest.mark.parametrize("token", ["nonsense", "a.b.c", "Bearer", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyXzEifQ."])
    def test_forged_token_is_refused(self, shop, token):
        problem(shop.http.get("/api/users/me", headers={"Authorization": f"Bearer {token}"}), 401)

    def test_wrong_password_says_no_more_than_an_unknown_account(self, shop):
        answers = [
            shop.http.post("/api/sessions", json={"email": email, "password": "not this one, certainly"})
            for email in ("staff@souk.example", "nobody@souk.example")
        ]
        bodies = [problem(answer, 401) for answer in answers]
        assert bodies[0]["detail"] == bodies[1]["detail"]

    def test_log_out_ends_the_session(self, shop):
        client = shop.register()
        assert client.get("/api/users/me").status_code == 200
        assert client.delete("/api/sessions/current").status_code == 204

    def test_keys_are_published(self, shop):
        keys = shop.http.get("/.well-known/jwks.json").json()["keys"]
        assert keys
        assert all("d" not in key and "k" not in key for key in keys)


class TestProblems:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/products/no-such-product", 404),
            ("GET", "/api/inventory/NO-SUCH-SKU", 404),
            ("GET", "/api/nothing", 404),
            ("DELETE", "/api/products", 405),
            ("GET", "/api/orders", 401),
        ],
    )
    def test_has_its_status(self, shop, method, path, status):
        answer = shop.http.request(method, path)
        problem(answer, status)
        if status == 405:
            assert "GET" in answer.headers["allow"]

    def test_sold_out_names_the_sku(self, shop):
        answer = shop.order(order_for("AMPLE-0", 1_000_000))
        assert "AMPLE-0" in str(problem(answer, 409, "out-of-stock"))

    def test_unknown_sku_is_named(self, shop):
        answer = shop.order(order_for("NO-SUCH-SKU"))
        assert answer.status_code in (404, 409, 422)
        assert "NO-SUCH-SKU" in problem(answer, answer.status_code)["detail"] + answer.text

    @pytest.mark.parametrize("field", ["email", "shipping_address", "shipping_method", "payment", "lines"])
    def test_missing_field_is_named(self, shop, field):
        body = order_for("AMPLE-0")
        del body[field]
        assert field in problem(shop.order(body), 422)["detail"] + "lines" * (field == "lines")

    @pytest.mark.parametrize("field", sorted(ADDRESS.keys() - {"postal_code"}))
    def test_missing_part_of_the_address_is_pointed_at(self, shop, field):
        address = {name: value for name, value in ADDRESS.items() if name != field}
        assert field in str(problem(shop.order(order_for("AMPLE-0", shipping_address=address)), 422))


class TestPaging:
    def test_pages_hold_everything_once(self, shop):
        seen, path = [], "/api/products?limit=37"
        while path:
            answer = shop.http.get(path)
            seen += [item["handle"] for item in answer.json()["items"]]
            link = answer.headers.get("link", "")
            assert bool(answer.json()["next"]) == ('rel="next"' in link)
            following = re.search(r'<([^>]+)>; *rel="?next"?', link)
            path = following[1] if following else None
        assert len(seen) == len(set(seen)) == answer.json()["total"]

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "after=nonsense", "price_min=-1", "sort=odd"])
    def test_wrong_parameter_is_refused(self, shop, query):
        name = query.split("=")[0]
        answer = shop.http.get(f"/api/products?{query}")
        assert name in str(problem(answer, answer.status_code if answer.status_code == 400 else 422))

    def test_search_finds_by_prefix_and_filters(self, shop):
        found = shop.http.get("/api/products", params={"q": "ample lam"}).json()
        assert [item["handle"] for item in found["items"]] == ["ample-lamp"]
        vendor = shop.http.get("/api/products", params={"vendor": "Souk"}).json()
        assert all(item["vendor"] == "Souk" for item in vendor["items"])
        assert {"category", "vendor", "price", "available"} <= set(vendor["facets"])


class TestTraces:
    TRACE = "0af7651916cd43dd8448eb211c80319c"

    def test_goes_on(self, shop):
        answer = shop.http.get("/api/products", headers={"traceparent": f"00-{self.TRACE}-b7ad6b7169203331-01"})
        assert answer.headers["traceparent"].split("-")[1] == self.TRACE

    @pytest.mark.parametrize("value", ["nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01", "ff-0-0-0"])
    def test_begins_anew_when_malformed(self, shop, value):
        answer = shop.http.get("/api/products", headers={"traceparent": value})
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", answer.headers["traceparent"])


class TestSurroundings:
    @pytest.mark.parametrize("path", ["/health", "/healthz", "/alive", "/ready", "/readyz", "/version", "/hello"])
    def test_answers(self, shop, path):
        assert shop.http.get(path).status_code == 200

    def test_greets(self, shop):
        assert "Ada" in shop.http.get("/greet", params={"name": "Ada"}).text
        assert "<script>" not in shop.http.get("/greet", params={"name": "<script>"}).text

    @pytest.mark.one_process
    def test_metrics_are_prometheus(self, shop):
        shop.order(order_for("AMPLE-0"))
        answer = shop.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "# TYPE " in answer.text
        sample = re.compile(r"[a-zA-Z_:][\w:]*(\{.*\})? ([-+0-9.eE]+|NaN|[+-]Inf)( \d+)?")
        for line in answer.text.splitlines():
            assert line.startswith("#") or sample.fullmatch(line), line
        assert "AMPLE-0" not in answer.text
        assert re.search(r'route="/api/orders"', answer.text) or "/api/orders" in answer.text

    def test_interface_is_published(self, shop):
        document = shop.http.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        for path in ("/api/products", "/api/products/{handle}", "/api/orders", "/api/carts", "/api/sessions"):
            assert path in document["paths"], path
        assert shop.http.get("/docs").status_code == 200

    @pytest.mark.parametrize("path", ["/inventory", "/orders"])
    def test_short_paths_lead_to_the_interface(self, shop, path):
        answer = shop.http.get(path, headers={"Accept": "application/json"}, follow_redirects=False)
        assert answer.status_code in (301, 302, 303, 307, 308)
        assert answer.headers["location"].endswith("/api" + path)
