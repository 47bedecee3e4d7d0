"""What Terraform and its neighbours say of the same things: who pods and workflows are in AWS, names, groups, versions.

Neither side's own tools see the other one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from manifests import KUBERNETES

from checks import Mistake, check
from checks.terraform import TREE

MODULES = f"{TREE}/modules"
IDENTITY, ADDONS, CHART = f"{MODULES}/identity", "deploy/argocd", "deploy/helm/souk/templates/_roles.tpl"
RBAC = "deploy/cluster/base/rbac.yaml"
# Who writes a CloudWatch metric: AWS itself, or the collector.
COLLECTED = "Souk"


def differ(where: str, what: str, here: Iterable[str], there: Iterable[str], other: str) -> list[str]:
    """Both directions."""
    here, there = set(here), set(there)
    return [f"{where}: {what} {name} is not in {other}" for name in sorted(here - there)] + [
        f"{where}: lacks the {what} {name} of {other}" for name in sorted(there - here)
    ]


def read(root: Path, *patterns: str) -> str:
    """All that is not a test's."""
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if "tests" not in path.parts})
    assert paths, f"nothing is at {patterns}"
    return "\n".join(path.read_text() for path in paths)


# --- who pods are -----------------------------------------------------------------------------------------------------


def terraform_roles(root: Path) -> dict[str, set[str]]:
    """Of each of the shop's roles and jobs: its secrets, and its kinds of objects."""
    text = read(root, f"{IDENTITY}/souk.tf")
    common = re.search(r"common = \[(.*)\]", text)
    assert common
    found = {}
    for name, said in re.findall(r"^    (\w+) +=\s\{ (secrets = .*) \}$", text, re.M):
        said = said.replace("local.common", common[1])
        found[name] = set(re.findall(r'"([a-z]+-[a-z]+)"', said)) | set(re.findall(r"\b(objects) =", said))
    return found


def chart_roles(root: Path) -> dict[str, set[str]]:
    """The same, whatever the values are."""
    text = read(root, CHART)
    found = {}
    for block in re.findall(r'define "souk\.(?:roles|jobs)" -}}\n(.*?)\n{{- end }}\n', text, re.S):
        for name, said in re.findall(r"^([a-z]+):\n((?:  .*\n?)+)", block, re.M):
            secrets = re.search(r"secrets: \[(.*)\]", said)
            uses = re.search(r"uses: \[(.*)\]", said)
            words = re.sub(r"{{.*?}}", "", secrets[1] if secrets else "")
            found[name] = set(re.findall(r"[a-z-]+", words)) | ({"objects"} & set(re.findall(r"\w+", uses[1])))
    return found


@check
def the_shop(root: Path) -> list[str]:
    """Each role and job of the chart has a role in AWS, which reads the secrets that it mounts and no others."""
    ours, theirs = terraform_roles(root), chart_roles(root)
    found = differ(f"{IDENTITY}/souk.tf", "role", ours, theirs, "the chart")
    for name in sorted(ours.keys() & theirs.keys()):
        found += differ(f"{IDENTITY}/souk.tf", f"right of {name} to", ours[name], theirs[name], "the chart")
    return found


@check
def addons(root: Path) -> list[str]:
    """Each identity that an add-on has in AWS is one that Terraform makes, in a namespace that there is."""
    text = read(root, f"{MODULES}/identity/*.tf", f"{MODULES}/nodes/karpenter.tf")
    pairs = re.findall(r'namespace += "([a-z-]+)"(?:,|\n) *service_account += "([a-z-]+)"', text)
    ours = {f"{namespace}/{account}" for namespace, account in pairs}
    table = re.findall(r"^\| .* \| .* \| (.*) \|$", read(root, f"{ADDONS}/README.md"), re.M)
    theirs = {name for cell in table for name in re.findall(r"`([a-z-]+/[a-z-]+)`", cell)}
    found = differ(f"{IDENTITY}/addons.tf", "identity", ours, theirs, f"{ADDONS}/README.md")
    found += named_otherwise(root, ours)
    made = set(re.findall(r"^  name: ([a-z-]+)$", read(root, "deploy/cluster/base/namespaces.yaml"), re.M))
    namespaces = {name.partition("/")[0] for name in ours} - {"kube-system"}
    return found + [
        f"{IDENTITY}/addons.tf: there is no namespace {name} in deploy/cluster" for name in sorted(namespaces - made)
    ]


