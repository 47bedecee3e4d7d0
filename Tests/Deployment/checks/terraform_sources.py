"""Terraform's files as they are read: what holds for every one of them, what checkov says, and the rotation of keys."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from aws.peer import PYTHON
from exceptions import Exceptions

from checks import ROOT, Absent, Mistake, check, run
from checks.terraform import ENVIRONMENTS, LOCK, TAGS, TREE, UNTESTED, module_names

GRAVITON = re.compile(r"(db\.|cache\.)?(t4g|[cmr][678]g[dn]?)\.(micro|small|medium|([0-9]*x)?large)")


def blocks(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Blocks of a kind with one label: the label, and what is inside."""
    for found in re.finditer(rf'^{kind} "([^"]+)" \{{\n(.*?)^\}}', text, re.M | re.S):
        yield found[1], found[2]


@check
def sources(root: Path) -> list[str]:
    """What holds for every file and is seen without running anything."""
    found = []
    for path in sorted((root / TREE).rglob("*.tf")):
        name, text = path.relative_to(root), path.read_text()
        for kind in ("variable", "output"):
            for label, body in blocks(text, kind):
                if not re.search(r"^  description += ", body, re.M):
                    found.append(f"{name}: {kind} {label} has no description")
        for line in re.findall(r'.*cidr\w* += \[?"(?:0\.0\.0\.0|::)/0".*', text):
            if "destination_cidr_block" not in line:
                found.append(f"{name}: expected a security group that does not name everybody:{line}")
        for key, value in re.findall(r'(instance_type|instance_class|node_type) += "([^"]+)"', text):
            if not value.startswith("dms.") and not GRAVITON.fullmatch(value):
                found.append(f"{name}: {key} is {value}, expected one of Graviton that AWS has")
        found += [
            f"{name}: names the account {number}"
            for number in re.findall(r'"[^"]*?(\d{12})[^"]*"', text)
            if number not in ("111122223333",)
        ]
    return [*found, *structure(root), *pins(root), *addresses(root), *tags(root), *rights(root)]


def structure(root: Path) -> list[str]:
    """Every module is used and tested; every environment has what all have, and no more of its own than its values."""
    tree, found = root / TREE, []
    used = set(
        re.findall(
            r'source += "(?:\.\./)+(?:modules/)?(\w+)"', "".join(path.read_text() for path in [*tree.rglob("*.tf")])
        )
    )
    for name in module_names(root):
        if name not in used:
            found.append(f"{TREE}/modules/{name}: no root and no module uses it")
        if name not in UNTESTED and not list((tree / "modules" / name / "tests").glob("*.tftest.hcl")):
            found.append(f"{TREE}/modules/{name}: expected tests beside it")
    common = (tree / "environments/common.tf").read_text()
    for name in ENVIRONMENTS:
        folder = tree / "environments" / name
        if (folder / "common.tf").read_text() != common:
            found.append(f"{TREE}/environments/{name}/common.tf: expected a link to ../common.tf")
        if f'locals {{ environment = "{name}" }}' not in (folder / "main.tf").read_text():
            found.append(f"{TREE}/environments/{name}/main.tf: expected the environment {name}")
        if f'key          = "souk/{name}.tfstate"' not in (folder / "main.tf").read_text():
            found.append(f"{TREE}/environments/{name}/main.tf: expected a state of its own, souk/{name}.tfstate")
    readme = (tree / "README.md").read_text()
    variables = [label for label, _ in blocks(common, "variable")]
    variables += [label for label, _ in blocks((tree / "modules/souk/variables.tf").read_text(), "variable")]
    found += [
        f"{TREE}/README.md: says nothing of the variable {label}"
        for label in sorted(set(variables))
        if f"`{label}`" not in readme
    ]
    return found + [
        f"{TREE}/README.md: says nothing of the module {name}"
        for name in module_names(root)
        if f"`{name}`" not in readme
    ]


def roots(root: Path) -> list[Path]:
    return [root / TREE / "account", *(root / TREE / "environments" / name for name in ENVIRONMENTS)]


