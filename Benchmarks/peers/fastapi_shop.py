"""Two endpoints of a shop, as one writes them in FastAPI: pydantic models, sync handlers on the thread pool, sqlite3.

PEER_DATABASE=shop.db uvicorn fastapi_shop:app --no-access-log
"""

import os
import sqlite3
import threading
import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from shop import connect

app = FastAPI()
local = threading.local()


def database() -> sqlite3.Connection:
    if not hasattr(local, "connection"):
        local.connection = connect(os.environ["PEER_DATABASE"])
    return local.connection


class Variant(BaseModel):
    sku: str
    title: str
    price: int
    available: int


class Product(BaseModel):
    handle: str
    title: str
    description: str
    vendor: str
    category: str
    variants: list[Variant]


class Address(BaseModel):
    name: str = Field(max_length=200)
    line1: str = Field(max_length=200)
    city: str = Field(max_length=200)
    postal_code: str = Field(max_length=20)
    country: str = Field(min_length=2, max_length=2)


class Line(BaseModel):
    sku: str = Field(max_length=64)
    quantity: int = Field(gt=0, le=10_000)


class Payment(BaseModel):
    token: str = Field(max_length=64)


class NewOrder(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=2000)
    email: str = Field(max_length=254)
    shipping_method: str
    shipping_address: Address
    payment: Payment


class OrderLine(BaseModel):
    sku: str
    quantity: int
    unit_price: int
    total: int


class Order(BaseModel):
    id: str
    status: str
    lines: list[OrderLine]
    total: int
    created_at: datetime


@app.get("/api/products/{handle}")
def product(handle: str) -> Product:
    row = database().execute("SELECT * FROM product WHERE handle = ?", (handle,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such product")
    variants = database().execute("SELECT * FROM variant WHERE product_id = ?", (row["id"],))
    return Product(
        **{name: row[name] for name in ("handle", "title", "description", "vendor", "category")},
        variants=[Variant(sku=v["sku"], title=v["title"], price=v["price"], available=v["stock"]) for v in variants],
    )


@app.post("/api/orders", status_code=201)
def place_order(order: NewOrder, idempotency_key: Annotated[str, Header(max_length=255)]) -> Order:
    db = database()
    placed, lines = uuid.uuid4().hex, []
    now = datetime.now(UTC)
    db.execute("BEGIN IMMEDIATE")
    try:
        for line in order.lines:
            row = db.execute(
                "UPDATE variant SET stock = stock - ?1 WHERE sku = ?2 AND stock >= ?1 RETURNING price",
                (line.quantity, line.sku),
            ).fetchone()
            if row is None:
                raise HTTPException(409, f"{line.sku} is sold out")
            price = row["price"]
            lines.append(OrderLine(sku=line.sku, quantity=line.quantity, unit_price=price, total=price * line.quantity))
        total = sum(line.total for line in lines)
        db.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, 'confirmed', ?, ?)",
            (
                placed,
                idempotency_key,
                order.email,
                order.shipping_address.model_dump_json(),
                order.payment.token,
                total,
                now.isoformat(),
            ),
        )
        db.executemany(
            "INSERT INTO order_line VALUES (?, ?, ?, ?)",
            [(placed, line.sku, line.quantity, line.unit_price) for line in lines],
        )
        db.execute("COMMIT")
    except BaseException as error:
        db.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise HTTPException(409, "this Idempotency-Key was used before") from None
        raise
    return Order(id=placed, status="confirmed", lines=lines, total=total, created_at=now)
