"""The shop with its cache and events in Redis, and with Redis gone in the middle."""

import shutil
import subprocess
import time
import uuid

import httpx
import pytest
from shop import TLS, eventually, free_port, order_for, souk, write_catalogue

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs Debian's redis-server")

PASSWORD = "opensesame"


class Redis:
    """A server that forgets everything when it ends."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        folder.mkdir()

    def start(self) -> "Redis":
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--requirepass", PASSWORD, "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(lambda: "PONG" in self.tell("PING"), "Redis answers")
        return self

    def tell(self, *command: str) -> str:
        line = ["redis-cli", "-p", str(self.port), "-a", PASSWORD, "--no-auth-warning", *command]
        return subprocess.run(line, capture_output=True, text=True, timeout=10).stdout

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis").start()
    yield server
    server.kill()


@pytest.fixture
def shared_shop(new_shop, redis, tmp_path):
    shop = new_shop(SOUK_CACHE=redis.url, SOUK_EVENTS=redis.url)
    rows = [{"handle": "lamp", "sku": "LAMP", "stock": 1_000, "price": "19.99"}]
    return shop.fill(catalogue=write_catalogue(tmp_path / "lamps.csv", rows)).start()


def buy(shop, count: int) -> list[str]:
    answers = [shop.order(order_for("LAMP")) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    return [answer.json()["id"] for answer in answers]


def everything_is_done(shop, orders: list[str]) -> None:
    """Each order is captured, and its letter is there once."""
    staff = shop.staff()
    for order in orders:
        eventually(
            lambda order=order: staff.get(f"/api/orders/{order}").json()["payment_status"] == "captured",
            f"{order} is captured:\n{shop.log()}",
            within=60,
        )
    eventually(lambda: len(letters(shop)) >= len(orders), f"the letters are written:\n{shop.log()}", within=60)
    assert len(letters(shop)) == len(orders)


def letters(shop) -> list:
    return [file for file in (shop.data / "mail").rglob("*.eml") if b"order.confirmed" in file.read_bytes()]


def test_orders_are_settled_through_redis(shared_shop):
    orders = buy(shared_shop, 20)
    everything_is_done(shared_shop, orders)
    shared_shop.stop()
    shared_shop.audit()


@pytest.mark.parametrize("mishap", ["kill", "flush"])
def test_the_shop_sells_whatever_becomes_of_redis(shared_shop, redis, mishap):
    orders = buy(shared_shop, 10)
    if mishap == "kill":
        redis.kill()
    else:
        redis.tell("FLUSHALL")
    orders += buy(shared_shop, 10)
    assert shared_shop.http.get("/ready").status_code == 200
    assert shared_shop.register().get("/api/users/me").status_code == 200
    if mishap == "kill":
        redis.start()
    orders += buy(shared_shop, 10)
    everything_is_done(shared_shop, orders)
    shared_shop.stop()
    shared_shop.audit()


def test_a_killed_shop_goes_on_where_it_was(shared_shop):
    orders = buy(shared_shop, 30)
    shared_shop.kill()
    shared_shop.start()
    everything_is_done(shared_shop, orders)
    shared_shop.stop()
    shared_shop.audit()


def test_one_client_has_one_limit_in_all_processes(new_shop, redis):
    limits = {"SOUK_CLIENT_RATE": "1", "SOUK_CLIENT_BURST": "20"}
    shops = [new_shop(name, SOUK_CACHE=redis.url, **limits).start() for name in ("one", "two")]
    redis.tell("FLUSHALL")
    began, answers = time.monotonic(), []
    with httpx.Client(verify=TLS, trust_env=False) as client:
        for number in range(60):
            answers.append(client.get(f"{shops[number % 2].url}/api/categories?n={uuid.uuid4().hex}").status_code)
    allowed = len(answers) - answers.count(429)
    assert 20 <= allowed <= 21 + (time.monotonic() - began), answers


def test_a_wrong_url_is_named_and_its_password_is_not(tmp_path):
    for setting in ("SOUK_CACHE", "SOUK_EVENTS"):
        for url in ("redis://:hidden@localhost:99999", "redis://:hidden@localhost/x", "rediss://:hidden@localhost"):
            result = souk("config", "--data", tmp_path, check=False, **{setting: url})
            text = result.stdout + result.stderr
            assert result.returncode == 64, text
            assert setting in text
            assert "hidden" not in text
        shown = souk("config", "--data", tmp_path, **{setting: "redis://:hidden@localhost:6379/1"}).stdout
        assert "redis://…@localhost:6379/1" in shown
        assert "hidden" not in shown
