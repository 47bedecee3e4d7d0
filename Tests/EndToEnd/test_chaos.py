"""Chaos on the fleet: by `souk chaos`, and by the Chaos Toolkit itself with the same experiments."""

import email.utils
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fleet_shop import FLEET, HAS_DISK
from shop import CLUSTER_TOOLS, ROOT, SOUK, eventually, order_for

TOOLKIT = ROOT / ".venv/environments/chaos/bin/chaos"
SHIPPED = sorted((ROOT / "deploy/chaos").glob("*.json"))
NEEDS_DISK = pytest.mark.skipif(not HAS_DISK, reason="a disk for PostgreSQL is mounted by root, from a loop device")
# One of each kind: processes, a back end, the network, a disk.
TRIED = ["fleet-kill-half", "fleet-drop-s3", "fleet-cut-products"]
TRIED += [pytest.param("fleet-fill-disk", marks=NEEDS_DISK)]


@pytest.fixture
def drill(shop, tmp_path):
    """Runs a command where the experiments find the fleet."""
    return Drill(shop)


class Drill:
    def __init__(self, shop):
        self.shop = shop
        self.environment = {
            **os.environ,
            "FLEET": str(shop.folder),
            "SHOP_URL": shop.url,
            "SOUK_BINARY": str(SOUK),
            "FLEET_PYTHON": sys.executable,
        }

    def run(self, *arguments, code: int | None = 0) -> subprocess.CompletedProcess:
        command = [str(each) for each in arguments]
        result = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300)
        expected = {0, 1} if code is None else {code}
        assert result.returncode in expected, f"{command}\n{result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def souk(self, *arguments, **options) -> subprocess.CompletedProcess:
        return self.run(SOUK, "chaos", *arguments, **options)

    def start(self, file: Path) -> subprocess.Popen:
        """Until its fault is there."""
        process = subprocess.Popen(
            [str(SOUK), "chaos", "run", str(file)], cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL
        )
        eventually(self.faults, "the fault is there", 60)
        return process

    def faults(self) -> str:
        return self.shop.run("fault", "list")

    def is_whole(self) -> bool:
        return not self.faults() and all(each["ready"] for each in self.shop.status()["processes"])


