"""The chart as it would be installed: with each values file, each strategy, and with all that is optional."""

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml
from checks import ROOT, Absent

CHART = Path("deploy/helm/souk")
PYTHON = ROOT / ".venv/environments/helm/bin/python"

# What a roll-out to AWS says besides the values file.
AWS = {"aws": {"account": "111122223333"}, "image": {"digest": "sha256:" + 64 * "0"}}
# One more, and one in place of the chart's.
OWN = {"example.com/team": "shop", "alb.ingress.kubernetes.io/scheme": "internal"}
OPTIONAL = {
    "aws": {"account": "111122223333", "identity": "irsa"},
    "image": {"pullSecrets": ["registry"]},
    "gateway": {"enabled": True, "className": "alb", "certificateSecret": "certificate"},
    "ingress": {"className": "nginx", "annotations": OWN},
    "mesh": {"enabled": True},
    "monitoring": {"rules": {"one": "groups: [{name: one, rules: [{record: one, expr: vector(1)}]}]"}},
    "verticalAutoscaler": {"enabled": True},
    "settings": {"SOUK_WEBHOOK_NETWORKS": "10.1.0.0/16, 10.2.0.0/16"},
}
ROLLOUTS = {
    "default": ([], {}),
    "dev": (["values-dev.yaml"], {"servers": {"enabled": True}, "demo": {"products": 10}}),
    "staging": (["values-staging.yaml"], AWS),
    "prod": (["values-prod.yaml"], AWS),
    "blueGreen": (["values-prod.yaml"], AWS | {"strategy": {"type": "blueGreen"}, "ingress": {"annotations": OWN}}),
    "canary": (["values-prod.yaml"], AWS | {"strategy": {"type": "canary"}}),
    "optional": (["values-prod.yaml"], OPTIONAL),
}
# What must be refused, and the word that says why.
REFUSED = {
    "production without an account": ((["values-prod.yaml"], {}), "aws.account"),
    "the tag latest": (([], {"image": {"tag": "latest"}}), "/image/tag"),
    "orders on nodes that go at short notice": (([], {"spot": ["orders"]}), "/spot/0"),
    "a value that is none": (([], {"replicas": 3}), "replicas"),
}

Objects = list[dict]


def load(text: str) -> Objects:
    return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]


@functools.cache
def render(root: Path) -> dict:
    """What `render.py` prints, once for a tree of files."""
    if not PYTHON.exists():
        raise Absent("Helm's engine is not installed: scripts/setup deploy")
    wanted = ROLLOUTS | {name: rollout for name, (rollout, _) in REFUSED.items()}
    asked = {name: {"files": files, "values": values} for name, (files, values) in wanted.items()}
    environment = os.environ | {"HELM_DRIVER": "memory"}
    script = Path(__file__).with_name("render.py")
    words = [PYTHON, script, root / CHART]
    done = subprocess.run(words, input=json.dumps(asked), env=environment, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def problems(root: Path) -> list[str]:
    """What keeps the chart from being rendered as it should."""
    found = [f"{CHART}: helm lint has an error, expected none"] if render(root)["lint"] >= 3 else []
    results = render(root)["rendered"]
    for name in ROLLOUTS:
        if "error" in results[name]:
            found.append(f"{CHART}, {name}: {results[name]['error']}")
            continue
        for file, text in results[name]["files"].items():
            try:
                load(text) if file.endswith(".yaml") else []
            except yaml.YAMLError as error:
                found.append(f"{CHART}/templates/{file}, {name}: {error}")
    for name, (_, word) in REFUSED.items():
        said = results[name].get("error", "nothing")
        if word not in said:
            found.append(f"{CHART}: {name} is let through, expected an error with '{word}', got {said[:300]}")
    return found


@functools.cache
def rendered(root: Path) -> dict[str, Objects]:
    """The objects of each roll-out. Of one that cannot be rendered there are none: `problems` says so."""
    results = render(root)["rendered"]
    if problems(root):
        return {}
    return {
        name: [item for file, text in results[name]["files"].items() if file.endswith(".yaml") for item in load(text)]
        for name in ROLLOUTS
    }


def distinct(root: Path) -> Iterator[tuple[str, dict]]:
    """Each object of all roll-outs, once."""
    seen = set()
    for name, items in rendered(root).items():
        for item in items:
            text = json.dumps(item, sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield name, item


def of(objects: Objects, *kinds: str) -> Objects:
    return [item for item in objects if item["kind"] in kinds]


def named(item: dict) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def pod_of(item: dict) -> dict | None:
    """The pod that something makes: its metadata and its spec."""
    if item["kind"] == "Pod":
        return item
    spec = item.get("spec", {})
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if item["kind"] in ("Deployment", "Rollout", "StatefulSet", "Job", "CronJob"):
        return spec["template"]
    return None


def pods(objects: Objects) -> list[tuple[dict, dict]]:
    """Each thing that makes pods, with its pod."""
    return [(item, pod) for item in objects if (pod := pod_of(item))]


def containers(pod: dict) -> list[dict]:
    return pod["spec"]["containers"] + pod["spec"].get("initContainers", [])


def component(pod: dict) -> str:
    return pod["metadata"]["labels"]["app.kubernetes.io/component"]
