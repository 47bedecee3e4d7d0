"""A small disk of PostgreSQL's own, which a drill can fill: a file system in a file, which is there again at the next
start, and on which what is on the disk is on the disk."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

from layout import FleetError, Folder, program

# MiB: less holds no cluster, and much more takes long to fill.
SMALLEST, LARGEST = 256, 16_384


class Disk:
    def __init__(self, folder: Folder):
        self.place, self.image = folder.disk, folder.disk_image
        self.ballast = self.place / "ballast"

    @property
    def is_there(self) -> bool:
        return os.path.ismount(self.place)

    def make(self, mebibytes: int) -> None:
        """None of it is kept for root, who is not who writes to it."""
        draft = self.image.with_suffix(".new")
        with draft.open("wb") as file:
            file.truncate(mebibytes << 20)
        run("mkfs.ext4", "-q", "-m", "0", draft)
        draft.replace(self.image)

    def mount(self) -> None:
        """Without what a drill has left on it."""
        if not self.is_there:
            self.place.mkdir(exist_ok=True)
            run("mount", "-o", "loop", self.image, self.place)
        self.place.chmod(0o711)
        self.empty()

    def unmount(self) -> None:
        if self.is_there:
            run("umount", self.place)

    def fill(self) -> None:
        """To the last block."""
        with self.ballast.open("ab") as file:
            size, step = file.tell(), 64 << 20
            while step >= 1_024:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2

    def empty(self) -> None:
        self.ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def mounted(folder: Folder, mebibytes: int | None) -> Iterator[None]:
    """While the fleet runs. A folder that began with a disk has it at each start; what a fleet that was killed has left
    mounted is taken as it is."""
    disk = Disk(folder)
    if not disk.image.exists():
        if mebibytes is None:
            yield
            return
        if (folder.data / "postgres").exists():
            raise FleetError(f"{folder.path} has rows already: --disk is for a new fleet, choose another --folder")
    if os.geteuid() != 0:
        raise FleetError(
            "PostgreSQL's disk is mounted by root only: start the fleet as root, or a new one without --disk"
        )
    if not disk.image.exists():
        disk.make(mebibytes)
    disk.mount()
    try:
        yield
    finally:
        disk.unmount()


def run(name: str, *arguments) -> None:
    if not (path := program(name)):
        raise FleetError(f"{name} is missing: a disk for PostgreSQL needs it")
    result = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        raise FleetError(f"{name} ended with {result.returncode}: {result.stderr.strip()}")
