"""Terraform: formatted, valid, tested with made-up answers, and applied to an AWS of its own on loopback."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from checks import ROOT, Absent, Check, Mistake, check, run, tool

TREE = "deploy/terraform"
ENVIRONMENTS = ("dev", "staging", "prod")
# The others differ in values only, and are valid where they are applied.
ROOTS = ("account", "environments/prod")
TAGS = {"Project", "Environment", "ManagedBy", "CostCenter", "Owner"}
PROVIDER = "registry.terraform.io/hashicorp/aws"
LOCK = ".terraform.lock.hcl"
# Where Terraform itself looks for mirrors, and where machines without a network keep one.
MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt",
    "/opt/*",
)
# Compositions: what they are made of is tested, and they are applied.
UNTESTED = {"region", "souk"}


# --- the tool ---------------------------------------------------------------------------------------------------------


@functools.cache
def mirror() -> Path | None:
    """Of the provider; none where the user's own configuration says where providers come from."""
    if Path(os.environ.get("TF_CLI_CONFIG_FILE", "/nowhere")).is_file():
        return None
    for pattern in MIRRORS:
        place = Path(pattern).expanduser()
        for folder in sorted(place.parent.glob(place.name)):
            if (folder / PROVIDER).is_dir():
                return folder
    return downloaded(ROOT / ".venv/terraform")


def downloaded(folder: Path) -> Path:
    """From the registry, once: by whoever comes first, while the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / PROVIDER).is_dir():
            words = [tool("terraform"), f"-chdir={ROOT / TREE / 'modules/key'}", "providers", "mirror", folder]
            done = run(words, ROOT, {**os.environ, "TF_CLI_CONFIG_FILE": ""})
            if done.returncode:
                raise Absent(f"{PROVIDER} is in no mirror here, and cannot be had: {brief(done.stderr)}")
    return folder


class Terraform:
    """Runs terraform in a copy of the tree, so that nothing is left behind in it."""

    def __init__(self, root: Path, scratch: Path, environment: dict[str, str] | None = None) -> None:
        self.binary = tool("terraform")
        self.tree = scratch / "terraform"
        shutil.copytree(root / TREE, self.tree, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
        self.environment = {
            **os.environ,
            **(environment or {}),
            # The provider is large and lives for seconds: much of its time would be the garbage collector's.
            "GOGC": "400",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        folder = mirror()
        if folder:
            configuration = scratch / "terraform.rc"
            configuration.write_text(
                f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n'
            )
            self.environment["TF_CLI_CONFIG_FILE"] = str(configuration)

    def __call__(self, folder: str, *words: str, timeout: float = 600) -> tuple[int, str]:
        done = run([self.binary, *words, "-no-color"], self.tree / folder, self.environment, timeout)
        return done.returncode, done.stdout + done.stderr

    def init(self, folder: str, *words: str) -> list[str]:
        """By the lock file where there is one, which roots have and modules have not."""
        locked = ["-lockfile=readonly"] if (self.tree / folder / LOCK).exists() else []
        code, text = self(folder, "init", "-input=false", *locked, *words)
        return [] if code == 0 else [f"{TREE}/{folder}: init: {brief(text)}"]


def brief(text: str) -> str:
    """An error of Terraform in one line: it comes in a frame, or between blank lines."""
    lines = [line.strip("╷│╵ ") for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), 0)
    said = " ".join(line for line in lines[start : start + 20] if line)
    # A test says what it expected at the end.
    return said if len(said) <= 600 else f"{said[:300]} … {said[-300:]}"


@contextmanager
def workspace(root: Path, environment: dict[str, str] | None = None) -> Iterator[Terraform]:
    with tempfile.TemporaryDirectory() as folder:
        yield Terraform(root, Path(folder), environment)


def module_names(root: Path) -> list[str]:
    return sorted(folder.name for folder in (root / TREE / "modules").iterdir() if folder.is_dir())


# --- what Terraform says ----------------------------------------------------------------------------------------------


@check
def formatting(root: Path) -> list[str]:
    """As `terraform fmt` has it."""
    done = run(
        [tool("terraform"), "fmt", "-check", "-recursive", "-list=true"],
        root / TREE,
        {**os.environ, "TF_CLI_CONFIG_FILE": ""},
    )
    return [f"{TREE}/{name}: expected the format of terraform fmt" for name in done.stdout.split()]


@check
def validation(root: Path) -> list[str]:
    """With these roots every module: that each is used is seen in the sources."""
    found = []
    with workspace(root) as terraform:
        for folder in ROOTS:
            problems = terraform.init(folder, "-backend=false")
            if not problems:
                code, text = terraform(folder, "validate")
                problems = [] if code == 0 else [f"{TREE}/{folder}: {brief(text)}"]
            found += problems
    return found


def tests_of(name: str) -> Check:
    def tests(root: Path) -> list[str]:
        with workspace(root) as terraform:
            folder = f"modules/{name}"
            problems = terraform.init(folder, "-backend=false")
            if problems:
                return problems
            code, text = terraform(folder, "test")
            parts = text.split("\nError: ")[1:] or [text]
            return [] if code == 0 else [f"{TREE}/{folder}: {brief(part)}" for part in parts]

    tests.__doc__ = f"The tests of module {name}, with made-up answers of AWS."
    tests.__name__ = f"module-{name}"
    return check(tests)


TESTS: dict[str, Callable[[Path], list[str]]] = {
    name: tests_of(name) for name in module_names(ROOT) if name not in UNTESTED
}


MISTAKES = [
    Mistake(
        "public api server",
        TESTS["cluster"],
        f"{TREE}/modules/cluster/main.tf",
        "endpoint_public_access  = false",
        "endpoint_public_access  = true",
        "inside the VPC only",
    ),
    Mistake(
        "bucket without a key of ours",
        TESTS["bucket"],
        f"{TREE}/modules/bucket/main.tf",
        '"aws:kms"',
        '"AES256"',
        "encrypted with a key of ours",
    ),
    Mistake(
        "bucket without a block",
        TESTS["bucket"],
        f"{TREE}/modules/bucket/main.tf",
        "restrict_public_buckets = true",
        "restrict_public_buckets = false",
        "closed to the public",
    ),
    Mistake(
        "unencrypted volume",
        TESTS["nodes"],
        f"{TREE}/modules/nodes/main.tf",
        "encrypted             = true",
        "encrypted             = false",
        "encrypted gp3",
    ),
    Mistake(
        "metadata within reach of pods",
        TESTS["nodes"],
        f"{TREE}/modules/nodes/main.tf",
        "http_put_response_hop_limit = 1",
        "http_put_response_hop_limit = 2",
        "one hop",
    ),
    Mistake(
        "argument that the provider lacks",
        TESTS["key"],
        f"{TREE}/modules/key/main.tf",
        "enable_key_rotation     = true",
        "enable_key_rotations    = true",
        "enable_key_rotations",
    ),
]
