"""Measures Souk beside its peers on this machine, in one run, and writes docs/benchmarks.md and docs/benchmarks.json.

    make bench                                  everything, about fifteen minutes
    .venv/bin/python Benchmarks/run.py --only search,orders --seconds 2 --rounds 1 --dry-run

The server under test has one core and the load has another, unless a row says otherwise. Rows that compare take turns,
round by round, and each figure is the median of its rounds.
"""

import argparse
import csv
import dataclasses
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from buyers import rush
from fleet import Fleet, Limit
from load import Run, middle, souk_load, wrk
from servers import ROOT, SERVER_CORE, Server, fetch, fill_souk, nginx, peer, running, souk

WORK = ROOT / ".build/bench"
# What else this machine was doing: figures made above 0.5 say little.
LOAD_BEFORE = os.getloadavg()
DEMO_PRODUCTS, EXTRA_PRODUCTS = 10_000, 2_000


@dataclasses.dataclass
class Row:
    what: str
    souk: str
    against: str = ""
    ratio: float | None = None
    target: str = ""
    passed: bool | None = None
    figures: dict | None = None


@dataclasses.dataclass
class Bench:
    seconds: int
    rounds: int
    rows: list[Row] = dataclasses.field(default_factory=list)
    orders: Run | None = None
    product: Run | None = None

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(f"  {row.what}: {row.souk}  {row.against}", flush=True)

    def take_turns(self, runs: dict[str, Callable[[], Run]]) -> dict[str, Run]:
        taken: dict[str, list[Run]] = {name: [] for name in runs}
        for _ in range(self.rounds):
            for name, measure in runs.items():
                taken[name].append(measure())
        return {name: middle(list_) for name, list_ in taken.items()}


def figures(**runs: Run) -> dict:
    return {name: dataclasses.asdict(run) for name, run in runs.items()}


# --- the shop under test ----------------------------------------------------------------------------------------------


def ample_stock(file: Path) -> list[str]:
    """A catalogue of EXTRA_PRODUCTS whose stock no run exhausts, and its SKUs."""
    skus = [f"BENCH-{number}" for number in range(EXTRA_PRODUCTS)]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value"]
            + ["Variant SKU", "Variant Inventory Qty", "Variant Price", "Status"]
        )
        for number, sku in enumerate(skus):
            body = f"<p>Benchmark piece {number}, of which there is always enough.</p>"
            price = f"{5 + number % 95}.99"
            writer.writerow(
                [f"bench-{number}", f"Bench piece {number}", body, "Bench", "Benches", "true", "Title"]
                + ["Default Title", sku, 10_000_000, price, "active"]
            )
    return skus


def prepare() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    skus = ample_stock(WORK / "bench.csv")
    (WORK / "skus.txt").write_text("\n".join(skus) + "\n")
    fill_souk(WORK / "demo", DEMO_PRODUCTS)
    shutil.copytree(WORK / "demo", WORK / "shop")
    subprocess.run([ROOT / ".build/release/souk", "import", WORK / "bench.csv", "--data", WORK / "shop"], check=True)


def orders_run(server: Server, bench: Bench, *, connections: int = 100, skus: str = "skus.txt") -> Run:
    return wrk(
        server,
        "orders",
        str(WORK / skus),
        f"run-{time.time_ns()}",
        connections=connections,
        seconds=bench.seconds,
        good=201,
    )


# --- what is measured -------------------------------------------------------------------------------------------------


