"""The fleet as one whole: started, kept, restarted a replica at a time, and stopped in order."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import balancer
from layout import ROLES, SOUK, STAFF, WAVES, FleetError, Folder, Layout, without_souk, write_settings
from process import Process, Program, answers, run
from servers import Servers, check_programs

Say = Callable[[str], None]


class Fleet:
    def __init__(
        self, folder: Folder, layout: Layout, overrides: dict[str, str], say: Say, primary: Folder | None = None
    ):
        self.folder, self.layout, self.say = folder, layout, say
        # Another region's, whose rows are followed until this one is promoted.
        self.primary = primary
        self.settings = {**layout.shared_settings(), **overrides}
        self.overrides = overrides
        self.state, self.began = "starting", time.time()
        self.environment = {**without_souk(dict(os.environ)), **self.settings}
        self.servers: list[Process] = []
        self.replicas: list[Process] = []

    # -- its life

    async def start(self, demo: int = 0) -> None:
        """Servers, then the schema, then the roles; returns when the balancer sends requests to all of them. Beside
        another region: the servers alone, a pilot light."""
        write_settings(self.folder.settings_file, self.settings)
        servers = Servers(self.layout)
        self.say("starting PostgreSQL, Redis, an object store, a mail server and HAProxy")
        await servers.prepare_postgres(self.primary)
        self.servers = [self._process(program) for program in servers.programs()]
        await self._launch(self.servers)
        if self.primary:
            self.state = "standby"
            self.note()
            return
        await servers.make_database()
        await self.open(demo)

    async def promote(self) -> None:
        """Takes the place of the region that it follows."""
        if self.state != "standby":
            raise FleetError("this fleet follows no other")
        self.state = "starting"
        await Servers(self.layout).promote()
        await self.open()

    async def open(self, demo: int = 0) -> None:
        """On rows that can be written to."""
        await self.souk("migrate")
        if demo and not (filled := self.folder.data / "filled").exists():
            self.say(f"filling the shop with {demo} demo products")
            await self.souk("demo", "--products", str(demo), "--seed", "1")
            filled.touch()
        self.replicas = [self._process(program) for program in self._role_programs()]
        self.say(f"starting {len(self.replicas)} processes of {', '.join(self.layout.groups)}")
        await self._launch(self.replicas)
        for replica in self.replicas:
            await self.until_served(replica)
        self.state = "ready"
        self.note()

    async def stop(self) -> None:
        """Roles first, those before the others that call them; then the balancer; then what all stood on."""
        self.state = "stopping"
        for wave in WAVES:
            wanted = [replica for replica in self.replicas if replica.program.roles[0] in wave]
            await asyncio.gather(*(replica.stop() for replica in wanted))
        waves = [[each for each in self.servers if each.name == "balancer"]]
        waves.append([each for each in self.servers if each.name != "balancer"])
        for wave in waves:
            await asyncio.gather(*(server.stop() for server in wave))

    def hurry(self) -> None:
        for process in self.processes:
            process.hurry()

    async def _launch(self, processes: list[Process]) -> None:
        for process in processes:
            await process.launch()
        # The first that fails is said, and the others are not waited for.
        await asyncio.gather(*(process.until_ready(first=True) for process in processes))

    # -- what it is made of

    @property
    def processes(self) -> list[Process]:
        return [*self.servers, *self.replicas]

    def _process(self, program: Program) -> Process:
        return Process(program, self.say, self.note)

    def _role_programs(self) -> list[Program]:
        programs = []
        for group, ports in self.layout.replicas.items():
            for number, port in enumerate(ports, 1):
                name = f"{group}-{number}"
                settings = self.layout.role_settings(group, name, port)
                Path(settings["SOUK_DATA"]).mkdir(parents=True, exist_ok=True)
                programs.append(
                    Program(
                        name=name,
                        command=[str(SOUK), "serve"],
                        environment={**self.environment, **settings, **self.overrides},
                        probe=lambda port=port: answers(port, "/ready"),
                        folder=self.folder.path,
                        log=self.folder.logs / f"{name}.log",
                        port=port,
                        roles=self.layout.groups[group],
                    )
                )
        return programs

    def find(self, name: str) -> Process:
        for process in self.processes:
            if process.name == name:
                return process
        raise FleetError(f"there is no '{name}', expected one of {', '.join(each.name for each in self.processes)}")

    def choose(self, what: str) -> list[Process]:
        """All replicas, those of a role, or one, the callers last: a new release finds what it calls in place."""
        chosen = [
            replica
            for replica in self.replicas
            if what in ("all", replica.name, replica.name.rpartition("-")[0], *replica.program.roles)
        ]
        if not chosen:
            raise FleetError(f"there is no '{what}', expected all, one of {', '.join(ROLES)}, or a replica's name")
        return chosen[::-1]

    async def souk(self, *arguments: str) -> None:
        """A command beside the roles."""
        log = self.folder.logs / f"{arguments[0]}.log"
        await run([str(SOUK), *arguments], self.environment, log, folder=self.folder.path)

    # -- operations

    async def restart(self, what: str, say: Say) -> None:
        """One replica at a time: the next one goes when this one is back and gets requests again."""
        chosen = self.choose(what)
        for replica in chosen:
            say(f"{replica.name} is drained and stopped")
            await replica.stop()
            await replica.launch()
            await replica.until_ready()
            await self.until_served(replica)
            say(f"{replica.name} is back")

    async def until_served(self, replica: Process, within: float = 120) -> None:
        """Until the balancer sends it requests, for each of its roles."""
        deadline = time.monotonic() + within
        while True:
            with contextlib.suppress(OSError):
                states = await balancer.states(self.folder.admin)
                # Where nobody is asked, everybody is sent requests.
                if all(states.get((role, replica.name)) in ("UP", "no check") for role in replica.program.roles):
                    return
            if time.monotonic() > deadline:
                raise FleetError(f"HAProxy does not see {replica.name} up after {within:.0f} s: see balancer.log")
            await asyncio.sleep(0.1)

    # -- what is said of it

    def facts(self) -> dict:
        return {
            "state": self.state,
            "url": self.layout.url,
            "pid": os.getpid(),
            "began": self.began,
            "folder": str(self.folder.path),
            "logs": str(self.folder.logs),
            "settings": str(self.folder.settings_file),
            "weakened": self.layout.weakened,
            "mail": str(self.folder.data / "mail"),
            "staff": {"email": STAFF, "password_file": str(self.folder.secrets / "staff-password")},
            "peers": {role: f"http://127.0.0.1:{port}" for role, port in self.layout.peers.items()},
            "processes": [{**each.facts(), "birth": birth(each.pid)} for each in self.processes],
        }

    def note(self) -> None:
        self.folder.keep_facts(self.facts())

    async def status(self) -> dict:
        facts = self.facts()
        readiness = await asyncio.gather(*(process.is_ready() for process in self.processes))
        states = {}
        with contextlib.suppress(OSError):
            states = await balancer.states(self.folder.admin)
        for process, entry, is_ready in zip(self.processes, facts["processes"], readiness, strict=True):
            entry["ready"] = bool(entry["pid"]) and is_ready
            entry["balancer"] = {role: states.get((role, process.name), "unknown") for role in process.program.roles}
        return facts


# --- one fleet a folder -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def claimed(folder: Folder):
    """The folder for one supervisor alone. What a supervisor that was killed has left is ended first."""
    with folder.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FleetError(f"a fleet runs in {folder.path} already") from None
        end_leftovers(folder)
        try:
            yield
        finally:
            folder.forget()


def wait_until_free(folder: Folder) -> None:
    with folder.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def end_leftovers(folder: Folder) -> int:
    """Ends the processes of a fleet whose supervisor is gone; how many there were."""
    entries = [each for each in folder.facts().get("processes", []) if each["pid"]]
    # A number may be another process's by now.
    left = [each for each in entries if each["birth"] and birth(each["pid"]) == each["birth"]]
    for entry in reversed(left):
        end(entry["pid"], signal.SIGINT if entry["name"] == "postgres" else signal.SIGTERM)
    return len(left)


def end(pid: int, how: signal.Signals, within: float = 30) -> None:
    began, deadline = birth(pid), time.monotonic() + within
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)
        while birth(pid) == began:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def birth(pid: int | None) -> str | None:
    """When a process began, in whatever unit; nil when it is not there, or a zombie."""
    if not pid:
        return None
    if Path("/proc/self/stat").exists():
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else fields[19]
        return None
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return shown or None


def check_surroundings() -> None:
    check_programs()
    if not SOUK.exists():
        raise FleetError(f"there is no {SOUK}: run `make build`")
