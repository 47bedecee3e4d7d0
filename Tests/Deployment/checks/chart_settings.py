"""The Helm chart beside the binary: it speaks of nothing that souk does not have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from helm import binary
from helm.rendering import CHART, Objects, component, containers, distinct, named, of, pods, rendered

from checks import Absent, Mistake, check


def environment_of(container: dict, items: Objects) -> dict[str, str]:
    maps = {item["metadata"]["name"]: item["data"] for item in of(items, "ConfigMap")}
    shared = [maps.get(source["configMapRef"]["name"], {}) for source in container.get("envFrom", [])]
    own = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    return {name: value for part in [*shared, own] for name, value in part.items()}


def mounted(pod: dict, items: Objects) -> set[str]:
    """The files that a pod finds in /run/secrets/souk."""
    files: set[str] = set()
    classes = {item["metadata"]["name"]: item for item in of(items, "SecretProviderClass")}
    for volume in pod["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            files |= {entry["path"] for entry in source["secret"]["items"]}
        if "csi" in volume:
            parameters = classes[volume["csi"]["volumeAttributes"]["secretProviderClass"]]["spec"]["parameters"]
            files |= {entry["objectAlias"] for entry in yaml.safe_load(parameters["objects"])}
    return files


SECRETS = {
    "database-url": "postgres://souk:secret@db.example:5432/souk",
    "redis-url": "redis://:secret@redis.example:6379/0",
    "smtp-url": "smtp://souk:secret@mail.example:587",
    "stripe-key": "sk_test_0123456789abcdef",
}


@check
def souk_takes_it(root: Path) -> list[str]:
    """Every command, setting, role, port and path that the chart names is the binary's, and it takes the settings."""
    _, served = binary.observed()
    found = []
    if sorted(binary.roles()) != sorted(yaml.safe_load((root / CHART / "values.yaml").read_text())["roles"]):
        found.append(f"{CHART}/values.yaml: roles are not souk's: {', '.join(binary.roles())}")
    chart = yaml.safe_load((root / CHART / "Chart.yaml").read_text())
    if chart["appVersion"] != binary.version():
        found.append(f"{CHART}/Chart.yaml: appVersion is {chart['appVersion']}, souk's is {binary.version()}")
    for name, items in rendered(root).items():
        said = set()
        for owner, pod in pods(items):
            for container in containers(pod):
                if "souk" in container["image"]:
                    said |= set(in_container(owner, pod, container, items, served))
        said |= set(settings_of_roles(items)) | set(idle_connections(items))
        found += [f"{CHART}, {name}: {text}" for text in sorted(said)]
    return found


def in_container(owner: dict, pod: dict, container: dict, items: Objects, served: frozenset[str]) -> Iterator[str]:
    where = named(owner)
    command = container["args"][0]
    if command not in binary.commands():
        yield f"{where}: souk has no command '{command}', expected one of {', '.join(sorted(binary.commands()))}"
    environment = environment_of(container, items)
    for setting in environment.keys() - binary.settings():
        yield f"{where}: souk has no setting {setting}"
    files = mounted(pod, items)
    for setting, value in environment.items():
        if setting.endswith("_FILE") and value.rpartition("/")[2] not in files:
            yield f"{where}: {setting} is {value}, which is not mounted: {sorted(files)}"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if (path := container.get(probe, {}).get("httpGet", {}).get("path", "/ready")) not in served:
            yield f"{where}: the {probe} asks for {path}, which souk does not serve"
    for port in container.get("ports", []):
        if str(port["containerPort"]) != environment.get("SOUK_PORT"):
            yield f"{where}: the port is {port['containerPort']}, SOUK_PORT {environment.get('SOUK_PORT')}"
    contents = frozenset((file, SECRETS.get(file, "0123456789abcdef0123456789abcdef")) for file in files)
    if command != "probe" and (said := binary.complaint(frozenset(environment.items()), contents)):
        yield f"{where}: souk does not take its settings: {said}"
    if command == "serve":
        yield from drain(where, pod, container, environment)


def drain(where: str, pod: dict, container: dict, environment: dict[str, str]) -> Iterator[str]:
    """The grace period is longer than the sleep, the drain and the requests in flight together."""
    delay = int(environment.get("SOUK_DRAIN_DELAY", "0s").removesuffix("s"))
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = before + delay + binary.seconds("drainTimeout")
    given = pod["spec"]["terminationGracePeriodSeconds"]
    if given <= needed:
        yield f"{where}: the grace period is {given} s, expected more than {needed}: sleep, drain delay and drain"