def named_otherwise(root: Path, identities: set[str]) -> list[str]:
    """Add-ons whose values give their service account a name, where Terraform has another for their namespace."""
    listed = yaml.safe_load((root / ADDONS / "values.yaml").read_text())["addons"]
    found = []
    for path in sorted((root / ADDONS / "addons").glob("*.yaml")):
        namespace = listed[path.stem]["namespace"]
        wanted = {each for each in identities if each.startswith(f"{namespace}/")}
        for name in re.findall(r"^ *serviceAccount: {.*\bname: ([a-z-]+)", path.read_text(), re.M):
            if wanted and f"{namespace}/{name}" not in wanted:
                found.append(f"{ADDONS}/addons/{path.name}: {namespace}/{name}, but Terraform has {sorted(wanted)}")
    return found


@check
def names(root: Path) -> list[str]:
    """What the add-ons' values call by a name of Terraform's bears that name there."""
    text, said = read(root, f"{MODULES}/*/*.tf"), read(root, f"{ADDONS}/addons/*.yaml", f"{ADDONS}/templates/*.yaml")
    used = set(re.findall(r"souk-{{ \.Values\.environment }}((?:-[a-z]+)+)", said))
    return [
        f"{ADDONS}: souk-<environment>{suffix}, but nothing in {MODULES} is called so"
        for suffix in sorted(used)
        if f'"${{var.name}}{suffix}' not in text
    ]


# --- who people and workflows are -------------------------------------------------------------------------------------


@check
def workflows(root: Path) -> list[str]:
    """Each role that a workflow takes is there, trusts the environment that the job runs in, and is taken."""
    text = read(root, f"{MODULES}/github/main.tf")
    ours = {*re.findall(r"^ +(\w+) = { subjects", text, re.M), *re.findall(r'"(\w+)-\${environment}" =>', text)}
    taken, found = set(), []
    for path in sorted((root / ".github/workflows").glob("*.yml")):
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            for step in job.get("steps", []):
                role = str(step.get("with", {}).get("role-to-assume", "")).rpartition(":role/souk-github-")[2]
                if not role:
                    continue
                kind, _, environment = role.partition("-")
                taken.add(kind)
                runs_in = job.get("environment", "")
                runs_in = runs_in["name"] if isinstance(runs_in, dict) else runs_in
                if environment and environment != runs_in:
                    found.append(f"{path.relative_to(root)}: {name} takes souk-github-{role} outside that environment")
    return found + differ(f"{MODULES}/github/main.tf", "role souk-github", ours, taken, ".github/workflows")


@check
def groups(root: Path) -> list[str]:
    """The groups that access entries may name are those that the cluster gives something."""
    bound = set(re.findall(r'kind: Group, name: "(souk:[a-z]+)"', read(root, RBAC)))
    allowed = set(re.findall(r'"(souk:[a-z]+)"', read(root, f"{MODULES}/cluster/variables.tf")))
    elsewhere = set(re.findall(r'"(souk:[a-z]+)"', read(root, f"{MODULES}/souk/*.tf", "docs/*.md")))
    found = differ(f"{MODULES}/cluster/variables.tf", "group", allowed, bound, RBAC)
    return found + [f"{MODULES}/souk: nothing is bound to {group}" for group in sorted(elsewhere - bound)]


@check
def repository(root: Path) -> list[str]:
    """AWS trusts the repository whose signatures Kyverno trusts, and which Argo CD reads."""
    said = re.search(r'variable "repository" \{.*?default += "([^"]+)"', read(root, f"{TREE}/account/*.tf"), re.S)
    name = said[1] if said else "no repository"
    places = (f"{ADDONS}/values.yaml", "deploy/policies/images/signed-by-the-build.yaml")
    return [
        f"{TREE}/account/variables.tf: trusts {name}, which {place} does not"
        for place in places
        if f"https://github.com/{name}" not in read(root, place).replace("[.]", ".")
    ]


