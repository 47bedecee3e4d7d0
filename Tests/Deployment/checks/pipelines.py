"""`.github`: by the linters of those who write workflows; and what these cannot know, Souk's files, commands and roles.

All of it holds without an exception, so none is read.
"""

import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from . import ROOT, Absent, Mistake, check, run, tool

ENVIRONMENTS = ("dev", "staging", "prod")


def workflows(root: Path) -> list[Path]:
    return sorted((root / ".github/workflows").glob("*.yml"))


def name(root: Path, path: Path) -> str:
    return str(path.relative_to(root))


def jobs(root: Path) -> Iterator[tuple[str, str, dict]]:
    """Each job with its file and its name."""
    for path in workflows(root):
        for job, body in yaml.safe_load(path.read_text())["jobs"].items():
            yield name(root, path), job, body


def in_each_environment(text: str) -> set[str]:
    """`values-$ENVIRONMENT.yaml` and the like, with each environment put in."""
    place = re.compile(r"\$\{\{ *(?:inputs|matrix)\.environment *\}\}|\$\{?ENVIRONMENT\}?")
    return {place.sub(environment, text) for environment in ENVIRONMENTS}


def exists(root: Path, path: str) -> bool:
    """In the tree that is looked at, or in the part of the repository that no mistake is planted in."""
    return (root / path).exists() or (ROOT / path).exists()


# --- the tools --------------------------------------------------------------------------------------------------------


@check
def actionlint_finds_nothing(root: Path) -> list[str]:
    environment = os.environ | {"PATH": f"{Path(tool('shellcheck')).parent}:{os.environ['PATH']}"}
    done = run([tool("actionlint"), "-no-color", "-oneline", *workflows(root)], root, environment)
    if done.returncode > 1:
        return [f"actionlint failed: {done.stderr}"]
    return done.stdout.splitlines()


@check
def zizmor_finds_nothing(root: Path) -> list[str]:
    """Of any severity, with its most suspicious eyes."""
    command = [tool("zizmor"), "--offline", "--no-progress", "--persona", "auditor", "--format", "json", ".github"]
    done = run(command, root)
    if not done.stdout.startswith("["):
        return [f"zizmor failed: {done.stderr}"]
    found = []
    for finding in json.loads(done.stdout):
        location = finding["locations"][0]
        key = location["symbolic"]["key"]
        file = key.get("Local", {}).get("verbatim_path") or key.get("Local", {}).get("given_path", ".github")
        line = location["concrete"]["location"]["start_point"]["row"] + 1
        found.append(f"{file}:{line}: {finding['ident']}: {finding['desc']}")
    return found


@check
def schemas_hold(root: Path) -> list[str]:
    found = []
    for schema, files in (
        ("vendor.github-workflows", workflows(root)),
        ("vendor.dependabot", [root / ".github/dependabot.yml"]),
    ):
        done = run([tool("check-jsonschema"), "--builtin-schema", schema, "--output-format", "json", *files], root)
        result = json.loads(done.stdout)
        for error in result.get("errors", []) + result.get("parse_errors", []):
            found.append(f"{error['filename']}: {error.get('path', '')}: {error.get('message', 'cannot be read')}")
    return found


@check
def semgrep_rules_find_what_they_are_for(root: Path) -> list[str]:
    program = ROOT / ".venv/environments/semgrep/bin/semgrep"
    if not program.exists():
        raise Absent("semgrep is not installed")
    wrong = """
        try transaction.execute("DELETE FROM carts WHERE id = '\\(id)'")
        try transaction.execute("SELECT \\(Self.columns) FROM carts WHERE id = $1", id)
        let digest = Insecure.MD5.hash(data: bytes)
        let number = drand48()
        let child = Process()
        configuration.certificateVerification = .none
    """
    rules = root / ".github/semgrep.yml"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Wrong.swift").write_text(wrong)
        options = ["--metrics", "off", "--disable-version-check", "--no-git-ignore", "--json", "--quiet"]
        environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        done = run([program, "scan", "--config", rules, *options, "."], Path(folder), environment)
    results = json.loads(done.stdout)["results"]
    expected = {rule["id"] for rule in yaml.safe_load(rules.read_text())["rules"]}
    seen = [result["check_id"].rsplit(".", 1)[-1] for result in results]
    blind, wild = sorted(expected - set(seen)), sorted({rule for rule in seen if seen.count(rule) > 1})
    return [f".github/semgrep.yml: {rule} finds nothing in code that is wrong" for rule in blind] + [
        f".github/semgrep.yml: {rule} finds what is right" for rule in wild
    ]


# --- what the tools cannot know ---------------------------------------------------------------------------------------


