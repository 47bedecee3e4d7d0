"""The shop as seven roles behind a balancer, on servers of its own: what `scripts/fleet` runs, used as one shop."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shop import ROOT, Shop

FLEET = ROOT / "scripts/fleet"

# Seen by clients as one shop is; the rest is about one process, or made for each test anew. In this order: the pages
# are looked at before other people's catalogues come in, and the search through the interface leaves the shop in
# nobody's state.
TESTED = ["test_conventions.py", "test_pages.py", "test_bad_input.py", "test_browser.py", "test_fleet.py"]
RUNBOOK = [f"test_runbook{part}.py" for part in ("", "_situations", "_drills", "_cluster")]
TESTED += ["test_interface.py", "test_chaos.py", "test_weakness.py", *RUNBOOK]
FLEET_ONLY = ["test_fleet.py", "test_chaos.py", "test_weakness.py", *RUNBOOK]


def can_have_disk() -> bool:
    """Whether a disk for PostgreSQL can be mounted: only by root, and a container seldom has what it takes."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        image, place = Path(folder, "image"), Path(folder, "place")
        place.mkdir()
        image.write_bytes(bytes(4 << 20))
        steps = [["/usr/sbin/mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, place], ["umount", place]]
        try:
            return all(subprocess.run(step, capture_output=True).returncode == 0 for step in steps)
        except OSError:
            return False


HAS_DISK = can_have_disk()
# Room for all that is tried on it.
DISK = ["--disk", "4096"] if HAS_DISK else []


class FleetShop(Shop):
    # Two dozen processes, on a machine that may be doing something else.
    PATIENCE = 120

    # Short, for sockets, and not below a folder that is one user's own: as root, PostgreSQL is run by another.
    def __init__(self, **settings: str):
        folder = Path(tempfile.mkdtemp(prefix="souk-fleet-"))
        folder.chmod(0o711)
        super().__init__(folder, **settings)

    def launch(self) -> None:
        command = self.command("up", "--port", self.port, "--replicas", "2", "--attached", *DISK)
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            # It ends when this process does, however that ends.
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def command(self, *arguments: Any) -> list[str]:
        return [str(part) for part in (sys.executable, FLEET, "--folder", self.folder, *arguments)]

    def run(self, *arguments: Any, timeout: float = 600) -> str:
        """One of the fleet's commands to its end; what it printed."""
        result = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout)
        assert result.returncode == 0, (
            f"{arguments}: {result.returncode}\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
        )
        return result.stdout

    def fill(self, *, products: int = 0, catalogue: Path | None = None) -> "FleetShop":
        """Beside the roles, which run: the rows are on a server."""
        if self.process is None:
            self.start()
        if products:
            self.run("souk", "demo", "--products", products, "--seed", 1)
        if catalogue:
            self.run("souk", "import", catalogue)
        return self

    def start(self) -> "FleetShop":
        if self.process is None:
            super().start()
        return self

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"the fleet ended with {self.process.returncode}:\n{self.log()}"
        return self.facts().get("state") == "ready"

    def facts(self) -> dict:
        file = self.folder / "fleet.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def status(self) -> dict:
        return json.loads(self.run("status", "--json"))

    def stop(self) -> None:
        """A graceful stop of everything, in order."""
        process, self.process = self.process, None
        if process is None:
            return
        process.stdin.close()
        code = process.wait(300)
        assert code == 0, f"the fleet stopped with {code}:\n{self.log()}"

    def close(self) -> None:
        # Its processes are not this one's children: it is the fleet that ends them.
        self.stop()
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def audit(self, *arguments: Any) -> None:
        self.run("souk", "audit", *arguments)
