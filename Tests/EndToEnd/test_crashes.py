"""kill -9 in the middle of the work, again and again: nothing acknowledged is lost, nothing is done twice.

SOUK_CRASHES sets how often (8 by default); SOUK_SEED repeats a run's moments.
"""

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from past_orders import made_up, sales_report, start_replay
from shop import Shop, eventually, order_for, write_catalogue

CRASHES = int(os.environ.get("SOUK_CRASHES", "8"))
SEED = int(os.environ.get("SOUK_SEED", random.randrange(1_000_000)))
BUYERS = 200
SKUS = [f"CRASH-{number}" for number in range(20)]
# Most are approved; some take every other way through the saga.
TOKENS = ["tok_approved"] * 8 + ["tok_declined", "tok_twice"]


class Acknowledged:
    """What clients were told: one JSON object a line."""

    def __init__(self, file: Path):
        self.file, self.lock, self.orders = file, threading.Lock(), 0
        self.grown = threading.Condition(self.lock)

    def add(self, key: str, order: dict) -> None:
        line = {"order": order["id"], "idempotency_key": key, "total": order["total"]}
        with self.grown, self.file.open("a") as out:
            out.write(json.dumps(line) + "\n")
            self.orders += 1
            self.grown.notify_all()

    def wait_for(self, orders: int) -> None:
        with self.grown:
            assert self.grown.wait_for(lambda: self.orders >= orders, 60), f"{self.orders} of {orders} acknowledged"


def buy(shop: Shop, key: str, body: dict, acknowledged: Acknowledged) -> int:
    """Asks with the same key until there is an answer, as a client that lost its connection does."""
    client = shop.client()

    def ask() -> httpx.Response | None:
        answer = shop.order(body, key, client)
        is_running = answer.status_code == 409 and "idempotency-key-in-use" in answer.text
        return None if is_running or answer.status_code in (429, 503) else answer

    answer = eventually(ask, "the shop came back and answered", 60)
    if answer.status_code == 201:
        acknowledged.add(key, answer.json())
    return answer.status_code


@pytest.fixture
def stocked(new_shop, tmp_path):
    rows = [{"handle": sku.lower(), "sku": sku, "stock": 1_000_000, "price": "7.50"} for sku in SKUS]
    return new_shop().fill(catalogue=write_catalogue(tmp_path / "stock.csv", rows))


def test_checkouts_survive(stocked, tmp_path):
    chance, acknowledged = random.Random(SEED), Acknowledged(tmp_path / "acknowledged.jsonl")
    print(f"SOUK_SEED={SEED}")
    for crash in range(CRASHES):
        stocked.start()
        before = acknowledged.orders
        with ThreadPoolExecutor(BUYERS) as buyers:
            answers = []
            for number in range(BUYERS):
                body = order_for(chance.choice(SKUS), chance.randint(1, 3), payment={"token": chance.choice(TOKENS)})
                body["lines"] += [{"sku": sku, "quantity": 1} for sku in SKUS[:2] if sku != body["lines"][0]["sku"]]
                answers.append(buyers.submit(buy, stocked, f"crash-{crash}-{number}", body, acknowledged))
            acknowledged.wait_for(before + chance.randrange(BUYERS // 2))
            time.sleep(chance.random() * 0.03)  # not for order: so that the moment falls anywhere in a saga
            stocked.kill()
            stocked.start()
            statuses = [answer.result() for answer in answers]
        assert set(statuses) <= {201, 402}
        stocked.stop()
        stocked.audit("--acknowledged", acknowledged.file)
    check_stock(stocked)


def check_stock(shop: Shop) -> None:
    """What is gone is what was sold."""
    shop.start()
    gone = sum(1_000_000 - shop.available(sku) for sku in SKUS)
    assert gone == sales_report(shop)["pieces"] > 0
    shop.stop()


def test_replay_survives(new_shop, tmp_path):
    """The shop dies again and again under one replay, which goes on with the same keys when the shop is back.

    Half as often as under checkouts: each time it waits for the leases of the orders that were on their way.
    """
    chance, told = random.Random(SEED), tmp_path / "acknowledged.jsonl"
    print(f"SOUK_SEED={SEED}")
    past = made_up(tmp_path, chance, orders=max(1_000, 75 * CRASHES))
    shop = new_shop().fill(catalogue=past.catalogue).start()
    told.touch()
    process = start_replay(shop, past.file, told)
    for moment in sorted(chance.sample(range(past.orders - 100), max(2, CRASHES // 2))):
        eventually(lambda moment=moment: told.read_bytes().count(b"\n") >= moment, f"{moment} orders", 120)
        shop.kill()
        shop.start()
    assert process.wait(300) == 0, "the replay finishes"

    report = sales_report(shop)
    assert (report["orders"], report["lines"]) == (past.orders, past.lines)
    assert report["revenue"] == [{"amount": past.revenue, "currency": "GBP"}]
    shop.stop()
    shop.audit("--acknowledged", told)
