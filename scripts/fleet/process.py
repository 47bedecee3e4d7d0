"""A program that is kept running: started again when it ends by itself, as Kubernetes would."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from layout import FleetError

# Between one end and the next start, doubling; from the beginning again after so long a life.
FIRST_PAUSE, LONGEST_PAUSE, STEADY = 0.25, 5, 10


SUPERVISOR = os.getpid()
PR_SET_PDEATHSIG = 1
LIBRARY = ctypes.CDLL(None)


def end_with_the_supervisor() -> None:
    """In a child, before it becomes its program: killed when the supervisor ends without stopping it. Where the system
    has nothing of the kind, the next start ends what it finds noted down."""
    if sys.platform == "linux":
        LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != SUPERVISOR:
            os._exit(1)


@dataclass(frozen=True)
class Program:
    name: str
    command: list[str]
    environment: dict[str, str]
    # Whether it does its work.
    probe: Callable[[], Awaitable[bool]]
    folder: Path
    log: Path
    port: int
    roles: list[str] = field(default_factory=list)
    # Who runs it; whoever started the fleet where it is None.
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # Seconds for a graceful stop. A role takes its drain delay and then as long as the requests that it has.
    patience: float = 60


class Process:
    def __init__(self, program: Program, say: Callable[[str], None], changed: Callable[[], None]):
        self.program, self.name = program, program.name
        self.restarts, self.since, self.ended = 0, 0.0, "not started"
        self._say, self._changed = say, changed
        # Words before its command, from its next start on: a program that then becomes it, with settings of its own.
        self.wrapper: list[str] = []
        self._wanted = False
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task | None = None
        self._turn = asyncio.Lock()
        # Clear while a drill keeps it away.
        self._free = asyncio.Event()
        self._free.set()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.returncode is None else None

    async def launch(self) -> None:
        """Starts it and keeps it running; does not wait until it is ready."""
        self._wanted = True
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=self.name)

    async def until_ready(self, *, first: bool = False, within: float = 300) -> None:
        """`first`: it must not have ended meanwhile, for then something is wrong with it or its surroundings."""
        deadline = time.monotonic() + within
        while True:
            if first and self.restarts:
                raise FleetError(f"{self.name} did not start, it ended with {self.ended}:\n{self.tail()}")
            if self.pid and await self.is_ready():
                return
            if time.monotonic() > deadline:
                raise FleetError(f"{self.name} is not ready after {within:.0f} s:\n{self.tail()}")
            await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            return await asyncio.wait_for(self.program.probe(), 5)
        return False

    async def stop(self) -> None:
        """Gracefully, and by force when that takes too long."""
        async with self._turn:
            self._wanted = False
        child = self._child
        if child and child.returncode is None:
            child.send_signal(self.program.stop_signal)
            # A drill may have paused it.
            child.send_signal(signal.SIGCONT)
            try:
                await asyncio.wait_for(child.wait(), self.program.patience)
            except TimeoutError:
                self._say(f"{self.name} did not stop within {self.program.patience:.0f} s and is killed")
                child.kill()
                await child.wait()
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._changed()

    def kill(self) -> int:
        """kill -9; it comes back by itself. The process that was killed."""
        if not (pid := self.pid):
            raise FleetError(f"{self.name} does not run at the moment")
        self._child.kill()
        return pid

    def hold(self) -> None:
        """kill -9, and it stays away until it is released."""
        self._free.clear()
        if self.pid:
            self._child.kill()

    def release(self) -> None:
        self._free.set()

    def hurry(self) -> None:
        """Ends it now, and for good."""
        self._wanted = False
        if self.pid:
            self._child.kill()

    def tail(self) -> str:
        if not self.program.log.exists():
            return ""
        lines = self.program.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(f"  {line[:400]}" for line in lines)

    def facts(self) -> dict:
        return {
            "name": self.name,
            "roles": self.program.roles,
            "pid": self.pid,
            "port": self.program.port,
            "restarts": self.restarts,
            "since": self.since,
            "log": str(self.program.log),
        }

    async def _spawn(self) -> None:
        async with self._turn:
            if not self._wanted:
                return
            program = self.program
            # As root it may be somebody else, and then nothing of root's.
            identity = {"user": program.user, "group": program.user, "extra_groups": []} if program.user else {}
            with program.log.open("ab") as log:
                self._child = await asyncio.create_subprocess_exec(
                    *self.wrapper,
                    *program.command,
                    env=program.environment,
                    cwd=program.folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # Ctrl-C is for the fleet, which stops its processes one after the other.
                    start_new_session=True,
                    preexec_fn=end_with_the_supervisor,
                    **identity,
                )
            self.since = time.time()
        self._changed()

    async def _keep(self) -> None:
        pause = 0.0
        while True:
            code = await self._child.wait()
            if not self._wanted:
                return
            self.ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self.restarts += 1
            pause = FIRST_PAUSE if time.time() - self.since > STEADY else min(2 * pause or FIRST_PAUSE, LONGEST_PAUSE)
            self._say(f"{self.name} ended with {self.ended}: started again in {pause} s")
            await asyncio.sleep(pause)
            await self._free.wait()
            try:
                await self._spawn()
            except OSError as error:
                # The binary may be in the middle of being built anew.
                self._say(f"{self.name} cannot be started: {error}")


async def run(
    command: list[str], environment: dict[str, str], log: Path, *, user: str | None = None, folder: Path
) -> None:
    """Runs a command to its end. Its output is in the log, and in the error when it fails."""
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    child = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=end_with_the_supervisor,
        **identity,
    )
    try:
        output, _ = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    with log.open("ab") as out:
        out.write(output)
    if child.returncode:
        text = output.decode(errors="replace")[-2000:]
        raise FleetError(f"{Path(command[0]).name} {command[1]} ended with {child.returncode}:\n{text}")


async def answers(port: int, path: str) -> bool:
    """Whether GET of the path is answered with 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline()).split()[1:2] == [b"200"]
    finally:
        writer.close()