def fleet(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A command of another one."""
    command = [sys.executable, str(FLEET), "--folder", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def toolkit(drill: Drill, *arguments, **options) -> subprocess.CompletedProcess:
    assert TOOLKIT.exists(), "the Chaos Toolkit is not installed: run scripts/setup test"
    return drill.run(TOOLKIT, "--log-file", os.devnull, *arguments, **options)


def variant(path: Path, name: str = "fleet-pause-orders", **changes) -> Path:
    document = json.loads((ROOT / f"deploy/chaos/{name}.json").read_text())
    path.write_text(json.dumps({**document, **changes}))
    return path


@pytest.fixture
def long(tmp_path) -> Path:
    """A fault that would last ten minutes."""
    file = variant(tmp_path / "long.json")
    document = json.loads(file.read_text())
    action = next(each for each in document["method"] if each["type"] == "action")
    action["pauses"] = {"after": 600}
    document["method"] = [action]
    file.write_text(json.dumps(document))
    return file


@pytest.fixture
def deviating(tmp_path) -> Path:
    """Shoppers cannot buy while PostgreSQL is away, and here nobody brings it back in time."""
    file = variant(tmp_path / "deviating.json", "fleet-drop-postgres")
    document = json.loads(file.read_text())
    action = next(each for each in document["method"] if each["type"] == "action")
    document["method"] = [{**action, "pauses": {}}]
    # It names an action that is not there any more.
    del document["extensions"]
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_toolkit_takes_every_experiment(drill, file):
    # It looks for the programs that an experiment names.
    drill.environment["PATH"] += f"{os.pathsep}{CLUSTER_TOOLS}"
    toolkit(drill, "validate", file)


def test_every_experiment_is_listed_and_valid(drill):
    assert drill.souk("validate", *SHIPPED).stdout.count(" is valid") == len(SHIPPED)
    listed = json.loads(drill.souk("list", "--json").stdout)
    assert [each["file"] for each in listed] == [f"deploy/chaos/{file.name}" for file in SHIPPED]


@pytest.mark.parametrize("name", TRIED)
def test_the_toolkit_runs_it_as_souk_does(drill, tmp_path, name):
    """Souk's own runs are those of the runbook, test_runbook_drills.py: the shop has to hold there, too."""
    file, journal = ROOT / f"deploy/chaos/{name}.json", tmp_path / "journal.json"
    toolkit(drill, "run", "--rollback-strategy", "always", "--journal-path", journal, file)
    assert drill.is_whole()
    is_held_as_written(file, json.loads(journal.read_text()))


def is_held_as_written(file: Path, journal: dict) -> None:
    """All that the experiment says was done, and nothing else; and the shop held."""
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    assert journal["steady_states"]["after"]["steady_state_met"]
    written, done = json.loads(file.read_text()), journal["run"] + journal["rollbacks"]
    wanted = sorted(activity["name"] for activity in written["method"] + written["rollbacks"])
    assert sorted(run["activity"]["name"] for run in done) == wanted


@NEEDS_DISK
def test_a_full_disk_refuses_writers_alone(drill):
    """Who looks is answered, who writes is told to come again; PostgreSQL is well, and the roles are."""
    shop = drill.shop
    shop.run("fault", "fill", "rows")
    try:
        # What has room in the pages that there are is written there.
        refusal = eventually(
            lambda: next((each for each in carts(shop) if each.status_code != 201), None), "a cart is refused"
        )
        assert refusal.status_code == 503, refusal.text
        assert refusal.headers["content-type"].startswith("application/problem+json")
        assert int(refusal.headers["retry-after"]) > 0
        for path in "/", "/api/products?limit=1", "/api/inventory/AMPLE-0":
            assert shop.http.get(path).status_code == 200
        assert all(each["ready"] for each in shop.status()["processes"])
    finally:
        shop.run("fault", "undo")
    eventually(lambda: next(carts(shop)).status_code == 201, "a cart is written again")


def test_a_clock_that_is_wrong_is_one_replicas_alone(drill):
    """It jumps without a restart, back and forth, and what was between it and the system's is gone in the end."""
    (replica,) = drill.run(*drill.shop.command("fault", "skew", "orders=300")).stdout.split()[-1:]
    try:
        eventually(lambda: 290 < ahead(drill, replica) < 310, "it is ahead")
        assert all(abs(ahead(drill, each)) < 10 for each in ("orders-1", "auth-1") if each != replica)
        drill.run(*drill.shop.command("fault", "skew", f"{replica}=-300"))
        eventually(lambda: -310 < ahead(drill, replica) < -290, "it is behind")
        assert drill.shop.order(order_for("AMPLE-1")).status_code == 201
    finally:
        drill.shop.run("fault", "undo")
    assert abs(ahead(drill, replica)) < 10
    assert drill.is_whole()


def ahead(drill: Drill, replica: str) -> float:
    """By how many seconds it says another time than this process."""
    (port,) = [each["port"] for each in drill.shop.status()["processes"] if each["name"] == replica]
    said = httpx.get(f"http://127.0.0.1:{port}/alive", trust_env=False).headers["date"]
    return email.utils.parsedate_to_datetime(said).timestamp() - time.time()


def carts(shop):
    for _ in range(100):
        yield shop.http.post("/api/carts")


def test_a_shop_that_does_not_come_back_deviates(drill, deviating, tmp_path):
    ours, theirs = tmp_path / "souk.json", tmp_path / "toolkit.json"
    assert "deviated" in drill.souk("run", deviating, "--journal", ours, code=1).stdout
    assert drill.is_whole()
    toolkit(drill, "run", "--rollback-strategy", "always", "--journal-path", theirs, deviating, code=1)
    journals = [json.loads(each.read_text()) for each in (ours, theirs)]
    assert all(journal["deviated"] for journal in journals)
    # Its shape is the toolkit's.
    assert set(journals[0]) <= set(journals[1])
    assert drill.is_whole()


@pytest.mark.parametrize("how", ["undo", "the next run"])
def test_a_drill_that_is_killed_is_undone(drill, long, how):
    process = drill.start(long)
    process.kill()
    process.wait(10)
    assert drill.faults()
    if how == "undo":
        assert "is undone" in drill.souk("undo").stdout
        assert "nothing to undo" in drill.souk("undo").stdout
    else:
        assert "is undone" in drill.souk("run", ROOT / "deploy/chaos/fleet-drop-s3.json").stdout
    assert drill.is_whole()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_a_drill_that_is_interrupted_undoes_itself(drill, long, how):
    process = drill.start(long)
    assert "another drill is under way" in drill.souk("undo", code=1).stderr
    process.send_signal(how)
    assert process.wait(120) == 1
    assert drill.is_whole()
    assert "nothing to undo" in drill.souk("undo").stdout


class TestRefusals:
    @pytest.mark.parametrize("what", ["orders", "orders=", "orders=1m", "orders=86401", "=5", "postgres=5", "nobody=5"])
    def test_a_clock_that_cannot_be_set(self, drill, what):
        drill.run(*drill.shop.command("fault", "skew", what), code=1)
        assert not drill.faults()

    @pytest.mark.parametrize("disk", ["100", "much"])
    def test_a_disk_that_holds_no_cluster(self, tmp_path, disk):
        result = fleet(tmp_path / "fleet", "up", "--disk", disk)
        assert result.returncode == 64
        assert "expected 256 to 16384 MiB" in result.stderr

    def test_a_disk_for_a_fleet_that_has_rows(self, tmp_path):
        (tmp_path / "fleet/data/postgres").mkdir(parents=True)
        result = fleet(tmp_path / "fleet", "up", "--port", "0", "--disk", "512")
        assert result.returncode == 1
        assert "has rows already" in result.stderr

    @pytest.mark.skipif(HAS_DISK, reason="here it is")
    def test_a_disk_where_none_can_be_mounted(self, drill):
        assert "no disk of its own" in drill.run(*drill.shop.command("fault", "fill", "rows"), code=1).stderr

    def test_a_shop_that_is_unwell_is_left_alone(self, drill, tmp_path):
        probe = {"type": "probe", "name": "nobody", "tolerance": 200}
        probe["provider"] = {"type": "http", "url": f"{drill.shop.url}/nowhere"}
        file = variant(tmp_path / "x.json", **{"steady-state-hypothesis": {"title": "h", "probes": [probe]}})
        assert "not begun" in drill.souk("run", file, code=1).stdout
        assert not drill.faults()

    def test_other_hosts_are_not_touched(self, drill, tmp_path):
        file = variant(tmp_path / "x.json", configuration={"shop": "http://shop.example"})
        result = drill.souk("run", file, code=64)
        assert "shop.example is not on the list of hosts" in result.stderr

    def test_other_clusters_are_not_touched(self, drill):
        result = drill.souk("run", ROOT / "deploy/chaos/cluster-kill-half.json", code=64)
        assert "is not allowed" in result.stderr

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{", "is no JSON"),
            ('{"title": "t", "description": "d"}', "has no method"),
            (
                '{"title": "t", "description": "d", "method": '
                '[{"type": "action", "name": "a", "provider": {"type": "python", "module": "m", "func": "f"}}]}',
                "/method/0/provider/type is python",
            ),
        ],
    )
    def test_what_is_no_experiment_is_named(self, drill, tmp_path, text, expected):
        file = tmp_path / "x.json"
        file.write_text(text)
        for command in "validate", "run":
            assert expected in drill.souk(command, file, code=64).stderr