def settings_of_roles(items: Objects) -> Iterator[str]:
    """One workload for each role, each with the Service by which the others reach it."""
    there = [
        (component(pod), environment_of(pod["spec"]["containers"][0], items).get("SOUK_ROLES"))
        for owner, pod in pods(items)
        if owner["kind"] in ("Deployment", "Rollout")
    ]
    for name, role in there:
        if name != role:
            yield f"souk-{name} plays the role {role}"
    if sorted(role or "" for _, role in there) != sorted(binary.roles()):
        yield f"the workloads play {sorted(role or '' for _, role in there)}, expected each of souk's roles once"


@check
def autoscalers_see_something(root: Path) -> list[str]:
    """Every metric of an autoscaler is made by a rule of the adapter, of a series that souk exports."""
    series, _ = binary.observed()
    file = "deploy/argocd/addons/prometheus-adapter.yaml"
    if not (root / file).exists():
        raise Absent(f"there is no {file}")
    rules = yaml.safe_load((root / file).read_text())["rules"]["custom"]
    found = []
    for rule in rules:
        source = rule["seriesQuery"].partition("{")[0]
        if source not in series:
            found.append(f"{file}: souk does not export {source}")
    made = {rule["name"]["as"] for rule in rules}
    for name, item in distinct(root):
        if item["kind"] == "HorizontalPodAutoscaler":
            asked = {metric["pods"]["metric"]["name"] for metric in item["spec"]["metrics"] if metric["type"] == "Pods"}
            found += [f"{CHART}, {name}: {named(item)}: no rule makes {metric}" for metric in sorted(asked - made)]
        if item["kind"] == "AnalysisTemplate":
            asked = set(re.findall(r"\bsouk_[a-z_]+(?={)", json.dumps(item)))
            found += [f"{CHART}, {name}: {named(item)}: souk does not export {one}" for one in sorted(asked - series)]
    return found


def idle_connections(items: Objects) -> Iterator[str]:
    """The load balancer lets go of an idle connection before souk does: no request meets one that closes."""
    for ingress in of(items, "Ingress"):
        attributes = (
            ingress["metadata"].get("annotations", {}).get("alb.ingress.kubernetes.io/load-balancer-attributes")
        )
        found = re.search(r"idle_timeout\.timeout_seconds=(\d+)", attributes or "")
        limit = binary.seconds("idleTimeout")
        if attributes and not (found and int(found[1]) < limit):
            yield f"{named(ingress)}: expected an idle timeout below souk's {limit} s"


@check
def the_backup_is_on(root: Path) -> list[str]:
    """As soon as there is `souk backup`, production makes one."""
    values = yaml.safe_load((root / CHART / "values-prod.yaml").read_text())
    is_on = values.get("jobs", {}).get("backup", {}).get("enabled", False)
    if is_on != ("backup" in binary.commands()):
        return [
            f"{CHART}/values-prod.yaml: jobs.backup.enabled is {is_on}, but souk {'has' if not is_on else 'lacks'} it"
        ]
    return []


ROLES = f"{CHART}/templates/_roles.tpl"
POD = f"{CHART}/templates/_pod.tpl"
WORKLOADS = f"{CHART}/templates/workloads.yaml"
MISTAKES = [
    Mistake(
        "wrong probe path", souk_takes_it, WORKLOADS, "path: /ready", "path: /readiness", "which souk does not serve"
    ),
    Mistake(
        "port that souk does not listen on",
        souk_takes_it,
        WORKLOADS,
        "containerPort: 8080",
        "containerPort: 8081",
        "SOUK_PORT",
    ),
    Mistake(
        "setting that souk does not have",
        souk_takes_it,
        POD,
        "SOUK_DRAIN_DELAY:",
        "SOUK_DRAIN:",
        "no setting SOUK_DRAIN",
    ),
    Mistake(
        "grace period shorter than the drain",
        souk_takes_it,
        WORKLOADS,
        ".Values.drain.requestSeconds 5 }}",
        "5 }}",
        "grace period",
    ),
    Mistake(
        "autoscaler on a missing metric",
        autoscalers_see_something,
        f"{CHART}/templates/autoscaler.yaml",
        "souk_http_requests_per_second",
        "souk_requests_per_second",
        "no rule makes souk_requests_per_second",
    ),
    Mistake(
        "role without a secret that it needs",
        souk_takes_it,
        ROLES,
        "redis-url, service-keys, staff",
        "redis-url, staff",
        "SOUK_SERVICE_KEYS is not set",
    ),
]