def pins(root: Path) -> Iterator[str]:
    """Roots run one version of the provider, by the same lock; modules say between which they are right."""
    locks = set()
    for folder in roots(root):
        name, text = folder.relative_to(root), "".join(path.read_text() for path in sorted(folder.glob("*.tf")))
        pin = re.search(r'source = "hashicorp/aws", version = "([0-9]+\.[0-9]+\.[0-9]+)"', text)
        if not pin:
            yield f"{name}: expected one exact version of the provider"
            continue
        lock = (folder / LOCK).read_text() if (folder / LOCK).exists() else ""
        locks.add(lock)
        if f'version     = "{pin[1]}"' not in lock or not {"h1", "zh"} <= set(re.findall(r'"(h1|zh):', lock)):
            yield f"{name}/{LOCK}: expected version {pin[1]} of the provider, with its hashes"
    if len(locks) > 1:
        yield f"{TREE}: expected the same {LOCK} in each root"
    for folder in [*roots(root), *((root / TREE / "modules" / name) for name in module_names(root))]:
        text = "".join(path.read_text() for path in sorted(folder.glob("*.tf")))
        if 'required_version = ">= ' not in text:
            yield f"{folder.relative_to(root)}: expected the version of Terraform that it needs"
        if not re.search(r'version += "(>= [0-9.]+, < [0-9.]+|[0-9]+\.[0-9]+\.[0-9]+)"', text):
            yield f"{folder.relative_to(root)}: expected versions of the provider with a bound"


def addresses(root: Path) -> Iterator[str]:
    """Each VPC has private addresses that no other one has: they may be peered."""
    taken: dict[str, ipaddress.IPv4Network] = {}
    for name in ENVIRONMENTS:
        file = f"{TREE}/environments/{name}/main.tf"
        for number, cidr in enumerate(re.findall(r'^ +cidr += "([^"]+)"', (root / file).read_text(), re.M)):
            try:
                network = ipaddress.IPv4Network(cidr)
            except ValueError as wrong:
                yield f"{file}: cidr {wrong}"
                continue
            if network.prefixlen != 16 or not network.is_private:
                yield f"{file}: cidr {cidr}, expected a private /16"
            for other, theirs in taken.items():
                if network.overlaps(theirs):
                    yield f"{file}: cidr {cidr} overlaps that of {other}"
            taken[f"{name} {number}"] = network


def tags(root: Path) -> Iterator[str]:
    """Each provider gives all that it makes the tags by which costs are told apart."""
    files = {path for folder in roots(root) for path in folder.glob("*.tf") if not path.is_symlink()}
    for path in sorted(files | {root / TREE / "environments/common.tf"}):
        text = path.read_text()
        for _, body in blocks(text, "provider"):
            if "default_tags { tags = local.tags }" not in body:
                yield f"{path.relative_to(root)}: expected local.tags on all that a provider makes"
        said = set(re.findall(r"^    (\w+) +=", "".join(re.findall(r"  tags = {\n(.*?)  }", text, re.S)), re.M))
        if 'provider "aws"' in text and said != TAGS:
            yield f"{path.relative_to(root)}: tags {sorted(said)}, expected {sorted(TAGS)}"


def rights(root: Path) -> Iterator[str]:
    """Nobody may do all, or all of a service: but a key's own account, or where it is denied."""
    for path in sorted((root / TREE).rglob("*.tf")):
        for statement in re.findall(r"\n( *)(statement {\n.*?\n)\1}", path.read_text(), re.S):
            said = statement[1]
            if re.search(r'effect += "Deny"', said) or ':root"' in said:
                continue
            for action in re.findall(r'"((?:[a-z0-9-]+:)?\*|\*:\*)"', said.partition("resources")[0]):
                yield f"{path.relative_to(root)}: a role that may {action}, expected what it needs and no more"


