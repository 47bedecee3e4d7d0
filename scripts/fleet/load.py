"""Shoppers for the drills: they browse, fill carts and check out over HTTP, and remember what they were told."""

import asyncio
import contextlib
import csv
import json
import random
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ADDRESS = {"name": "Ada L.", "line1": "1 High St", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"}
STOCK = 1_000_000
PRODUCTS = 20
# A shopper asks again after these: nothing was done, or it is not known what.
AGAIN = {429, 502, 503, 504}
PATIENCE = 60


def write_catalogue(file: Path) -> list[str]:
    """What the drills sell, in ample stock; the SKUs."""
    skus = [f"DRILL-{number:02}" for number in range(PRODUCTS)]
    columns = ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value"]
    columns += ["Variant SKU", "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Price", "Status"]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for number, sku in enumerate(skus):
            title = f"Drill piece {number}"
            row = [sku.lower(), title, f"<p>{title}</p>", "Souk", "Drills", "true", "Title", "Default Title"]
            writer.writerow([*row, sku, "souk", STOCK, f"{5 + number}.50", "active"])
    return skus


def order_of(sku: str, token: str = "tok_approved") -> dict:
    return {
        "lines": [{"sku": sku, "quantity": random.randint(1, 3)}],
        "email": "ada@example.com",
        "shipping_method": "standard",
        "shipping_address": ADDRESS,
        "payment": {"token": token},
    }


@dataclass
class Answer:
    status: int
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class Client:
    """One connection that is kept, one request at a time, nothing asked twice."""

    def __init__(self, url: str, **headers: str):
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port
        self.headers = headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: dict | None = None, **headers: str) -> Answer:
        """Raises `OSError`, `EOFError` or `TimeoutError` where there is no whole answer."""
        content = json.dumps(body).encode() if body is not None else b""
        fields = {"Host": f"{self.host}:{self.port}", **self.headers, **headers}
        if body is not None:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        try:
            async with asyncio.timeout(PATIENCE):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
                reader, writer = self._streams
                writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
                answer, keeps = await self._read(reader)
        except BaseException:
            self.close()
            raise
        if not keeps:
            self.close()
        return answer

    async def _read(self, reader: asyncio.StreamReader) -> tuple[Answer, bool]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if "chunked" in fields.get("transfer-encoding", ""):
            body = b""
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(fields.get("content-length", 0)))
        return Answer(int(lines[0].split()[1]), body), fields.get("connection", "").lower() != "close"

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


class Told:
    """What clients were told of orders: a JSON object a line, for `souk audit --acknowledged`."""

    def __init__(self, file: Path):
        self.file, self.orders = file, []
        self._out = file.open("w")

    def add(self, key: str, order: dict) -> None:
        self.orders.append(order["id"])
        self._out.write(json.dumps({"order": order["id"], "idempotency_key": key, "total": order["total"]}) + "\n")
        self._out.flush()


