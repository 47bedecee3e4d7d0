"""A crowd that wants the same thing: each buyer with a connection and an idempotency key of his own, all at once.

.venv/bin/python Benchmarks/buyers.py http://127.0.0.1:8080 HOT-1 --buyers 5000
"""

import argparse
import asyncio
import dataclasses
import json
import random
import resource
import time
from urllib.parse import urlsplit

ORDER = {
    "email": "ada@example.com",
    "shipping_method": "standard",
    "shipping_address": {"name": "Ada L.", "line1": "1 High St", "city": "Leeds", "postal_code": "LS1 1AA"}
    | {"country": "GB"},
    "payment": {"token": "tok_approved"},
}
# A buyer who is told that the shop is busy comes again, for so long.
PATIENCE = 120


@dataclasses.dataclass
class Crowd:
    answers: dict[int, int]  # of the last answer that each buyer had
    busy: int  # answers that said: come again
    first_sold_out: float  # seconds until the first was told that nothing is left
    last_order: float  # seconds until the last order was confirmed
    duration: float  # seconds until everybody had an answer

    @property
    def orders_a_second(self) -> float:
        return self.answers.get(201, 0) / self.last_order


def allow_connections(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 200, hard), hard))


async def ask(host: str, port: int, body: bytes, key: str) -> tuple[int, float]:
    """The status, and the seconds after which to come again."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = f"POST /api/orders HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        head += f"Idempotency-Key: {key}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    if not lines[0]:
        raise ConnectionError("closed without an answer")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), float(headers.get("retry-after", 1))


async def crowd(url: str, sku: str, buyers: int) -> Crowd:
    host, port = urlsplit(url).hostname, urlsplit(url).port or 80
    body = json.dumps({**ORDER, "lines": [{"sku": sku, "quantity": 1}]}).encode()
    run, began = time.time_ns(), time.monotonic()
    result = Crowd({}, 0, 0, 0, 0)

    async def buy(number: int) -> None:
        while True:
            try:
                status, wait = await ask(host, port, body, f"{run}-{number}")
            except OSError:
                status, wait = 0, 1
            now = time.monotonic() - began
            if status not in (0, 429, 502, 503, 504) or now > PATIENCE:
                break
            result.busy += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
        result.answers[status] = result.answers.get(status, 0) + 1
        if status == 201:
            result.last_order = max(result.last_order, now)
        elif status == 409 and not result.first_sold_out:
            result.first_sold_out = now

    await asyncio.gather(*(buy(number) for number in range(buyers)))
    result.duration = time.monotonic() - began
    return result


def rush(url: str, sku: str, buyers: int) -> Crowd:
    allow_connections(buyers)
    return asyncio.run(crowd(url, sku, buyers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("sku")
    parser.add_argument("--buyers", type=int, default=5_000)
    arguments = parser.parse_args()
    result = rush(arguments.url, arguments.sku, arguments.buyers)
    print(json.dumps({**dataclasses.asdict(result), "orders_a_second": result.orders_a_second}, indent=2))


if __name__ == "__main__":
    main()
