"""A local fleet of Souk: seven roles on PostgreSQL, Redis and an object store, behind HAProxy, on this machine.

For development and drills; production is Kubernetes. Everything listens on the loopback, and everything of it is in one
folder. Ctrl-C stops it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import drill
import faults
import metrics
from control import Control, NoFleet, ask
from disk import LARGEST, SMALLEST, Disk, mounted
from fleet import Fleet, check_surroundings, claimed, end_leftovers, wait_until_free
from layout import ROLES, ROOT, SOUK, STAFF, WEAKNESSES, FleetError, Folder, Layout, read_settings, without_souk

EXAMPLES = """examples:
  .venv/bin/python scripts/fleet up --replicas 2 --demo 1000
  .venv/bin/python scripts/fleet restart orders
  .venv/bin/python scripts/fleet kill postgres
  .venv/bin/python scripts/fleet fault pause orders
  .venv/bin/python scripts/fleet souk audit
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")


def replicas(text: str) -> dict[str, int]:
    """`2`, `orders=3` or `2,orders=3`."""
    counts = {}
    for part in text.split(","):
        role, _, count = part.rpartition("=")
        if (role and role not in ROLES) or not count.isdigit() or not 1 <= int(count) <= 20:
            raise argparse.ArgumentTypeError(f"'{part}', expected 1 to 20, or ROLE=1 to 20")
        counts[role or "all"] = int(count)
    return {"all": 2, **counts}


