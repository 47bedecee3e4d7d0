"""The Helm chart: Helm's engine, the API's schemas, checkov, and how its objects fit together."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from exceptions import Exceptions
from helm import objects
from helm.rendering import CHART, ROLLOUTS, distinct, named, of, problems, rendered

from checks import ROOT, Absent, Mistake, check, run

VERSIONS = ("1.35", "1.36")
OWN_SCHEMAS = Path(__file__).parents[1] / "helm/schemas"


@check
def renders(root: Path) -> list[str]:
    return problems(root)


@check
def fits_together(root: Path) -> list[str]:
    return unique((root, name, found) for name, items in rendered(root).items() for found in objects.all_of_them(items))


def unique(findings) -> list[str]:
    """Each finding once, with the first roll-out that has it."""
    found = {text: f"{CHART}, {name}: {text}" for _, name, text in reversed(list(findings))}
    return list(found.values())[::-1]


def is_kubernetes_own(item: dict) -> bool:
    group = item["apiVersion"].rpartition("/")[0]
    # autoscaling.k8s.io is the vertical autoscaler's.
    return "." not in group or group in ("networking.k8s.io", "scheduling.k8s.io")


@check
def kubernetes_takes_it(root: Path) -> list[str]:
    try:
        import kubernetes_validate as validate
    except ImportError as error:
        raise Absent("kubernetes-validate is not installed") from error
    found = []
    for name, item in distinct(root):
        if not is_kubernetes_own(item):
            continue
        for version in VERSIONS:
            try:
                validate.validate(item, version, strict=True)
            except (validate.ValidationError, validate.SchemaNotFoundError, validate.InvalidSchemaError) as error:
                why = getattr(error, "message", str(error))
                found.append(f"{CHART}, {name}: {named(item)} is not Kubernetes {version}'s: {why}")
    return found


def schema_of(item: dict) -> Path | None:
    """Of a custom resource: the projects' own, beside the repository, or the few in helm/schemas."""
    group, _, version = item["apiVersion"].rpartition("/")
    name = f"{item['kind'].lower()}_{group}_{version}.json"
    beside = Path(os.environ.get("SOUK_SCHEMAS") or ROOT.parent / "shared/schemas")
    return next((folder / name for folder in (OWN_SCHEMAS, beside) if (folder / name).exists()), None)


@check
def operators_take_it(root: Path) -> list[str]:
    try:
        import jsonschema
    except ImportError as error:
        raise Absent("jsonschema is not installed") from error
    found, missing, validators = [], set(), {}
    for name, item in distinct(root):
        if is_kubernetes_own(item):
            continue
        path = schema_of(item)
        if not path:
            missing.add(item["kind"])
            continue
        if path not in validators:
            validators[path] = jsonschema.Draft202012Validator(json.loads(path.read_text()))
        for error in validators[path].iter_errors(item):
            found.append(f"{CHART}, {name}: {named(item)}: {error.json_path}: {error.message[:200]}")
    if missing and not found:
        raise Absent(f"no schemas for {', '.join(sorted(missing))}: set SOUK_SCHEMAS")
    return found


@check
def the_namespace_takes_it(root: Path) -> list[str]:
    """Pod Security is enforced there, and a roll-out waits for the load balancer."""
    expected = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "elbv2.k8s.aws/pod-readiness-gate-inject": "enabled",
    }
    found = []
    for file in sorted((root / "deploy/cluster").rglob("*.yaml")):
        for item in yaml.safe_load_all(file.read_text()):
            if item and item["kind"] == "Namespace" and item["metadata"]["name"] == "souk":
                labels = item["metadata"].get("labels", {})
                missing = [f"{name}={value}" for name, value in expected.items() if labels.get(name) != value]
                found += [f"{file.relative_to(root)}: the namespace souk lacks the label {text}" for text in missing]
    return found