@check
def actions_are_pinned(root: Path) -> list[str]:
    """By the digest of a commit, with the version for the reader, and the same one wherever an action is used."""
    found, used = [], {}
    for path in workflows(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not (match := re.search(r"\buses: *(\S+)(?: +# (v[\d.]+))?", line)):
                continue
            what, version = match.groups()
            if what.startswith("$/"):
                continue
            place = f"{name(root, path)}:{number}"
            if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", what) or not version:
                found.append(f"{place}: {what} is not pinned, expected @ and 40 hex digits, then # v and the version")
                continue
            repository, pin = "/".join(what.split("@")[0].split("/")[:2]), (what.split("@")[1], version)
            if used.setdefault(repository, pin) != pin:
                found.append(f"{place}: {repository} is {pin}, elsewhere {used[repository]}")
    return found


@check
def jobs_are_bounded(root: Path) -> list[str]:
    """No rights but those that a job names, an end to each, and no credentials left on the disk."""
    found = []
    for path in workflows(root):
        workflow = yaml.safe_load(path.read_text())
        if workflow.get("permissions") != {}:
            found.append(f"{name(root, path)}: permissions are {workflow.get('permissions')}, expected {{}}")
    for file, job, body in jobs(root):
        if not isinstance(body.get("permissions"), dict):
            found.append(f"{file}: {job} has no permissions of its own")
        if "uses" not in body and "timeout-minutes" not in body:
            found.append(f"{file}: {job} has no timeout-minutes")
        for step in body.get("steps", []):
            kept = step.get("with", {}).get("persist-credentials", True)
            if step.get("uses", "").startswith("actions/checkout@") and kept is not False:
                found.append(f"{file}: {job} keeps the credentials of its checkout")
    return found


@check
def files_and_commands_exist(root: Path) -> list[str]:
    """What a workflow calls is there: workflows, make's targets, files and folders of the repository."""
    found = []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    path = re.compile(r"(?<![\w./$-])(?:deploy|docs|scripts|Tests|Sources|Benchmarks|\.github)/[\w./$\{\}-]*[\w/]")
    for file, job, body in jobs(root):
        calls = [body.get("uses", "")] + [step.get("uses", "") for step in body.get("steps", [])]
        named = [call.removeprefix("$/") for call in calls if call.startswith("$/")]
        scripts = [step.get("run", "") for step in body.get("steps", [])]
        folders = [body.get("defaults", {}).get("run", {}).get("working-directory", "")]
        for script in scripts:
            for target in re.findall(r"^\s*make ([a-z-]+)", script, re.MULTILINE):
                if target not in targets:
                    found.append(f"{file}: {job} calls make {target}, expected one of {', '.join(sorted(targets))}")
        for text in scripts + folders:
            named += itertools.chain.from_iterable(path.findall(one) for one in in_each_environment(text))
        missing = sorted(one for one in set(named) if not exists(root, one))
        found += [f"{file}: {job} names {one}, which is not there" for one in missing]
    return found


def terraform_roles(root: Path) -> list[tuple[re.Pattern, str]]:
    """The names of all roles that Terraform makes, as patterns, each with the text of its file."""
    roles = []
    for path in sorted((root / "deploy/terraform").rglob("*.tf")):
        text = path.read_text()
        for block in re.findall(r'resource "aws_iam_role" .*?\n}', text, re.DOTALL):
            if match := re.search(r'^ +name += +"([^"]+)"', block, re.MULTILINE):
                parts = re.split(r"\$\{([^}]+)\}", match[1])
                pattern = "".join(
                    re.escape(part) if number % 2 == 0 else "(?P<key>[a-z-]+)" if part == "each.key" else "souk-[a-z]+"
                    for number, part in enumerate(parts)
                )
                roles.append((re.compile(pattern), text))
    return roles


@check
def roles_are_made_by_terraform(root: Path) -> list[str]:
    made = terraform_roles(root)
    found = []
    for path in workflows(root):
        named = re.findall(r"role-to-assume: .*?:role/(.+)$", path.read_text(), re.MULTILINE)
        for role in sorted(set(itertools.chain.from_iterable(in_each_environment(one.strip()) for one in named))):
            for pattern, text in made:
                match = pattern.fullmatch(role)
                # One of several, by key: the key's first word has to be among the module's keys.
                if match and (key := match.groupdict().get("key")):
                    word = re.escape(key.split("-")[0])
                    match = re.search(rf'^\s*{word} += |"{word}-\$', text, re.MULTILINE)
                if match:
                    break
            else:
                found.append(f"{name(root, path)}: becomes {role}, which deploy/terraform does not make")
    return found


MISTAKES = [
    Mistake(
        "unpinned action",
        actions_are_pinned,
        ".github/workflows/ci.yml",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "actions/checkout@v7",
        "actions/checkout@v7 is not pinned",
    ),
    Mistake(
        "shell injection",
        zizmor_finds_nothing,
        ".github/workflows/ci.yml",
        "run: make lint",
        'run: echo "${{ github.event.pull_request.title }}" && make lint',
        "template-injection",
    ),
    Mistake(
        "script that shellcheck refuses",
        actionlint_finds_nothing,
        ".github/workflows/deploy.yml",
        '"$IMAGE@$DIGEST" \\',
        "$IMAGE@$DIGEST \\",
        "SC2086",
    ),
    Mistake(
        "workflow that may write everything",
        jobs_are_bounded,
        ".github/workflows/app.yml",
        "permissions: {}",
        "permissions: write-all",
        "permissions are write-all, expected {}",
    ),
    Mistake(
        "job without an end",
        jobs_are_bounded,
        ".github/workflows/deploy.yml",
        "    timeout-minutes: 75\n",
        "",
        "deploy has no timeout-minutes",
    ),
    Mistake(
        "make target that is not there",
        files_and_commands_exist,
        ".github/workflows/ci.yml",
        "run: make lint",
        "run: make lnit",
        "calls make lnit",
    ),
    Mistake(
        "role that nobody makes",
        roles_are_made_by_terraform,
        ".github/workflows/build.yml",
        "role/souk-github-push",
        "role/souk-github-admin",
        "becomes souk-github-admin",
    ),
    Mistake(
        "trigger that is none",
        schemas_hold,
        ".github/workflows/infra.yml",
        "  schedule:\n",
        "  scheduled:\n",
        ".github/workflows/infra.yml",
    ),
]
