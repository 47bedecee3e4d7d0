"""`souk load` as a person runs it: against a shop, and against servers that behave badly."""

import asyncio
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from shop import souk

# Whoever measures a server needs the time to ask it.
pytestmark = pytest.mark.alone

# Patient where the machine is busy: nothing here is about how fast it is.
PATIENT = ["--timeout", "60s"]


def load(*arguments, check=True, **environment) -> tuple[dict, subprocess.CompletedProcess]:
    """What it found, and how it ended."""
    result = souk("load", *arguments, "--json", "-", check=check, **environment)
    return json.loads(result.stdout) if result.stdout.startswith("{") else {}, result


def is_whole(found: dict) -> bool:
    """Every visit that began came to one end, and every request to a status or a failure."""
    visits, total = found["visits"], found["total"]
    ends = visits["finished"] + visits["failed"] + visits["dropped"] + visits["unfinished"]
    answers = sum(total["statuses"].values()) + sum(total["failures"].values())
    return visits["begun"] == ends and total["requests"] == answers


class Peer:
    """A server on a thread of its own that answers each request with what `answer` says."""

    def __init__(self, answer: Callable[[str], bytes], encryption: ssl.SSLContext | None = None):
        self.answer, self.requests, self.encryption = answer, [], encryption
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,))
        self.thread.start()
        started.wait()
        self.url = f"{'https' if encryption else 'http'}://127.0.0.1:{self.port}/"

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.encryption))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                if length := re.search(r"Content-Length: (\d+)", request):
                    request += (await reader.readexactly(int(length[1]))).decode()
                self.requests.append(request)
                writer.write(self.answer(request))
        except (OSError, EOFError, asyncio.CancelledError):
            writer.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def peer():
    peers = []

    def make(answer: Callable[[str], bytes], encryption: ssl.SSLContext | None = None) -> Peer:
        peers.append(Peer(answer, encryption))
        return peers[-1]

    yield make
    for made in peers:
        made.close()


def ok(*_) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def passed_on(answer: httpx.Response) -> bytes:
    head = f"HTTP/1.1 {answer.status_code} Said\r\nContent-Length: {len(answer.content)}\r\n\r\n"
    return head.encode() + answer.content


def test_the_spike_of_ab(shop):
    found, result = load(shop.url + "/", "--spike", *PATIENT)
    assert found["total"]["statuses"] == {"200": 10_000}
    assert found["generator"]["connections"] == 100
    assert is_whole(found), result.stderr


def test_shoppers_and_the_audit(new_shop, tmp_path):
    shop = new_shop().fill(products=100).start()
    told, page = tmp_path / "told.jsonl", tmp_path / "load.html"
    mix = "browse=20,search=10,product=10,cart=10,checkout=48,account=2"
    found, _ = load(
        *(shop.url, "--journey", mix, "--think", "20ms", "--rate", "40", "--duration", "5s", *PATIENT),
        *("--acknowledged", told, "--html", page, "--threshold", "errors==0", "--threshold", "http_5xx==0"),
    )
    assert is_whole(found)
    steps = {step["step"]: step["measures"] for step in found["steps"]}
    assert set(steps) == {"browse", "search", "product", "cart", "checkout", "account"}
    orders = [json.loads(line) for line in told.read_text().splitlines()]
    assert len(orders) == steps["checkout"]["statuses"]["201"] > 50
    assert len({order["idempotency_key"] for order in orders}) == len(orders)
    text = page.read_text()
    assert "<svg" in text
    assert not re.search(r"<script|<link|src=|url\(|@import", text), "the report needs nothing else"
    shop.stop()
    shop.audit("--acknowledged", told)


def test_the_same_seed_asks_for_the_same(shop, peer):
    """Seen from a shop that stands between: what is asked for, by visit."""

    def paths(seed: int) -> list[str]:
        seen = []

        def relay(request: str) -> bytes:
            path = request.split(" ")[1]
            if not path.startswith("/api/products"):
                seen.append(path)
                return ok()
            return passed_on(shop.http.get(path))

        journeys = ("--journey", "search=2,product=1", "--think", "0s", "--connections", "1", "--requests", "40")
        load(peer(relay).url, *journeys, "--seed", str(seed))
        return seen

    assert paths(7) == paths(7) != paths(8)


