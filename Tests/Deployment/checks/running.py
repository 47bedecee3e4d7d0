"""A Souk that runs, for what only a running one can say: its metrics and its logs."""

import contextlib
import functools
import json
import os
import re
import socket
import subprocess
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
DEADLINE = 20.0


@dataclass
class Observed:
    # By the name of the samples, histograms' `_bucket`, `_sum` and `_count` too: each label with the values it had.
    metrics: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)


@functools.cache
def observed() -> Observed:
    """What a shop with one approved and one declined order says of itself; events go through Redis, and traces to
    nobody, so that nothing is missing."""
    souk = ROOT / ".build/release/souk"
    if not souk.exists():
        raise Absent("souk is not built")
    redis = tool("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        redis_port, port = free_port(), free_port()
        settings = {
            "PATH": os.environ["PATH"],
            "SOUK_DATA": folder,
            "SOUK_EVENTS": f"redis://127.0.0.1:{redis_port}",
            "SOUK_LOG_FORMAT": "json",
            "SOUK_LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }
        subprocess.run([souk, "demo", "--products", "3"], env=settings, check=True, capture_output=True)
        quiet = ["--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with (
            process([redis, "--port", str(redis_port), *quiet], settings, Path(folder) / "redis.log"),
            process([souk, "serve", "--port", str(port)], settings, Path(folder) / "souk.log"),
        ):
            shop = f"http://127.0.0.1:{port}"
            wait_for(shop)
            buy(shop)
            # The gauges are set a few times a second.
            time.sleep(1.5)
            text = ask(shop, "/metrics").decode()
        logs = (Path(folder) / "souk.log").read_text().splitlines()
    return Observed(samples(text), logs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(command: list[str | Path], settings: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as out, subprocess.Popen(command, env=settings, stdout=out, stderr=out) as running:
        try:
            yield
        finally:
            running.terminate()
            running.wait(DEADLINE)


def wait_for(shop: str) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            ask(shop, "/ready")
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


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
