"""Each drill of the runbook is started on the fleet; beside it, where it says to look shows what it says one sees.

What a drill itself promises is held here, too: there is one run of each, which serves both.
"""

import json
import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fleet_desk import BOOK, DRILLS, LOCAL, SECTIONS, TOLD, Desk
from fleet_shop import HAS_DISK
from runbook import Command
from shop import ROOT, Shop, eventually, free_port, order_for, souk, write_catalogue
from test_chaos import is_held_as_written
from test_recover import programs_in

# By a word of the drill.
SHOWN = {
    "kill-half": [r"^orders-\d .* [1-9]\d*$", r"^storefront-\d .* [1-9]\d*$"],
    "pause-orders": [r"^orders-\d .* not ready +DOWN"],
    "skew-clock": [r"^orders-\d +souk_clock_ahead_seconds +(239|240)\b"],
    "zone-away": [r"^orders-1 .* ended", r"^auth-1 .* ended"],
    "drop-s3": [r"^s3 .* ended"],
    "drop-redis": [r"^redis .* ended", "souk_redis_failures_total"],
    "exhaust": [r"^ fault +\| +\d\d"],
    "drop-postgres": [r"^postgres .* ended", r"^\w+-\d .* not ready", "connection_failures_total"],
    "fill-disk": [r"^postgres .* (ended|not ready)", "No space left"],
    "slow-payments": [
        r'souk_peer_call_seconds\{peer="payments"\}  \d+ times, 0\.[5-9]',
        r'souk_payment_provider_seconds\{call="authorize".*times, 0\.0',
    ],
    "cut-products": [r'outcome="(unknown|barred)",peer="products"'],
    "drill restart": [r"^\w+-\d .* (not ready|ended|DOWN)"],
    "drill kill": [r"^[\w-]+ .* (not ready|ended|DOWN)"],
    "--journey standard": ['status="200"', "souk_checkout_seconds"],
    "--spike": ["souk_edge_hits_total"],
    "--flood": ["souk_checkout_seconds", "souk_admission_limit"],
}


def no_request_fails(found: dict) -> None:
    assert (found["restarts"], found["failed"]) == (14, 0), found["failures"]
    assert found["orders"] > 0


def kills_lose_nothing(found: dict) -> None:
    assert found["failed"] == 0, found["failures"]
    assert len(found["kills"]) == 6
    assert found["orders"] > 0


FOUND = {"var/restart.json": no_request_fails, "var/kills.json": kills_lose_nothing}


def of(section: str, part: str) -> list[Command]:
    return BOOK.of(section, part)


def found_in(desk: Desk, name: str) -> dict:
    return json.loads((desk.folder / name).read_text())


def ended(process, allowed: tuple[int, ...] = (0,)) -> str:
    said = "".join(process.communicate(timeout=300))
    assert process.returncode in allowed, f"{process.args[-1]}\n{process.returncode}\n{said[-6000:]}"
    return said


def works(desk: Desk, commands: list[Command], **words: str) -> str:
    """Each alone, in their order; what they print."""
    text = ""
    for command in commands:
        result = desk.run(command, **words)
        assert result.returncode == 0, f"{command}\n{result.returncode}\n{result.stdout}{result.stderr}"
        assert command.text != "fleet fault list" or not result.stdout
        text += result.stdout
    return text


# --- those of the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drill", DRILLS, ids=lambda each: each[0].text)
def test_drill(desk, staff, drill):
    command, looks = drill
    if "fill-disk" in command.text and not HAS_DISK:
        pytest.skip("a disk for PostgreSQL is mounted by root, from a loop device")
    eventually(desk.is_whole, "the fleet is whole", 90)
    expected = next((expected for word, expected in SHOWN.items() if word in command.text), [])
    with desk.under_way(command) as process:
        if expected:
            desk.see(process, looks, expected)
        # How much is enough depends on the machine; that nothing of it harms the shop does not.
        ended(process, (0, 99) if "--flood" in command.text else (0,))
    if not expected:
        desk.printed(looks)
    for name, holds in FOUND.items():
        if name in command.text:
            holds(found_in(desk, name))
    eventually(desk.is_whole, "the fleet is whole", 90)
    works(desk, [each for each in of("Drills", "") if each in LOCAL or (TOLD in each.text and TOLD in command.text)])