def test_a_checkout_is_repeated_with_its_key(shop, peer):
    """The first answer to each order is lost, the second a refusal; the third is what the shop says."""
    seen = []

    def relay(request: str) -> bytes:
        path = request.split(" ")[1]
        if path == "/api/orders":
            seen.append(request)
            if len(seen) == 1:
                return b"gone\r\n"
            if len(seen) == 2:
                return b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
            return b"HTTP/1.1 402 Declined\r\nContent-Length: 0\r\n\r\n"
        if path == "/api/carts":
            return passed_on(shop.http.post("/api/carts", json={}))
        return passed_on(shop.http.get(path)) if path.startswith("/api/products") else ok()

    one = ("--journey", "checkout=1", "--think", "0s", "--connections", "1", "--requests", "1")
    found, _ = load(peer(relay).url, *one)
    checkout = next(step["measures"] for step in found["steps"] if step["step"] == "checkout")
    assert len(seen) == 3
    assert len(set(seen)) == 1, "the same key and the same body"
    assert re.search(r"Idempotency-Key: \S+", seen[0])
    assert (checkout["retries"], checkout["refused"], checkout["good"]) == (2, 1, 1)
    assert checkout["failures"] == {"malformed": 1}


def test_thresholds_end_the_run_with_99(peer):
    failing = peer(lambda *_: b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
    found, result = load(failing.url, "--duration", "1h", "--threshold", "http_5xx==0", check=False)
    assert result.returncode == 99
    assert found["thresholds"] == [
        {"threshold": "http_5xx==0", "value": found["thresholds"][0]["value"], "passed": False, "aborted": True}
    ]
    assert found["seconds"] < 600
    kept, result = load(peer(ok).url, "--requests", "100", "--threshold", "errors<0.1%", "--threshold", "p99<60s")
    assert result.returncode == 0
    assert all(verdict["passed"] for verdict in kept["thresholds"])


def test_a_flood_is_measured_in_three_parts(new_shop):
    """How well the shop stood it is for a machine of its own; here, that what is told hangs together."""
    shop = new_shop().fill(products=50).start()
    found, result = load("--flood", "2", "--duration", "3s", shop.url, *PATIENT, check=False)
    assert result.returncode in (0, 99)
    capacity, flood, after = (found[part] for part in ("capacity", "flood", "after"))
    most = capacity["visits"]["finished"] / capacity["seconds"]
    assert capacity["arrivals"] == "closed"
    assert flood["visits"]["begun"] == pytest.approx(2 * most * 3, rel=0.01)
    assert after["visits"]["begun"] == pytest.approx(most / 2 * 20, rel=0.01)
    assert all(is_whole(part) for part in (capacity, flood, after))
    memory = found["memory"]
    assert memory["processes"] == 1
    assert 0 < memory["before"] <= memory["peak"]
    assert found["refused_without_retry_after"] == 0
    assert (result.returncode == 0) == all(verdict["passed"] for verdict in found["thresholds"])


def test_hosts_that_nobody_named_are_left_alone():
    result = souk("load", "http://shop.example/", check=False)
    assert result.returncode == 64
    assert "--allow shop.example" in result.stderr
    assert "SOUK_LOAD_ALLOW" in result.stderr
    # Named, it is only not found: `.invalid` never is.
    listed = {"SOUK_LOAD_ALLOW": "a.invalid,shop.invalid"}
    for options, environment in ((["--allow", "shop.invalid"], {}), ([], listed)):
        result = souk("load", "http://shop.invalid/", *options, check=False, **environment)
        assert result.returncode == 1
        assert "shop.invalid cannot be found" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["ftp://127.0.0.1/"], "https"),
        (["--rate", "5", "--spike"], "--spike"),
        (["--rate", "x"], "--rate"),
        (["--stage", "30s"], "--stage"),
        (["--journey", "buy=1"], "buy"),
        (["--journey", "nothing.json"], "nothing.json"),
        (["--threshold", "p99<500"], "expected a time"),
        (["--trace", "nothing.csv"], "nothing.csv"),
        (["--connections", "0"], "--connections"),
        (["--header", "no colon"], "--header"),
        (["--clients", "some"], "--clients"),
        (["--acknowledged", "told.jsonl"], "--journey"),
        (["--duration", "25h"], "24h"),
        (["--flood", "5", "--rate", "5"], "--flood"),
        (["--flood", "0"], "--flood"),
        (["--flood", "5", "--threshold", "p99<1s"], "--flood"),
        (["--metrics", "http://127.0.0.1/metrics"], "--metrics"),
    ],
)
def test_wrong_usage_is_named(arguments, named):
    result = souk("load", *arguments, check=False)
    assert result.returncode in (1, 64)
    assert named in result.stderr


