"""Real catalogues of several kinds give the known answers, twice the same, and go out and in again unchanged."""

from typing import NamedTuple

import pytest
from shop import Shop, souk, souk_json


class Answers(NamedTuple):
    products: int
    variants: int
    stock: int | None
    prices: int  # minor units, all variants together
    compared: int | None = None  # products with a compare-at price
    options: tuple = ()


FASHION = "handle=ProductID,title=ProductName,vendor=ProductBrand,price=Price (INR),description=Description"

CATALOGUES = {
    "shopify-apparel.csv": Answers(20, 22, 22, 129_500),
    "shopify-home-and-garden.csv": Answers(20, 21, 65, 234_584, compared=16),
    "shopify-muses.csv": Answers(46, 61, 89, 107_109),
    "shopify-pondcleanup.csv": Answers(34, 89, None, 891_516),
    "fashion-12k.csv": Answers(12_491, 12_491, None, 1_814_518_800, options=("--map", FASHION, "--currency", "INR")),
}


def products(shop: Shop) -> list[dict]:
    """Everything in the catalogue, drafts too, as staff export it."""
    staff, items, after = shop.staff(), [], None
    while True:
        page = staff.get("/api/products/exports", params={"limit": 500, **({"after": after} if after else {})}).json()
        items += page["items"]
        if not (after := page.get("next")):
            return items


def answers(items: list[dict]) -> Answers:
    variants = [variant for item in items for variant in item["variants"]]
    return Answers(
        products=len(items),
        variants=len(variants),
        stock=sum(variant.get("stock") or 0 for variant in variants),
        prices=sum(variant["price"]["amount"] for variant in variants),
        compared=sum(any(v.get("compare_at_price") for v in item["variants"]) for item in items),
    )


@pytest.mark.parametrize("name", CATALOGUES)
def test_known_answers(name, shared_file, new_shop, tmp_path):
    file, expected = shared_file(f"catalog/{name}"), CATALOGUES[name]
    shop = new_shop()
    souk("import", file, "--data", shop.data, *expected.options)
    shop.start()
    items = products(shop)
    found = answers(items)
    for field in ("products", "variants", "stock", "prices", "compared"):
        if getattr(expected, field) is not None:
            assert getattr(found, field) == getattr(expected, field), field
    shop.stop()

    again = souk_json("import", file, "--data", shop.data, *expected.options)
    assert (again["created"], again["updated"]) == (0, 0)
    shop.start()
    assert products(shop) == items, "the same file again changes nothing"
    shop.stop()
    shop.audit()
    check_round_trip(shop, tmp_path)


def check_round_trip(shop: Shop, folder) -> None:
    """Out of one shop, into an empty one, and out again: the same bytes."""
    first, second, copy = folder / "first.csv", folder / "second.csv", folder / "copy"
    souk("export", "--data", shop.data, "--output", first)
    souk("import", first, "--data", copy)
    souk("export", "--data", copy, "--output", second)
    assert second.read_bytes() == first.read_bytes()


def test_woocommerce(shared_file, new_shop, tmp_path):
    """9 simple and 2 to download, 2 variable with 9 variations; a group and somebody else's are passed over."""
    file, shop = shared_file("catalog/woocommerce-sample.csv"), new_shop()
    summary = souk_json("import", file, "--data", shop.data)
    assert (summary["created"], len(summary["passed_over"]), summary["refused"]) == (13, 2, [])
    shop.start()
    items = products(shop)
    assert sorted(len(item["variants"]) for item in items)[-2:] == [3, 6]
    assert len({variant["sku"] for item in items for variant in item["variants"]}) == 20
    shop.stop()
    again = souk_json("import", file, "--data", shop.data)
    assert (again["created"], again["updated"]) == (0, 0)
    check_round_trip(shop, tmp_path)


def test_seen_products(shared_file, new_shop):
    """Drafts and archived products are there for staff and not for shoppers."""
    shop = new_shop()
    souk("import", shared_file("catalog/shopify-muses.csv"), "--data", shop.data)
    shop.start()
    hidden = [item["handle"] for item in products(shop) if item["status"] != "active"]
    assert hidden
    seen = {item["handle"] for item in shop.http.get("/api/products?limit=200").json()["items"]}
    assert not seen & set(hidden)
    assert shop.http.get(f"/api/products/{hidden[0]}").status_code == 404


HEADER = "Handle,Title,Variant SKU,Variant Inventory Qty,Variant Price\n"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", ["empty"]),
        ("\x00\x01\x02\x03", ["CSV"]),
        ("a,b\n1,2\n", ["column"]),
        (HEADER + "lamp,Lamp,L-1,5,9.999\n", ["2", "9.999"]),
        (HEADER + "lamp,Lamp,L-1,5,-1\n", ["2", "-1"]),
        (HEADER + "lamp,Lamp,L-1,-5,1.00\n", ["2", "-5"]),
        (HEADER + "lamp,Lamp,L-1,many,1.00\n", ["2", "many"]),
        (HEADER + "lamp,Lamp\n", ["2"]),
        (HEADER + "lamp,Lamp,L-1,5,1.00\nvase,Vase,L-1,5,1.00\n", ["L-1", "3"]),
        (HEADER + 'lamp,"Lamp,L-1,5,1.00\n', ["2", "quot"]),
        (HEADER + "lamp,Lamp\x00,L-1,5,1.00\n", ["2"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(content, named, tmp_path):
    file = tmp_path / "catalogue.csv"
    file.write_text(content, newline="")
    result = souk("import", file, "--data", tmp_path / "data", check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    for word in named:
        assert word.lower() in (result.stdout + result.stderr).lower(), (word, result.stdout, result.stderr)


def test_broken_utf8_is_named(tmp_path):
    file = tmp_path / "catalogue.csv"
    file.write_bytes(HEADER.encode() + b"lamp,L\xff\xfemp,L-1,5,1.00\n")
    result = souk("import", file, "--data", tmp_path / "data", check=False)
    assert result.returncode == 1
    assert "utf-8" in (result.stdout + result.stderr).lower()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEADER + "lamp,Lamp,L-1,5,9.99\n",
        HEADER.replace("\n", "\r\n") + "lamp,Lamp,L-1,5,9.99\r\n",
        HEADER.replace(",", " , ") + "lamp,Lamp,L-1,5,9.99\n",
        HEADER + 'lamp,"Lamp\nof two lines",L-1,5,9.99\n',
        HEADER + "lamp,Lamp,L-1,5,9.99",
        "Odd column," + HEADER + "x,lamp,Lamp,L-1,5,9.99\n",
    ],
    ids=["byte order mark", "CRLF", "padded header", "quoted line break", "no last newline", "unknown column"],
)
def test_what_is_unusual_is_read(content, tmp_path):
    file = tmp_path / "catalogue.csv"
    file.write_text(content, newline="")
    assert souk_json("import", file, "--data", tmp_path / "data")["created"] == 1
