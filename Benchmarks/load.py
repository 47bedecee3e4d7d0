"""wrk or souk load on the load's own core, and what it measured."""

import dataclasses
import json
import subprocess
from pathlib import Path
from statistics import median

from servers import LOAD_CORE, SOUK, Server

SCRIPTS = Path(__file__).resolve().parent / "wrk"


@dataclasses.dataclass(frozen=True)
class Run:
    rate: float  # good answers a second
    p50: float  # milliseconds, as are the next two
    p99: float
    max: float
    failed: int  # answers that were not the expected status, and connections that broke
    duration: float  # seconds
    cpu: float  # share of one core that the server used

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s  p50 {self.p50:.2f} ms  p99 {self.p99:.2f} ms  failed {self.failed}"


def wrk(server: Server, script: str, *arguments: str, path: str = "/", connections: int, seconds: int, good=200) -> Run:
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", f"{script}.lua", server.url + path, "--", *arguments]
    before = server.cpu_seconds()
    result = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    used = server.cpu_seconds() - before
    report = json.loads(result.stdout.strip().splitlines()[-1])
    errors, duration = report["errors"], report["duration"] / 1e6
    answered, failed = report["requests"], sum(errors.values())
    if report["statuses"]:
        succeeded = report["statuses"].get(str(good), 0)
        failed += sum(report["statuses"].values()) - succeeded - errors["status"]
    else:
        succeeded = answered - errors["status"]
    return Run(
        rate=succeeded / duration,
        p50=report["p50"] / 1e3,
        p99=report["p99"] / 1e3,
        max=report["max"] / 1e3,
        failed=failed,
        duration=duration,
        cpu=used / duration,
    )


def souk_load(server: Server, *, path: str = "/", connections: int, seconds: int) -> Run:
    command = ["taskset", "-c", LOAD_CORE, SOUK, "load", server.url + path, "--connections", str(connections)]
    before = server.cpu_seconds()
    result = subprocess.run([*command, "--duration", f"{seconds}s", "--json", "-"], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {result.stdout}{result.stderr}")
    used = server.cpu_seconds() - before
    report = json.loads(result.stdout)
    total, latency = report["total"], report["total"]["latency"]
    return Run(
        rate=total["goodput"],
        p50=latency["p50"],
        p99=latency["p99"],
        max=latency["max"],
        failed=total["failed"],
        duration=report["seconds"],
        cpu=used / report["seconds"],
    )


def middle(runs: list[Run]) -> Run:
    """The median of each figure over the runs; failures add up."""
    figures = {field.name: median(getattr(run, field.name) for run in runs) for field in dataclasses.fields(Run)}
    return Run(**{**figures, "failed": sum(run.failed for run in runs)})
