"""What can be broken in a fleet on purpose, each with its undo: real signals, real silence, real refusals.

What is done is written down before it is done: whoever is told to undo, whenever, knows what. Nothing of it is in the
services, which cannot know that it is a drill.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import balancer
import skew
from disk import Disk
from fleet import Fleet, birth
from layout import ROLES, FleetError, Folder, write_private
from process import Process
from servers import Servers

HERE = Path(__file__).resolve().parent
# That PostgreSQL may begin on a full disk.
MOST_SEGMENTS = 100
BACK_ENDS = ["postgres", "redis", "s3", "mail"]
# Name, what it takes, and what it does.
FAULTS = {
    "kill-half": ("ROLE", "SIGKILL to half the replicas of a role, or of all; they come back by themselves"),
    "pause": ("PROCESS", "SIGSTOP: it keeps its connections and says nothing; a role pauses half its replicas"),
    "drop": ("PROCESS", "SIGKILL, and it does not come back until undone: postgres, redis, s3, mail or a replica"),
    "cut": ("ROLE", "the other roles no longer reach this one: HAProxy drops what they ask it, without a word"),
    "slow": ("ROLE", "what other roles ask this one reaches it half a second later, by HAProxy"),
    "zone": ("NUMBER", "an availability zone away: the replica of this number of every role is dropped"),
    "skew": ("NAME=SECONDS", "the clock of a replica is wrong; of a role, those of half its replicas"),
    "fill": ("WHAT", "the disk of PostgreSQL is full: for rows, or for its log too, which ends it (see up --disk)"),
    "connections": ("NUMBER", "so many connections to PostgreSQL are held open by somebody else"),
}


class Faults:
    """Of one fleet; in its process."""

    def __init__(self, fleet: Fleet):
        self.fleet = fleet
        self.file = fleet.folder.path / "faults.json"
        # Of a fleet that is gone nothing is left but this.
        self.file.unlink(missing_ok=True)
        self.disk = Disk(fleet.folder)
        self._holder: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def begin(self, fault: str, what: str) -> list[str]:
        """The names of what was hit."""
        async with self._turn:
            hit = self._targets(fault, what)
            self._note([*self.begun(), {"fault": fault, "what": what, "hit": hit}])
            for name in hit:
                await self._apply(fault, name, what)
            return hit

    async def undo(self) -> list[str]:
        """All of them, until the fleet is whole again; the faults that there were."""
        async with self._turn:
            entries = self.begun()
            for entry in reversed(entries):
                for name in entry["hit"]:
                    await self._revert(entry["fault"], name)
            async with asyncio.timeout(120):
                for process in self.fleet.processes:
                    await process.until_ready()
                for replica in self.fleet.replicas:
                    await self.fleet.until_served(replica)
            self._note([])
            return [f"{entry['fault']} {entry['what']}" for entry in entries]

    def begun(self) -> list[dict]:
        return json.loads(self.file.read_text()) if self.file.exists() else []

    def _note(self, entries: list[dict]) -> None:
        write_private(self.file, json.dumps(entries) + "\n")
        with self.file.open() as written:
            os.fsync(written.fileno())

    def _targets(self, fault: str, what: str) -> list[str]:
        match fault:
            case "kill-half":
                roles = ROLES if what == "all" else [what]
                return sorted({name for role in roles for name in self._half(role)})
            case "pause":
                return self._half(what) if what in ROLES else [self.fleet.find(what).name]
            case "drop":
                return [self.fleet.find(what).name]
            case "cut" | "slow":
                if what not in ROLES:
                    raise FleetError(f"there is no role '{what}', expected one of {', '.join(ROLES)}")
                return [what]
            case "zone":
                hit = [each.name for each in self.fleet.replicas if each.name.endswith(f"-{what}")]
                if not hit:
                    raise FleetError(f"there is no replica number '{what}'")
                return hit
            case "skew":
                name, _ = skew.wanted(what)
                return self._half(name) if name in ROLES else [each.name for each in self.fleet.choose(name)]
            case "fill":
                if what not in ("rows", "log"):
                    raise FleetError(f"the disk is filled for '{what}', expected rows or log")
                if not self.disk.is_there:
                    raise FleetError("PostgreSQL has no disk of its own: start a new fleet with up --disk 512, as root")
                return [what]
            case "connections":
                if not what.isdigit() or not 1 <= int(what) <= 1000:
                    raise FleetError(f"'{what}' connections, expected 1 to 1000")
                return [what]
        raise FleetError(f"there is no fault '{fault}', expected one of {', '.join(FAULTS)}")

    def _half(self, role: str) -> list[str]:
        replicas = self.fleet.choose(role)
        return [replica.name for replica in replicas[: (len(replicas) + 1) // 2]]

    async def _apply(self, fault: str, name: str, what: str) -> None:
        match fault:
            case "kill-half":
                # It may just be coming back from an earlier end.
                with contextlib.suppress(FleetError):
                    self.fleet.find(name).kill()
            case "pause":
                pause(self.fleet.find(name))
            case "drop" | "zone":
                self.fleet.find(name).hold()
            case "cut" | "slow":
                await self._command(f"add acl {balancer.faulty(self.fleet.layout, fault)} {name}-peers")
            case "skew":
                await self._skew(name, skew.wanted(what)[1])
            case "fill":
                self.disk.fill()
                if name == "log":
                    await self._use_up_log()
            case "connections":
                await self._hold_connections(int(name))

    async def _revert(self, fault: str, name: str) -> None:
        match fault:
            case "pause":
                if pid := self.fleet.find(name).pid:
                    os.kill(pid, signal.SIGCONT)
            case "drop" | "zone":
                self.fleet.find(name).release()
            case "cut" | "slow":
                await self._command(f"clear acl {balancer.faulty(self.fleet.layout, fault)}")
            case "skew":
                await self._set_right(name)
            case "fill":
                # PostgreSQL, which has ended for want of room, is started again as anything is that ends.
                self.disk.empty()
            case "connections":
                await self._let_go()

    async def _command(self, line: str) -> None:
        if said := (await balancer.command(self.fleet.folder.admin, line)).strip():
            raise FleetError(f"HAProxy does not '{line}': {said}")

    async def _skew(self, name: str, seconds: int) -> None:
        """It is started anew with a clock that can be set, which then jumps; a second time, it only jumps."""
        replica, file = self.fleet.find(name), self._clock(name)
        if not replica.wrapper:
            skew.write(file, 0)
            library = self.fleet.folder.configuration / "skew.so"
            skew.build(library)
            replica.wrapper = skew.wrapper(library, file)
            await self.fleet.restart(name, self.fleet.say)
        skew.write(file, seconds)

    async def _set_right(self, name: str) -> None:
        """At once, and then without anything between it and its clock."""
        replica = self.fleet.find(name)
        if replica.wrapper:
            skew.write(self._clock(name), 0)
            replica.wrapper = []
            await self.fleet.restart(name, self.fleet.say)

    def _clock(self, name: str) -> Path:
        return self.fleet.folder.configuration / f"{name}.clock"

    async def _use_up_log(self) -> None:
        """One segment after the other is begun, until there is no room for the next and PostgreSQL gives up. Those who
        write get there as well, if they are given the time."""
        servers = Servers(self.fleet.layout)
        for _ in range(MOST_SEGMENTS):
            self.disk.fill()
            if not await servers.begin_log_segment():
                return
        raise FleetError(f"PostgreSQL found room for {MOST_SEGMENTS} segments of its log")

    async def _hold_connections(self, number: int) -> None:
        await self._let_go()
        # It ends when this process does, however that ends: its standard input is a pipe from here.
        self._holder = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HERE / "connections.py"),
            str(self.fleet.layout.postgres),
            str(number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._holder.stdin.write(self.fleet.folder.secret("database-password").encode() + b"\n")
        async with asyncio.timeout(60):
            line = await self._holder.stdout.readline()
        if not line:
            raise FleetError("the connections could not be opened")
        self.fleet.say(f"{line.decode().strip()} connections to PostgreSQL are held by a fault")

    async def _let_go(self) -> None:
        if self._holder and self._holder.returncode is None:
            self._holder.kill()
            await self._holder.wait()
        self._holder = None


def pause(process: Process) -> None:
    if not (pid := process.pid) or not birth(pid):
        raise FleetError(f"{process.name} does not run at the moment")
    os.kill(pid, signal.SIGSTOP)


def begun(folder: Folder) -> list[dict]:
    """As the folder's file says, also while no fleet runs."""
    file = folder.path / "faults.json"
    return json.loads(file.read_text()) if file.exists() else []
