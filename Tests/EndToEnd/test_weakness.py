"""A fleet that lacks one thing scores less than one that has it, and the report says why."""

import json
import subprocess
import sys

import pytest
from fleet_shop import FLEET
from shop import ROOT

# What is cheap: no faults, no restores. Their absence costs all of these the same.
STEPS = ["--steps", "load,audit,fleet", "--seconds", "4", "--shoppers", "5", "--at-least", "0"]
STEPS += ["--journey", "browse=50,checkout=50"]


@pytest.fixture(scope="module")
def whole(shop, tmp_path_factory) -> dict:
    """The score of the fleet that lacks nothing."""
    evidence = tmp_path_factory.mktemp("evidence")
    shop.run("drill", "score", *STEPS, "--evidence", evidence)
    return json.loads((evidence / "score.json").read_text())


def criteria(report: dict) -> dict[str, dict]:
    return {each["name"]: each for part in report["parts"] for each in part["criteria"]}


def test_a_whole_fleet(whole):
    found = criteria(whole)
    assert found["data.audit"]["state"] == found["data.durable"]["state"] == "met", found["data.audit"]
    assert found["data.acknowledged"]["state"] == "met"
    assert {name: each["state"] for name, each in found.items() if name.startswith("posture.fleet")} == {
        "posture.fleet.replicas": "met",
        "posture.fleet.readiness": "met",
        "posture.fleet.retries": "met",
    }
    # Nobody tried to restore it.
    assert [cap["at_most"] for cap in whole["caps"]] == [60]


@pytest.mark.parametrize(
    ("weakness", "criterion", "cap"),
    [
        ("fsync", "data.durable", "fsync is off"),
        ("replicas", "posture.fleet.replicas", "one replica alone of"),
        ("readiness", "posture.fleet.readiness", "does not ask who is ready"),
        ("retries", "posture.fleet.retries", None),
    ],
)
def test_a_weakness_is_seen(whole, tmp_path, weakness, criterion, cap):
    command = [sys.executable, FLEET, "drill", "score", "--weaken", weakness, *STEPS, "--evidence", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    report = json.loads((tmp_path / "score.json").read_text())
    assert criteria(report)[criterion]["state"] == "unmet"
    assert criterion in {loss["criterion"] for loss in report["losses"]}
    assert report["uncapped"] < whole["uncapped"]
    assert (report["score"] == 0) == (weakness == "fsync")
    if cap:
        assert any(cap in each["why"] for each in report["caps"]), report["caps"]
    assert str(ROOT) not in (tmp_path / "score.html").read_text()
