"""`docs` and READMEs: what they point to is there, what they tell can be run, what they draw and add up is right."""

import importlib.util
import json
import re
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from . import ROOT, Mistake, check, run, tool
from .pipelines import ENVIRONMENTS, exists, name

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def documents(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").rglob("*.md")), *sorted((root / "deploy").rglob("README.md"))]


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = sum(one == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", one) is not None for one in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


@check
def links_resolve(root: Path) -> list[str]:
    found = []
    for path in documents(root):
        text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", path.read_text()))
        defined = dict(re.findall(r"^\[([^]]+)\]: (\S+)$", text, re.MULTILINE))
        for label in re.findall(r"\[([^]\[\n]+)\](?![(:\w])", text) if defined else []:
            if label not in defined:
                found.append(f"{name(root, path)}: [{label}] is not defined")
        for link in re.findall(r"\]\(<?([^)>\s]+)", text) + list(defined.values()):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.is_relative_to(root) or not exists(root, str(target.relative_to(root))):
                found.append(f"{name(root, path)}: {link} is not there")
            elif anchor and target.suffix == ".md":
                there = target if target.exists() else ROOT / target.relative_to(root)
                if anchor not in anchors(there.read_text()):
                    found.append(f"{name(root, path)}: {link}: there is no such heading")
    return found


def subcommands() -> set[str]:
    """What `souk` can be told to do, read from its sources."""
    found = set()
    for path in (ROOT / "Sources/souk").glob("*.swift"):
        for struct, body in re.findall(
            r"^struct (\w+): (?:Async)?ParsableCommand \{(.*?)^\}", path.read_text(), re.MULTILINE | re.DOTALL
        ):
            named = re.search(r'commandName: "([\w-]+)"', body)
            found.add(named[1] if named else struct.lower())
    return found - {"souk"}


def commands(root: Path) -> Iterator[tuple[str, str]]:
    """Each line of each `sh` block, with its file; lines that end with a backslash are one."""
    for path in documents(root):
        for language, block in FENCE.findall(path.read_text()):
            if language == "sh":
                for line in block.replace("\\\n", " ").splitlines():
                    yield name(root, path), re.sub(r"(^|\s)#.*", "", line)


@check
def commands_exist(root: Path) -> list[str]:
    """make's targets, souk's subcommands, files of the repository; `deploy/souk-…` is a Deployment to kubectl."""
    found = []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = subcommands()
    file = re.compile(
        r"(?<![\w./:$-])(?:deploy(?!/souk-)|docs|scripts|Tests|Sources|Benchmarks|\.github)/[\w./$<>-]*[\w/]"
    )
    for document, line in commands(root):
        for target in re.findall(r"(?:^|&& |; )make ([a-z-]+)", line):
            if target not in targets:
                found.append(f"{document}: make {target}: expected one of {', '.join(sorted(targets))}")
        for command in re.findall(r"(?:^|&& |; |\| |fleet |bin/)souk ([a-z-]+)", line):
            if command not in known:
                found.append(f"{document}: souk {command}: expected one of {', '.join(sorted(known))}")
        for environment in ENVIRONMENTS:
            for path in file.findall(re.sub(r"\$ENVIRONMENT|<env>", environment, line)):
                if not exists(root, path):
                    found.append(f"{document}: {path} is not there")
    return sorted(set(found))


@check
def commands_are_shell(root: Path) -> list[str]:
    """shellcheck reads each document's blocks as one script; what an earlier page set may be used."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        scripts = {}
        for number, path in enumerate(documents(root)):
            blocks = [block for language, block in FENCE.findall(path.read_text()) if language == "sh"]
            if blocks:
                scripts[f"{number}.sh"] = name(root, path)
                (Path(folder) / f"{number}.sh").write_text("\n".join(blocks))
        options = ["--shell", "bash", "--format", "json", "--severity", "warning"]
        allowed = ["--exclude", "SC1091,SC2154,SC2155,SC2164"]
        done = run([tool("shellcheck"), *options, *allowed, *scripts], Path(folder))
        for finding in json.loads(done.stdout):
            found.append(f"{scripts[finding['file']]}: SC{finding['code']}: {finding['message']}")
    return found


@check
def drawings_are_as_drawn(root: Path) -> list[str]:
    """Well-formed, with a title for those who do not see them; and those of draw.py are what it draws."""
    found = []
    for path in sorted((root / "docs").rglob("*.svg")):
        try:
            picture = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            found.append(f"{name(root, path)}: {error}")
            continue
        if picture.find("{http://www.w3.org/2000/svg}title") is None:
            found.append(f"{name(root, path)} has no title")
    script = root / "docs/drawings/draw.py"
    specification = importlib.util.spec_from_file_location("draw", script)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for drawing in module.drawings():
        path = script.with_name(f"{drawing.name}.svg")
        if not path.exists() or path.read_text() != str(drawing):
            found.append(f"{name(root, path)} is not what docs/drawings/draw.py draws: run it")
    return found


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table whose head begins with `heading`, without head and rule."""
    table = re.search(rf"^\| *{re.escape(heading)} *\|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()] if table else []


@check
def calls_are_the_binarys(root: Path) -> list[str]:
    """The table of who calls whom is what `ShopRole` says."""
    source = (ROOT / "Sources/souk/ShopRole.swift").read_text()
    true = {
        role.strip(" ."): set(re.findall(r"\.(\w+)", peers))
        for roles, peers in re.findall(r"case ((?:\.\w+,? ?)+): \[(.*)\]", source)
        for role in roles.split(",")
    }
    table = rows((root / "docs/architecture.md").read_text(), "role")
    told = {role: set(calls.replace(",", "").split()) for role, _, calls in table}
    return [
        f"docs/architecture.md: {role} calls {sorted(told.get(role, []))}, expected {sorted(true.get(role, []))}"
        for role in sorted(true.keys() | told.keys())
        if true.get(role) != told.get(role)
    ]


@check
def costs_add_up(root: Path) -> list[str]:
    """A price times a quantity, added up: the last row is the sum of those above it."""
    table = rows((root / "docs/cost.md").read_text(), "what")
    if not table:
        return ["docs/cost.md has no table of prices and quantities"]
    *items, total = table
    found = []
    for column, environment in enumerate(ENVIRONMENTS, 2):
        cost = sum(float(row[1].split()[0]) * float(row[column]) for row in items)
        if f"**{cost:.0f}**" != total[column].replace(",", ""):
            found.append(f"docs/cost.md: {environment} costs {total[column]}, expected **{cost:,.0f}**")
    return found


@check
def decisions_are_whole(root: Path) -> list[str]:
    """Each fits on a page, says what an ADR says, and is in the list."""
    folder = root / "docs/decisions"
    listed = (folder / "README.md").read_text()
    found = []
    for path in sorted(folder.glob("0*.md")):
        text = path.read_text()
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        if headings != ["Context", "Decision", "Consequences", "What would change it"]:
            found.append(f"{name(root, path)} has the headings {headings}")
        if len(text.splitlines()) > 60:
            found.append(f"{name(root, path)} has {len(text.splitlines())} lines, expected a page: 60")
        if path.name not in listed:
            found.append(f"docs/decisions/README.md does not list {path.name}")
    return found


MISTAKES = [
    Mistake(
        "dead link",
        links_resolve,
        "docs/architecture.md",
        "(disaster-recovery.md)",
        "(disaster-recovery-plan.md)",
        "disaster-recovery-plan.md is not there",
    ),
    Mistake("dead heading", links_resolve, "docs/deploying.md", "#4-secrets", "#4-keys", "there is no such heading"),
    Mistake(
        "command that souk does not have",
        commands_exist,
        "README.md",
        "make run ",
        "souk migrat && make run ",
        "souk migrat: expected",
    ),
    Mistake(
        "command that no shell reads",
        commands_are_shell,
        "docs/deploying.md",
        'cd "deploy/terraform/environments/$ENVIRONMENT"',
        'cd "deploy/terraform/environments/$ENVIRONMENT',
        "docs/deploying.md: SC",
    ),
    Mistake(
        "drawing changed by hand",
        drawings_are_as_drawn,
        "docs/drawings/order.svg",
        "201 Created",
        "200 OK",
        "is not what docs/drawings/draw.py draws",
    ),
    Mistake(
        "drawing that no browser shows",
        drawings_are_as_drawn,
        "docs/architecture.svg",
        "</svg>",
        "",
        "docs/architecture.svg",
    ),
    Mistake(
        "call that the binary does not make",
        calls_are_the_binarys,
        "docs/architecture.md",
        "auth, products, payments |",
        "auth, products |",
        "orders calls ['auth', 'products']",
    ),
    Mistake("wrong sum", costs_add_up, "docs/cost.md", "| EKS cluster | 73.00", "| EKS cluster | 83.00", "dev costs"),
]