@check
def every_value_is_described(root: Path) -> list[str]:
    values = yaml.safe_load((root / CHART / "values.yaml").read_text())
    readme = (root / CHART / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| ", readme, re.MULTILINE))
    found = []
    there = dict(leaves(values))
    for name, value in there.items():
        if name not in rows:
            found.append(f"{CHART}/README.md: the value {name} is not described")
        elif name != "roles" and json.loads(rows[name]) != value:
            found.append(f"{CHART}/README.md: the default of {name} is {rows[name]}, expected {json.dumps(value)}")
    found += [f"{CHART}/README.md: there is no value {name}" for name in rows.keys() - there.keys()]
    schema = json.loads((root / CHART / "values.schema.json").read_text())
    known = set(leaves_of_schema(schema, schema))
    found += [f"{CHART}/values.schema.json: does not know {name}" for name in there.keys() - known]
    # An index of the roles is enough; what a user may add is not in the values.
    unused = known - there.keys() - {"global"}
    return found + [f"{CHART}/values.schema.json: there is no value {name}" for name in sorted(unused)]


def leaves(values: dict, above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict) and value and name != "roles":
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def leaves_of_schema(part: dict, schema: dict, above: str = "") -> Iterator[str]:
    for name, value in part["properties"].items():
        while "$ref" in value:
            value = schema["$defs"][value["$ref"].rpartition("/")[2]]
        if "properties" in value and name != "roles":
            yield from leaves_of_schema(value, schema, f"{above}{name}.")
        elif above + name in ("role.resources.requests", "role.resources.limits"):
            yield from (f"{above}{name}.{unit}" for unit in ("cpu", "memory") if (name, unit) != ("limits", "cpu"))
        else:
            yield above + name


@check
def annotations_are_passed_on(root: Path) -> list[str]:
    """Those that the user gives go before the chart's own."""
    return [
        f"{CHART}, {name}: {named(item)} lacks the annotation {key}: {value}"
        for name, items in rendered(root).items()
        for item in of(items, "Ingress")
        for key, value in ROLLOUTS[name][1].get("ingress", {}).get("annotations", {}).items()
        if item["metadata"]["annotations"].get(key) != value
    ]


@check
def checkov_finds_nothing(root: Path) -> list[str]:
    checkov = ROOT / ".venv/environments/checkov/bin/checkov"
    if not checkov.exists():
        raise Absent("checkov is not installed: scripts/setup deploy")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prod.yaml"
        file.write_text(yaml.safe_dump_all(rendered(root).get("prod", [])))
        words = [checkov, "--file", file, "--framework", "kubernetes", "--output", "json", "--quiet", "--compact"]
        done = run(words, cwd=Path(folder), environment=os.environ | {"BC_SKIP_MAPPING": "TRUE"})
    report = json.loads(done.stdout)
    if not report["summary"]["passed"]:
        return ["checkov looked at nothing"]
    exceptions, found = Exceptions(root, "checkov", str(CHART)), []
    for failed in report["results"]["failed_checks"]:
        kind, _, name = failed["resource"].split(".")[:3]
        if not exceptions.cover(failed["check_id"], str(CHART), f"{CHART}: {kind} {name}"):
            found.append(f"{CHART}, prod: {kind} {name}: checkov {failed['check_id']}: {failed['check_name']}")
    return found + exceptions.faults()


VALUES = f"{CHART}/values.yaml"
POD = f"{CHART}/templates/_pod.tpl"
WORKLOADS = f"{CHART}/templates/workloads.yaml"
MISTAKES = [
    Mistake(
        "container without a memory limit",
        fits_together,
        VALUES,
        "limits: {memory: 512Mi}",
        "limits: {}",
        "limits.memory",
    ),
    Mistake("request above the limit", fits_together, VALUES, "memory: 256Mi}", "memory: 1Gi}", "than its limit"),
    Mistake("quantity that is none", renders, VALUES, "memory: 512Mi", "memory: 512Mb", "/limits/memory"),
    Mistake(
        "privileged pod", fits_together, POD, "allowPrivilegeEscalation: false", "privileged: true", "no privileged"
    ),
    Mistake("tag latest", renders, VALUES, 'tag: ""', "tag: latest", "/image/tag"),
    Mistake(
        "field that Kubernetes does not have",
        kubernetes_takes_it,
        WORKLOADS,
        "maxSkew: 1",
        "skew: 1",
        "Kubernetes 1.36",
    ),
    Mistake(
        "field that an operator does not have",
        operators_take_it,
        f"{CHART}/templates/monitoring.yaml",
        "interval: 15s",
        "every: 15s",
        "every",
    ),
    Mistake(
        "replicas beside an autoscaler",
        fits_together,
        WORKLOADS,
        "{{- if not $role.autoscaling.enabled }}",
        "{{- if true }}",
        "expected replicas where",
    ),
    Mistake(
        "Service that selects nothing",
        fits_together,
        f"{CHART}/templates/service.yaml",
        '"souk.selector" (list $ $name)',
        '"souk.selector" (list $ "shop")',
        "finds no pod",
    ),
    Mistake(
        "budget of another role",
        fits_together,
        f"{CHART}/templates/disruptionbudget.yaml",
        '"souk.selector" (list $ $name)',
        '"souk.selector" (list $ "orders")',
        "of another component",
    ),
    Mistake(
        "job before its ServiceAccount",
        fits_together,
        f"{CHART}/templates/migrate.yaml",
        '"helm.sh/hook-weight" "-10"',
        '"helm.sh/hook-weight" "10"',
        "there is no ServiceAccount",
    ),
    Mistake(
        "server that each release restarts",
        fits_together,
        f"{CHART}/templates/servers.yaml",
        '"souk.selector" (list $ $server) | nindent 8 }}',
        '"souk.labels" (list $ $server) | nindent 8 }}',
        "so that the next one restarts it",
    ),
    Mistake(
        "volume that outlives its password",
        fits_together,
        f"{CHART}/templates/servers.yaml",
        "whenDeleted: Delete",
        "whenDeleted: Retain",
        "outlives its password",
    ),
    Mistake(
        "roll-out that throws others out",
        fits_together,
        f"{CHART}/templates/priorityclass.yaml",
        "preemptionPolicy: Never",
        "preemptionPolicy: PreemptLowerPriority",
        "throw others out",
    ),
    Mistake(
        "setting given twice",
        fits_together,
        WORKLOADS,
        "            {{- with $role.env }}",
        "            - {name: SOUK_ROLES, value: all}\n            {{- with $role.env }}",
        "SOUK_ROLES is there twice",
    ),
    Mistake(
        "annotation that is not passed on",
        annotations_are_passed_on,
        f"{CHART}/templates/ingress.yaml",
        "merge (deepCopy .annotations) $own",
        "merge $own (deepCopy .annotations)",
        "lacks the annotation alb.ingress.kubernetes.io/scheme",
    ),
    Mistake(
        "value that nobody describes",
        every_value_is_described,
        VALUES,
        "demo:\n",
        "demo:\n  orders: 0\n",
        "demo.orders is not described",
    ),
    Mistake(
        "account's token in a pod",
        checkov_finds_nothing,
        POD,
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: true",
        "CKV_K8S_38",
    ),
]
