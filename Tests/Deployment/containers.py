"""Images by Debian's buildah and podman, in a storage of their own, without a registry."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from checks import ROOT, Absent, run

STORE = ROOT / ".build/deployment"
DEBIAN = "localhost/souk-debian"
PACKAGES = "ca-certificates,libcurl4,libpq5,libstdc++6"
# crun, the default, does not run everywhere; runc with plain control groups does.
SETTINGS = """[containers]
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
"""


class Containers:
    """What was made lies in `STORE`; the Debian root stays there for the next time."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Absent("an image is built and run as root")
        for program in "buildah", "podman", "runc", "skopeo", "debootstrap":
            if not shutil.which(program):
                raise Absent(f"{program} is not installed")
        STORE.mkdir(parents=True, exist_ok=True)
        settings = STORE / "containers.conf"
        settings.write_text(SETTINGS)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}

    def command(self, program: str, *arguments: str) -> list[str]:
        folders = ["--root", str(STORE / "storage"), "--runroot", str(STORE / "run"), "--storage-driver", "vfs"]
        return [program, *folders, *arguments]

    def run(self, program: str, *arguments: str, check: bool = True, cwd: Path = ROOT) -> subprocess.CompletedProcess:
        result = run(self.command(program, *arguments), cwd, self.environment, timeout=600)
        if check and result.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {result.stdout[-2000:]}{result.stderr[-2000:]}")
        return result

    def podman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.run("podman", *arguments, check=check)

    def make_debian(self) -> None:
        """The root that the Dockerfile names as DEBIAN, from Debian's packages."""
        if self.podman("image", "exists", DEBIAN, check=False).returncode == 0:
            return
        root = STORE / "debian"
        shutil.rmtree(root, ignore_errors=True)
        made = run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root], ROOT, timeout=900)
        if made.returncode:
            raise RuntimeError(f"debootstrap: {made.stdout[-2000:]}")
        archive = STORE / "debian.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        self.podman("import", str(archive), DEBIAN)
        shutil.rmtree(root)
        archive.unlink()

    def build(self, dockerfile: Path, name: str, built: Path) -> None:
        """All but the stage that compiles: what it leaves is in the folder `built`."""
        arguments = ["--build-arg", f"DEBIAN={DEBIAN}", "--build-arg", f"BUILDER={DEBIAN}"]
        arguments += ["--build-context", f"build={built}", "--network", "host"]
        self.run("buildah", "bud", *arguments, "--file", str(dockerfile), "--tag", name, ".", cwd=dockerfile.parents[1])

    def compressed_size(self, name: str) -> int:
        """Bytes, as a registry would send it."""
        folder = STORE / "oci"
        shutil.rmtree(folder, ignore_errors=True)
        source = f"containers-storage:[vfs@{STORE / 'storage'}+{STORE / 'run'}]localhost/{name}:latest"
        copied = run(["skopeo", "--insecure-policy", "copy", source, f"oci:{folder}"], ROOT, self.environment)
        if copied.returncode:
            raise RuntimeError(f"skopeo: {copied.stderr[-2000:]}")
        return sum(file.stat().st_size for file in (folder / "blobs").rglob("*") if file.is_file())

    def configuration(self, name: str) -> dict:
        return json.loads(self.podman("image", "inspect", name).stdout)[0]
