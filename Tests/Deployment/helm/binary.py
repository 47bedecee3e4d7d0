"""What the built souk says of itself: the chart may speak of nothing else."""

import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from checks import ROOT, Absent, run

SOUK = ROOT / ".build/release/souk"
SOURCES = ROOT / "Sources"


def souk(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    if not SOUK.exists():
        raise Absent("souk is not built: make build")
    return run([SOUK, *words], cwd=ROOT, environment=environment or {})


@functools.cache
def commands() -> set[str]:
    text = souk("--help").stdout.partition("SUBCOMMANDS:")[2]
    return set(re.findall(r"^  ([a-z]+)(?= |$)", text, re.MULTILINE)) - {"See"}


@functools.cache
def settings() -> set[str]:
    """All that are read, those from files too."""
    names = re.findall(r"^((?:SOUK|OTEL)_[A-Z_]+)", souk("config").stdout, re.MULTILINE)
    return set(names) | {name + "_FILE" for name in names}


@functools.cache
def roles() -> list[str]:
    found = re.search(r"^SOUK_ROLES +(\S+)", souk("config").stdout, re.MULTILINE)
    assert found
    return found[1].split(",")


@functools.cache
def paths() -> list[str]:
    """Of the published interface."""
    return list(json.loads(souk("openapi").stdout)["paths"])


def version() -> str:
    return souk("--version").stdout.strip()


def seconds(name: str) -> int:
    """A default of the HTTP server, by its name in the sources."""
    text = (SOURCES / "Wire/ServerSettings.swift").read_text()
    found = re.search(rf"var {name} = Duration\.seconds\((\d+)\)", text)
    assert found, f"ServerSettings.swift has no {name}"
    return int(found[1])


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """A whole shop on embedded back ends, by its URL."""
    if not SOUK.exists():
        raise Absent("souk is not built: make build")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        words = [str(SOUK), "serve", "--data", folder, "--port", str(port)]
        process = subprocess.Popen(words, env={}, stdout=nowhere, stderr=nowhere)
        try:
            url = f"http://127.0.0.1:{port}"
            limit = time.monotonic() + 30
            while status(url + "/ready") != 200:
                assert process.poll() is None, "souk serve ended by itself"
                assert time.monotonic() < limit, "souk serve does not become ready"
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@functools.cache
def observed() -> tuple[frozenset[str], frozenset[str]]:
    """Names of the series that a running shop exports, and those of the surroundings' paths that it serves."""
    with serving() as url:
        served = frozenset(path for path in ("/health", "/ready", "/metrics") if status(url + path) == 200)
        status(url + "/api/products")
        with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
            text = answer.read().decode()
    return frozenset(re.findall(r"^([a-z_:]+)(?=[{ ])", text, re.MULTILINE)), served


@functools.cache
def complaint(environment: frozenset[tuple[str, str]], secrets: frozenset[tuple[str, str]]) -> str:
    """What souk has against these settings; nothing when it takes them. Secrets: file names and what is in them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in secrets:
            (Path(folder) / name).write_text(text)
        moved = {name: value.replace("/run/secrets/souk", folder) for name, value in environment}
        done = souk("config", environment=moved)
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip()
