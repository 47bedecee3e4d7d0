"""The runbook is tried: each of its commands is run as it stands, and what it says one sees is seen.

Those of a local fleet run on this fleet: all while it is well, those of an alert again while a fault makes its
situation, then what is to be done, until it is over. Those of a cluster are in test_runbook_cluster.py.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import runbook
from runbook import Command
from shop import ROOT, SOUK, eventually, order_for

BOOK = runbook.read()
DRILLS = [(drill, looks) for drill, looks in runbook.drills() if not drill.is_clusters]
# What a load drill was told of.
TOLD = "--acknowledged var/told.jsonl"
OF_DRILLS = {command for drill, looks in DRILLS for command in (drill, *looks)}
LOCAL = [each for each in BOOK.commands if not each.is_clusters and each not in OF_DRILLS and TOLD not in each.text]
# They change the fleet, so each runs alone; the rest only looks.
CHANGES = re.compile(r"^(fleet (restart|kill|down|souk migrate)|souk (load|migrate)|sql .*terminate)")
# A search that finds nothing in a fleet that is well says so with 1.
NOTHING_FOUND = re.compile(r"(^|\| )grep ")
WELL = r"^(?!.*(not ready|ended|DOWN))"


class Desk:
    """The repository as somebody has it before them, `var/fleet` being this fleet."""

    def __init__(self, shop, folder: Path):
        self.shop, self.folder = shop, folder
        (folder / "var").mkdir()
        links = {"var/fleet": shop.folder, ".venv": sys.prefix, "scripts": ROOT / "scripts", "deploy": ROOT / "deploy"}
        links |= {".git": ROOT / ".git", "docs": ROOT / "docs"}
        for name, target in links.items():
            (folder / name).symlink_to(target)
        (folder / ".build/release").mkdir(parents=True)
        (folder / ".build/release/souk").symlink_to(SOUK)
        self.environment = {**os.environ, "FLEET": str(shop.folder), "PORT": str(shop.port), "SHOP_URL": shop.url}
        self.environment |= {"PGCONNECT_TIMEOUT": "5", "GIT_PAGER": "cat"}

    def filled(self, text: str, **words: str) -> str:
        """With what a reader puts in. The shop has another port here, and a pod's port is a replica's own."""
        ports = {each["name"]: str(each["port"]) for each in self.shop.facts()["processes"]}
        text = text.replace("http://127.0.0.1:8080", self.shop.url).replace("1:8080/metrics", "1:PORT/metrics")
        for word, value in {"PORT": ports["orders-1"], **words}.items():
            text = re.sub(rf"\b{word}\b", value, text)
        return text

    def run(self, command: Command, timeout: float = 300, **words: str):
        return runbook.run(self.filled(command.text, **words), BOOK.setup, self.folder, self.environment, timeout)

    def start(self, command: Command) -> subprocess.Popen:
        """What it prints is read when it has ended: a drill says little."""
        words = ["bash", "-c", f"set -e\n{BOOK.setup}\n{self.filled(command.text)}"]
        pipe = subprocess.PIPE
        where = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        return subprocess.Popen(words, **where, stdout=pipe, stderr=pipe, text=True)

    def printed(self, commands: list[Command]) -> str:
        """What commands that only look print, all at once."""
        with ThreadPoolExecutor(len(commands)) as pool:
            results = list(pool.map(self.run, commands))
        for command, result in zip(commands, results, strict=True):
            # What is looked for may come later.
            allowed = (0, 1) if NOTHING_FOUND.search(command.text) else (0,)
            assert result.returncode in allowed, f"{command}\n{result.returncode}\n{result.stdout}{result.stderr}"
        return "\n".join(result.stdout for result in results)

    def is_whole(self) -> bool:
        return all(
            each["ready"] and set(each["balancer"].values()) <= {"UP"} for each in self.shop.status()["processes"]
        )


@pytest.fixture(scope="module")
def desk(shop, tmp_path_factory) -> Desk:
    return Desk(shop, tmp_path_factory.mktemp("desk"))


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_nothing_is_left_that_is_no_command_and_no_known_word():
    assert runbook.unknown_words(BOOK) == []


PLANTED = {
    "no shell reads it": ("fleet status; tail", "fleet status; (tail"),
    "nobody has this program": ("`git log -5`", "`gti log -5`"),
    "the fleet has no such command": ("`fleet souk audit`", "`fleet sook audit`"),
    "nothing says these words": ("`an order is left to recovery`", "`an order is left to fate`"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_seen(request, tmp_path, name):
    old, new = PLANTED[name]
    text = runbook.RUNBOOK.read_text()
    assert old in text, f"plant {name!r} elsewhere"
    copy = tmp_path / "runbook.md"
    copy.write_text(text.replace(old, new, 1))
    if "no shell" in name:
        with pytest.raises(AssertionError, match="no shell reads this"):
            runbook.read(copy)
        return
    book = runbook.read(copy)
    if "fleet" not in name:
        assert len(runbook.unknown_words(book)) == 1
        return
    (planted,) = set(book.commands) - set(BOOK.commands)
    with pytest.raises(AssertionError):
        request.getfixturevalue("desk").printed([planted])


# --- while the fleet is well ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked(desk) -> dict[Command, object]:
    """The results of all that only look, a few at a time."""
    commands = [each for each in LOCAL if not CHANGES.search(each.text)]
    with ThreadPoolExecutor(6) as pool:
        return dict(zip(commands, pool.map(desk.run, commands), strict=True))


@pytest.mark.parametrize("command", LOCAL, ids=str)
def test_command_of_a_fleet(desk, looked, command):
    if "fleet up" in command.text:
        return grow(desk, command)
    if "PID" in command.text:
        pytest.skip("there is nothing to end: tried where the database is saturated")
    result = looked[command] if command in looked else desk.run(command)
    nothing = result.returncode == 1 and NOTHING_FOUND.search(command.text) and not result.stderr
    assert result.returncode == 0 or nothing, f"{result.returncode}\n{result.stdout}{result.stderr}"
    if command not in looked:
        eventually(desk.is_whole, "the fleet is whole", 90)


def grow(desk: Desk, command: Command) -> None:
    """The fleet is stopped, and another one stands over the same data until the first takes its place again."""
    shop = desk.shop
    done = threading.Event()
    text = command.text.replace("fleet up", "exec .venv/bin/python scripts/fleet up")

    def run() -> None:
        result.append(runbook.run(desk.filled(text), BOOK.setup, desk.folder, desk.environment))
        done.set()

    result: list = []
    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: shop.facts().get("state") == "ready" and not is_this(shop), "the other one is ready", 120)
    names = {each["name"] for each in shop.status()["processes"]}
    shop.run("down")
    thread.join(60)
    shop.process.wait(60)
    shop.process = None
    shop.start()
    assert {f"orders-{number}" for number in (1, 2, 3, 4)} <= names
    assert done.is_set()
    assert result[0].returncode == 0, result[0].stderr


def is_this(shop) -> bool:
    return shop.process.poll() is None


# --- while a fault lasts ----------------------------------------------------------------------------------------------


class Shoppers:
    """Look at products and buy, without patience, until they are told to go."""

    def __init__(self, shop, token: str):
        self.shop, self.token, self.ended = shop, token, threading.Event()
        self.threads = [threading.Thread(target=self._come, args=(number,)) for number in range(3)]

    def __enter__(self) -> "Shoppers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _come(self, number: int) -> None:
        with httpx.Client(base_url=self.shop.url, timeout=8, trust_env=False) as client:
            while not self.ended.wait(0.3):
                with contextlib.suppress(httpx.HTTPError):
                    client.get(f"/products/ample-lamp?{time.monotonic_ns()}")
                    self.shop.order(order_for(f"AMPLE-{number}", payment={"token": self.token}), client=client)


@dataclass(frozen=True)
class Sight:
    """What a section's commands show: expressions that are found, while it lasts and when it is over, and some that are
    not found any more."""

    sees: list[str]
    over: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Situation:
    name: str
    faults: list[str]
    sights: dict[str, Sight]
    token: str = "tok_approved"
    # What the runbook says to do ends it, while the fault is there; otherwise the fault is undone first.
    is_ended_by_doing: bool = False
    beside: Callable | None = None


@contextlib.contextmanager
def somebody_holds_the_orders(desk: Desk) -> Iterator[None]:
    """A statement that locks the table and does not end."""
    lock = "BEGIN; LOCK TABLE orders.orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    thread = threading.Thread(target=desk.run, args=(Command("", "", f'sql "{lock}"'),))
    thread.start()
    try:
        yield
        thread.join(30)
        assert not thread.is_alive(), "the statement was not ended"
    finally:
        mine = "query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()"
        desk.run(Command("", "", f'sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}"'))
        thread.join(30)


SITUATIONS = [
    # First, while no other fault has left its count.
    Situation(
        "a replica hangs",
        ["pause products-1"],
        {
            "PeerUnreached": Sight(
                [r"^products-1 .* not ready", r'outcome="(unknown|unreached)",peer="products"'],
                ['outcome="answered",peer="products"'],
                ['outcome="un', 'outcome="barred"'],
            )
        },
        is_ended_by_doing=True,
    ),
    Situation(
        "replicas end again and again",
        ["kill-half orders"],
        {"Restarting": Sight([r"^orders-\d .* [1-9]\d*$"], [r"^orders-1 +process_start_time_seconds"])},
    ),
    Situation(
        "the database is away",
        ["drop postgres"],
        {
            "DatabaseAway": Sight(
                [r"^postgres .* ended", r"^orders-1 .* not ready", "souk_database_connection_failures_total"],
                ["souk_database_connections"],
                ["connection_failures_total", "not ready", "DOWN"],
            ),
            "SLO: availability": Sight(['status="503"']),
            "SLO: errors": Sight(['"level":"error"']),
        },
    ),
    Situation(
        "Redis is away",
        ["drop redis"],
        {
            "RedisAway": Sight(
                [r"^redis .* ended", "souk_redis_failures_total", '"redis is away"'], [], ["souk_redis_failures_total"]
            ),
            "OrdersNotSettling": Sight(
                [r'^orders +souk_orders_total\{status="confirmed"\}', r"^redis .* ended", "souk_redis_failures_total"]
            ),
        },
    ),
    Situation(
        "nobody reaches products",
        ["cut products"],
        {
            "PeerAway": Sight(
                [r'souk_peer_breaker_open\{peer="products"\}  1', "deadlineExceeded|the peer"],
                [],
                ["souk_peer_breaker_open{"],
            ),
            "CheckoutFailing": Sight([r'route="/api/orders",status="50[34]"', "the peer"], ["all that has"]),
        },
    ),
    Situation(
        "nobody reaches payments",
        ["cut payments"],
        {"OrdersUnfinished": Sight(["left to recovery"], ["all that has"]), "ReservationsExpiring": Sight([])},
    ),
    Situation(
        "payments is slow, and not its provider",
        ["slow payments"],
        {
            "PaymentProviderSlow": Sight(
                [
                    r'souk_peer_call_seconds\{peer="payments"\}  \d+ times, 0\.[5-9]',
                    r'souk_payment_provider_seconds\{call="authorize".*times, 0\.0',
                ]
            ),
            "CheckoutSlow": Sight(
                [r"^orders +souk_checkout_seconds  \d+ times, 0\.[5-9]"],
                [r"souk_checkout_seconds  \d+ times, 0\.[0-3]"],
            ),
            "SLO: latency-api": Sight([r'route="/internal/payments.*times', "souk_database_commit_seconds"]),
        },
    ),
    Situation(
        "the payment provider is slow",
        [],
        {
            "PaymentProviderSlow": Sight(
                [r'souk_payment_provider_seconds\{call="authorize".*times, 2\.'],
                [r'souk_payment_provider_seconds\{call="authorize".*times, 0\.'],
            )
        },
        token="tok_slow",
    ),
    Situation(
        "the payment provider does not answer",
        [],
        {"PaymentProviderFailing": Sight([r'call="authorize",outcome="unknown"'], ["all that has"])},
        token="tok_lost",
    ),
    Situation(
        "cards are declined",
        [],
        {"PaymentsDeclined": Sight(['outcome="declined"'], ['outcome="done"'], ['outcome="declined"'])},
        token="tok_declined",
    ),
    Situation(
        "mail is away",
        ["drop mail"],
        {
            "MailFailing": Sight(
                ["mail cannot be handed on at the moment", r'souk_letters_total\{outcome="deferred"\}']
            ),
            "EventBacklog": Sight(
                [r'souk_outbox_lag\{consumer="notifications"'], [], ['_lag{consumer="notifications"']
            ),
        },
    ),
    Situation(
        "a role is away",
        ["drop orders-1", "drop orders-2"],
        {
            "RoleDown": Sight([r"^orders-1 .* ended", r"^orders-2 .* ended"], ["orders-1 "], ["ended", "not ready"]),
            "BalancerErrors": Sight([r"^orders-1 .* DOWN"], ["orders-1 .* UP"], ["DOWN"]),
        },
    ),
    Situation(
        "a statement holds locks",
        [],
        {
            "DatabaseSaturated": Sight(
                [r"pg_sleep\(600\)", r"\| relation +\|"],
                [r'souk_database_commit_seconds\{database="orders"\}  \d+ times, 0\.'],
            )
        },
        is_ended_by_doing=True,
        beside=somebody_holds_the_orders,
    ),
]


def shown(text: str, expected: list[str]) -> bool:
    return all(re.search(each, text, re.MULTILINE) for each in expected)


def local(section: str, part: str) -> list[Command]:
    return [each for each in BOOK.commands if (each.section, each.part) == (section, part) and not each.is_clusters]


def until(desk: Desk, commands: list[Command], sight: Callable[[str], bool], what: str) -> str:
    """What the commands print at last; all of it is in the failure."""
    deadline = time.monotonic() + 120
    while not sight(text := desk.printed(commands)):
        assert time.monotonic() < deadline, f"{what} is not shown:\n{text[-6000:]}"
    return text


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_situation(desk, staff, situation):
    eventually(desk.is_whole, "the fleet is whole", 90)
    beside = situation.beside(desk) if situation.beside else contextlib.nullcontext()
    try:
        with Shoppers(desk.shop, situation.token), beside:
            for fault in situation.faults:
                desk.shop.run("fault", *fault.split())
            seen = look(desk, situation)
            if situation.is_ended_by_doing:
                act(desk, situation, seen)
    finally:
        desk.shop.run("fault", "undo")
    if not situation.is_ended_by_doing:
        act(desk, situation, seen)
    with Shoppers(desk.shop, "tok_approved"):
        for section, sight in situation.sights.items():
            if sight.over or sight.gone:
                commands = local(section, "Over")
                until(
                    desk,
                    commands,
                    lambda text, sight=sight: shown(text, sight.over) and not any(each in text for each in sight.gone),
                    f"the end of {section}",
                )
    desk.shop.audit()


def look(desk: Desk, situation: Situation) -> str:
    seen = ""
    for section, sight in situation.sights.items():
        if sight.sees:
            seen += until(desk, local(section, "Look"), lambda text, s=sight: shown(text, s.sees), section)
    return seen


def act(desk: Desk, situation: Situation, seen: str) -> None:
    # Of the statement that sleeps, as it was shown.
    holder = re.search(r"^ *(\d+) .*pg_sleep\(600\)", seen, re.MULTILINE)
    for section in situation.sights:
        for command in local(section, "Do"):
            result = desk.run(command, **({"PID": holder[1]} if holder else {}))
            assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
            eventually(desk.is_whole, f"the fleet is whole after {command}", 90)


# --- drills -----------------------------------------------------------------------------------------------------------

# By a word of the drill.
SHOWN = {
    "kill-half": [r"^orders-\d .* [1-9]\d*$", r"^storefront-\d .* [1-9]\d*$"],
    "pause-orders": [r"^orders-\d .* not ready +DOWN"],
    "zone-away": [r"^orders-1 .* ended", r"^auth-1 .* ended"],
    "drop-s3": [r"^s3 .* ended"],
    "drop-redis": [r"^redis .* ended", "souk_redis_failures_total"],
    "exhaust": [r"^ fault +\| +\d\d"],
    "drop-postgres": [r"^postgres .* ended", r"^orders-1 .* not ready", "connection_failures_total"],
    "slow-payments": [
        r'souk_peer_call_seconds\{peer="payments"\}  \d+ times, 0\.[5-9]',
        r'souk_payment_provider_seconds\{call="authorize".*times, 0\.0',
    ],
    "cut-products": [r'outcome="(unknown|barred)",peer="products"'],
    "drill restart": [r"^\w+-\d .* (not ready|ended|DOWN)"],
    "drill kill": [r"^[\w-]+ .* (not ready|ended|DOWN)"],
    "--journey standard": ['status="200"', "souk_checkout_seconds"],
    "--spike": ["souk_edge_hits_total"],
    "--flood": ["souk_checkout_seconds", "souk_admission_limit"],
}


@pytest.mark.parametrize("drill", DRILLS, ids=lambda each: each[0].text)
def test_drill(desk, staff, drill):
    command, looks = drill
    eventually(desk.is_whole, "the fleet is whole", 90)
    process = desk.start(command)
    try:
        expected = next((expected for word, expected in SHOWN.items() if word in command.text), [])
        if expected:
            # Each at some time: a drill is over within seconds.
            seen = ""
            while not shown(seen, expected):
                assert process.poll() is None, f"{command.text}: {expected} is not shown:\n{seen[-6000:]}"
                seen += desk.printed(looks)
        said = process.communicate(timeout=300)
        # How much is enough depends on the machine; that nothing of it harms the shop does not.
        allowed = (0, 99) if "--flood" in command.text else (0,)
        assert process.returncode in allowed, f"{command.text}\n{said[0][-3000:]}{said[1][-3000:]}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=120)
    if not expected:
        desk.printed(looks)
    eventually(desk.is_whole, "the fleet is whole", 90)
    over = [each for each in BOOK.of("Drills") if each in LOCAL or (TOLD in each.text and TOLD in command.text)]
    for each in over:
        result = desk.run(each)
        assert result.returncode == 0, f"{each}\n{result.stdout}{result.stderr}"
        assert each.text != "fleet fault list" or not result.stdout
