"""Two endpoints of a shop, as one writes them in Flask: plain dictionaries, a thread a request, sqlite3.

PEER_DATABASE=shop.db gunicorn --worker-class gthread --threads 8 flask_shop:app
"""

import json
import os
import sqlite3
import threading
import uuid
from datetime import UTC, datetime

from flask import Flask, abort, jsonify, request
from shop import connect

app = Flask(__name__)
local = threading.local()

ADDRESS = ("name", "line1", "city", "postal_code", "country")


def database() -> sqlite3.Connection:
    if not hasattr(local, "connection"):
        local.connection = connect(os.environ["PEER_DATABASE"])
    return local.connection


@app.get("/api/products/<handle>")
def product(handle: str):
    row = database().execute("SELECT * FROM product WHERE handle = ?", (handle,)).fetchone()
    if row is None:
        abort(404, "no such product")
    variants = database().execute("SELECT * FROM variant WHERE product_id = ?", (row["id"],))
    return jsonify(
        **{name: row[name] for name in ("handle", "title", "description", "vendor", "category")},
        variants=[
            {"sku": v["sku"], "title": v["title"], "price": v["price"], "available": v["stock"]} for v in variants
        ],
    )


def read_order() -> tuple[str, dict]:
    key, order = request.headers.get("Idempotency-Key"), request.get_json()
    if not key:
        abort(400, "Idempotency-Key is missing")
    if not isinstance(order.get("email"), str) or not isinstance(order.get("payment", {}).get("token"), str):
        abort(422, "email and payment.token are needed")
    if not all(isinstance(order.get("shipping_address", {}).get(name), str) for name in ADDRESS):
        abort(422, "the address is incomplete")
    lines = order.get("lines")
    if not isinstance(lines, list) or not 1 <= len(lines) <= 2000:
        abort(422, "1 to 2000 lines are expected")
    for line in lines:
        if not isinstance(line.get("sku"), str) or not isinstance(line.get("quantity"), int) or line["quantity"] < 1:
            abort(422, "each line needs a sku and a quantity")
    return key, order


@app.post("/api/orders")
def place_order():
    key, order = read_order()
    db = database()
    placed, lines = uuid.uuid4().hex, []
    now = datetime.now(UTC).isoformat()
    db.execute("BEGIN IMMEDIATE")
    try:
        for line in order["lines"]:
            row = db.execute(
                "UPDATE variant SET stock = stock - ?1 WHERE sku = ?2 AND stock >= ?1 RETURNING price",
                (line["quantity"], line["sku"]),
            ).fetchone()
            if row is None:
                abort(409, f"{line['sku']} is sold out")
            price, quantity = row["price"], line["quantity"]
            lines.append({"sku": line["sku"], "quantity": quantity, "unit_price": price, "total": price * quantity})
        total = sum(line["total"] for line in lines)
        address = json.dumps(order["shipping_address"])
        db.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, 'confirmed', ?, ?)",
            (placed, key, order["email"], address, order["payment"]["token"], total, now),
        )
        db.executemany(
            "INSERT INTO order_line VALUES (?, ?, ?, ?)",
            [(placed, line["sku"], line["quantity"], line["unit_price"]) for line in lines],
        )
        db.execute("COMMIT")
    except BaseException as error:
        db.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            abort(409, "this Idempotency-Key was used before")
        raise
    return jsonify(id=placed, status="confirmed", lines=lines, total=total, created_at=now), 201
