"""All evidence that `souk score` reads, gathered from a fleet: `fleet drill score`, and `make score`.

A step that fails is evidence, too: what it did not find is missing in the score, and the next step begins.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import balancer
import chart
from control import ask
from layout import ROOT, SOUK, FleetError, Folder, read_settings, without_souk

# One of each kind of fault that the score asks for.
EXPERIMENTS = ["fleet-kill-half", "fleet-drop-redis", "fleet-slow-payments", "fleet-zone-away"]
# Those that need the fleet, and those that make shops of their own, for which the machine should be theirs.
BESIDE = ["load", "chaos", "flood", "audit", "fleet", "chart"]
ALONE = ["region", "recover"]
STEPS = [*BESIDE, *ALONE]
# Until a step is given up.
LONGEST = 900


def steps(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in STEPS:
            raise argparse.ArgumentTypeError(f"'{name}', expected one of {', '.join(STEPS)}")
    return names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--evidence", type=Path, default=ROOT / "var/evidence", help="where it is gathered")
    parser.add_argument("--steps", type=steps, default=STEPS, help=f"of {', '.join(STEPS)}; all, if not given")
    parser.add_argument("--shoppers", type=int, default=50, help="that come a second")
    parser.add_argument("--journey", default="standard", help="theirs under steady load, as souk load takes them")
    parser.add_argument("--seconds", type=int, default=60, help="of steady load")
    parser.add_argument("--orders", type=int, default=100_000, help="in the shops that are destroyed and restored")
    parser.add_argument("--attempts", type=int, help="how often shoppers try a step; 5")
    parser.add_argument("--at-least", type=float, default=90, help="what the score has to be; 90")


class Gathering:
    def __init__(self, folder: Folder, options: argparse.Namespace, say: Callable[[str], None]):
        self.folder, self.options, self.say = folder, options, say
        self.evidence = options.evidence.resolve()
        self.evidence.mkdir(parents=True, exist_ok=True)
        self.done = 0
        chaos = [f"chaos {name}" for name in EXPERIMENTS if "chaos" in options.steps]
        recoveries = [f"recover {engine}" for engine in ("sqlite", "postgres") if "recover" in options.steps]
        self.whole = len([name for name in options.steps if name not in ("chaos", "recover")] + chaos + recoveries)

    # -- the steps

    def beside(self) -> None:
        """What is measured on the fleet that runs."""
        for name in BESIDE:
            if name in self.options.steps:
                getattr(self, name)()

    def alone(self) -> None:
        """What makes shops of its own."""
        for name in ALONE:
            if name in self.options.steps:
                getattr(self, name)()

    def load(self) -> None:
        told = self.evidence / "told.jsonl"
        told.unlink(missing_ok=True)
        rate, seconds = self.options.shoppers, self.options.seconds
        words = ["load", f"{self.url}/", "--journey", self.options.journey, "--clients", "many", "--acknowledged", told]
        words += ["--stage", f"{max(1, seconds // 6)}s:{rate}", "--stage", f"{seconds}s:{rate}", *self.patience]
        self.step("load", f"steady load, {seconds + seconds // 6} s", [SOUK, *words], html=True)

    def chaos(self) -> None:
        for name in EXPERIMENTS:
            words = ["chaos", "run", ROOT / f"deploy/chaos/{name}.json", "--shoppers", self.options.shoppers]
            self.step(f"chaos-{name}", f"chaos {name}", [SOUK, *words, *self.patience], html=True)

    def flood(self) -> None:
        replicas = [each["port"] for each in self.folder.facts()["processes"] if each["roles"]]
        memory = [word for port in replicas for word in ("--metrics", f"http://127.0.0.1:{port}/metrics")]
        words = ["load", f"{self.url}/", "--flood", "5", "--clients", "many", *memory]
        self.step("flood", "a flood", [SOUK, *words], html=True)

    def audit(self) -> None:
        told = self.evidence / "told.jsonl"
        words = [SOUK, "audit", "--json", *(["--acknowledged", told] if told.exists() else [])]
        self.step("audit", "the audit", words, environment=self.settings, prints=True)

    def fleet(self) -> None:
        def write() -> None:
            ((_, facts),) = ask(self.folder, command="status")
            (self.evidence / "fleet.json").write_text(json.dumps(posture(facts), indent=1) + "\n")

        self.work("fleet", "how the fleet runs", write)

    def chart(self) -> None:
        def write() -> None:
            (self.evidence / "chart.yaml").write_text(chart.rendered())

        self.work("chart", "the rendered chart", write)

    def region(self) -> None:
        words = [sys.executable, ROOT / "scripts/fleet", "drill", "region"]
        self.step("region", "a failover between two regions", words)

    def recover(self) -> None:
        for engine in "sqlite", "postgres":
            words = ["recover", "--engine", engine, "--orders", self.options.orders]
            self.step(f"recover-{engine}", f"a restore, {engine}", [SOUK, *words], html=True)

    # -- how they are done

    @property
    def url(self) -> str:
        return self.folder.facts()["url"]

    @property
    def settings(self) -> dict[str, str]:
        return {**without_souk(dict(os.environ)), **read_settings(self.folder.settings_file)}

    @property
    def patience(self) -> list[str]:
        return ["--attempts", str(self.options.attempts)] if self.options.attempts else []

    @property
    def environment(self) -> dict[str, str]:
        own = {"FLEET": str(self.folder.path), "SOUK_BINARY": str(SOUK), "FLEET_PYTHON": sys.executable}
        # Of a fleet that has stopped, nobody asks where it was.
        return {**os.environ, **own, "SHOP_URL": self.folder.facts().get("url", "")}

    def step(self, name: str, title: str, words: list, *, html=False, prints=False, environment=None) -> None:
        """A command that writes, or prints, the evidence of that name."""
        json_file, page = self.evidence / f"{name}.json", self.evidence / f"{name}.html"

        def run() -> str:
            command = [*words, *([] if prints else ["--json", json_file]), *(["--html", page] if html else [])]
            command = [str(word) for word in command]
            with (self.evidence / f"{name}.log").open("w") as log:
                out = json_file.open("w") if prints else log
                ended = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=environment or self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=log,
                    timeout=LONGEST,
                )
            if not json_file.exists() or not json_file.stat().st_size:
                raise FleetError(f"exit code {ended.returncode}: see {name}.log")
            return "done" if ended.returncode == 0 else "found wanting"

        self.work(name, title, run)

    def work(self, name: str, title: str, work: Callable[[], str | None]) -> None:
        """What was there before is gone, whatever comes of it; half a file is none."""
        files = [self.evidence / f"{name}{end}" for end in (".json", ".html", ".yaml", ".log")]
        for file in files:
            file.unlink(missing_ok=True)
        self.done += 1
        self.say(f"{self.done} of {self.whole}: {title}")
        began = time.monotonic()
        try:
            outcome = work() or "done"
        except (FleetError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            outcome = str(error) or type(error).__name__
        for file in files:
            if file.exists() and not file.stat().st_size:
                file.unlink()
        self.say(f"  {outcome}, after {time.monotonic() - began:.0f} s")

    def score(self) -> int:
        words = ["score", "--evidence", self.evidence, "--at-least", self.options.at_least]
        for option, file in {"html": "html", "json": "json", "junit": "xml", "badge": "svg"}.items():
            words += [f"--{option}", self.evidence / f"score.{file}"]
        print(flush=True)
        code = subprocess.call([str(SOUK), *(str(word) for word in words)], cwd=ROOT)
        print(f"\nThe report is {self.evidence / 'score.html'}", flush=True)
        return code


def posture(facts: dict) -> dict:
    """How a fleet runs, of what its status says."""
    replicas, seen = {}, set()
    for process in facts["processes"]:
        for role in process["roles"]:
            replicas[role] = replicas.get(role, 0) + 1
            seen.add(process["balancer"].get(role))
    return {
        "at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "replicas": replicas,
        "readiness_checks": "no check" not in seen,
        "retries": balancer.retries(facts["weakened"]),
    }


def run(options: argparse.Namespace, folder: Folder, say: Callable[[str], None]) -> int:
    """On the fleet that runs in the folder."""
    if folder.facts().get("state") != "ready":
        raise FleetError(f"no fleet runs in {folder.path}: start one with `up`, or give --own")
    gathering = Gathering(folder, options, say)
    gathering.beside()
    gathering.alone()
    return gathering.score()


def run_own(options: argparse.Namespace, start: Callable, say: Callable[[str], None]) -> int:
    """On a fleet that is there for this alone, and has gone before others need the machine."""
    folder = ROOT / ".build/score"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if "retries" in options.weaken and not options.attempts:
        options.attempts = 1
    fleet = Folder(folder / "fleet")
    gathering = Gathering(fleet, options, say)
    weakened = [word for name in options.weaken for word in ("--weaken", name)]
    say("starting a fleet")
    with start(fleet, "--demo", "300", *weakened):
        gathering.beside()
    gathering.alone()
    return gathering.score()