# --- those with a section of their own --------------------------------------------------------------------------------

TRIED = ["Chaos with shoppers", "Recover", "Follow a server", "Follow files", "Lose a region", "Score"]


def test_each_section_is_tried():
    assert SECTIONS == TRIED
    parts = {each.part for each in BOOK.commands if each.section in SECTIONS}
    assert parts == {"Start", "Look", "Do", "Over"}, "nobody runs what stands elsewhere"


def test_chaos_with_shoppers(desk, staff):
    """What they felt is told, and nothing that they were told of is lost; how soon is for a machine of its own."""
    section = "Chaos with shoppers"
    eventually(desk.is_whole, "the fleet is whole", 90)
    (command,) = of(section, "Start")
    with desk.under_way(command) as process:
        desk.see(process, of(section, "Look"), [*SHOWN["kill-half"], "souk_checkout_seconds"])
        ended(process, (0, 1))
    eventually(desk.is_whole, "the fleet is whole", 90)
    works(desk, of(section, "Over"))
    said = found_in(desk, "var/kill.json")
    assert said["passed"] == (process.returncode == 0)
    is_held_as_written(ROOT / "deploy/chaos/fleet-kill-half.json", said["journal"])
    assert said["fault_began"] < said["fault_ended"]
    assert 0 <= said["error_rate"] <= 1
    assert said["bit"] == bool(said["felt"])
    assert said["steady"]["goodput_before"] > 0
    assert said["acknowledged"] == len((desk.folder / "var/told.jsonl").read_text().splitlines()) > 0
    assert all(check["violationCount"] == 0 for check in said["audit"])
    assert "orders.acknowledged" in [check["name"] for check in said["audit"]]
    text = (desk.folder / "var/kill.html").read_text()
    assert "<svg" in text
    assert 'class="fault"' in text
    assert not re.search(r"<script|<link|src=|url\(|@import", text), "the report needs nothing else"


@pytest.mark.parametrize("command", of("Recover", "Start"), ids=lambda each: each.text)
def test_recover(desk, open_folder, command):
    """What reached the copy is there again, and the shop sells."""
    engine = re.search(r"--engine (\w+)", command.text)[1]
    words = {"FOLDER": str(open_folder)}
    with desk.under_way(command, **words) as drill:
        desk.see(drill, of("Recover", "Look"), ["/copies$", "/first$", "/second$"], **words)
        ended(drill)
    found = found_in(desk, f"var/recover-{engine}.json")
    assert found["engine"] == engine
    assert found["acknowledged"] > 250
    assert found["lost_before_last_cut"] == 0
    # Whoever loses something loses the last, and nothing else.
    assert 0 <= found["lost"] <= 30 * (found["rpo_seconds"] + 1)
    assert found["orders"] >= found["acknowledged"] - found["lost"]
    assert sum(phase["seconds"] for phase in found["phases"]) == pytest.approx(found["rto_seconds"], abs=0.01)
    assert found["phases"][-1]["phase"] == "first order"
    assert len(found["audit"]) > 10
    assert all(check["violationCount"] == 0 for check in found["audit"])
    assert "true" in works(desk, of("Recover", "Over"), **words)
    assert not list(open_folder.iterdir())
    assert not programs_in(open_folder)


def reaches(desk: Desk, section: str) -> str:
    """How far the copy goes, as the first command to look shows it."""
    found = re.search(r"continuous until ([\dT:.Z-]+)", desk.run(of(section, "Look")[0]).stdout)
    return found[1] if found else ""


def followed(desk: Desk, section: str, order: Callable[[], str]) -> tuple[str, str, str]:
    """A moment after the first of two orders; that, the first and the second, which both are in the copy."""

    def beyond(time: datetime) -> str:
        wanted = time.isoformat().replace("+00:00", "Z")
        return eventually(lambda: (there := reaches(desk, section)) >= wanted and there, "the copy goes on", 60)

    early = order()
    moment = beyond(datetime.now(UTC))
    late = order()
    beyond(datetime.now(UTC))
    return moment, early, late


