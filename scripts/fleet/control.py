"""How other commands speak with a fleet that runs: a line of JSON to its socket, lines of JSON back."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Coroutine, Iterator

from faults import Faults
from fleet import Fleet
from layout import FleetError, Folder


class Control:
    """The fleet's side. `stop` is set when somebody asks for its end."""

    def __init__(self, fleet: Fleet, stop: asyncio.Event):
        self.fleet, self.stop, self.stopped = fleet, stop, asyncio.Event()
        self.faults = Faults(fleet)
        self._tasks: set[asyncio.Task] = set()
        self._working = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self.fleet.folder.control.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self.fleet.folder.control)
        finally:
            os.umask(mask)

    async def give_up(self) -> None:
        """Ends what is under way, so that nothing is started while all is stopped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        self.stopped.set()
        if self._server:
            self._server.close()
            # Who asked for the stop is told of it.
            await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(**line) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        try:
            request = json.loads(await reader.readline())
            tell(**await self._answer(request, lambda text: tell(say=text)))
        except FleetError as error:
            tell(error=str(error))
        except asyncio.CancelledError:
            tell(error="the fleet is stopping")
        except TimeoutError:
            tell(error="it took too long")
        except (ValueError, KeyError) as error:
            tell(error=f"not understood: {error}")
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, request: dict, say) -> dict:
        match request["command"]:
            case "status":
                return {"done": await self.fleet.status()}
            case "kill":
                return {"done": {"pid": self.fleet.find(request["what"]).kill()}}
            case "fault":
                return {"done": {"hit": await self._stoppable(self.faults.begin(request["fault"], request["what"]))}}
            case "undo":
                return {"done": {"undone": await self._stoppable(self.faults.undo())}}
            case "promote":
                return await self._alone(self.fleet.promote())
            case "down":
                self.stop.set()
                await self.stopped.wait()
                return {"done": {}}
            case "restart":
                return await self._alone(self.fleet.restart(request["what"], say))
            case other:
                raise FleetError(f"there is no command '{other}'")

    async def _alone(self, work: Coroutine) -> dict:
        """Not while another such work or the end is under way."""
        if self._working.locked() or self.stop.is_set():
            work.close()
            raise FleetError("something is restarted, promoted or stopped at the moment")
        async with self._working:
            await self._stoppable(work)
        return {"done": {"url": self.fleet.layout.url}}

    async def _stoppable(self, work: Coroutine):
        """Given up when the fleet stops."""
        if self.stop.is_set():
            work.close()
            raise FleetError("the fleet is stopping")
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            return await work
        finally:
            self._tasks.discard(task)


def ask(folder: Folder, **request) -> Iterator[tuple[str, object]]:
    """The other side: what the fleet says, each with its kind (`say` or `done`)."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(folder.control))
        except OSError:
            raise NoFleet(f"no fleet runs in {folder.path}") from None
        connection.sendall(json.dumps(request).encode() + b"\n")
        for line in connection.makefile():
            ((kind, content),) = json.loads(line).items()
            if kind == "error":
                raise FleetError(content)
            yield kind, content


class NoFleet(FleetError):
    pass
