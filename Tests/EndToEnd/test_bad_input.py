"""What no client should send gets a specific refusal, and the shop goes on."""

import contextlib
import json
import select
import uuid

import pytest
from shop import order_for
from wire import Wire, once, request

ORDER = {"Content-Type": "application/json"}


def post_order(shop, body: bytes, **headers: str):
    fields = {**ORDER, "Idempotency-Key": uuid.uuid4().hex, **headers}
    return once(shop.port, request("POST", "/api/orders", fields, body), "POST")


def refusal(answer, *statuses: int) -> str:
    """The detail of a problem with one of the statuses."""
    assert answer.status in statuses, (answer.status, answer.body[:500])
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = json.loads(answer.body)
    return body["detail"] + json.dumps(body.get("errors", ""))


@pytest.fixture(autouse=True)
def nothing_is_ordered(shop):
    before = shop.available("AMPLE-0")
    yield
    assert shop.available("AMPLE-0") == before


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 10**18, 2**63, 10**40, "1", None, True, [1], {"a": 1}])
def test_quantity(shop, quantity):
    detail = refusal(post_order(shop, json.dumps(order_for("AMPLE-0", quantity)).encode()), 422, 400)
    assert "quantity" in detail


def test_too_many_lines(shop):
    body = order_for("AMPLE-0")
    body["lines"] = [{"sku": "AMPLE-0", "quantity": 1}] * 2001
    assert "2000" in refusal(post_order(shop, json.dumps(body).encode()), 413, 422).replace(",", "")


def test_no_lines(shop):
    assert "lines" in refusal(post_order(shop, json.dumps(order_for("AMPLE-0") | {"lines": []}).encode()), 422)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"lines": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"email": "\xff\xfe"}',
        b'{"email": "a\x00b"}',
        b'{"email": "\\ud800"}',
        b'{"lines": [], "lines": []}',
        b"{}{}",
    ],
)
def test_body_that_is_not_an_order(shop, body):
    refusal(post_order(shop, body), 400, 422)


def test_duplicate_key_is_named(shop):
    body = json.dumps(order_for("AMPLE-0"))[:-1] + ', "email": "eve@example.com"}'
    assert "email" in refusal(post_order(shop, body.encode()), 400, 422)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_json(shop, opening):
    refusal(post_order(shop, opening * 100_000), 400, 413, 422)
    refusal(post_order(shop, b'{"lines":' + opening * 1000), 400, 422)


def test_nul_byte_in_text(shop):
    body = order_for("AMPLE-0", email="ada\x00@example.com")
    refusal(post_order(shop, json.dumps(body).encode()), 400, 422)


@pytest.mark.parametrize("email", ["", "ada", "@example.com", "ada@", "a b@example.com", "a" * 400 + "@example.com"])
def test_email(shop, email):
    assert "email" in refusal(post_order(shop, json.dumps(order_for("AMPLE-0", email=email)).encode()), 422)


def test_long_name(shop):
    body = order_for("AMPLE-0")
    body["shipping_address"] = body["shipping_address"] | {"name": "n" * 100_000}
    assert "name" in refusal(post_order(shop, json.dumps(body).encode()), 413, 422)


@pytest.mark.parametrize(
    "change", [{"shipping_method": "teleport"}, {"payment": {"token": "tok_unknown"}}, {"cart": "x"}]
)
def test_unknown_choice(shop, change):
    refusal(post_order(shop, json.dumps(order_for("AMPLE-0", **change)).encode()), 400, 402, 404, 409, 422)


def test_wrong_media_type(shop):
    body = json.dumps(order_for("AMPLE-0")).encode()
    refusal(post_order(shop, body, **{"Content-Type": "text/plain"}), 415)


def test_body_too_large_names_the_bound(shop):
    answer = post_order(shop, b"x", **{"Content-Length": str(2**34)})
    assert any(character.isdigit() for character in refusal(answer, 413))


def test_body_that_grows_too_large(shop):
    """Chunks without a declared length are stopped at the same bound."""
    head = request("POST", "/api/orders", {**ORDER, "Idempotency-Key": "k", "Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with Wire(shop.port) as wire:
        wire.send(head)
        with contextlib.suppress(OSError):  # it may have seen enough, and closed
            while not select.select([wire.socket], [], [], 0)[0]:
                wire.send(chunk)
        with contextlib.suppress(ConnectionResetError):  # which may lose the answer on its way
            refusal(wire.answer("POST"), 413)


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        pytest.param({"X-Large": "x" * 200_000}, (431,), marks=pytest.mark.one_process),
        pytest.param({f"X-{number}": "x" for number in range(5000)}, (431,), marks=pytest.mark.one_process),
        ({"Bad Name": "x"}, (400,)),
        ({"X-Control": "a\x01b"}, (200, 400)),
    ],
    ids=["large", "many", "space", "control"],
)
def test_headers(shop, headers, statuses):
    assert once(shop.port, request("GET", "/hello", headers)).status in statuses


@pytest.mark.one_process
def test_long_target(shop):
    assert once(shop.port, request("GET", "/api/products?q=" + "x" * 200_000)).status in (414, 431)


@pytest.mark.parametrize(
    "path",
    [
        "/api/products/%00",
        "/api/products/%ff%fe",
        "/api/products/..%2f..%2fetc",
        "/../../etc/passwd",
        "/%",
    ],
)
def test_odd_path(shop, path):
    answer = once(shop.port, request("GET", path))
    assert answer.status in (400, 404, 422), answer.body[:200]
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ff", 'q="', "q=*", "q=a%20AND%20(", "q=" + "a%20" * 500, "q=%F0%9F%A7%A6", "q="]
)
def test_odd_search(shop, query):
    answer = shop.http.get(f"/api/products?{query}")
    assert answer.status_code in (200, 400, 422), answer.text


def test_shop_goes_on(shop):
    assert shop.http.get("/ready").status_code == 200
