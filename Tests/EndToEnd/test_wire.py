"""HTTP/1.1 on the wire: pipelining, slowness, halves and lies."""

import json

import pytest
from shop import eventually
from wire import Wire, once, request

GET = request("GET", "/api/products/ample-lamp")


def test_pipelined_requests_are_answered_in_order(shop):
    paths = ["/hello", "/api/products/ample-lamp", "/version", "/api/products/none", "/greet?name=Ada"] * 4
    with Wire(shop.port) as wire:
        wire.send(b"".join(request("GET", path) for path in paths))
        answers = [wire.answer() for _ in paths]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200] * 4
    assert answers[1].body == answers[6].body
    assert b"Ada" in answers[4].body


def test_request_may_arrive_byte_by_byte(shop):
    with Wire(shop.port) as wire:
        for index in range(len(GET)):
            wire.send(GET[index : index + 1])
        assert wire.answer().status == 200


def test_connection_serves_many_requests(shop):
    with Wire(shop.port) as wire:
        for _ in range(200):
            wire.send(GET)
            assert wire.answer().status == 200


def test_connection_close_is_kept(shop):
    with Wire(shop.port) as wire:
        wire.send(request("GET", "/api/products/ample-lamp", {"Connection": "close"}))
        assert wire.answer().status == 200
        assert wire.is_closed()


def test_http_1_0_closes(shop):
    with Wire(shop.port) as wire:
        wire.send(b"GET /hello HTTP/1.0\r\nHost: a\r\n\r\n")
        assert wire.answer().status == 200
        assert wire.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["TLS", "nonsense", "version", "no target"],
)
def test_what_is_not_http_is_refused(shop, data):
    with Wire(shop.port) as wire:
        wire.send(data)
        wire.half_close()
        head = wire.file.read()
    assert head == b"" or head.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505", b"HTTP/1.0 4"))


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: five\r\n",
        "Transfer-Encoding: gzip, odd\r\n",
    ],
)
def test_ambiguous_length_is_never_guessed(shop, headers):
    """Two readings of where a request ends are a smuggled request."""
    data = f"POST /api/carts HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode() + b"hello" + GET
    with Wire(shop.port) as wire:
        wire.send(data)
        answer = wire.answer("POST")
        assert 400 <= answer.status < 502
        assert answer.status != 500
        assert wire.is_closed()


def test_half_a_request_leaves_nothing(shop):
    before = shop.available("AMPLE-0")
    body = request("POST", "/api/orders", {"Content-Type": "application/json", "Content-Length": "500"}, b'{"lines": [')
    with Wire(shop.port) as wire:
        wire.send(body)
        wire.half_close()
        wire.file.read()
    assert shop.available("AMPLE-0") == before


def test_body_longer_than_declared_is_the_next_request(shop):
    fields = {"Content-Length": "2", "Content-Type": "application/json"}
    with Wire(shop.port) as wire:
        wire.send(request("POST", "/api/carts", fields, b"{}GARBAGE\r\n\r\n"))
        assert wire.answer("POST").status in (200, 201)
        assert wire.answer().status == 400


def test_slow_header_sender_is_let_go(new_shop):
    shop = new_shop(SOUK_HEADER_TIMEOUT="1s").start()
    with Wire(shop.port) as wire:
        wire.send(b"GET /hello HTTP/1.1\r\nHost:")
        first = wire.file.readline()
        assert first == b"" or b" 408 " in first


def test_chunked_body_is_read(shop):
    head = request("POST", "/api/carts", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    with Wire(shop.port) as wire:
        wire.send(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        assert wire.answer("POST").status in (200, 201)


def test_expected_continue_is_said(shop):
    fields = {"Content-Type": "application/json", "Content-Length": "2", "Expect": "100-continue"}
    with Wire(shop.port) as wire:
        wire.send(request("POST", "/api/carts", fields))
        assert b" 100 " in wire.file.readline()
        wire.file.readline()
        wire.send(b"{}")
        assert wire.answer("POST").status in (200, 201)


@pytest.mark.parametrize("path", ["/api/products/ample-lamp", "/products/ample-lamp", "/hello"])
def test_head_is_get_without_the_body(shop, path):
    get, head = once(shop.port, request("GET", path)), once(shop.port, request("HEAD", path), "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert head.headers[name] == get.headers[name], name


def test_options_names_the_methods(shop):
    answer = once(shop.port, request("OPTIONS", "/api/products"), "OPTIONS")
    assert answer.status in (200, 204)
    assert "GET" in answer.headers["allow"]


def test_range_of_an_answer_is_whole_or_right(shop):
    whole = once(shop.port, GET)
    part = once(shop.port, request("GET", "/api/products/ample-lamp", {"Range": "bytes=0-9"}))
    assert (part.status, part.body) in [(200, whole.body), (206, whole.body[:10])]


def test_gzip_is_the_same_answer(shop):
    plain = shop.http.get("/products/ample-lamp", headers={"Accept-Encoding": "identity"})
    packed = shop.http.get("/products/ample-lamp", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert packed.headers["etag"] != plain.headers["etag"] or packed.headers["etag"].startswith("W/")


def test_one_client_has_its_share(new_shop):
    """Past its bucket a client is told when to come again; another one is served."""
    # This machine stands in for a proxy: it alone is not limited.
    shop = new_shop(SOUK_CLIENT_RATE="5", SOUK_CLIENT_BURST="5", SOUK_TRUSTED_PROXIES="127.0.0.1").start()

    def ask(client: str, number: int):
        return shop.http.get(f"/api/products?limit=1&q=word{number}", headers={"X-Forwarded-For": client})

    refused = [answer for answer in (ask("203.0.113.7", number) for number in range(40)) if answer.status_code == 429]
    assert refused
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["type"] == "/problems/too-many-requests"
    assert ask("203.0.113.8", 0).status_code == 200
    assert shop.http.get("/alive").status_code == 200


def test_drain_finishes_what_is_in_flight(new_shop):
    shop = new_shop().start()
    fields = {"Content-Type": "application/json", "Content-Length": "2", "Expect": "100-continue"}
    with Wire(shop.port) as wire:
        wire.send(request("POST", "/api/carts", fields))
        assert b" 100 " in wire.file.readline(), "the request has begun"
        wire.file.readline()
        shop.process.terminate()
        wire.send(b"{}")
        answer = wire.answer("POST")
        assert answer.status in (200, 201)
        assert json.loads(answer.body)["id"].startswith("cart_")
    eventually(lambda: shop.process.poll() is not None, "serve ends after the drain")
    assert shop.process.returncode == 0, shop.log()
    shop.process = None
