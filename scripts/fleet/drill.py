"""The drills' command line: `fleet drill restart`, `kill` and `score` on a fleet that runs, `fleet drill all` and
`fleet drill region` on fleets of their own."""

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import region
import report
import score
from drills import Drill, kill, restart
from layout import ROOT, SOUK, WEAKNESSES, FleetError, Folder, read_settings, without_souk

HERE = Path(__file__).resolve().parent


def add_arguments(parser: argparse.ArgumentParser, parser_class: type) -> None:
    drills = parser.add_subparsers(dest="drill", required=True, metavar="DRILL", parser_class=parser_class)
    one = drills.add_parser("restart", help="restart every replica under load: no request may fail")
    one.add_argument("--requests", type=int, default=50_000)
    one.add_argument("--migrate", action="store_true", help="migrate every schema in the middle, and back afterwards")
    two = drills.add_parser("kill", help="kill -9 of anything under load: nothing acknowledged may be lost")
    two.add_argument("--times", type=int, default=100)
    two.add_argument("--only", help="one process again and again, such as postgres")
    two.add_argument("--svg", type=Path, help="draw the times to recover")
    every = drills.add_parser("all", help="both, in full, on a fleet of their own; writes docs/drills.md")
    every.add_argument("--requests", type=int, default=50_000)
    every.add_argument("--times", type=int, default=100)
    every.add_argument("--output", type=Path, default=ROOT / "docs")
    for each in one, two, every:
        each.add_argument("--shoppers", type=int, default=16)
        each.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeats the victims")
    away = drills.add_parser("region", help="lose a region under load: the second one is promoted")
    away.add_argument("--orders", type=int, default=1_000, help="so many are acknowledged before")
    away.add_argument("--shoppers", type=int, default=16)
    away.add_argument("--replicas", default="2", help="of each role, in either region")
    three = drills.add_parser("score", help="gather all evidence from the fleet, and score it")
    three.add_argument("--own", action="store_true", help="on a fleet of its own")
    three.add_argument("--weaken", choices=WEAKNESSES, action="append", default=[], help="the fleet of its own")
    score.add_arguments(three)
    for each in one, two, away:
        each.add_argument("--json", type=Path, help="write what was found")


def run(options: argparse.Namespace, folder: Folder) -> int:
    """0 when the fleet stood it, 1 when it was found wanting."""
    if options.drill == "all":
        return run_all(options)
    if options.drill == "region":
        return run_region(options)
    if options.drill == "score":
        own = options.own or options.weaken
        return score.run_own(options, own_fleet, say) if own else score.run(options, folder, say)
    found = run_one(options, folder)
    print()
    if options.drill == "restart":
        print(report.restart_text(found))
    else:
        print("\n".join([report.kill_text(found), "", *report.kill_table(found)]))
        if options.svg:
            options.svg.write_text(report.drawing(found))
    for failure in found["failures"]:
        print(f"  failed: {failure}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if found["failed"] else 0


def run_region(options: argparse.Namespace) -> int:
    found = region.run(options.orders, options.shoppers, options.replicas, say)
    print(f"\n{region.text(found)}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if found["passed"] else 1


def run_one(options: argparse.Namespace, folder: Folder) -> dict:
    drill = Drill(folder, lambda *arguments: souk(folder, *arguments), say)
    if options.drill == "restart":
        return asyncio.run(restart(drill, options.requests, options.shoppers, options.migrate))
    say(f"seed {options.seed}")
    return asyncio.run(kill(drill, options.times, options.shoppers, options.seed, options.only))


def run_all(options: argparse.Namespace) -> int:
    folder = ROOT / ".build/drills"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    here = [sys.executable, str(HERE), "--folder", str(folder / "fleet")]
    with own_fleet(Folder(folder / "fleet")):
        common = ["--shoppers", str(options.shoppers), "--seed", str(options.seed)]
        codes = [
            subprocess.call([*here, "drill", name, "--json", str(folder / f"{name}.json"), *common, *more])
            for name, more in {
                "restart": ["--requests", str(options.requests), "--migrate"],
                "kill": ["--times", str(options.times)],
            }.items()
        ]
    if any(codes):
        return 1
    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("restart", "kill")}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "drills.md").write_text(report.page(found["restart"], found["kill"], machine()))
    (options.output / "drills.json").write_text(json.dumps(found, indent=1) + "\n")
    (options.output / "recovery.svg").write_text(report.drawing(found["kill"]))
    return 0


@contextlib.contextmanager
def own_fleet(folder: Folder, *arguments: str):
    """One that runs as long as it is needed, where no client is limited."""
    limits = [f"SOUK_CLIENT_{name}=10000000" for name in ("RATE", "BURST")]
    command = [sys.executable, str(HERE), "--folder", str(folder.path), "up", "--port", "0", "--attached", *arguments]
    fleet = subprocess.Popen([*command, *(word for each in limits for word in ("--set", each))], stdin=subprocess.PIPE)
    try:
        until_ready(folder, fleet)
        yield
    finally:
        fleet.stdin.close()
        fleet.wait()


def until_ready(folder: Folder, fleet: subprocess.Popen) -> None:
    while folder.facts().get("state") != "ready":
        if fleet.poll() is not None:
            raise FleetError("the fleet of the drills did not start")
        time.sleep(0.1)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.date.today()}: {os.cpu_count()} cores and {memory:.0f} GiB for everything, the shoppers too; "
        f"{platform.system()} {platform.release()}"
    )


def souk(folder: Folder, *arguments: str) -> None:
    """A command on the fleet's data, with what it printed where it fails."""
    environment = {**without_souk(dict(os.environ)), **read_settings(folder.settings_file)}
    result = subprocess.run([str(SOUK), *arguments], env=environment, capture_output=True, text=True)
    if result.returncode:
        raise FleetError(f"souk {arguments[0]} ended with {result.returncode}:\n{result.stdout}{result.stderr}")


def say(text: str) -> None:
    print(f"drill: {text}", flush=True)
