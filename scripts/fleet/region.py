"""The loss of a region under checkout load: the one that follows is promoted, and what was acknowledged is looked for.

Two fleets stand for two regions, the second a pilot light: its PostgreSQL follows the first one's, its roles wait for a
promotion. A front door before both, as Route 53 is, sends everything to the first region that is ready.
"""

import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from control import ask
from layout import SOUK, FleetError, Folder, Ports, postgres_programs, program, read_settings, without_souk
from load import write_catalogue

HERE = Path(__file__).resolve().parent
# Seconds that may be lost, and that it may take.
TARGETS = {"rpo_seconds": 5, "rto_seconds": 60}
# Orders that are looked for behind the first one in the second region, and how long anything may take.
MORE, LONGEST = 50, 600
# How a client's requests are limited is not what is drilled.
LIMITS = [f"SOUK_CLIENT_{name}=10000000" for name in ("RATE", "BURST")]

DOOR = """global
    log stdout format raw local0
defaults
    mode http
    timeout connect 2s
    timeout client 65s
    timeout server 65s
    timeout check 2s
    retries 3
    retry-on conn-failure
    option redispatch 1
    option httpchk GET /ready
    http-check expect status 200
    default-server inter 500ms fall 2 rise 1
frontend door
    bind 127.0.0.1:{port}
    default_backend regions
backend regions
    server first 127.0.0.1:{first} check
    server second 127.0.0.1:{second} check backup
"""

Say = Callable[[str], None]


class Region:
    """A fleet, in a folder of its own."""

    def __init__(self, folder: Path, replicas: str, *arguments: str):
        self.folder = Folder(folder)
        command = [sys.executable, str(HERE), "--folder", str(folder), "up", "--port", "0", "--attached"]
        command += ["--replicas", replicas, *(word for limit in LIMITS for word in ("--set", limit)), *arguments]
        # It ends when this process does, however that ends.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def wait(self, state: str) -> None:
        def is_there() -> bool:
            if self.process.poll() is not None:
                raise FleetError(f"the fleet in {self.folder.path} did not start")
            return self.folder.facts().get("state") == state

        until(is_there, f"the fleet in {self.folder.path} is {state}")

    @property
    def port(self) -> int:
        return int(self.folder.facts()["url"].rpartition(":")[2])

    def souk(self, *arguments: str) -> subprocess.CompletedProcess:
        """A command on this region's data, of which any end is an answer."""
        environment = {**without_souk(dict(os.environ)), **read_settings(self.folder.settings_file)}
        return subprocess.run([str(SOUK), *arguments], env=environment, capture_output=True, text=True)

    def orders(self) -> set[str]:
        """All that its database has."""
        url = read_settings(self.folder.settings_file)["SOUK_DATABASE"]
        command = [str(postgres_programs() / "psql"), "--no-psqlrc", "--tuples-only", "--no-align", url]
        result = subprocess.run([*command, "--command", "SELECT id FROM orders.orders"], capture_output=True, text=True)
        if result.returncode:
            raise FleetError(f"the orders cannot be read: {result.stderr}")
        return set(result.stdout.split())

    def lose(self) -> float:
        """kill -9 of everything, whoever keeps it alive first, and its rows are gone: the moment."""
        pids, moment = family(self.process.pid), time.monotonic()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.folder.data.rename(self.folder.path / "lost")
        self.process.wait()
        return moment

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


