"""Takes every letter and sends none: each is a file in a folder. `mail_sink.py PORT FOLDER`"""

import asyncio
import contextlib
import signal
import sys
import time
import uuid
from pathlib import Path

from aiosmtpd.smtp import SMTP


class Keeper:
    def __init__(self, folder: Path):
        self.folder = folder

    async def handle_DATA(self, server, session, envelope) -> str:
        name = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}.eml"
        draft = self.folder / f".{name}"
        draft.write_bytes(envelope.original_content)
        draft.rename(self.folder / name)
        return f"250 OK {name}"


async def main(port: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    keeper = Keeper(folder)
    server = await loop.create_server(lambda: SMTP(keeper, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port)
    await ended.wait()
    server.close()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
