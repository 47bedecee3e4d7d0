"""Each drill of the runbook is started on the fleet; beside it, where it says to look shows what it says one sees."""

import os
import signal

import pytest
from fleet_desk import BOOK, DRILLS, LOCAL, TOLD, shown
from fleet_shop import HAS_DISK
from shop import eventually

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


@pytest.mark.parametrize("drill", DRILLS, ids=lambda each: each[0].text)
def test_drill(desk, staff, drill):
    command, looks = drill
    if "fill-disk" in command.text and not HAS_DISK:
        pytest.skip("a disk for PostgreSQL is mounted by root, from a loop device")
    eventually(desk.is_whole, "the fleet is whole", 90)
    process = desk.start(command)
    try:
        expected = next((expected for word, expected in SHOWN.items() if word in command.text), [])
        if expected:
            # Each at some time: a drill is over within seconds.
            seen = ""
            while not shown(seen, expected):
                assert process.poll() is None, f"{command.text}: {expected} is not shown:\n{seen[-6000:]}"
                seen += desk.printed(looks)
        said = process.communicate(timeout=300)
        # How much is enough depends on the machine; that nothing of it harms the shop does not.
        allowed = (0, 99) if "--flood" in command.text else (0,)
        assert process.returncode in allowed, f"{command.text}\n{said[0][-3000:]}{said[1][-3000:]}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=120)
    if not expected:
        desk.printed(looks)
    eventually(desk.is_whole, "the fleet is whole", 90)
    over = [each for each in BOOK.of("Drills") if each in LOCAL or (TOLD in each.text and TOLD in command.text)]
    for each in over:
        result = desk.run(each)
        assert result.returncode == 0, f"{each}\n{result.stdout}{result.stderr}"
        assert each.text != "fleet fault list" or not result.stdout
