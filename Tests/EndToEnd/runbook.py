"""docs/runbook.md as a program sees it: its commands, where each stands, and who can run it.

Nothing in it is passed over: what is no command has to be a word that Souk, its deployment or Kubernetes has.
"""

import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shop import ROOT

RUNBOOK = ROOT / "docs/runbook.md"
CLUSTER = ("k", "kubectl", "helm", "aws")
LOCAL = ("fleet", "souk", "sql", "grep", "git", "curl", "df", "du", "tail")
# At the place of a command, not of an argument.
PLACE = r"(?:^|[;&|(]|\bdo)\s*(?:{})(?=\s|$)"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SAYING = ("Sources/**/*.swift", "Sources/**/*.html", "deploy/**/*.*", "scripts/fleet/*.py")
# Words of Kubernetes and of the provider; the rest is looked for in the repository.
FOREIGN = {"Pending", "ImagePullBackOff", "OOMKilled", "Error", "5xx", "CrashLoopBackOff"}


@dataclass(frozen=True)
class Command:
    section: str
    part: str
    """Look, Do or Over; empty outside of an alert's section."""
    text: str

    @property
    def is_clusters(self) -> bool:
        return "CONTEXT" in self.text or bool(re.search(PLACE.format("|".join(CLUSTER)), self.text, re.MULTILINE))

    def __str__(self) -> str:
        return f"{self.section}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Runbook:
    setup: str
    """The first block: functions and variables of all others; what it asks of AWS is a command of its own."""
    commands: list[Command]
    words: list[tuple[str, str]]
    """Section and text of what is set as code, and is no command."""

    def of(self, section: str, part: str = "") -> list[Command]:
        found = [each for each in self.commands if each.section == section and part in ("", each.part)]
        assert found, f"docs/runbook.md has no command in {section}, {part}"
        return found


def statements(block: str) -> Iterator[str]:
    """The commands of a shell block, each with all its lines, without comments."""
    pending = ""
    for line in block.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith("\\") or subprocess.run(["bash", "-nc", pending], capture_output=True).returncode:
            continue
        if text := re.sub(r"(^|\s+)#\s.*", "", pending, flags=re.MULTILINE).strip():
            yield text
        pending = ""
    assert not pending.strip(), f"no shell reads this: {pending}"


def is_command(text: str) -> bool:
    """Whether it begins with a program's name and says what that shall do."""
    first, _, rest = text.partition(" ")
    if first in (*CLUSTER, *LOCAL):
        return bool(rest)
    return (
        bool(rest) and subprocess.run(["bash", "-c", f"type -- {quoted(first)}"], capture_output=True).returncode == 0
    )


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Each heading's text, in order."""
    pieces = re.split(r"^#{1,3} (.+)\n", text, flags=re.MULTILINE)
    yield from zip(pieces[1::2], pieces[2::2], strict=True)


def parts(body: str) -> Iterator[tuple[str, str]]:
    """An alert's section by its bullets."""
    pieces = re.split(r"^- \*\*(\w+)\*\*", body, flags=re.MULTILINE)
    yield "", pieces[0]
    yield from zip(pieces[1::2], pieces[2::2], strict=True)


def inline(text: str) -> Iterator[str]:
    for line in FENCE.sub("", text).split("\n\n"):
        for row in line.split("\n|") if line.startswith("|") else [line]:
            for code in re.findall(r"`([^`]+)`", row):
                # A table's cell cannot hold a bar as it is.
                yield " ".join((code.replace("\\|", "|") if row is not line else code).split())


def read(path: Path = RUNBOOK) -> Runbook:
    setup, commands, words = "", [], []
    for section, body in sections(path.read_text()):
        for part, text in parts(body):
            for _, block in FENCE.findall(text):
                found = list(statements(block))
                if not setup:
                    setup = "\n".join(each for each in found if not each.startswith("aws "))
                    found = [each for each in found if each.startswith("aws ")]
                commands += [Command(section, part, each) for each in found]
            for code in inline(text):
                if is_command(code):
                    commands.append(Command(section, part, code))
                else:
                    words.append((section, code))
    return Runbook(setup, list(dict.fromkeys(commands)), words)


def drills(path: Path = RUNBOOK) -> list[tuple[Command, list[Command]]]:
    """What starts each drill, and where to look meanwhile."""
    found = []
    for row in re.findall(r"^\| (`.+) \|$", dict(sections(path.read_text()))["Drills"], re.MULTILINE):
        started, _, looked, _ = (cell.replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ", row))
        found.append((Command("Drills", "", started.strip("`")), [Command("Drills", "", looked.strip("`"))]))
    return found


@functools.cache
def sources() -> str:
    """All that Souk and its deployment say."""
    files = [each for glob in SAYING for each in ROOT.glob(glob)]
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())


def unknown_words(runbook: Runbook) -> list[str]:
    """What is set as code, is no command, and is nowhere to be found."""
    return [f"{section}: {word}" for section, word in runbook.words if not is_known(word)]


def is_known(word: str) -> bool:
    if word in FOREIGN or re.fullmatch(r"\d{3}|[A-Z]+|--\w+( \d+)?|\"level\":\"(error|warning)\"", word):
        return True
    word = re.sub(r"^(GET|POST|PUT|PATCH|DELETE) ", "", word)
    word = re.sub(r"=\S+$", "", word).replace("$ENVIRONMENT/", "").replace("ENVIRONMENT-", "")
    pieces = [piece.strip() for piece in re.split("…|/(?=[a-z-]+$)", word.replace('"', "")) if piece.strip(" /")]
    # Metrics, settings and dashboards put words together; each piece has to be there.
    return all(piece in sources().replace('"', "") or f'"{piece}"' in sources() for piece in pieces[-2:])


def run(text: str, setup: str, cwd: Path, environment: dict[str, str], timeout: float = 300):
    """As somebody types it into bash, and ends at the first command that fails."""
    script = f"shopt -s expand_aliases\nset -e\n{setup}\n{text}\n"
    return subprocess.run(
        ["bash", "-c", script], cwd=cwd, env=environment, timeout=timeout, capture_output=True, text=True
    )
