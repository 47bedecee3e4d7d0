"""What a fleet must stand: a rolling restart of everything under load, and kill -9 of anything, again and again."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import migration
from control import ask
from layout import ROLES, FleetError, Folder, read_settings
from load import Client, Done, PatientShopper, Shopper, Tally, Told, account, write_catalogue

Say = Callable[[str], None]
# Seconds that the fleet has to be whole again after a kill.
LONGEST = 300


class Drill:
    """A fleet that runs, with something to sell in it."""

    def __init__(self, folder: Folder, souk: Callable[..., None], say: Say):
        self.folder, self.souk, self.say = folder, souk, say
        self.facts = folder.facts()
        if self.facts.get("state") != "ready":
            raise FleetError(f"no fleet runs in {folder.path}: start one with `up`")
        self.url = self.facts["url"]
        self.work = Path(tempfile.mkdtemp(prefix="drill-", dir=folder.data))
        self.skus = write_catalogue(self.work / "catalogue.csv")
        self.tally, self.told = Tally(), Told(self.work / "acknowledged.jsonl")
        souk("import", str(self.work / "catalogue.csv"))

    def staff_password(self) -> str:
        settings = read_settings(self.folder.settings_file)
        return settings.get("SOUK_STAFF_PASSWORD") or Path(settings["SOUK_STAFF_PASSWORD_FILE"]).read_text().strip()

    async def command(self, command: str, **request) -> dict:
        """One of the fleet's commands, beside the load."""

        def all_of_it():
            for kind, content in ask(self.folder, command=command, **request):
                if kind == "say":
                    self.say(content)
            return content

        return await asyncio.to_thread(all_of_it)

    async def verify(self) -> int:
        """Asks for every order that was acknowledged; how many there are."""
        client = Client(self.url)
        who = {"email": self.facts["staff"]["email"], "password": self.staff_password()}
        token = (await client.ask("POST", "/api/sessions", who)).json()["access_token"]
        for order in self.told.orders:
            answer = await client.ask("GET", f"/api/orders/{order}", Authorization=f"Bearer {token}")
            if answer.status == 401:
                token = (await client.ask("POST", "/api/sessions", who)).json()["access_token"]
                answer = await client.ask("GET", f"/api/orders/{order}", Authorization=f"Bearer {token}")
            if answer.status != 200 or answer.json()["status"] != "confirmed":
                self.tally.failures.append(f"{order} was acknowledged: {answer.status} {answer.body[:200]!r}")
        client.close()
        return len(self.told.orders)

    def audit(self) -> None:
        self.souk("audit", "--acknowledged", str(self.told.file))


# --- a rolling restart ------------------------------------------------------------------------------------------------


