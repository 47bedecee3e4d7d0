"""HAProxy: where the replicas are, and what it thinks of them."""

import asyncio
import csv
import re
from pathlib import Path

from layout import ROLES, ROOT, Layout

SHARED = ROOT / "deploy/fleet/haproxy.cfg"


def faulty(layout: Layout, how: str) -> Path:
    """The frontends that a drill has `cut` or made `slow`: empty at each start, changed in the running HAProxy."""
    return layout.folder.configuration / f"{how}.acl"


def backends(layout: Layout) -> str:
    """For each role its replicas, and a port of its own by which the other roles reach them: what a Service is in
    Kubernetes."""
    lines = ["# Written at each start.", "", "global", f"    lua-load {ROOT / 'scripts/fleet/slow.lua'}"]
    cut, slow = (faulty(layout, how) for how in ("cut", "slow"))
    for file in cut, slow:
        file.write_text("")
    check = "" if "readiness" in layout.weakened else " check"
    once = ["    retries 0", "    no option redispatch"] if "retries" in layout.weakened else []
    for role in ROLES:
        lines += ["", f"frontend {role}-peers from shop", f"    bind 127.0.0.1:{layout.peers[role]}"]
        lines += [f"    http-request lua.slow if {{ fe_name -m str -f {slow} }}"]
        lines += [f"    http-request silent-drop if {{ fe_name -m str -f {cut} }}"]
        lines += [f"    default_backend {role}", "", f"backend {role} from shop", *once]
        lines += [f"    server {name} 127.0.0.1:{port}{check}" for name, port in layout.servers(role).items()]
    return "\n".join(lines) + "\n"


def retries(weakened: list[str]) -> int:
    """How often a request whose connection failed goes to another replica."""
    if "retries" in weakened:
        return 0
    (number,) = re.findall(r"^ *retries (\d+)$", SHARED.read_text(), re.MULTILINE)
    return int(number)


async def command(admin: Path, line: str) -> str:
    """What HAProxy's runtime interface answers."""
    reader, writer = await asyncio.open_unix_connection(admin)
    try:
        writer.write(f"{line}\n".encode())
        return (await reader.read()).decode()
    finally:
        writer.close()


async def states(admin: Path) -> dict[tuple[str, str], str]:
    """By backend and server: `UP`, `DOWN`, `UP 1/2` and so on; `no check` where HAProxy asks nobody."""
    text = await command(admin, "show stat")
    rows = csv.DictReader(text.removeprefix("# ").splitlines())
    return {
        (row["pxname"], row["svname"]): row["status"] for row in rows if row["svname"] not in ("FRONTEND", "BACKEND")
    }