def family(pid: int) -> list[int]:
    """The process and all that it has started, and those."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for row in rows.splitlines():
        child, parent = map(int, row.split())
        children.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


class Acknowledged:
    """What shoppers were told, as they note it, and when."""

    def __init__(self, file: Path):
        self.file, self.times = file, {}
        file.touch()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        with self.file.open() as lines:
            rest = ""
            while True:
                was_over = self._is_over.is_set()
                rest += lines.readline()
                if rest.endswith("\n"):
                    self.times[json.loads(rest)["order"]] = time.monotonic()
                    rest = ""
                elif was_over:
                    return
                else:
                    time.sleep(0.005)

    def since(self, moment: float) -> list[float]:
        return sorted(each for each in list(self.times.values()) if each >= moment)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > deadline:
            raise FleetError(f"not within {LONGEST} s: {what}")
        time.sleep(0.01)


def run(orders: int, shoppers: int, replicas: str, say: Say) -> dict:
    """Loses the first region behind so many orders."""
    # Not below a folder that is one user's own: as root, PostgreSQL is run by another.
    work = Path(tempfile.mkdtemp(prefix="souk-regions-"))
    work.chmod(0o711)
    with contextlib.ExitStack() as ends:
        first = Region(work / "first", replicas)
        ends.callback(first.stop)
        first.wait("ready")
        write_catalogue(work / "catalogue.csv")
        if (result := first.souk("import", str(work / "catalogue.csv"))).returncode:
            raise FleetError(f"the catalogue cannot be imported: {result.stderr}")
        second = Region(work / "second", replicas, "--standby-of", str(first.folder.path))
        ends.callback(second.stop)
        second.wait("standby")
        url = open_door(work, first, second, ends)
        told = Acknowledged(work / "acknowledged.jsonl")
        ends.callback(told.stop)
        shopping = start_load(url, shoppers, told.file, work, ends)
        until(lambda: len(told.times) >= orders or shopping.poll() is not None, f"{orders} orders")
        found = fail_over(first, second, url, told, say)
        until(lambda: len(told.since(found["reopened"])) >= MORE or shopping.poll() is not None, f"{MORE} more orders")
        shopping.send_signal(signal.SIGINT)
        shopping.wait(LONGEST)
        told.stop()
        result = judged(found, told, second)
    shutil.rmtree(work, ignore_errors=True)
    return result


def open_door(work: Path, first: Region, second: Region, ends: contextlib.ExitStack) -> str:
    port = Ports().take()
    (work / "door.cfg").write_text(DOOR.format(port=port, first=first.port, second=second.port))
    with (work / "door.log").open("ab") as log:
        door = subprocess.Popen([program("haproxy"), "-db", "-f", work / "door.cfg"], stdout=log, stderr=log)
    ends.callback(door.wait)
    ends.callback(door.kill)
    url = f"http://127.0.0.1:{port}"
    until(lambda: is_open(url), "the front door is open")
    return url


def is_open(url: str) -> bool:
    """Whether the region that it goes to is ready."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def start_load(url: str, shoppers: int, told: Path, work: Path, ends: contextlib.ExitStack) -> subprocess.Popen:
    command = [str(SOUK), "load", url, "--journey", "checkout=1", "--think", "50ms", "--connections", str(shoppers)]
    command += ["--duration", "1h", "--clients", "many", "--acknowledged", str(told)]
    with (work / "load.log").open("ab") as log:
        shopping = subprocess.Popen(command, env=without_souk(dict(os.environ)), stdout=log, stderr=log)
    ends.callback(shopping.wait)
    ends.callback(shopping.kill)
    return shopping


def fail_over(first: Region, second: Region, url: str, told: Acknowledged, say: Say) -> dict:
    """What a person does who has decided to go; when, in seconds of this machine's clock."""
    say(f"{len(told.times)} orders are acknowledged: the first region is killed")
    at, lost = datetime.datetime.now(datetime.UTC), first.lose()
    until(lambda: not is_open(url), "the front door notices")
    noticed = time.monotonic()
    say(f"noticed after {noticed - lost:.1f} s: the second region is promoted")
    for _ in ask(second.folder, command="promote"):
        pass
    opened = time.monotonic()
    until(lambda: told.since(noticed), "an order is acknowledged in the second region")
    reopened = told.since(noticed)[0]
    say(f"the first order after {reopened - lost:.1f} s")
    return {"at": at, "lost": lost, "noticed": noticed, "opened": opened, "reopened": reopened}


def judged(found: dict, told: Acknowledged, second: Region) -> dict:
    kept, began = second.orders(), found["lost"]
    missing = {order: moment for order, moment in told.times.items() if order not in kept}
    # Of what was told before: how long before the end the copy had stopped.
    rpo = max((began - moment for moment in missing.values()), default=0.0)
    audit = second.souk("audit", "--json")
    late = sum(moment >= found["reopened"] for moment in missing.values())
    rto = found["reopened"] - began
    is_good = audit.returncode == 0 and not late
    return {
        "drill": "region",
        "at": found["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "orders": len(kept),
        "acknowledged": len(told.times),
        "lost": len(missing),
        "rpo_seconds": round(max(rpo, 0.0), 3),
        "rto_seconds": round(rto, 3),
        "noticed_seconds": round(found["noticed"] - began, 3),
        "open_seconds": round(found["opened"] - began, 3),
        "audit": json.loads(audit.stdout) if audit.stdout.strip() else audit.stderr,
        "passed": is_good and rpo <= TARGETS["rpo_seconds"] and rto <= TARGETS["rto_seconds"],
        "targets": TARGETS,
    }


def text(found: dict) -> str:
    return (
        f"The region lost under checkout load: {found['lost']} of {found['acknowledged']:,} acknowledged orders are "
        f"missing, from the last {found['rpo_seconds']:.3f} s; the first order in the second region after "
        f"{found['rto_seconds']:.1f} s; {'passed' if found['passed'] else 'FAILED'}."
    )
