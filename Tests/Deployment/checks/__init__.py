"""What is checked of `deploy/`, `.github/` and `docs/`: one module an area, found by its name alone.

A check is a function that looks at a tree of files and gives what it found wrong, each as one line that names the file
and what was expected; nothing when all is well. It runs over the repository, where it must find nothing, and over a
copy with a planted mistake, where it must find that.
"""

import importlib
import pkgutil
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# What a check may look at; the rest of the repository is not copied for a planted mistake.
PARTS = ("deploy", "docs", ".github", "README.md", ".dockerignore", ".devcontainer")

Check = Callable[[Path], list[str]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Registers a check."""
    CHECKS.append(function)
    return function


def long_check(function: Check) -> Check:
    """Registers one that waits for most of its minutes: it begins first, and the others go on beside it."""
    CHECKS.insert(0, function)
    return function


@dataclass(frozen=True)
class Mistake:
    """One that a check must see: `old` in `file` becomes `new`, and one of its findings then contains `says`."""

    name: str
    check: Check
    file: str
    old: str
    new: str
    says: str

    def plant(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        assert self.old in text, f"{self.file} has no {self.old!r}: plant {self.name!r} elsewhere"
        path.write_text(text.replace(self.old, self.new, 1))


class Absent(Exception):
    """A tool, or something that it needs, is not on this machine; says what."""


def tool(name: str) -> str:
    """Where a program is: installed by `scripts/setup deploy`, or the system's."""
    beside = ROOT / ".venv/bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise Absent(f"{name} is not installed")
    return found


def run(
    command: Sequence[str | Path], cwd: Path, environment: dict[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """A tool to its end. Its exit code is the caller's to judge."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True)


def copy(root: Path) -> Path:
    """The parts that checks look at, to be changed."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns(".terraform", "__pycache__"))
        elif source.exists():
            shutil.copy(source, root / part)
    return root


def modules() -> list:
    """All areas; importing them registers their checks."""
    return [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
