"""A replica whose clock is wrong, by a library between it and the C library, from which it takes the time."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

from layout import FleetError

SOURCE = Path(__file__).with_name("skew.c")
# A day is more than any clock is wrong that is looked after.
LARGEST = 86_400


def wanted(text: str) -> tuple[str, int]:
    """`orders=-300`: a role or a replica, and by how many seconds."""
    match = re.fullmatch(r"([\w-]+)=([+-]?\d+)", text)
    if not match or abs(int(match[2])) > LARGEST:
        raise FleetError(f"'{text}', expected a role or a replica, and seconds: orders=300, orders-1=-300")
    return match[1], int(match[2])


def build(library: Path) -> None:
    """With the compiler that comes with Swift, or any other."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        raise FleetError("a compiler for C is missing: clang comes with Swift")
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, SOURCE]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise FleetError(f"{SOURCE.name} cannot be compiled:\n{result.stderr}")


def wrapper(library: Path, clock: Path) -> list[str]:
    """Before a program that is to take the time from there."""
    return ["env", f"LD_PRELOAD={library}", f"SKEW_FILE={clock}"]


def write(clock: Path, seconds: int) -> None:
    """At once, for who has it mapped: so never to another file."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(struct.pack("=q", seconds))
