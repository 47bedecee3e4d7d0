"""A Souk that runs, for what only a running one can say: its metrics and its logs."""

import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checks import ROOT, Absent, tool

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DEADLINE = 60.0
KEPT = ROOT / ".build/deployment/observed.json"
# Storefront and payments stand alone.
REST = ["products", "orders", "users", "auth", "notifications"]


@dataclass
class Observed:
    # By the name of the samples, histograms' `_bucket`, `_sum` and `_count` too: each label with the values it had.
    metrics: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)


@functools.cache
def observed() -> Observed:
    """What a shop with one approved and one declined order says of itself: three processes on servers as production has
    them, so that calls between roles and connections are among it. Traces go to nobody."""
    if not (ROOT / ".build/release/souk").exists():
        raise Absent("souk is not built")
    tool("redis-server"), tool("haproxy")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    # Of those who test side by side the first one looks, and the others read what it saw.
    with KEPT.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        seen = json.loads(file.read() or "{}")
        if seen.get("run") != run:
            seen = {"run": run, **look()}
            file.truncate(0)
            file.write(json.dumps(seen))
    return Observed(samples("\n".join(seen["metrics"])), seen["logs"])


def look() -> dict[str, list[str]]:
    with fleet(REST) as facts:
        shop = facts["url"]
        buy(shop)
        # The gauges are set a few times a second.
        time.sleep(1.5)
        roles = [each for each in facts["processes"] if each["roles"]]
        metrics = [ask(f"http://127.0.0.1:{each['port']}", "/metrics").decode() for each in roles]
        logs = [(Path(facts["logs"]) / f"{each['name']}.log").read_text() for each in roles]
    return {"metrics": metrics, "logs": "".join(logs).splitlines()}


@contextlib.contextmanager
def fleet(one: list[str]) -> Iterator[dict]:
    """Facts of a fleet in which these roles are one process."""
    # Not below a folder that is one user's own: as root, PostgreSQL is run by another.
    folder = Path(tempfile.mkdtemp(prefix="souk-observed-"))
    folder.chmod(0o711)
    up = f"up --port 0 --replicas 1 --roles-in-one {','.join(one)} --demo 3 --attached --set SOUK_LOG_LEVEL=debug"
    command = [sys.executable, ROOT / "scripts/fleet", "--folder", folder, *up.split()]
    command += ["--set", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            yield ready(folder, running)
        finally:
            # It ends when its input does.
            running.stdin.close()
            running.wait(DEADLINE)
    shutil.rmtree(folder)


def ready(folder: Path, running: subprocess.Popen) -> dict:
    file, end = folder / "fleet.json", time.monotonic() + 3 * DEADLINE
    while running.poll() is None and time.monotonic() < end:
        facts = json.loads(file.read_text()) if file.exists() else {}
        if facts.get("state") == "ready":
            return facts
        time.sleep(0.1)
    raise RuntimeError(f"the fleet is not ready:\n{(folder / 'log').read_text()}")


def ask(shop: str, path: str, body: dict | None = None) -> bytes:
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(time.monotonic_ns())}
    request = urllib.request.Request(shop + path, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        # A declined payment is an answer.
        if error.code == 402:
            return error.read()
        raise


def buy(shop: str) -> None:
    handle = json.loads(ask(shop, "/api/products?available=true"))["items"][0]["handle"]
    variants = json.loads(ask(shop, f"/api/products/{handle}"))["variants"]
    variant = next(each for each in variants if each["available"])
    address = {"name": "Ada L.", "line1": "1 High St", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"}
    # The approved order takes all that is left: what sells out is counted from the first time on.
    for token, quantity in ("tok_declined", 1), ("tok_approved", variant["available"]):
        order = {
            "lines": [{"sku": variant["sku"], "quantity": quantity}],
            "email": "ada@example.com",
            "shipping_method": "standard",
            "shipping_address": address,
            "payment": {"token": token},
        }
        ask(shop, "/api/orders", order)


def samples(exposition: str) -> dict[str, dict[str, set[str]]]:
    metrics: dict[str, dict[str, set[str]]] = {}
    for line in exposition.splitlines():
        if match := SAMPLE.match(line):
            labels = metrics.setdefault(match[1], defaultdict(set))
            for name, value in LABEL.findall(match[2] or ""):
                labels[name].add(value)
    return metrics