def cached_reads(bench: Bench) -> None:
    """The same bytes from Souk's edge cache and from nginx, each on one core."""
    with running(souk(WORK / "shop", core=SERVER_CORE)) as shop:
        handle = json.loads(fetch(f"{shop.url}/api/products?limit=1&q=bench"))["items"][0]["handle"]
        paths = {"product JSON": f"/api/products/{handle}", "product page": f"/products/{handle}"}
        names = {"product JSON": "product.json", "product page": "product.html"}
        contents = {names[what]: fetch(shop.url + path) for what, path in paths.items()}
        with running(nginx(WORK / "nginx", contents, core=SERVER_CORE)) as peer_server:
            for what, path in paths.items():
                runs = bench.take_turns(
                    {
                        "nginx": lambda name=names[what]: get(peer_server, f"/{name}", bench),
                        "souk": lambda path=path: get(shop, path, bench),
                    }
                )
                ours, theirs = runs["souk"], runs["nginx"]
                if what == "product JSON":
                    bench.product = ours
                size = len(contents[names[what]])
                bench.add(
                    Row(
                        f"{what} from the edge cache, {size:,} bytes, 50 connections",
                        f"{ours.rate:,.0f}/s, p99 {ours.p99:.2f} ms",
                        f"nginx, the same bytes from a file: {theirs.rate:,.0f}/s, p99 {theirs.p99:.2f} ms",
                        ours.rate / theirs.rate,
                        "≥ 1.0 × nginx",
                        ours.rate >= theirs.rate and ours.failed == 0,
                        figures(souk=ours, nginx=theirs),
                    )
                )


def get(server: Server, path: str, bench: Bench) -> Run:
    return wrk(server, "get", path=path, connections=50, seconds=bench.seconds)


def load_generator(bench: Bench) -> None:
    """How much load `souk load` can make, beside wrk: what it measures must not be itself."""
    with running(nginx(WORK / "nginx-load", {"small.json": b"{}"}, core=SERVER_CORE)) as server:
        runs = bench.take_turns(
            {
                "wrk": lambda: get(server, "/small.json", bench),
                "souk": lambda: souk_load(server, path="/small.json", connections=50, seconds=bench.seconds),
            }
        )
    ours, theirs = runs["souk"], runs["wrk"]
    bench.add(
        Row(
            "requests that souk load makes on one core, of nginx, 50 connections",
            f"{ours.rate:,.0f}/s",
            f"wrk on the same core: {theirs.rate:,.0f}/s",
            ours.rate / theirs.rate,
            "≥ 0.5 × wrk",
            ours.rate >= theirs.rate / 2 and ours.failed == 0,
            figures(souk=ours, wrk=theirs),
        )
    )


def search(bench: Bench) -> None:
    """Searches that are all different, over the demo's catalogue; the server may use both cores."""
    with running(souk(WORK / "demo")) as shop:
        write_words(shop)
        words = str(WORK / "words.txt")
        run = bench.take_turns({"souk": lambda: wrk(shop, "search", words, connections=50, seconds=bench.seconds)})
        ours = run["souk"]
        bench.add(
            Row(
                f"uncached search over {DEMO_PRODUCTS:,} products, 50 concurrent, server on both cores",
                f"p99 {ours.p99:.1f} ms, p50 {ours.p50:.1f} ms, {ours.rate:,.0f}/s",
                target="p99 ≤ 20 ms",
                passed=ours.p99 <= 20 and ours.failed == 0,
                figures=figures(souk=ours),
            )
        )


def write_words(shop: Server) -> None:
    words, after = set(), ""
    for _ in range(10):
        page = json.loads(fetch(f"{shop.url}/api/products?limit=200{after}"))
        for item in page["items"]:
            words.update(word.lower() for word in re.findall(r"[A-Za-z]{4,}", item["title"]))
        if not page["next"]:
            break
        after = f"&after={page['next']}"
    (WORK / "words.txt").write_text("\n".join(sorted(words)) + "\n")


