"""What the runbook says of an alert is so: a fault makes its situation, what is to be seen is seen, what is to be done
can be done, and it is over as it says."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from fleet_desk import BOOK, Desk, shown
from runbook import Command
from shop import eventually, order_for


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
                [
                    r'^orders +souk_orders_total\{status="confirmed"\}',
                    r"^redis .* ended",
                    "souk_redis_failures_total",
                    r'souk_outbox_oldest_age_seconds\{source="orders"\}',
                ]
            ),
        },
    ),
    Situation(
        "nobody reaches products",
        ["cut products"],
        {
            "PeerAway": Sight(
                [r'souk_peer_breaker_open\{peer="products"\}  1|the peer is away', "deadlineExceeded|the peer"],
                [],
                ["souk_peer_breaker_open{"],
            ),
            "CheckoutFailing": Sight(
                [r'route="/api/orders",status="50[34]"', r'before its order was written.*"step":"quote"'],
                ["all that has"],
            ),
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
        {
            "PaymentProviderFailing": Sight(
                [r'call="authorize",outcome="unknown"', r'did not say what became of a payment.*"outcome":"approved"'],
                ["all that has"],
            )
        },
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


def local(section: str, part: str) -> list[Command]:
    return [each for each in BOOK.commands if (each.section, each.part) == (section, part) and not each.is_clusters]


def until(
    desk: Desk, commands: list[Command], is_so: Callable[[str], bool], what: str, *, gathers: bool = False
) -> str:
    """What the commands print at last, or with `gathers` all that they printed; all of it is in the failure."""
    deadline, text = time.monotonic() + 120, ""
    while True:
        text = desk.printed(commands) + (text if gathers else "")
        if is_so(text):
            return text
        assert time.monotonic() < deadline, f"{what} is not shown:\n{text[:6000]}"


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
    """A breaker opens and closes, a count grows now and then: each is seen at some time."""
    seen = ""
    for section, sight in situation.sights.items():
        if sight.sees:
            commands = local(section, "Look")
            seen += until(desk, commands, lambda text, s=sight: shown(text, s.sees), section, gathers=True)
    return seen


def act(desk: Desk, situation: Situation, seen: str) -> None:
    # Of the statement that sleeps, as it was shown.
    holder = re.search(r"^ *(\d+) .*pg_sleep\(600\)", seen, re.MULTILINE)
    for section in situation.sights:
        for command in local(section, "Do"):
            result = desk.run(command, **({"PID": holder[1]} if holder else {}))
            assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
            eventually(desk.is_whole, f"the fleet is whole after {command}", 90)