def placed(answer) -> str:
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_follow_a_server(desk, staff, open_folder):
    section = "Follow a server"
    start, looks = of(section, "Start"), of(section, "Look")
    stop, forget, audit = of(section, "Over")
    words = {"FOLDER": str(open_folder / "then"), "PORT": str(free_port())}
    with desk.under_way(start[0]) as following:
        desk.see(following, looks, ["continuous until", r"souk_backup +\| t +\|"])
        words["TIME"], early, late = followed(desk, section, lambda: placed(desk.shop.order(order_for("AMPLE-1"))))
        try:
            assert "ok   commits.reach-the-disk" in works(desk, of(section, "Do"), **words)
            again = "(set -a; . var/fleet/settings.env; psql --no-psqlrc --tuples-only --no-align --command"
            again += """ 'SELECT id FROM orders.orders' "$(sed -E 's|:[0-9]+/|:PORT/|' <<< "$SOUK_DATABASE")")"""
            orders = works(desk, [Command(section, "", again)], **words).split()
            assert (early in orders, late in orders) == (True, False)
        finally:
            desk.run(stop, **words)
        # As Ctrl-C does.
        os.killpg(following.pid, signal.SIGINT)
        following.communicate(timeout=60)
    works(desk, [forget, audit])


def test_follow_files(desk, tmp_path):
    section = "Follow files"
    lamp = {"handle": "lamp", "sku": "LAMP", "stock": 100, "price": "7.50"}
    shop = Shop(desk.folder / "var").fill(catalogue=write_catalogue(tmp_path / "lamp.csv", [lamp])).start()
    try:
        with desk.under_way(of(section, "Start")[0]) as following:
            desk.see(following, of(section, "Look"), ["continuous until"])
            moment, early, late = followed(desk, section, lambda: placed(shop.order(order_for("LAMP"))))
        works(desk, of(section, "Do") + of(section, "Over"), TIME=moment)
        told = tmp_path / "told.jsonl"
        for order, code in {early: 0, late: 1}.items():
            told.write_text(json.dumps({"order": order}) + "\n")
            data = desk.folder / "var/then"
            assert souk("audit", "--data", data, "--acknowledged", told, check=False).returncode == code
    finally:
        shop.close()


def test_lose_a_region(desk):
    """On fleets of its own."""
    section = "Lose a region"
    (command,) = of(section, "Start")
    with desk.under_way(command) as drill:
        desk.see(drill, of(section, "Look"), [r"^postgres .* ready", r"^orders-1 "])
        said = ended(drill)
    assert "the second region is promoted" in said
    works(desk, of(section, "Over"))
    found = found_in(desk, "var/region.json")
    assert found["passed"]
    assert found["acknowledged"] >= 150
    assert all(check["violationCount"] == 0 for check in found["audit"])


def test_score(desk, tmp_path):
    """How the steps are judged is tested in test_weakness.py."""
    section = "Score"
    whole, steps = of(section, "Start")[::-1]
    with desk.under_way(steps) as drill:
        desk.see(drill, of(section, "Look"), ["var/evidence/|."])
        said = ended(drill)
    assert "steady load" in said
    assert "not run" in said
    works(desk, of(section, "Over"), LEAST="10")
    assert "<svg" in (desk.folder / "var/score.html").read_text()
    # What make would do, and the last of it with the least of its steps.
    shown = desk.run(Command(section, "", f"{whole.text} --dry-run --directory {ROOT}")).stdout
    (line,) = re.findall(r"^\S+python scripts/fleet drill score --own$", shown, re.MULTILINE)
    least = f"{line} --steps chart --at-least 0 --evidence {tmp_path}"
    assert "the rendered chart" in works(desk, [Command(section, "", least)])
    assert (tmp_path / "chart.yaml").exists()
