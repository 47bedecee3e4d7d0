"""500 buyers at once for 100 pieces: exactly 100 have one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
from shop import Shop, eventually, order_for, write_catalogue


def again_when_busy(answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code == 503 else answer


def test_500_buyers_for_100_pieces(new_shop, tmp_path):
    hot = write_catalogue(tmp_path / "hot.csv", [{"handle": "hot", "sku": "HOT-1", "stock": 100, "price": "19.99"}])
    shop = new_shop().fill(catalogue=hot).start()
    sell_out(shop)
    shop.stop()
    shop.audit()


def sell_out(shop: Shop) -> None:
    """There are 100 of HOT-1."""
    gate = Barrier(500)

    def buy(number: int) -> httpx.Response:
        """Comes at once with all others, and comes again while the shop says that it is too busy."""
        client = shop.client()
        gate.wait(60)
        return eventually(
            lambda: again_when_busy(shop.order(order_for("HOT-1"), f"buyer-{number}", client)), "an answer", 60
        )

    with ThreadPoolExecutor(500) as buyers:
        answers = list(buyers.map(buy, range(500)))

    placed = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(placed), len(refused)) == (100, 400), {answer.status_code for answer in answers}
    assert len({answer.json()["id"] for answer in placed}) == 100
    for answer in refused:
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert "HOT-1" in answer.text
    assert shop.available("HOT-1") == 0