# --- what is watched --------------------------------------------------------------------------------------------------


@check
def telemetry(root: Path) -> list[str]:
    """Topics, log groups and metrics are written by somebody, and wherever somebody writes there is one."""
    module, watchers = f"{MODULES}/observability", "deploy/observability"
    text, alertmanager = read(root, f"{module}/*.tf"), read(root, f"{watchers}/alertmanager.yaml")
    lists = [set(re.findall(r'"([a-z]+)"', said)) for said in re.findall(r"for_each += toset\(\[(.*)\]\)", text)]
    topics, logs = lists
    told = re.findall(r"{{ \.cluster }}-([a-z]+)", alertmanager)
    found = differ(f"{module}/main.tf", "topic", topics, told, f"{watchers}/alertmanager.yaml")
    writers = read(root, f"{watchers}/fluent-bit.yaml", f"{watchers}/collector.yaml")
    written = re.findall(r"/souk/\${(?:env:)?ENVIRONMENT}/([a-z]+)", writers)
    found += differ(f"{module}/main.tf", "log group", logs, written, "Fluent Bit and the collector")
    selected = set(re.findall(r"\^(souk_\w+)\$", read(root, f"{watchers}/collector.yaml")))
    for metric in sorted(set(re.findall(r'"(souk_\w+)"', text)) - selected):
        found.append(f"{module}: the collector sends no {metric} to CloudWatch")
    for namespace in sorted(set(re.findall(r'(?:namespace += |\[\[?)"([A-Z][A-Za-z/]+)"', text))):
        if namespace != COLLECTED and not namespace.startswith("AWS/"):
            found.append(f"{module}: nobody writes metrics of {namespace}")
    return found


@check
def versions(root: Path) -> list[str]:
    """Clusters run what the manifests are held against."""
    said = {
        path.relative_to(root): version
        for path in sorted((root / TREE).rglob("*.tf"))
        for version in re.findall(
            r'(?:kubernetes_version += |variable "kubernetes_version" {[^}]*?default += )"([^"]+)"', path.read_text()
        )
    }
    assert said, f"{TREE} names no version of Kubernetes"
    return [
        f"{path}: Kubernetes {version}, expected one that the manifests are held against: {', '.join(KUBERNETES)}"
        for path, version in said.items()
        if version not in KUBERNETES
    ]


MISTAKES = [
    Mistake(
        "cluster of a version that no manifest was held against",
        versions,
        f"{MODULES}/souk/variables.tf",
        'default     = "1.35"',
        'default     = "1.37"',
        "held against: 1.35, 1.36",
    ),
    Mistake(
        "identity for a service account that nobody has",
        addons,
        f"{IDENTITY}/addons.tf",
        'service_account = "fluent-bit"',
        'service_account = "fluentbit"',
        "identity node-agents/fluentbit is not in",
    ),
    Mistake(
        "add-on without its identity",
        addons,
        f"{ADDONS}/addons/velero.yaml",
        "{server: {name: velero}}",
        "{server: {name: velero-server}}",
        "velero/velero-server, but Terraform has",
    ),
    Mistake(
        "role that reads another's secret",
        the_shop,
        f"{IDENTITY}/souk.tf",
        'audit         = { secrets = ["database-url"] }',
        'audit         = { secrets = ["database-url", "signing-key"] }',
        "right of audit to signing-key is not in the chart",
    ),
    Mistake(
        "deployment outside its environment",
        workflows,
        ".github/workflows/deploy.yml",
        "      name: ${{ inputs.environment }}\n",
        "      name: dev\n",
        "outside that environment",
    ),
    Mistake(
        "group that has no rights",
        groups,
        f"{MODULES}/souk/main.tf",
        "souk:deployers",
        "souk:deployment",
        "nothing is bound to souk:deployment",
    ),
    Mistake(
        "alarm on a metric that nobody writes",
        telemetry,
        f"{MODULES}/observability/alarms.tf",
        'metric = "souk_stock_outs_total"',
        'metric = "souk_stockouts_total"',
        "sends no souk_stockouts_total",
    ),
]
