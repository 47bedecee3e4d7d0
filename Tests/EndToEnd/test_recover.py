"""`souk recover`: a shop of its own is destroyed under load and comes back."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import postgres
import pytest
from shop import SOUK, eventually, souk

needs_postgres = pytest.mark.skipif(not postgres.PROGRAMS, reason=postgres.MISSING)


@pytest.fixture
def work():
    """Not below a folder that is one user's own: PostgreSQL's user has to come to it."""
    folder = Path(tempfile.mkdtemp(prefix="recover-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def programs_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and process.name != str(os.getpid()):
            found.append(command)
    return found


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=needs_postgres)])
def test_what_reached_the_copy_is_there_again_and_the_shop_sells(work, engine):
    result = souk(
        "recover", "--engine", engine, "--orders", 200, "--load", "6s", "--rate", 30, "--work", work, "--json", "-"
    )
    found = json.loads(result.stdout)
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
    assert not list(work.iterdir())
    assert not programs_in(work)


def test_ctrl_c_leaves_nothing(work):
    command = [SOUK, "recover", "--orders", "1000000", "--work", work]
    drill = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    eventually(lambda: any("serve" in line for line in programs_in(work)), "the shop is open")
    drill.send_signal(signal.SIGINT)
    _, said = drill.communicate(timeout=60)
    assert drill.returncode == 1
    assert "interrupted" in said
    assert not list(work.iterdir())
    assert not programs_in(work)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--orders=-1"], 64, "--orders is -1"),
        (["--load", "0s"], 64, "--load is 0s"),
        (["--load", "soon"], 64, "--load"),
        (["--rate", "0"], 64, "--rate is 0"),
        (["--engine", "oracle"], 64, "oracle"),
        (["--engine", "postgres", "--postgres", "/nowhere"], 1, "there is no initdb in /nowhere"),
        (["--work", "/dev/null/here"], 1, "/dev/null/here"),
        (["--json", "/nowhere/found.json"], 1, "/nowhere/found.json"),
    ],
)
def test_wrong_usage_is_named(work, arguments, code, said):
    result = souk("recover", "--work", work, *arguments, check=False)
    assert result.returncode == code
    assert said in result.stderr
    assert not list(work.iterdir())
