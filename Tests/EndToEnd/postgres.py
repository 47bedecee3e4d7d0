"""A PostgreSQL server of the tests' own, and databases on it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from shop import eventually, free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parts[-2]))
MISSING = "needs Debian's postgresql"
SETTINGS = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=64MB", "log_min_messages=fatal"]


class Postgres:
    def __init__(self, folder: Path, *settings: str):
        self.folder, self.port, self.process = folder, free_port(), None
        self.settings = [*SETTINGS, *settings]
        # As root, PostgreSQL does not run.
        self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.prefix:
            shutil.chown(folder, "postgres", "postgres")
        command = [PROGRAMS[-1] / "initdb", "--pgdata", folder / "data", "--username", "souk", "--no-sync"]
        subprocess.run([*self.prefix, *command], check=True, capture_output=True, cwd="/")

    def start(self) -> "Postgres":
        command = [PROGRAMS[-1] / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        for setting in self.settings:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self.prefix, *command], stdout=log, stderr=log, cwd="/")
        eventually(lambda: self.ask("SELECT 1") == "1", "PostgreSQL answers")
        return self

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def ask(self, sql: str, database: str = "postgres") -> str:
        command = [PROGRAMS[-1] / "psql", "--no-psqlrc", "--tuples-only", "--no-align", self.url(database)]
        return subprocess.run([*command, "--command", sql], capture_output=True, text=True).stdout.strip()

    def url(self, database: str) -> str:
        return f"postgres://souk@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Its URL."""
        name = "shop_" + uuid.uuid4().hex
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)


@contextlib.contextmanager
def serving(*settings: str) -> Iterator[Postgres]:
    """With settings such as `fsync=off` besides."""
    # Not below a folder that is one user's own.
    folder = Path(tempfile.mkdtemp(prefix="souk-postgres-"))
    folder.chmod(0o711)
    server = Postgres(folder, *settings).start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
