"""`souk recover`, broken off and used wrongly; how a shop comes back is tested as the runbook says it, on a fleet."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from shop import SOUK, eventually, souk


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


def test_ctrl_c_leaves_nothing(open_folder):
    command = [SOUK, "recover", "--orders", "1000000", "--work", open_folder]
    drill = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    eventually(lambda: any("serve" in line for line in programs_in(open_folder)), "the shop is open")
    drill.send_signal(signal.SIGINT)
    _, said = drill.communicate(timeout=60)
    assert drill.returncode == 1
    assert "interrupted" in said
    assert not list(open_folder.iterdir())
    assert not programs_in(open_folder)


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
def test_wrong_usage_is_named(open_folder, arguments, code, said):
    result = souk("recover", "--work", open_folder, *arguments, check=False)
    assert result.returncode == code
    assert said in result.stderr
    assert not list(open_folder.iterdir())
