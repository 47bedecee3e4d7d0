"""A copy that follows a shop on PostgreSQL, the server's loss under load, and the server again from the copy."""

import datetime
import json
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import postgres
import pytest
from backing_up import SKUS, Buyers, Place, acknowledged
from shop import order_for, write_catalogue

pytestmark = pytest.mark.skipif(not postgres.PROGRAMS, reason=postgres.MISSING)


class Follower:
    """`souk backup follow`, and what it tells."""

    def __init__(self, shop, vault: str):
        command = shop.command("backup", "follow", "--to", vault, "--json", "--interval", "200ms")
        self.log = (shop.folder / "follow.log").open("ab")
        self.process = subprocess.Popen(
            command, env=shop.environment, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.events, self.grown = [], threading.Condition()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        for line in self.process.stdout:
            with self.grown:
                self.events.append(json.loads(line))
                self.grown.notify_all()

    def wait_for(self, what) -> dict:
        """The first event that is so."""
        with self.grown:
            assert self.grown.wait_for(lambda: any(map(what, self.events)), 120), self.events[-3:]
            return next(filter(what, self.events))

    def cut(self) -> str:
        """Up to when it reaches: all that was acknowledged by now."""
        now = time.time()
        return self.wait_for(lambda event: event["event"] == "cut" and seconds(event["until"]) >= now)["until"]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.thread.join()
        self.log.close()
        return code


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture
def server():
    with postgres.serving() as server:
        yield server


@pytest.fixture
def shop(server, tmp_path):
    rows = [{"handle": sku.lower(), "sku": sku, "stock": 1_000_000, "price": "7.50"} for sku in SKUS]
    place = Place("postgres", tmp_path, server)
    yield place.shop().stocked(write_catalogue(tmp_path / "lamps.csv", rows)).start()
    place.close()


def lose(server: postgres.Postgres) -> Path:
    """kill -9, and its folder is gone: where it was."""
    data = server.folder / "data"
    server.process.kill()
    server.process.wait(60)
    while data.exists():  # its other processes end by themselves, and may write until then
        shutil.rmtree(data, ignore_errors=True)
    return data


def restore(shop, server, vault: str, data: Path, until: str) -> dict:
    arguments = ["restore", "--from", vault, "--until", until, "--into", data, "--json"]
    if server.prefix:
        arguments += ["--owner", "postgres"]
    found = json.loads(shop.run(*arguments).stdout)
    server.start()
    return found


def test_a_lost_server_is_back_with_all_that_was_acknowledged(shop, server, tmp_path):
    vault = f"file:{tmp_path}/vault"
    follower = Follower(shop, vault)
    base = follower.wait_for(lambda event: event["event"] == "base")
    with Buyers(shop) as buyers:
        early = buyers.wait_for(50)
        middle = follower.cut()
        # It is killed itself, and goes on where it was.
        follower.process.kill()
        follower.stop()
        follower = Follower(shop, vault)
        follower.wait_for(lambda event: event["event"] == "resumed")
        before = buyers.wait_for(100)
        last = follower.cut()
        buyers.wait_for(20)
        data = lose(server)
        buyers.is_over = True
    shop.kill()
    assert follower.stop() == 0

    found = restore(shop, server, vault, data, "latest")
    assert (found["generation"], found["engine"]) == (base["generation"], "postgres")
    assert seconds(found["until"]) >= seconds(last)
    shop.audit("--acknowledged", acknowledged(before, tmp_path / "told.jsonl"))
    shop.start()
    new = shop.order(order_for(SKUS[0]))
    assert new.status_code == 201, new.text
    shop.stop()

    lose(server)
    found = restore(shop, server, vault, data, middle)
    assert found["until"] == middle
    shop.audit("--acknowledged", acknowledged(early, tmp_path / "early.jsonl"))
    later = before[-1]["order"]["id"]
    assert server.ask(f"SELECT count(*) FROM orders.orders WHERE id = '{later}'", shop.database) == "0"


def test_what_cannot_be_is_told(shop, server, tmp_path):
    vault = f"file:{tmp_path}/vault"
    said = shop.refuses("restore", "--from", vault, "--until", "yesterday", "--into", tmp_path / "new", code=64)
    assert "expected a time such as" in said
    assert "--into is missing" in shop.refuses("restore", "--from", vault, "--until", "latest", code=64)
    said = shop.refuses("restore", "--from", vault, "--until", "latest", "--into", tmp_path / "new")
    assert "no complete continuous copy" in said
    said = shop.refuses("backup", "follow", "--to", vault, "--interval", "2h", code=64)
    assert "expected 10ms to 30s" in said
    server.ask("CREATE ROLE clerk LOGIN")
    url = shop.settings["SOUK_DATABASE"].replace("souk@", "clerk@")
    assert "REPLICATION" in shop.refuses("backup", "follow", "--to", vault, SOUK_DATABASE=url)
    follower = Follower(shop, vault)
    follower.cut()
    assert follower.stop() == 0
    assert "is not empty" in shop.refuses("restore", "--from", vault, "--until", "latest", "--into", tmp_path)