def orders(bench: Bench) -> None:
    """Orders, each on the disk before its 201; with group commit and with a commit for each."""
    with running(souk(WORK / "shop", core=SERVER_CORE)) as shop:
        ours = bench.take_turns({"souk": lambda: orders_run(shop, bench)})["souk"]
        memory = shop.memory()
        burst = settled_run(shop, bench)
    bench.orders = ours
    bench.add(
        Row(
            "orders through HTTP, each on the disk before its 201, 100 connections",
            f"{ours.rate:,.0f}/s, p99 {ours.p99:.1f} ms",
            target="≥ 3,000/s, p99 ≤ 100 ms",
            passed=ours.rate >= 3000 and ours.p99 <= 100 and ours.failed == 0,
            figures=figures(souk=ours),
        )
    )
    bench.add(
        Row(
            "the same, until each is captured, its pieces sold and its letter written",
            f"{burst:,.0f}/s",
            figures={"orders_per_second": burst},
        )
    )
    with running(souk(WORK / "shop", core=SERVER_CORE, **ONE_COMMIT_AN_ORDER)) as shop:
        single = bench.take_turns({"souk": lambda: orders_run(shop, bench)})["souk"]
    bench.add(
        Row(
            "group commit against one commit a write",
            f"{ours.rate:,.0f}/s, p99 {ours.p99:.1f} ms",
            f"a commit for each write: {single.rate:,.0f}/s, p99 {single.p99:.1f} ms",
            ours.rate / single.rate,
            figures=figures(group=ours, single=single),
        )
    )
    bench.add(
        Row(
            f"memory with {DEMO_PRODUCTS + EXTRA_PRODUCTS:,} products, after the orders",
            f"{memory['now']:.0f} MiB, at its highest {memory['peak']:.0f} MiB",
            target="≤ 150 MiB",
            passed=memory["peak"] <= 150,
            figures={"memory": memory},
        )
    )


def settled_run(shop: Server, bench: Bench) -> float:
    """Orders a second over the whole time it takes until nothing is left to do for any of them."""
    wait_until_settled(shop)
    before, began = delivered(shop), time.monotonic()
    run = orders_run(shop, bench)
    wait_until_settled(shop)
    assert delivered(shop) - before >= run.rate * run.duration
    return run.rate * run.duration / (time.monotonic() - began)


def wait_until_settled(shop: Server) -> None:
    deadline = time.monotonic() + 120
    while delivered(shop) < counted(shop, 'souk_orders_total{status="confirmed"}'):
        if time.monotonic() > deadline:
            raise SystemExit("orders were not settled within two minutes")
        time.sleep(0.05)


def delivered(shop: Server) -> float:
    """Confirmed orders with which every consumer is done."""
    consumers = ("notifications", "orders.settle")
    return min(
        counted(shop, "souk_events_delivered_total", f'consumer="{name}"', 'source="orders"') for name in consumers
    )


def counted(shop: Server, *parts: str) -> float:
    lines = fetch(f"{shop.url}/metrics").decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(part in line for part in parts))


ONE_COMMIT_AN_ORDER = {"SOUK_GROUP_COMMIT": "1"}


def start(bench: Bench) -> None:
    """From the command to the first 200 of /ready."""
    seconds = []
    for _ in range(max(bench.rounds, 3)):
        server = souk(WORK / "demo")
        seconds.append(server.start())
        server.stop()
    bench.add(
        Row(
            f"start to ready with {DEMO_PRODUCTS:,} products",
            f"{median(seconds) * 1000:.0f} ms",
            target="≤ 1,000 ms",
            passed=median(seconds) <= 1,
            figures={"seconds": seconds},
        )
    )


def peers(bench: Bench) -> None:
    """The same two endpoints written the usual way, on the same core and disk."""
    (WORK / "peer-skus.txt").write_text("\n".join(f"BENCH-{number}-S" for number in range(EXTRA_PRODUCTS)) + "\n")
    for kind, name in (("fastapi", "FastAPI + uvicorn"), ("flask", "Flask + gunicorn")):
        with running(peer(kind, WORK / kind, DEMO_PRODUCTS)) as server:
            runs = bench.take_turns(
                {
                    "product": lambda server=server: get(server, "/api/products/bench-7", bench),
                    "orders": lambda server=server: orders_run(server, bench, connections=50, skus="peer-skus.txt"),
                }
            )
        for what, ours in (("product", bench.product), ("orders", bench.orders)):
            theirs = runs[what]
            bench.add(
                Row(
                    f"{what} beside {name}",
                    f"{ours.rate:,.0f}/s, p99 {ours.p99:.1f} ms" if ours else "not run",
                    f"{theirs.rate:,.0f}/s, p99 {theirs.p99:.1f} ms",
                    ours.rate / theirs.rate if ours else None,
                    figures=figures(peer=theirs),
                )
            )


