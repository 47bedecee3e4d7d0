"""Terraform's environments, applied to an AWS of its own on loopback, looked at again, and taken away.

What that AWS cannot do stands in aws/limits.yaml, with the reason; everything else is a finding.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import yaml
from aws.peer import Peer, account

from checks import ROOT, long_check
from checks.terraform import ENVIRONMENTS, TAGS, TREE, Terraform, brief, workspace

LIMITS = "Tests/Deployment/aws/limits.yaml"
DOMAINS = {"dev": "dev.souk.example", "staging": "staging.souk.example", "prod": "souk.example"}
# In an account that Terraform made before it, its state in the bucket there.
FIRST = "dev"
# With a provider for each region. It costs seconds each time that it starts, so elsewhere one is all of them.
REGIONS = "prod"
COMMON = {"owner": "platform", "cost_center": "shop"}
ACCOUNT = {**COMMON, "domains": DOMAINS, "force_destroy": True}
MIGRATION = {"engine": "mysql", "cidr": "192.168.7.0/24", "port": 3306, "database": "shop", "schema": "shop"}
LOCAL = 'terraform {\n  backend "local" {}\n}\n'
ONE_PROVIDER = 'module "souk" {\n  providers = { aws = aws, aws.second = aws, aws.global = aws }\n}\n'
IMPATIENT = "".join(
    f'provider "aws" {{\n  alias = "{alias}"\n  max_retries = 3\n}}\n' for alias in ("second", "global")
)
# IAM's own bounds, in characters without white space.
LONGEST_POLICY, LONGEST_INLINE, LONGEST_TRUST = 6144, 10240, 2048


def variables(environment: str) -> dict:
    return {
        **COMMON,
        "domain": DOMAINS[environment],
        "emails": ["shop@souk.example"],
        "access": {
            "admins": {
                "principal_arn": "arn:aws:iam::123456789012:role/admin",
                "policy": "AmazonEKSClusterAdminPolicy",
            },
            "operators": {"principal_arn": "arn:aws:iam::123456789012:role/operator", "groups": ["souk:operators"]},
        },
        # Rehearsed where a migration would be.
        "migration": MIGRATION if environment == "staging" else None,
    }


class Limits:
    """What moto cannot do: each entry is for a type of resource, and for some addresses where it says so."""

    def __init__(self) -> None:
        listed = yaml.safe_load((ROOT / LIMITS).read_text())
        self.entries = [(kind, entry) for kind in ("absent", "drift", "left") for entry in listed[kind]]
        self.used: set[int] = set()

    def cover(self, kind: str, address: str, attributes: set[str] = frozenset()) -> bool:
        for number, (listed, entry) in enumerate(self.entries):
            if (
                listed == kind
                and re.search(rf"(^|\.){entry['resource']}\.", address)
                and fnmatch(re.sub(r"\[[^]]*\]", "", address), entry.get("where", "*"))
                and attributes <= set(entry.get("attributes", ()))
            ):
                self.used.add(number)
                return True
        return False

    def faults(self) -> list[str]:
        found = []
        for number, (kind, entry) in enumerate(self.entries):
            name = f"{LIMITS}: {kind} {entry['resource']} {entry.get('where', '')}".rstrip()
            if number not in self.used:
                found.append(f"{name} does not happen any more")
            if not entry.get("reason"):
                found.append(f"{name} has no reason")
        return found


def errors(text: str) -> Iterator[tuple[str, str]]:
    """Of what `-json` says: the address, and what is wrong there."""
    for line in text.splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("type") == "diagnostic" and said["diagnostic"]["severity"] == "error":
            told = said["diagnostic"]
            yield told.get("address", ""), f"{told['summary']}: {told.get('detail', '')}"[:400]


def prepare(terraform: Terraform, folder: str, values: dict, override: str, *words: str) -> list[str]:
    """The first try is the last one, and values are there."""
    place = terraform.tree / folder
    (place / "loopback_override.tf").write_text('provider "aws" {\n  max_retries = 3\n}\n' + override)
    (place / "loopback.auto.tfvars.json").write_text(json.dumps(values))
    return terraform.init(folder, *words)


def before(terraform: Terraform, name: str, peer: Peer) -> list[str]:
    """The environment made ready; of the account elsewhere than before the first there is the zone alone."""
    folder, override = f"environments/{name}", IMPATIENT if name == REGIONS else ONE_PROVIDER
    if name != FIRST:
        peer.make_zone(DOMAINS[name])
        return prepare(terraform, folder, variables(name), LOCAL + override)
    problems = prepare(terraform, "account", ACCOUNT, LOCAL)
    if not problems:
        _, text = terraform("account", "apply", "-auto-approve", "-json")
        problems = [f"{TREE}/account: {address}: {problem}" for address, problem in errors(text)]
    if problems:
        return problems
    bucket = "souk-state-123456789012"
    peer.open_bucket(bucket)
    state = (f"-backend-config=bucket={bucket}", "-backend-config=use_path_style=true")
    return prepare(terraform, folder, variables(name), override, *state)


def environment(terraform: Terraform, name: str, limits: Limits) -> list[str]:
    """There and back again."""
    folder = f"environments/{name}"
    start = time.monotonic()
    _, text = terraform(folder, "apply", "-auto-approve", "-json", "-parallelism=20")
    took = time.monotonic() - start
    found = [
        f"{TREE}/{folder}: {address or 'apply'}: {problem}"
        for address, problem in errors(text)
        if not limits.cover("absent", address)
    ]
    # What was half made cannot be looked at.
    forget(terraform, folder, limits, "absent")
    code, text = terraform(folder, "plan", "-out=again", "-input=false")
    if code:
        return [*found, f"{TREE}/{folder}: plan: {brief(text)}"]
    _, text = terraform(folder, "show", "-json", "again")
    plan = json.loads(text)
    made = [change for change in plan["resource_changes"] if change["mode"] == "managed"]
    print(f"{name}: {len(made)} resources, applied in {took:.0f} s")
    found += [f"{TREE}/{folder}: {problem}" for problem in [*drift(made, limits), *judge(made)]]
    return found + [f"{TREE}/{folder}: {problem}" for problem in destroy(terraform, folder, limits)]


def drift(made: list[dict], limits: Limits) -> Iterator[str]:
    """What a second plan would change, and is not known of moto."""
    for change in made:
        actions, before, after = (change["change"][key] for key in ("actions", "before", "after"))
        if actions == ["no-op"] or limits.cover("absent", change["address"]):
            continue
        differ = {key for key in after or {} if (before or {}).get(key) != after[key]}
        if actions != ["update"] or not limits.cover("drift", change["address"], differ):
            yield f"a second plan would {' and '.join(actions)} {change['address']}: {', '.join(sorted(differ))}"


def judge(made: list[dict]) -> Iterator[str]:
    """What holds for all resources, and is seen only when values are there."""
    inline: dict[str, int] = {}
    for change in made:
        after, address = change["change"]["after"] or {}, change["address"]
        tags = after.get("tags_all")
        if "tags_all" in after and not set(tags or {}) >= TAGS:
            yield f"{address} lacks the tags {', '.join(sorted(TAGS - set(tags or {})))}"
        length = len(re.sub(r"\s", "", after.get("policy") or after.get("assume_role_policy") or ""))
        if change["type"] == "aws_iam_role_policy":
            role = after.get("role", address)
            inline[role] = inline.get(role, 0) + length
        bound = {"aws_iam_policy": LONGEST_POLICY, "aws_iam_role": LONGEST_TRUST}.get(change["type"], length)
        if length > bound:
            yield f"{address} has a policy of {length} characters, expected {bound} at the most"
    for role, length in inline.items():
        if length > LONGEST_INLINE:
            yield f"the role {role} has inline policies of {length} characters, expected {LONGEST_INLINE} at the most"


def forget(terraform: Terraform, folder: str, limits: Limits, *kinds: str) -> None:
    _, text = terraform(folder, "state", "list")
    known = [address for address in text.split() if any(limits.cover(kind, address) for kind in kinds)]
    if known:
        terraform(folder, "state", "rm", *known)


def destroy(terraform: Terraform, folder: str, limits: Limits) -> Iterator[str]:
    """Takes all away that moto can take away; a failure leaves the rest to be named."""
    forget(terraform, folder, limits, "left")
    _, text = terraform(folder, "destroy", "-auto-approve", "-refresh=false", "-json", "-parallelism=20")
    for address, problem in errors(text):
        yield f"destroy: {address}: {problem}"


def alone(root: Path, name: str, limits: Limits) -> list[str]:
    """In an account of its own: moto gives all databases of an account the same number."""
    with account() as peer, workspace(root, peer.settings) as terraform:
        return before(terraform, name, peer) or environment(terraform, name, limits)


@long_check
def environments(root: Path) -> list[str]:
    """Each is made, is what it should be, and goes again; side by side, since they wait for most of the time."""
    limits = Limits()
    with ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        found = [problem for each in pool.map(lambda name: alone(root, name, limits), ENVIRONMENTS) for problem in each]
    return found + limits.faults()
