"""A shop on files that is followed while it sells, its loss, and the shop again as it was at a moment."""

import json
import signal
import subprocess
import threading
from datetime import datetime

import pytest
from backing_up import SKUS, Buyers, Place, acknowledged
from shop import eventually, write_catalogue


class Follower:
    """`souk backup follow`, and what it has told."""

    def __init__(self, shop, to: str, *arguments: str):
        self.events: list[dict] = []
        command = shop.command("backup", "follow", "--to", to, "--interval", "200ms", "--json", *arguments)
        self.errors = (shop.folder / "follow.log").open("a+")
        self.process = subprocess.Popen(
            command, env=shop.environment, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def told(self, event: str) -> list[dict]:
        return [each for each in list(self.events) if each["event"] == event]

    def wait_for_base(self) -> dict:
        return eventually(lambda: self.is_running() and self.told("base"), "the base is complete", 60)[0]

    def wait_for_cut(self) -> str:
        """The time of one that was begun after this was asked."""
        count = len(self.told("cut"))
        return eventually(lambda: self.is_running() and self.told("cut")[count + 1 :], "another cut", 30)[0]["until"]

    def is_running(self) -> bool:
        assert self.process.poll() is None, self.complaints()
        return True

    def complaints(self) -> str:
        self.errors.seek(0)
        return self.errors.read()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.reader.join()
        self.process.stdout.close()
        return code


@pytest.fixture
def files(tmp_path):
    place = Place("sqlite", tmp_path, None)
    yield place
    place.close()


@pytest.fixture
def shop(files, tmp_path):
    rows = [{"handle": sku.lower(), "sku": sku, "stock": 1_000_000, "price": "7.50"} for sku in SKUS]
    return files.shop().stocked(write_catalogue(tmp_path / "lamps.csv", rows)).start()


@pytest.fixture
def vault(tmp_path) -> str:
    return f"file:{tmp_path}/vault"


@pytest.fixture
def follow(vault):
    made = []

    def begin(shop, *arguments) -> Follower:
        made.append(Follower(shop, vault, *arguments))
        return made[-1]

    yield begin
    for follower in made:
        if follower.process.poll() is None:
            follower.end()


def orders(shop) -> int:
    checks = json.loads(shop.run("audit", "--json").stdout)
    return next(check["checked"] for check in checks if check["name"] == "orders.paid-once")


def test_a_lost_shop_is_back_as_it_was(files, shop, vault, follow, tmp_path):
    follower = follow(shop)
    follower.wait_for_base()
    with Buyers(shop) as buyers:
        early = buyers.wait_for(40)
        moment = follower.wait_for_cut()
        late = buyers.wait_for(150)
        follower.wait_for_cut()
        buyers.wait_for(20)
        assert not buyers.failures
        # Both at once, amidst all of it.
        follower.process.kill()
        shop.kill()
    follower.end()
    shop.destroy()

    again = files.shop()
    restored = again.restore(vault, "--until", "latest")
    # One may have been stored that was not told any more.
    assert restored["until"] >= follower.told("cut")[-1]["until"]
    assert all(check["violationCount"] == 0 for check in restored["audit"])
    again.audit("--acknowledged", acknowledged(late, tmp_path / "late.jsonl"))
    again.start()
    assert again.order(late[0]["body"], late[0]["key"]).headers["idempotency-replayed"] == "true"
    again.stop()

    before = files.shop()
    restored = before.restore(vault, "--until", moment)
    assert restored["until"] == moment
    before.audit("--acknowledged", acknowledged(early, tmp_path / "early.jsonl"))
    assert len(early) <= orders(before) < orders(again)


def test_stopped_it_takes_a_last_cut(files, shop, vault, follow, tmp_path):
    follower = follow(shop, "--keep", "1d")
    follower.wait_for_base()
    with Buyers(shop, 2) as buyers:
        told = buyers.wait_for(5)
    assert follower.end(signal.SIGTERM) == 0, follower.complaints()
    shop.stop()
    listed = json.loads(shop.run("backup", "list", "--from", vault, "--json").stdout)
    assert [(each["engine"], each["until"]) for each in listed] == [("sqlite", follower.told("cut")[-1]["until"])]
    shop.run("backup", "verify", "--from", vault, "--until", "latest")
    assert "the shop is not empty" in shop.refuses("restore", "--from", vault, "--until", "latest")
    shop.restore(vault, "--until", "latest", "--replace")
    shop.audit("--acknowledged", acknowledged(told, tmp_path / "told.jsonl"))
    shop.start().stop()


def test_killed_and_begun_again(files, shop, vault, follow, tmp_path):
    """Whenever it is killed, what is in the store can be restored."""
    with Buyers(shop, 4) as buyers:
        for _ in range(4):
            follower = follow(shop)
            follower.wait_for_base()
            told = buyers.wait_for(10)
            until = follower.wait_for_cut()
            follower.end()
    again = files.shop()
    assert again.restore(vault, "--until", "latest")["until"] >= until
    again.audit("--acknowledged", acknowledged(told, tmp_path / "told.jsonl"))


def test_a_store_that_is_away(files, shop, vault, follow, tmp_path):
    follower = follow(shop)
    follower.wait_for_base()
    cuts = next((tmp_path / "vault/log").glob("*/cuts"))
    away = cuts.with_name("away")
    with Buyers(shop, 4) as buyers:
        buyers.wait_for(10)
        # A file where the folder was: nothing can be written there.
        cuts.rename(away)
        cuts.write_text("")
        told = buyers.wait_for(40)
        eventually(lambda: "trying again" in follower.complaints(), "it says so")
        cuts.unlink()
        away.rename(cuts)
        told = buyers.wait_for(10)
        follower.wait_for_cut()
    follower.end()
    again = files.shop()
    again.restore(vault, "--until", "latest")
    again.audit("--acknowledged", acknowledged(told, tmp_path / "told.jsonl"))


def test_a_cut_that_is_missing_is_named(files, shop, vault, follow, tmp_path):
    follower = follow(shop)
    follower.wait_for_base()
    for _ in range(4):
        shop.http.post("/api/carts")
        follower.wait_for_cut()
    follower.end(signal.SIGTERM)
    objects = sorted((tmp_path / "vault/log").glob("*/cuts/*"))
    objects[1].unlink()
    again = files.shop()
    said = again.refuses("restore", "--from", vault, "--until", "latest")
    assert "cuts/000000002 is missing" in said
    until = said.rpartition("--until ")[2].split()[0]
    assert again.restore(vault, "--until", until)["until"] == until
    assert "goes back to" in files.shop().refuses("restore", "--from", vault, "--until", "2020-01-01T00:00:00Z")


def test_wrong_flags_are_named(shop, vault):
    for flag, value in [("--interval", "soon"), ("--interval", "1us"), ("--base-every", "1s"), ("--keep", "7 days")]:
        assert flag in shop.refuses("backup", "follow", "--to", vault, flag, value, code=64)
    assert "--until" in shop.refuses("restore", "--from", vault, "--until", "yesterday", code=64)


def test_nothing_new_is_told_too(shop, vault, follow):
    """How far the copy reaches is what is stored: a shop where nobody buys has a cut every five seconds."""
    follower = follow(shop)
    follower.wait_for_base()
    first, second = follower.wait_for_cut(), follower.wait_for_cut()
    assert (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds() < 60