BUYERS, PIECES = 5_000, 1_000


def fleet(bench: Bench) -> None:
    """Seven roles on PostgreSQL, Redis and an object store behind HAProxy, all on the cores that the load has too."""
    shutil.rmtree(WORK / "fleet", ignore_errors=True)
    hot = WORK / "hot.csv"
    hot.write_text(f"Handle,Title,Variant SKU,Variant Inventory Qty,Variant Price\nhot,Hot,HOT-1,{PIECES},19.99\n")
    with running(Fleet(WORK / "fleet")) as roles, running(souk(WORK / "shop")) as one:
        for catalogue in WORK / "bench.csv", hot:
            roles.souk("import", str(catalogue))
        handle = json.loads(fetch(f"{one.url}/api/products?limit=1&q=bench"))["items"][0]["handle"]
        path = f"/api/products/{handle}"
        reads = bench.take_turns({"fleet": lambda: get(roles, path, bench), "one": lambda: get(one, path, bench)})
        limit, rates = Limit(roles, WORK / "bench.csv"), []

        def orders_of_fleet() -> Run:
            rates.append(limit.measure(bench.seconds))
            return orders_run(roles, bench, connections=100)

        runs = bench.take_turns({"fleet": orders_of_fleet, "one": lambda: orders_run(one, bench, connections=100)})
        bench.add(compared("catalogue reads, fleet beside one process", reads["fleet"], "one process", reads["one"]))
        bench.add(compared("orders, fleet beside one process", runs["fleet"], "one process on SQLite", runs["one"]))
        ours, theirs = runs["fleet"], median(rates)
        bench.add(
            Row(
                "orders, fleet beside its PostgreSQL alone",
                f"{ours.rate:,.0f}/s, p99 {ours.p99:.1f} ms",
                f"pgbench, the same rows, one order a transaction: {theirs:,.0f}/s",
                ours.rate / theirs,
                "≥ 0.5 × pgbench",
                ours.rate >= theirs / 2 and ours.failed == 0,
                {**figures(fleet=ours), "pgbench": rates},
            )
        )
        crowd = rush(roles.url, "HOT-1", BUYERS)
        bench.add(
            Row(
                f"{BUYERS:,} buyers at once for {PIECES:,} pieces, on the fleet",
                f"{crowd.answers.get(201, 0):,} orders in {crowd.last_order:.1f} s ({crowd.orders_a_second:,.0f}/s), "
                f"{crowd.answers.get(409, 0):,} told that it is sold out, the last after {crowd.duration:.1f} s",
                target=f"{PIECES:,} orders",
                passed=crowd.answers == {201: PIECES, 409: BUYERS - PIECES},
                figures=dataclasses.asdict(crowd),
            )
        )
        roles.souk("audit")


def compared(what: str, ours: Run, name: str, theirs: Run) -> Row:
    return Row(
        what,
        f"{ours.rate:,.0f}/s, p99 {ours.p99:.1f} ms",
        f"{name}: {theirs.rate:,.0f}/s, p99 {theirs.p99:.1f} ms",
        ours.rate / theirs.rate,
        figures=figures(fleet=ours, one=theirs),
    )


SECTIONS = {"reads": cached_reads, "load": load_generator, "search": search, "orders": orders, "start": start}
SECTIONS |= {"peers": peers, "fleet": fleet}


# --- the machine and the page -----------------------------------------------------------------------------------------


def fsyncs_a_second(folder: Path) -> float:
    """What the disk can do: 4 KiB appended and synced, one after the other."""
    began, count = time.monotonic(), 0
    file = folder / "fsync"
    with file.open("wb") as out:
        while time.monotonic() < began + 1:
            out.write(b"\0" * 4096)
            out.flush()
            os.fdatasync(out.fileno())
            count += 1
    file.unlink()
    return count / (time.monotonic() - began)


