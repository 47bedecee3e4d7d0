"""Past orders for `souk replay`: small ones made up here, and the real ones beside the repository."""

import csv
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from shop import FIRST_STAFF, SOUK, Shop, souk_json, write_catalogue

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


class PastOrders(NamedTuple):
    file: Path
    catalogue: Path
    orders: int
    lines: int
    revenue: int  # pence


def replay(shop: Shop, file: Path, timeout: float = 900) -> dict:
    """Runs a replay to its end; its summary."""
    return souk_json("replay", file, "--url", shop.url, timeout=timeout, **FIRST_STAFF)


def start_replay(shop: Shop, file: Path, acknowledged: Path) -> subprocess.Popen:
    """Begins a replay that notes what it was told."""
    command = [SOUK, "replay", file, "--url", shop.url, "--acknowledged", acknowledged]
    return subprocess.Popen(command, env={**os.environ, **FIRST_STAFF}, stdout=subprocess.DEVNULL)


def sales_report(shop: Shop) -> dict:
    """What staff see: orders, lines and revenue in all."""
    return shop.staff().get("/api/reports/sales").json()


def made_up(folder: Path, chance: random.Random, orders: int) -> PastOrders:
    """Orders of one to twelve lines out of a hundred stock codes."""
    codes = {f"P{number:03}": chance.randrange(50, 5000) for number in range(100)}
    rows = []
    for number in range(orders):
        for code in chance.sample(sorted(codes), chance.randint(1, 12)):
            price = f"{codes[code] / 100:.2f}"
            moment = f"2011-01-{number % 28 + 1:02} 09:{number % 60:02}:00"
            rows.append(
                [700_000 + number, code, code, chance.randint(1, 9), moment, price, "17850.0", "United Kingdom"]
            )
    file = folder / "orders.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])
    return described(file, folder)


def described(file: Path, folder: Path) -> PastOrders:
    """The file with its known answers, and a catalogue of its stock codes in ample stock."""
    invoices, lines, revenue, products = set(), 0, 0, {}
    for row in purchases(file):
        pence = int((Decimal(row["UnitPrice"]) * 100).quantize(Decimal(1), ROUND_HALF_UP))
        invoices.add(row["InvoiceNo"])
        lines += 1
        revenue += pence * int(row["Quantity"])
        title = row["Description"].strip() or row["StockCode"]
        products.setdefault(row["StockCode"], (title, row["UnitPrice"]))
    catalogue = write_catalogue(
        folder / "catalogue.csv",
        (
            {"handle": f"stock-{number}", "title": title, "sku": code, "stock": 10_000_000}
            | {"price": (Decimal(price)).quantize(Decimal("0.01"), ROUND_HALF_UP)}
            for number, (code, (title, price)) in enumerate(products.items())
        ),
    )
    return PastOrders(file, catalogue, len(invoices), lines, revenue)


def sampled(file: Path, folder: Path, every: int) -> Path:
    """Every so many-th order of the file, and the twenty with the most lines."""
    with file.open(newline="", encoding="utf-8-sig") as source:
        header, *rows = csv.reader(source)
    lines = Counter(row[0] for row in rows)
    kept = {*list(lines)[::every], *(invoice for invoice, _ in lines.most_common(20))}
    sample = folder / "sample.csv"
    with sample.open("w", newline="") as out:
        csv.writer(out).writerows([header, *(row for row in rows if row[0] in kept)])
    return sample


def purchases(file: Path) -> Iterator[dict[str, str]]:
    """Rows of goods sold: not cancellations, corrections or gifts."""
    with file.open(newline="", encoding="utf-8-sig") as source:
        for row in csv.DictReader(source):
            if row["InvoiceNo"][:1].isdigit() and int(row["Quantity"]) > 0 and Decimal(row["UnitPrice"]) > 0:
                yield row