def test_the_shape_of_the_json(peer):
    found, _ = load(peer(ok).url, "--rate", "200", "--duration", "2s", "--clients", "many", "--header", "X-Drill: yes")
    assert found["arrivals"] == "open"
    assert found["visits"]["begun"] == found["total"]["good"] == 400
    latency = found["total"]["latency"]
    order = ["min", "p50", "p90", "p95", "p99", "p99_9", "p99_99", "max"]
    assert [latency[name] for name in order] == sorted(latency[name] for name in order)
    assert sum(second["requests"] for second in found["series"]) == 400
    assert found["generator"]["lag"]["count"] == 400
    assert [point["percentile"] for point in found["curve"]] == sorted(point["percentile"] for point in found["curve"])


def test_many_clients_are_many_addresses(peer):
    server = peer(ok)
    load(server.url, "--requests", "300", "--clients", "many", "--header", "X-Drill: yes")
    addresses = {re.search(r"X-Forwarded-For: (198\.1[89]\.\d+\.\d+)\r\n", sent)[1] for sent in server.requests}
    assert len(addresses) == len(server.requests) == 300
    assert all("\r\nX-Drill: yes\r\n" in sent for sent in server.requests)


def test_a_trace_is_followed(peer, tmp_path, shared_file):
    trace = tmp_path / "trace.csv"
    trace.write_text("minute,requests\n0,60\n1,0\n2,30\n")
    found, _ = load(peer(ok).url, "--trace", trace, "--speed", "60", "--scale", "2")
    assert found["visits"]["begun"] == 180
    orders = tmp_path / "orders.csv"
    orders.write_text("InvoiceNo,InvoiceDate\n1,2010-12-01 08:00:10\n1,2010-12-01 08:00:20\n2,2010-12-01 08:02:00\n")
    found, _ = load(peer(ok).url, "--trace", orders, "--speed", "60", "--scale", "10")
    assert found["visits"]["begun"] == 20
    real = shared_file("traffic/requests-per-minute-29-days.csv")
    found, _ = load(peer(ok).url, "--trace", real, "--from", "17869", "--speed", "60", "--duration", "1s")
    assert found["visits"]["begun"] == 409, "the busiest minute"


@pytest.fixture
def certificate(tmp_path):
    def make(owner: str) -> tuple[ssl.SSLContext, Path]:
        """Signed by itself: the server's, and the file of who vouches for it."""
        key, file = tmp_path / f"{owner}.key", tmp_path / f"{owner}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", "/CN=shop", "-addext", f"subjectAltName={owner}"]
        subprocess.run([*command, "-keyout", key, "-out", file], check=True, capture_output=True)
        encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        encryption.load_cert_chain(file, key)
        return encryption, file

    return make


@pytest.mark.parametrize(
    ("owner", "name", "stranger"),
    [("DNS:localhost", "localhost", "127.0.0.1"), ("IP:127.0.0.1", "127.0.0.1", None)],
)
def test_over_https_a_shop_has_to_prove_who_it_is(peer, certificate, owner, name, stranger):
    encryption, file = certificate(owner)
    url = peer(ok, encryption).url.replace("127.0.0.1", name)
    found, _ = load(url, "--requests", 50, "--ca", file)
    assert found["total"]["statuses"] == {"200": 50}
    assert found["target"] == url

    def refusal(*arguments) -> str:
        _, result = load(*arguments, "--timeout", "2s", check=False)
        assert result.returncode == 1
        return result.stderr

    assert "does not prove who it is" in refusal(url), "nobody trusts that certificate"
    if stranger:
        assert "does not prove who it is" in refusal(url.replace(name, stranger), "--ca", file)
    assert "does not speak TLS" in refusal(peer(ok).url.replace("http:", "https:"))
    assert "missing.pem" in refusal(url, "--ca", file.with_name("missing.pem"))


def test_a_stall_is_seen_by_arrivals_on_time_and_hidden_where_visitors_wait(peer):
    """A server that answers at once, and for one second not at all."""

    def stalling() -> Peer:
        began = None
        stalled = False

        def answer(_) -> bytes:
            nonlocal began, stalled
            now = asyncio.get_running_loop().time()
            began = began or now
            if not stalled and now > began + 1:
                stalled = True
                threading.Event().wait(1)
            return ok()

        return peer(answer)

    found, _ = load(stalling().url, "--rate", "200", "--duration", "5s")
    seen = found["total"]["latency"]
    # A fifth of all visitors came while nothing moved: the worst one in a thousand waited for nearly all of it.
    assert seen["p99_9"] >= 900
    assert seen["p90"] >= 300
    # Two visitors who wait for their answers meet the stall once each, among thousands of quick answers: as `ab` has
    # it. wrk adds the waits that it guesses others would have had, and is compared in docs/load.md.
    found, _ = load(stalling().url, "--connections", "2", "--duration", "5s")
    hidden = found["total"]["latency"]
    assert hidden["max"] >= 900
    assert hidden["p99_9"] < seen["p99_9"] / 2