def machine() -> dict:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    load, _, _ = LOAD_BEFORE
    swift = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    return {
        "date": datetime.date.today().isoformat(),
        "processor": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 2**20) if memory else None,
        "kernel": platform.release(),
        "swift": (re.search(r"Swift version (\S+)", swift) or ["", "unknown"])[1],
        "load_before": round(load, 1),
        "fdatasync_per_second": round(fsyncs_a_second(WORK)),
    }


PAGE = """# Benchmarks

Made by `make bench` on {date}: {processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}, Swift {swift}; the disk
does {fdatasync_per_second:,} synced 4 KiB writes a second, one after the other. The machine's load average was
{load_before} before it began; above 0.5 something else took its share, and the figures are lower than they would be.
What is compared took turns in the same minutes. The figures in full are in [benchmarks.json](benchmarks.json).

{table}

For the eye: django-oscar with PostgreSQL on such a machine makes 4.75 orders/s and 77 product pages/s, and sold 130 of
100 pieces when 500 buyers came at once.

## How to read it

- The server under test is pinned to one core and [wrk](https://github.com/wg/wrk) to another, on the same machine over
  loopback, unless a row says otherwise. Each figure is the median of {rounds} runs of {seconds} s; what is compared
  takes turns. wrk sends the next request when the last is answered, and guesses in its percentiles the wait of requests
  that an open crowd would have sent; [souk load](load.md) sends those.
- nginx runs with one worker, sendfile, an open-file cache and no log, and serves files that hold the very bytes that
  Souk answered. A read from Souk's edge cache does the work that nginx does: parse, look up, write. A read that misses
  it costs more; search shows such a read.
- Orders come first: while many check out, their letters and captures wait, for a minute at the most. The row below
  counts the time until all of that is done too.
- An order is the whole checkout: order, reservation, authorisation by the sandbox gateway, confirmation, synced to disk
  before the `201`. The peers' order is shorter: one SQLite transaction (stock, order, lines), synced as well, without
  saga, payment, mail or audit. They run one worker on the same core, over the same number of products.
- The fleet is `scripts/fleet`: one replica of each of the seven roles, PostgreSQL synced to disk, Redis, an object
  store, a mail server and HAProxy before them, all sharing the machine's cores with the load. pgbench writes the rows
  that an order writes, in the same tables of another database on the same server, with the best of 8, 16 and 32
  clients, and nothing else: no HTTP, no saga, no events.
- "A commit for each write" is Souk with group commit turned off and nothing else changed.
"""


def write_page(bench: Bench) -> None:
    about = machine()
    lines = ["| what | Souk | compared with | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in bench.rows:
        ratio = f"{row.ratio:,.2f} ×" if row.ratio else ""
        met = {True: "yes", False: "**no**", None: ""}[row.passed]
        lines.append(f"| {row.what} | {row.souk} | {row.against} | {ratio} | {row.target} | {met} |")
    page = PAGE.format(table="\n".join(lines), rounds=bench.rounds, seconds=bench.seconds, **about)
    docs = ROOT / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "benchmarks.md").write_text(page)
    report = {"machine": about, "rows": [dataclasses.asdict(row) for row in bench.rows]}
    (docs / "benchmarks.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas")
    parser.add_argument("--seconds", type=int, default=8, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of which the median is taken")
    parser.add_argument("--dry-run", action="store_true", help="print, and leave the page as it is")
    arguments = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load")
    sections = arguments.only.split(",")
    bench = Bench(arguments.seconds, arguments.rounds)
    if sections != ["peers"]:
        prepare()
    WORK.mkdir(parents=True, exist_ok=True)
    for name in sections:
        print(name, flush=True)
        SECTIONS[name](bench)
    if not arguments.dry_run:
        write_page(bench)
    if any(row.passed is False for row in bench.rows):
        raise SystemExit("a target was missed")


if __name__ == "__main__":
    main()
