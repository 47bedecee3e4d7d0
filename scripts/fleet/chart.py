"""The chart as production gets it, rendered by `helm` or, where that is not installed, by Helm's engine for Python."""

import json
import os
import shutil
import subprocess

from layout import ROOT, FleetError

CHART, VALUES = ROOT / "deploy/helm/souk", "values-prod.yaml"
# What a roll-out says besides; any account and any image do to look at the rest.
GIVEN = {"aws": {"account": "111122223333"}, "image": {"digest": "sha256:" + 64 * "0"}}
ENGINE, RENDER = ROOT / ".venv/environments/helm/bin/python", ROOT / "Tests/Deployment/helm/render.py"


def rendered() -> str:
    if helm := shutil.which("helm"):
        return by_helm(helm)
    if not ENGINE.exists():
        raise FleetError("neither helm nor its engine is installed: run scripts/setup deploy")
    asked = json.dumps({"prod": {"files": [VALUES], "values": GIVEN}})
    done = subprocess.run(
        [ENGINE, RENDER, CHART],
        input=asked,
        env={**os.environ, "HELM_DRIVER": "memory"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise FleetError(f"the chart cannot be rendered: {done.stderr[-500:]}")
    found = json.loads(done.stdout)["rendered"]["prod"]
    if "error" in found:
        raise FleetError(f"the chart cannot be rendered: {found['error'][-500:]}")
    texts = [text for file, text in found["files"].items() if file.endswith(".yaml") and text.strip()]
    return "\n---\n".join(texts)


def by_helm(helm: str) -> str:
    given = [f"{above}.{name}={value}" for above, values in GIVEN.items() for name, value in values.items()]
    words = [helm, "template", "souk", CHART, "--namespace", "souk", "--values", CHART / VALUES]
    words += [word for each in given for word in ("--set-string", each)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise FleetError(f"the chart cannot be rendered: {done.stderr[-500:]}")
    return done.stdout
