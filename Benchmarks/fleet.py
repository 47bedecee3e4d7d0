"""A fleet of seven roles under measurement, and what its PostgreSQL can do by itself."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from servers import ROOT, SOUK, Server, free_port

SCRIPT = Path(__file__).resolve().parent / "pgbench" / "order.sql"
CLIENTS = (8, 16, 32)


class Fleet(Server):
    patience = 180

    def __init__(self, folder: Path):
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.script = [sys.executable, str(ROOT / "scripts/fleet"), "--folder", str(folder)]
        limits = [f"SOUK_CLIENT_{name}=10000000" for name in ("RATE", "BURST")] + ["SOUK_LOG_LEVEL=warning"]
        command = [*self.script, "up", "--port", str(port), "--replicas", "1"]
        command += [word for limit in limits for word in ("--set", limit)]
        super().__init__(command, "/ready", core=None, cwd=folder, port=port)

    def start(self) -> float:
        took, began = super().start(), time.monotonic()
        while self.facts().get("state") != "ready":
            if time.monotonic() > began + self.patience or self.process.poll() is not None:
                self.stop()
                raise SystemExit(f"the fleet did not start: see {self.folder / 'server.log'}")
            time.sleep(0.2)
        return took + time.monotonic() - began

    def facts(self) -> dict:
        try:
            return json.loads((self.folder / "fleet.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def souk(self, *arguments: str) -> None:
        subprocess.run([*self.script, "souk", *arguments], check=True, stdout=subprocess.DEVNULL)

    @property
    def settings(self) -> dict[str, str]:
        return dict(word.split("=", 1) for word in shlex.split((self.folder / "settings.env").read_text()))


class Limit:
    """pgbench on the fleet's server: the rows of an order, one order a transaction, in a database of its own."""

    def __init__(self, fleet: Fleet, catalogue: Path):
        url = fleet.settings["SOUK_DATABASE"]
        at = urlsplit(url)
        self.environment = {**os.environ, "PGPASSWORD": at.password or ""}
        self.server = ["-h", at.hostname or "", "-p", str(at.port), "-U", at.username or ""]
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self._run("createdb", "limit")
        shop = {**os.environ, "SOUK_DATABASE": url.removesuffix(at.path) + "/limit", "SOUK_DATA": str(fleet.folder)}
        subprocess.run([SOUK, "migrate"], env=shop, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([SOUK, "import", catalogue], env=shop, check=True, stdout=subprocess.DEVNULL)
        found = self._run("psql", "-At", "-F", " ", "-c", "SELECT min(id), max(id) FROM products.variants", "limit")
        self.first, self.last = found.split()

    def _run(self, program: str, *arguments: str) -> str:
        path = self.programs / program
        command = [path if path.exists() else shutil.which(program), *self.server, *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def measure(self, seconds: int) -> float:
        """Orders a second, with the number of clients that makes the most."""
        return max(self._rate(clients, seconds) for clients in CLIENTS)

    def _rate(self, clients: int, seconds: int) -> float:
        arguments = ["-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(max(2, seconds // 2))]
        arguments += ["-D", f"first={self.first}", "-D", f"last={self.last}", "-f", str(SCRIPT), "limit"]
        printed = self._run("pgbench", *arguments)
        found = re.search(r"tps = ([\d.]+)", printed)
        if not found:
            raise SystemExit(f"pgbench said no rate: {printed}")
        return float(found[1])
