"""Somebody at a desk with the runbook, beside a fleet: runs its commands as they stand, and reads what they print."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import runbook
from runbook import Command
from shop import ROOT, SOUK

BOOK = runbook.read()
DRILLS = [(drill, looks) for drill, looks in runbook.drills() if not drill.is_clusters]
# What a load drill was told of.
TOLD = "--acknowledged var/told.jsonl"
OF_DRILLS = {command for drill, looks in DRILLS for command in (drill, *looks)}
# The drills that have a section of their own.
SECTIONS = list(dict.fromkeys(each.section for each in BOOK.commands if each.part == "Start"))
LOCAL = [
    each
    for each in BOOK.commands
    if not each.is_clusters and each not in OF_DRILLS and each.section not in SECTIONS and TOLD not in each.text
]
# A search that finds nothing in a fleet that is well says so with 1.
NOTHING_FOUND = re.compile(r"(^|\| )grep ")


class Desk:
    """The repository as somebody has it before them, `var/fleet` being this fleet."""

    def __init__(self, shop, folder: Path):
        self.shop, self.folder = shop, folder
        (folder / "var").mkdir()
        links = {"var/fleet": shop.folder, ".venv": sys.prefix, "scripts": ROOT / "scripts", "deploy": ROOT / "deploy"}
        links |= {".git": ROOT / ".git", "docs": ROOT / "docs"}
        for name, target in links.items():
            (folder / name).symlink_to(target)
        (folder / ".build/release").mkdir(parents=True)
        (folder / ".build/release/souk").symlink_to(SOUK)
        self.environment = {**os.environ, "FLEET": str(shop.folder), "PORT": str(shop.port), "SHOP_URL": shop.url}
        self.environment |= {"PGCONNECT_TIMEOUT": "5", "GIT_PAGER": "cat"}

    def filled(self, text: str, **words: str) -> str:
        """With what a reader puts in. The shop has another port here, and a pod's port is a replica's own."""
        ports = {each["name"]: str(each["port"]) for each in self.shop.facts()["processes"]}
        text = text.replace("http://127.0.0.1:8080", self.shop.url).replace("1:8080/metrics", "1:PORT/metrics")
        for word, value in {"PORT": ports["orders-1"], **words}.items():
            text = re.sub(rf"\b{word}\b", value, text)
        # Whoever is not root runs PostgreSQL as oneself.
        return text if os.getuid() == 0 else re.sub("runuser -u postgres -- | --owner postgres", "", text)

    def run(self, command: Command, timeout: float = 300, **words: str):
        return runbook.run(self.filled(command.text, **words), BOOK.setup, self.folder, self.environment, timeout)

    @contextlib.contextmanager
    def under_way(self, command: Command, **words: str) -> Iterator[subprocess.Popen]:
        """What it prints is read when it has ended: a drill says little. It is ended when it is not needed any more."""
        line = ["bash", "-c", f"set -e\n{BOOK.setup}\n{self.filled(command.text, **words)}"]
        pipe = subprocess.PIPE
        where = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        process = subprocess.Popen(line, **where, stdout=pipe, stderr=pipe, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.communicate(timeout=120)

    def see(self, process: subprocess.Popen, looks: list[Command], expected: list[str], **words: str) -> str:
        """Looks while it is under way until all was seen: each at some time, for a drill is over within seconds."""
        seen, deadline = "", time.monotonic() + 300
        while not shown(seen, expected):
            if process.poll() is not None:
                said = process.communicate()
                raise AssertionError(f"{expected} is not shown:\n{seen[-6000:]}\n{said[0][-3000:]}{said[1][-3000:]}")
            assert time.monotonic() < deadline, f"{expected} is not shown:\n{seen[-6000:]}"
            # What a drill makes may not be there yet.
            seen += "\n".join(self.run(each, **words).stdout for each in looks)
        return seen

    def printed(self, commands: list[Command]) -> str:
        """What commands that only look print, all at once."""
        with ThreadPoolExecutor(len(commands)) as pool:
            results = list(pool.map(self.run, commands))
        for command, result in zip(commands, results, strict=True):
            # What is looked for may come later.
            allowed = (0, 1) if NOTHING_FOUND.search(command.text) else (0,)
            assert result.returncode in allowed, f"{command}\n{result.returncode}\n{result.stdout}{result.stderr}"
        return "\n".join(result.stdout for result in results)

    def is_whole(self) -> bool:
        return all(
            each["ready"] and set(each["balancer"].values()) <= {"UP"} for each in self.shop.status()["processes"]
        )


def shown(text: str, expected: list[str]) -> bool:
    return all(re.search(each, text, re.MULTILINE) for each in expected)
