"""deploy/Dockerfile: what it makes is small, has nothing to break in with, and serves a shop from a read-only root."""

import json
import re
import socket
import time
import urllib.request
from pathlib import Path

from containers import STORE, Containers
from exceptions import Exceptions

from . import ROOT, Absent, Mistake, check, run, tool

IMAGE, USER = "souk", "10001:10001"
LARGEST = 60_000_000
# What somebody who broke in would look for first.
TOOLS = ["/bin/sh", "/bin/bash", "/usr/bin/apt", "/usr/bin/dpkg", "/usr/bin/perl", "/bin/busybox", "/usr/bin/curl"]
DEADLINE = 30


@check
def dockerfile(root: Path) -> list[str]:
    exceptions, found = Exceptions(root, "hadolint", "deploy/Dockerfile"), []
    for one in json.loads(run([tool("hadolint"), "--format", "json", "deploy/Dockerfile"], root).stdout):
        if not exceptions.cover(one["code"], one["file"]):
            found.append(f"{one['file']}:{one['line']}: {one['code']}: {one['message']}")
    found += exceptions.faults()
    text = (root / "deploy/Dockerfile").read_text()
    # hadolint does not look behind an argument.
    for name, tag in re.findall(r"^ARG (BUILDER|DEBIAN)=\S+?:(\S+)$", text, re.MULTILINE):
        if not re.match(r"\d", tag):
            found.append(f"deploy/Dockerfile: {name} is tagged {tag}, expected a version")
    last = text[text.rindex("\nFROM ") + 1 :]
    if not last.startswith("FROM scratch"):
        found.append(f"deploy/Dockerfile: the last stage is {last.splitlines()[0]!r}, expected FROM scratch")
    if f"\nUSER {USER}\n" not in last:
        found.append(f"deploy/Dockerfile: the last stage has no USER {USER}, expected that numeric user")
    return found


@check
def ignored(root: Path) -> list[str]:
    """The build sees only what is named."""
    lines = (root / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    if rules[:1] == ["*"]:
        return []
    return [".dockerignore: expected to begin with *, so that nothing comes in that is not named"]


@check
def serves(root: Path) -> list[str]:
    """Built by buildah, run by podman: read-only, without capabilities, as nobody in particular."""
    binary = ROOT / ".build/release/souk"
    if not binary.exists():
        raise Absent("the binary is not built: make build")
    containers = Containers()
    containers.make_debian()
    built = STORE / "built"
    (built / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    stripped = run([tool("strip"), "--output-file", built / "usr/local/bin/souk", binary], ROOT)
    if stripped.returncode:
        return [f"strip: {stripped.stderr}"]
    containers.build(root / "deploy/Dockerfile", IMAGE, built)
    found, figures = contents(containers)
    ran, milliseconds = serving(containers)
    figures["milliseconds_to_ready"] = milliseconds
    (STORE / "image.json").write_text(json.dumps(figures) + "\n")
    return found + ran + loads(containers)


def contents(containers: Containers) -> tuple[list[str], dict]:
    found = []
    size = containers.compressed_size(IMAGE)
    if size > LARGEST:
        found.append(f"deploy/Dockerfile: the image has {size:,} bytes compressed, expected {LARGEST:,} at the most")
    configuration = containers.configuration(IMAGE)["Config"]
    if configuration["User"] != USER:
        found.append(f"deploy/Dockerfile: the user is {configuration['User']!r}, expected {USER}")
    mounted = Path(containers.podman("image", "mount", IMAGE).stdout.strip())
    try:
        found += [
            f"deploy/Dockerfile: the image has {path}, expected no shell and no tools"
            for path in TOOLS
            if (mounted / path.lstrip("/")).exists()
        ]
    finally:
        containers.podman("image", "unmount", IMAGE)
    return found, {"compressed_bytes": size}


def serving(containers: Containers) -> tuple[list[str], int | None]:
    """Whether it answers from a read-only root, and after how many milliseconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hardened = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--memory=512m"]
    arguments = [*hardened, "--network=host", "--env=SOUK_DATA=/tmp", f"--env=SOUK_PORT={port}", IMAGE]
    began = time.monotonic()
    name = containers.podman("run", "--detach", *arguments).stdout.strip()
    try:
        url, ready = f"http://127.0.0.1:{port}", None
        while ready is None and time.monotonic() < began + DEADLINE:
            ready = round((time.monotonic() - began) * 1000) if status(f"{url}/ready") == 200 else time.sleep(0.02)
        found = []
        for path in "/", "/api/products", "/metrics":
            if (code := status(url + path)) != 200:
                found.append(f"the image answers {code} to {path} from a read-only root, expected 200")
        if containers.podman("exec", name, "/usr/local/bin/souk", "probe", f"{url}/ready", check=False).returncode:
            found.append("souk probe in the container fails, expected that it finds the shop ready")
        containers.podman("stop", "--time", "20", name)
        code = containers.podman("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip()
        if code != "0":
            found.append(f"the container ended with {code} after SIGTERM, expected 0")
        return found, ready
    finally:
        containers.podman("rm", "--force", name, check=False)


def loads(containers: Containers) -> list[str]:
    """The libraries that are opened by name are there: a server that is away is then what is complained of."""
    arguments = ["--network=host", "--read-only", "--cap-drop=all", "--tmpfs=/tmp"]
    arguments += ["--env=SOUK_DATABASE=postgres://souk:none@127.0.0.1:1/souk", "--env=SOUK_DATA=/tmp"]
    said = containers.podman("run", "--rm", *arguments, IMAGE, "migrate", check=False).stderr
    if "refused" in said:
        return []
    return [f"the image's libpq cannot be used, expected 'connection refused' of port 1: {said[-300:]}"]


def status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


MISTAKES = [
    Mistake("root user", dockerfile, "deploy/Dockerfile", "USER 10001:10001", "USER root", "USER"),
    Mistake("image with a shell", dockerfile, "deploy/Dockerfile", "FROM scratch", "FROM debian:latest", "scratch"),
    Mistake("latest base", dockerfile, "deploy/Dockerfile", "debian:12-slim", "debian:latest", "expected a version"),
    Mistake("secrets in the build", ignored, ".dockerignore", "\n*\n", "\n.git\n", "begin with *"),
]