@check
def checkov_finds_nothing(root: Path) -> list[str]:
    checkov = ROOT / ".venv/environments/checkov/bin/checkov"
    if not checkov.exists():
        raise Absent("checkov is not installed: scripts/setup deploy")
    words = [
        checkov,
        "--directory",
        root / TREE,
        "--framework",
        "terraform",
        "--output",
        "json",
        "--quiet",
        "--compact",
    ]
    done = run(words, cwd=root, environment=os.environ | {"BC_SKIP_MAPPING": "TRUE"})
    report = json.loads(done.stdout)
    if not report["summary"]["passed"] or report["summary"]["parsing_errors"]:
        return [f"{TREE}: checkov could not read it: {report['summary']}"]
    exceptions, found = Exceptions(root, "checkov", TREE), set()
    for failed in report["results"]["failed_checks"]:
        file = f"{TREE}{failed['file_path']}"
        if not exceptions.cover(failed["check_id"], file):
            found.add(f"{file}: {failed['resource']}: checkov {failed['check_id']}: {failed['check_name']}")
    return sorted(found) + exceptions.faults()


@check
def rotation(root: Path) -> list[str]:
    """Whoever has the list of before and whoever has the next believe each other, and every key goes in the end."""
    if not PYTHON.exists():
        raise Absent("moto is not installed: scripts/setup deploy")
    file = f"{TREE}/modules/data/rotation.py"
    settings = {
        **os.environ,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "moto",
        "AWS_SECRET_ACCESS_KEY": "moto",
    }
    done = run([PYTHON, ROOT / "Tests/Deployment/aws/rotate.py", root / file, "6"], root, settings)
    if done.returncode:
        return [f"{file}: {done.stderr.strip().splitlines()[-1]}"]
    lists = [value.split(",") for value in json.loads(done.stdout)]
    found = [
        f"{file}: rotation {number}: a role with one list does not believe one with the other"
        for number, (old, new) in enumerate(itertools.pairwise(lists), 1)
        if old[0] not in new or new[0] not in old
    ]
    if lists[0][0] in lists[-1] or len({keys[0] for keys in lists}) < 4:
        found.append(f"{file}: expected each key to sign for a month and to be gone later")
    return found


MISTAKES = [
    Mistake(
        "open security group",
        sources,
        f"{TREE}/modules/network/endpoints.tf",
        "cidr_ipv4         = var.cidr",
        'cidr_ipv4         = "0.0.0.0/0"',
        "does not name everybody",
    ),
    Mistake(
        "role that may do everything",
        sources,
        f"{TREE}/modules/identity/addons.tf",
        'actions   = ["ec2:DescribeSpotPriceHistory", "pricing:GetProducts"]',
        'actions   = ["*:*"]',
        "a role that may *:*",
    ),
    Mistake(
        "resources without tags",
        sources,
        f"{TREE}/environments/common.tf",
        '  region = "us-east-1"\n  default_tags { tags = local.tags }\n',
        '  region = "us-east-1"\n',
        "expected local.tags",
    ),
    Mistake(
        "addresses of another environment",
        sources,
        f"{TREE}/environments/staging/main.tf",
        '"10.20.0.0/16"',
        '"10.10.0.0/16"',
        "cidr 10.10.0.0/16 overlaps that of dev",
    ),
    Mistake(
        "addresses that are none",
        sources,
        f"{TREE}/environments/prod/main.tf",
        '"10.40.0.0/16"',
        '"10.40.0.0/61"',
        "'61' is not a valid netmask",
    ),
    Mistake(
        "provider of no certain version",
        sources,
        f"{TREE}/account/main.tf",
        'version = "5.100.0"',
        'version = ">= 5.100"',
        "expected one exact version of the provider",
    ),
    Mistake(
        "wrong instance class",
        sources,
        f"{TREE}/environments/prod/main.tf",
        "db.r7g.xlarge",
        "db.r7q.xlarge",
        "one of Graviton",
    ),
    Mistake(
        "rotation that forgets the key before",
        rotation,
        f"{TREE}/modules/data/rotation.py",
        'return ",".join([others[0], new, current])',
        'return ",".join([others[0], new])',
        "does not believe",
    ),
]