def roles(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in ROLES:
            raise argparse.ArgumentTypeError(f"'{name}', expected one of {', '.join(ROLES)}")
    return names


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith(("SOUK_", "OTEL_", "AWS_")):
        raise argparse.ArgumentTypeError(f"'{text}', expected SOUK_NAME=VALUE")
    return name, value


def mebibytes(text: str) -> int:
    if not text.isdigit() or not SMALLEST <= int(text) <= LARGEST:
        raise argparse.ArgumentTypeError(f"'{text}', expected {SMALLEST} to {LARGEST} MiB")
    return int(text)


def parser() -> Parser:
    own = argparse.RawDescriptionHelpFormatter
    top = Parser(prog="fleet", description=__doc__, epilog=EXAMPLES, formatter_class=own)
    standard = os.environ.get("FLEET", str(ROOT / "var/fleet"))
    top.add_argument("--folder", type=Path, default=standard, help="everything of the fleet (FLEET); var/fleet")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    up = commands.add_parser("up", help="start it, and keep it running until Ctrl-C")
    up.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")), help="the front door; 0: any")
    up.add_argument("--replicas", type=replicas, default=replicas("2"), help="2, or 2,orders=3: of each role")
    up.add_argument("--roles-in-one", type=roles, action="append", default=[], help="users,auth: in one process")
    up.add_argument("--set", type=setting, action="append", default=[], help="a setting of all roles: SOUK_NAME=VALUE")
    up.add_argument("--weaken", choices=WEAKNESSES, action="append", default=[], help="do without, to see it missed")
    up.add_argument("--disk", type=mebibytes, help="give PostgreSQL a disk of so many MiB, to be filled; as root")
    up.add_argument("--demo", type=int, default=0, help="fill a new shop with so many demo products")
    up.add_argument("--standby-of", type=Path, help="a second region: the folder of the fleet whose rows it follows")
    up.add_argument("--attached", action="store_true", help="stop when the standard input ends")
    commands.add_parser("promote", help="a second region takes the place of the one that it follows")
    commands.add_parser("down", aliases=["stop"], help="stop it")
    status = commands.add_parser("status", help="say how it is")
    status.add_argument("--json", action="store_true")
    measured = commands.add_parser("metrics", help="what the replicas measure, by role; without what is zero")
    measured.add_argument("pattern", help="a regular expression that a series has in it: souk_peer_calls")
    measured.add_argument("--during", type=float, metavar="SECONDS", help="by how much it grows meanwhile")
    restart = commands.add_parser("restart", help="restart one replica after the other, while the others serve")
    restart.add_argument("what", help="all, a role or a replica")
    kill = commands.add_parser("kill", help="kill -9 of a process; it is started again")
    kill.add_argument("what", help="a replica such as orders-1, postgres, redis, s3, mail or balancer")
    fault = commands.add_parser("fault", help="break something on purpose, until it is undone")
    kinds = fault.add_subparsers(dest="fault", required=True, metavar="FAULT", parser_class=Parser)
    for name, (what, text) in faults.FAULTS.items():
        kinds.add_parser(name, help=text, description=text).add_argument("what", metavar=what)
    kinds.add_parser("undo", help="undo all of them, and wait until the fleet is whole")
    kinds.add_parser("list", help="show what is not undone yet")
    drills = commands.add_parser("drill", help="try what it stands, under load")
    drill.add_arguments(drills, Parser)
    souk = commands.add_parser("souk", help="run a souk command on the fleet's data: souk audit")
    souk.add_argument("arguments", nargs=argparse.REMAINDER)
    return top


# --- up ---------------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(f"fleet: {text}", flush=True)


async def up(options: argparse.Namespace, folder: Folder) -> None:
    primary = Folder(options.standby_of) if options.standby_of else None
    if primary:
        folder.take_secrets(primary)
    layout = Layout(folder, options.port, options.replicas, options.roles_in_one, options.weaken)
    for weakness in layout.weakened:
        say(f"weakened: {WEAKNESSES[weakness]}")
    fleet = Fleet(folder, layout, dict(options.set), say, primary)
    stop = asyncio.Event()
    control = Control(fleet, stop)
    listen_for_the_end(stop, fleet, options.attached)
    try:
        await control.open()
        if await before(stop, fleet.start(options.demo)):
            announce(fleet)
            await stop.wait()
    finally:
        say("stopping")
        await control.give_up()
        await fleet.stop()
        await control.close()
    say("stopped")


async def before(stop: asyncio.Event, work) -> bool:
    """Whether the work was done before the end was asked for."""
    working, ending = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
    for task in working, ending:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
        return True
    return False


def listen_for_the_end(stop: asyncio.Event, fleet: Fleet, attached: bool) -> None:
    def signalled() -> None:
        if stop.is_set():
            fleet.hurry()
        stop.set()

    loop = asyncio.get_running_loop()
    for name in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        loop.add_signal_handler(name, signalled)
    if attached:

        def read() -> None:
            if not os.read(0, 65536):
                loop.remove_reader(0)
                stop.set()

        loop.add_reader(0, read)


def announce(fleet: Fleet) -> None:
    password = fleet.overrides.get("SOUK_STAFF_PASSWORD") or fleet.folder.secret("staff-password")
    rows = {
        "staff": f"{fleet.settings.get('SOUK_STAFF_EMAIL', STAFF)}, password {password}",
        "logs": fleet.folder.logs,
        "mail": fleet.folder.data / "mail",
        "settings": fleet.folder.settings_file,
        "stop": "Ctrl-C",
    }
    what = "follows, until it is promoted" if fleet.state == "standby" else "is open"
    print(f"\nSouk {what}: {fleet.layout.url}\n", flush=True)
    for name, value in rows.items():
        print(f"  {name:<10}{value}", flush=True)


# --- the other commands -----------------------------------------------------------------------------------------------


def down(folder: Folder) -> None:
    try:
        for _ in ask(folder, command="down"):
            pass
        wait_until_free(folder)
        say("stopped")
    except NoFleet as error:
        left = end_leftovers(folder) if folder.path.exists() else 0
        Disk(folder).unmount()
        folder.forget()
        say(f"{left} processes that a killed fleet had left are ended" if left else str(error))


def status(folder: Folder, as_json: bool) -> None:
    ((_, facts),) = ask(folder, command="status")
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{facts['url']} is {facts['state']}\n")
    print(f"{'process':<18}{'pid':>8}{'port':>7}  {'state':<11}{'balancer':<12}{'up':>8}{'restarts':>10}")
    for each in facts["processes"]:
        state = "ready" if each["ready"] else "not ready" if each["pid"] else "ended"
        seen = ", ".join(sorted(set(each["balancer"].values()))) or "–"
        age = f"{time.time() - each['since']:.0f} s" if each["pid"] else "–"
        print(
            f"{each['name']:<18}{each['pid'] or '–':>8}{each['port']:>7}  {state:<11}{seen:<12}{age:>8}"
            f"{each['restarts']:>10}"
        )


def measured(folder: Folder, pattern: str, seconds: float | None) -> None:
    ((_, facts),) = ask(folder, command="status")
    try:
        shown = metrics.lines(facts, pattern, seconds)
    except re.error as error:
        raise FleetError(f"'{pattern}' is no regular expression: {error}") from None
    print("\n".join(shown) if shown else f"all that has '{pattern}' is zero")


def restart(folder: Folder, what: str) -> None:
    for kind, content in ask(folder, command="restart", what=what):
        if kind == "say":
            say(str(content))


def kill(folder: Folder, what: str) -> None:
    for _, content in ask(folder, command="kill", what=what):
        say(f"{what} was killed, process {content['pid']}")


def fault(folder: Folder, options: argparse.Namespace) -> None:
    if options.fault == "list":
        for entry in faults.begun(folder):
            print(f"{entry['fault']} {entry['what']}: {', '.join(entry['hit'])}")
        return
    request = {"command": "undo"} if options.fault == "undo" else {"command": "fault", "what": options.what}
    for _, content in ask(folder, **{"fault": options.fault, **request}):
        done = content.get("undone", content.get("hit"))
        say(f"{options.fault}: {', '.join(done) or 'nothing was left to undo'}")


def souk(folder: Folder, arguments: list[str]) -> None:
    if not folder.settings_file.exists():
        raise NoFleet(f"no fleet was ever started in {folder.path}")
    environment = {**without_souk(dict(os.environ)), **read_settings(folder.settings_file)}
    os.execve(SOUK, [str(SOUK), *arguments], environment)


def main() -> int:
    options = parser().parse_args()
    folder = Folder(options.folder)
    try:
        match options.command:
            case "up":
                check_surroundings()
                folder.make()
                with claimed(folder), mounted(folder, options.disk):
                    asyncio.run(up(options, folder))
            case "down" | "stop":
                down(folder)
            case "status":
                status(folder, options.json)
            case "promote":
                for _, content in ask(folder, command="promote"):
                    say(f"the shop is open: {content['url']}")
            case "metrics":
                measured(folder, options.pattern, options.during)
            case "restart":
                restart(folder, options.what)
            case "kill":
                kill(folder, options.what)
            case "fault":
                fault(folder, options)
            case "drill":
                return drill.run(options, folder)
            case "souk":
                souk(folder, options.arguments)
    except FleetError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