async def restart(drill: Drill, requests: int, shoppers: int, migrates: bool) -> dict:
    """Restarts all replicas, one after the other, again and again until there were enough requests."""
    tokens = [await account(drill.url) for _ in range(min(shoppers, 4))]
    rounds, over, began = 0, False, time.monotonic()
    crowd = [
        asyncio.create_task(
            Shopper(drill.url, tokens[number % 4 % len(tokens)], drill.skus, drill.told, drill.tally).shop(lambda: over)
        )
        for number in range(shoppers)
    ]
    try:
        migrating = asyncio.create_task(migrate_in_the_middle(drill, requests // 2)) if migrates else None
        while drill.tally.requests < requests:
            await drill.command("restart", what="all")
            rounds += 1
            drill.say(f"round {rounds}: {drill.tally.requests} requests, {len(drill.tally.failures)} failed")
        if migrating:
            await migrating
    finally:
        over, seconds = True, time.monotonic() - began
        await asyncio.gather(*crowd)
    orders = await drill.verify()
    if migrates:
        await asyncio.to_thread(migrate_all, drill, migration.BACK)
    drill.audit()
    return {
        "drill": "restart",
        "requests": drill.tally.requests,
        "failed": len(drill.tally.failures),
        "failures": drill.tally.failures[:20],
        "orders": orders,
        "rounds": rounds,
        "restarts": rounds * sum(1 for each in drill.facts["processes"] if each["roles"]),
        "migrated": migrates,
        "seconds": round(seconds, 1),
    }


async def migrate_in_the_middle(drill: Drill, after: int) -> None:
    while drill.tally.requests < after:
        await asyncio.sleep(0.1)
    drill.say("the schemas are migrated to the next release")
    await asyncio.to_thread(migrate_all, drill, migration.FORWARD)


def migrate_all(drill: Drill, script: str) -> None:
    database = read_settings(drill.folder.settings_file)["SOUK_DATABASE"]
    for schema in migration.SCHEMAS:
        migration.apply(script, schema, database)


# --- kill -9 ----------------------------------------------------------------------------------------------------------


async def kill(drill: Drill, times: int, shoppers: int, seed: int, only: str | None = None) -> dict:
    """Kills as often, at random moments; after each, all must be whole again."""
    chance, done = random.Random(seed), []
    victims = [only] * times if only else chosen(drill.facts["processes"], times, chance)
    over, began = False, time.monotonic()
    crowd = [
        asyncio.create_task(PatientShopper(drill.url, drill.skus, drill.told, drill.tally, done).shop(lambda: over))
        for _ in range(shoppers)
    ]
    kills = []
    try:
        for number, victim in enumerate(victims, 1):
            # Not for order: so that the moment falls anywhere in a saga.
            await asyncio.sleep(chance.uniform(0.2, 1.5))
            kills.append(one := await kill_once(drill, victim, done))
            drill.say(f"{number} of {times}: {victim}, first success after {one['first']:.2f} s")
    finally:
        over, seconds = True, time.monotonic() - began
        await asyncio.gather(*crowd)
    kills = with_longest_waits(kills, done)
    orders = await drill.verify()
    drill.audit()
    return {
        "drill": "kill",
        "seed": seed,
        "kills": kills,
        "kinds": by_kind(kills),
        "requests": drill.tally.requests,
        "statuses": {str(status): number for status, number in sorted(drill.tally.statuses.items())},
        "orders": orders,
        "failed": len(drill.tally.failures),
        "failures": drill.tally.failures[:20],
        "seconds": round(seconds, 1),
    }


def chosen(processes: list[dict], times: int, chance: random.Random) -> list[str]:
    """Every kind about as often, in any order, and any of its replicas."""
    replicas = {role: [each["name"] for each in processes if role in each["roles"]] for role in ROLES}
    kinds = [["postgres"], ["redis"], *(replicas[role] for role in ["orders", "products", "payments", "auth"])]
    kinds += [replicas[role] for role in ["storefront", "users", "notifications"]]
    names = [chance.choice(kinds[number % len(kinds)]) for number in range(times)]
    chance.shuffle(names)
    return names


async def kill_once(drill: Drill, victim: str, done: list[Done]) -> dict:
    before, moment = len(done), time.monotonic()
    await drill.command("kill", what=victim)
    first = await until(lambda: first_success(done[before:], moment), f"anything is sold after {victim} was killed")
    status = await until_whole(drill, moment)
    kind = victim.rpartition("-")[0] or victim
    return {
        "what": victim,
        "kind": kind,
        "moment": moment,
        "first": round(first - moment, 3),
        "whole": round(status - moment, 3),
    }


def with_longest_waits(kills: list[dict], done: list[Done]) -> list[dict]:
    """How long who was under way when the process was killed, or came before all was whole again, waited at the most.
    What spans many kills is the first one's."""
    longest = [0.0] * len(kills)
    for each in done:
        hit = (
            number
            for number, kill in enumerate(kills)
            if each.began <= kill["moment"] < each.ended or 0 <= each.began - kill["moment"] < kill["whole"]
        )
        if (number := next(hit, None)) is not None:
            longest[number] = max(longest[number], each.ended - each.began)
    figures = "what", "kind", "first", "whole"
    return [
        {name: kill[name] for name in figures} | {"longest": round(wait, 3)}
        for kill, wait in zip(kills, longest, strict=True)
    ]


def first_success(done: list[Done], moment: float) -> float | None:
    """When both a page and an order were answered that were asked for after the moment; None until then."""
    ends = {}
    for each in done:
        if each.began >= moment:
            ends.setdefault(each.what, each.ended)
    return max(ends.values()) if len(ends) == 2 else None


async def until(condition: Callable[[], float | None], what: str) -> float:
    deadline = time.monotonic() + LONGEST
    while (value := condition()) is None:
        if time.monotonic() > deadline:
            raise FleetError(f"not within {LONGEST} s: {what}")
        await asyncio.sleep(0.01)
    return value


async def until_whole(drill: Drill, moment: float) -> float:
    """When all processes are ready again, and the balancer sends them requests."""
    while True:
        facts = await drill.command("status")
        if all(each["ready"] and set(each["balancer"].values()) <= {"UP", "no check"} for each in facts["processes"]):
            return time.monotonic()
        if time.monotonic() - moment > LONGEST:
            away = [each["name"] for each in facts["processes"] if not each["ready"]]
            raise FleetError(f"not whole {LONGEST} s after a kill: {', '.join(away)}")
        await asyncio.sleep(0.1)


def by_kind(kills: list[dict]) -> dict[str, dict]:
    """Seconds, median and worst, of each kind of process."""
    kinds = {}
    for kind in sorted({each["kind"] for each in kills}):
        of_kind = [each for each in kills if each["kind"] == kind]
        kinds[kind] = {"kills": len(of_kind)}
        for figure in "first", "longest", "whole":
            values = [each[figure] for each in of_kind]
            kinds[kind][figure] = {"median": round(median(values), 3), "worst": max(values)}
    return kinds
