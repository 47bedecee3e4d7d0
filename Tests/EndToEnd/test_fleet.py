"""Seven roles on servers, with two replicas each: the whole works as one shop, whoever answers. What drills show of
it is in test_runbook_drills.py."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fleet_shop import FLEET, FleetShop
from past_orders import described, replay, sales_report, sampled
from shop import eventually, order_for, write_catalogue
from test_import import CATALOGUES
from test_overselling import sell_out

ROLES = ["storefront", "orders", "notifications", "products", "payments", "users", "auth"]


def test_every_process_is_ready(shop):
    processes = {each["name"]: each for each in shop.status()["processes"]}
    assert {f"{role}-{number}" for role in ROLES for number in (1, 2)} < processes.keys()
    for each in processes.values():
        assert each["ready"], each
        assert each["restarts"] == 0, each
        assert set(each["balancer"].values()) <= {"UP"}, each


class TestFrontDoor:
    @pytest.mark.parametrize(
        ("path", "status"),
        {
            "/": 200,
            "/openapi.json": 200,
            "/api/products?limit=1": 200,
            "/api/categories": 200,
            "/api/inventory/AMPLE-0": 200,
            "/api/shipping-methods": 200,
            "/api/reports/sales": 401,
            "/api/users/me": 401,
            "/.well-known/jwks.json": 200,
            "/api/payments/unknown": 401,
            "/api/notifications": 401,
            "/api/webhooks": 401,
        }.items(),
    )
    def test_finds_whoever_serves_the_path(self, shop, path, status):
        assert shop.http.get(path).status_code == status

    @pytest.mark.parametrize("path", ["/internal/payments", "//internal/quotes", "/%69nternal/users/verify"])
    def test_is_closed_to_what_roles_ask_each_other(self, shop, path):
        answer = httpx.post(shop.url + path, json={})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/not-found"

    def test_says_who_asks(self, shop):
        """Replicas trust what the balancer says of the client, and no client's own word of it."""
        answer = shop.http.get("/api/products?limit=1", headers={"X-Forwarded-For": "not an address"})
        assert answer.status_code == 200


def test_a_change_is_seen_by_every_replica(shop, staff):
    ports = [each["port"] for each in shop.status()["processes"] if "products" in each["roles"]]

    def available(port: int) -> int:
        return httpx.get(f"http://127.0.0.1:{port}/api/products/ample-lamp").json()["variants"][0]["available"]

    before = {available(port) for port in ports}
    assert len(before) == 1, "each has a copy now"
    answer = staff.post("/api/inventory/AMPLE-0/adjustments", json={"quantity": -1, "reason": "broken"})
    assert answer.status_code == 201, answer.text
    for port in ports:
        eventually(lambda port=port: available(port) == before.copy().pop() - 1, f"{port} shows it")


def test_an_order_is_captured_and_its_letter_is_sent_once(shop, staff):
    answer = shop.order(order_for("AMPLE-1"))
    assert answer.status_code == 201, answer.text
    order = answer.json()["id"]
    eventually(lambda: staff.get(f"/api/orders/{order}").json()["payment_status"] == "captured", "captured", 60)
    number = answer.json()["number"]

    def letters() -> list[Path]:
        mail = Path(shop.facts()["mail"])
        return [file for file in mail.rglob("*.eml") if re.search(rf"\b{number}\b", file.read_text(errors="replace"))]

    eventually(lambda: len(letters()) == 1, "the letter is there", 60)


def test_pictures_come_from_the_object_store(shop):
    pictures = set(re.findall(r'src="(/images/[^"]+)"', shop.http.get("/").text))
    assert pictures
    for path in sorted(pictures)[:5]:
        answer = shop.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml"), path


@pytest.mark.parametrize("name", [name for name in CATALOGUES if name.startswith("shopify")])
def test_import(shop, shared_file, name):
    file = shared_file(f"catalog/{name}")
    before = shop.http.get("/api/products?limit=1").json()["total"]
    first = json.loads(shop.run("souk", "import", file, "--json"))
    assert first["created"] == CATALOGUES[name].products
    again = json.loads(shop.run("souk", "import", file, "--json"))
    assert (again["created"], again["updated"]) == (0, 0)
    # Drafts are not in the shop.
    eventually(lambda: shop.http.get("/api/products?limit=1&sort=title").json()["total"] > before, "they are shown")


def test_real_orders(shop, shared_file, tmp_path):
    """A tenth of what test_real_orders.py places, the largest among them: the same lines and pence by seven roles."""
    past = described(sampled(shared_file("orders/online-retail-2010-12_2011-06.csv"), tmp_path, every=10), tmp_path)
    assert past.orders > 900
    shop.fill(catalogue=past.catalogue)
    before = sales_report(shop)
    first = replay(shop, past.file)
    assert (first["placed"], first["replayed"], first["failed"]) == (past.orders, 0, [])
    after = sales_report(shop)
    assert after["orders"] - before["orders"] == past.orders
    assert after["lines"] - before["lines"] == past.lines
    revenue = [report["revenue"][0]["amount"] if report["revenue"] else 0 for report in (before, after)]
    assert revenue[1] - revenue[0] == past.revenue

    again = replay(shop, past.file)
    assert (again["placed"], again["replayed"], again["failed"]) == (0, past.orders, [])
    assert sales_report(shop) == after, "the same orders again change nothing"
    shop.audit()


def test_500_buyers_for_100_pieces(shop, tmp_path):
    hot = [{"handle": "hot", "sku": "HOT-1", "stock": 100, "price": "19.99"}]
    shop.fill(catalogue=write_catalogue(tmp_path / "hot.csv", hot))
    sell_out(shop)
    shop.audit()


def test_start_that_fails_leaves_nothing_behind(shop):
    folder = shop.folder / "other"
    command = [sys.executable, str(FLEET), "--folder", str(folder), "up", "--port", "0", "--set", "SOUK_CACHE=wrong:"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1
    assert "SOUK_CACHE" in result.stdout + result.stderr
    assert not (folder / "fleet.json").exists()
    assert of_folder(folder) == []


@pytest.mark.parametrize("last", ["initdb", "postgres", "balancer", "orders-1"])
def test_start_whose_supervisor_is_killed_leaves_nothing_behind(last):
    """Killed as soon as there is this process."""
    shop = FleetShop()
    shop.launch()

    def is_there() -> bool:
        assert shop.process.poll() is None, shop.log()
        noted = {each["name"] for each in shop.facts().get("processes", []) if each["pid"]}
        return last in noted or (last == "initdb" and any(last in command for command in of_folder(shop.folder)))

    try:
        eventually(is_there, f"{last} is there", 120)
    finally:
        shop.kill()
    eventually(lambda: not of_folder(shop.folder), "nothing of it is there")
    # But for a disk that it has mounted: nobody is left to unmount it.
    shop.run("down")
    assert not any((shop.folder / "data").glob("disk/*"))
    shop.close()


def of_folder(folder: Path) -> list[str]:
    """The commands of all processes that have something to do with a fleet's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command, environment = ((process / name).read_bytes().decode() for name in ("cmdline", "environ"))
            if process.name != str(os.getpid()) and str(folder) in command + environment:
                found.append(command.replace("\0", " "))
    return found


def test_one_folder_has_one_fleet(shop):
    command = [sys.executable, str(FLEET), "--folder", str(shop.folder), "up", "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (result.returncode, "already" in result.stderr) == (1, True), result.stderr
    assert shop.http.get("/ready").status_code == 200
