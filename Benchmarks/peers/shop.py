"""The database that both peers use: the same schema, pragmas and durability, written the usual way on sqlite3.

python shop.py FILE --products 10000      makes and fills it
"""

import argparse
import random
import sqlite3

SCHEMA = """
CREATE TABLE product (
    id INTEGER PRIMARY KEY, handle TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
    description TEXT NOT NULL, vendor TEXT NOT NULL, category TEXT NOT NULL);
CREATE TABLE variant (
    sku TEXT PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES product, title TEXT NOT NULL,
    price INTEGER NOT NULL, stock INTEGER NOT NULL CHECK (stock >= 0));
CREATE INDEX variant_product ON variant (product_id);
CREATE TABLE orders (
    id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, email TEXT NOT NULL, address TEXT NOT NULL,
    payment_token TEXT NOT NULL, status TEXT NOT NULL, total INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE order_line (
    order_id TEXT NOT NULL REFERENCES orders, sku TEXT NOT NULL, quantity INTEGER NOT NULL, price INTEGER NOT NULL);
"""

VARIANTS = ("Small", "Medium", "Large")
WORDS = ["linen", "cotton", "wool", "walnut", "copper", "glass", "stone", "river", "garden", "morning", "quiet", "blue"]


def connect(path: str) -> sqlite3.Connection:
    """A connection of one thread. FULL: a commit is on the disk before it is answered, as Souk promises too."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
    return connection


def fill(path: str, products: int, seed: int = 1) -> None:
    chance = random.Random(seed)
    connection = connect(path)
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    for number in range(products):
        title = " ".join(chance.sample(WORDS, 3)).capitalize()
        connection.execute(
            "INSERT INTO product VALUES (?, ?, ?, ?, ?, ?)",
            (number, f"bench-{number}", title, " ".join(chance.choices(WORDS, k=60)), "Souk", "Home"),
        )
        for size in VARIANTS:
            connection.execute(
                "INSERT INTO variant VALUES (?, ?, ?, ?, ?)",
                (f"BENCH-{number}-{size[0]}", number, size, chance.randrange(500, 9900), 1_000_000),
            )
    connection.execute("COMMIT")
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--products", type=int, default=10_000)
    arguments = parser.parse_args()
    fill(arguments.file, arguments.products)