@dataclass
class Tally:
    """What became of all requests."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def count(self, status: int) -> None:
        self.requests += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1


async def account(url: str) -> str:
    """A new customer, logged in: the access token."""
    client = Client(url)
    who = {"email": f"{uuid.uuid4().hex}@example.com", "password": "eleven violet umbrellas"}
    for path, body in ("/api/users", {**who, "name": "Ada L."}), ("/api/sessions", who):
        answer = await client.ask("POST", path, body)
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body[:300]!r}")
    client.close()
    return answer.json()["access_token"]


class Shopper:
    """Asks once: whatever is not answered as it should be is a failure."""

    def __init__(self, url: str, token: str, skus: list[str], told: Told, tally: Tally):
        self.client, self.skus, self.told, self.tally = Client(url), skus, told, tally
        self.token = {"Authorization": f"Bearer {token}"}

    async def shop(self, is_over) -> None:
        visits = [self.browse] * 7 + [self.buy, self.buy_by_cart, self.look_after_account]
        while not is_over():
            with contextlib.suppress(Failed):
                await random.choice(visits)()
        self.client.close()

    async def _ask(self, expected: int, method: str, path: str, body: dict | None = None, **headers: str) -> Answer:
        began = time.time()
        try:
            answer = await self.client.ask(method, path, body, **headers)
        except (OSError, EOFError, TimeoutError) as error:
            self.tally.count(0)
            self._fail(began, f"{method} {path}: {type(error).__name__} {error}")
        self.tally.count(answer.status)
        if answer.status != expected:
            self._fail(began, f"{method} {path}: {answer.status} {answer.body[:200].decode(errors='replace')}")
        return answer

    def _fail(self, began: float, what: str):
        took = time.time() - began
        self.tally.failures.append(f"{time.strftime('%H:%M:%S', time.gmtime(began))} {took:.2f} s {what}")
        raise Failed

    async def browse(self) -> None:
        sku, unlike = random.choice(self.skus), random.randrange(10**9, 10**10)
        # The second half is like nothing asked before, so that no cache can answer.
        paths = ["/", f"/products/{sku.lower()}", f"/api/products/{sku.lower()}", "/api/categories"]
        paths += ["/.well-known/jwks.json", f"/search?q=drill&price_max={unlike}"]
        paths += [f"/api/products?q=piece&limit=10&price_max={unlike}", f"/api/inventory/{sku}"]
        await self._ask(200, "GET", random.choice(paths))

    async def buy(self) -> None:
        await self._order(order_of(random.choice(self.skus)))

    async def buy_by_cart(self) -> None:
        cart = (await self._ask(201, "POST", "/api/carts", {})).json()["id"]
        sku = random.choice(self.skus)
        await self._ask(200, "PUT", f"/api/carts/{cart}/lines/{sku}", {"quantity": 2})
        order = order_of(sku)
        del order["lines"]
        await self._order({**order, "cart": cart})

    async def look_after_account(self) -> None:
        for path in "/api/users/me", "/api/orders", "/api/notifications":
            await self._ask(200, "GET", path, **self.token)

    async def _order(self, body: dict) -> None:
        key = uuid.uuid4().hex
        answer = await self._ask(201, "POST", "/api/orders", body, Idempotency_Key=key)
        self.told.add(key, answer.json())


class Failed(Exception):
    pass


@dataclass
class Done:
    """Something that a patient shopper got: when it was first asked for, and when it was answered."""

    what: str
    began: float
    ended: float
    attempts: int


class PatientShopper:
    """Asks again, with the same key, until there is an answer: as one does who lost the connection."""

    def __init__(self, url: str, skus: list[str], told: Told, tally: Tally, done: list[Done]):
        self.client, self.skus, self.told, self.tally, self.done = Client(url), skus, told, tally, done

    async def shop(self, is_over) -> None:
        # Most are approved; some take every other way through the saga.
        tokens = ["tok_approved"] * 8 + ["tok_declined", "tok_twice"]
        while not is_over():
            sku, key = random.choice(self.skus), uuid.uuid4().hex
            # Like none before, so that no cache can answer it.
            page = f"/search?q=drill&price_max={random.randrange(10**9, 10**10)}"
            await self._until_answered("page", {200}, "GET", page)
            order = order_of(sku, random.choice(tokens))
            answer = await self._until_answered("order", {201, 402}, "POST", "/api/orders", order, Idempotency_Key=key)
            if answer and answer.status == 201:
                self.told.add(key, answer.json())
        self.client.close()

    async def _until_answered(self, what: str, expected: set[int], *request, **headers) -> Answer | None:
        began, attempts = time.monotonic(), 0
        while True:
            attempts, answer = attempts + 1, None
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                answer = await self.client.ask(*request, **headers)
            self.tally.count(answer.status if answer else 0)
            is_running = answer and answer.status == 409 and b"idempotency-key-in-use" in answer.body
            if answer and answer.status not in AGAIN and not is_running:
                break
            if time.monotonic() - began > 2 * PATIENCE:
                break
            await asyncio.sleep(random.uniform(0.01, 0.05))
        if answer and answer.status in expected:
            self.done.append(Done(what, began, time.monotonic(), attempts))
            return answer
        said = f"{answer.status} {answer.body[:200].decode(errors='replace')}" if answer else "no answer"
        self.tally.failures.append(f"{what} after {attempts} attempts: {said}")
        return None
