import re
from collections.abc import Callable, Iterator

import pytest
from shop import DATA, SOUK, Shop, write_catalogue


def pytest_configure() -> None:
    if not SOUK.exists():
        raise pytest.UsageError("there is no .build/release/souk: run `make build`")


AMPLE = [
    {"handle": "ample-lamp", "sku": f"AMPLE-{number}", "stock": 900_000, "price": "19.99", "title": "Ample lamp"}
    | {"option": "Size", "value": f"Size {number}"}
    for number in range(4)
]
HOSTILE = {"handle": "hostile-lamp", "sku": "HOSTILE", "stock": 5, "price": "1.00"} | {
    "title": """Hostile <script>document.title = "broken"</script><img src=x onerror="document.title = ''"> lamp"""
}


@pytest.fixture
def new_shop(tmp_path) -> Iterator[Callable[..., Shop]]:
    """Makes shops that are not started yet; what still runs is stopped after the test."""
    made: list[Shop] = []

    def make(name: str = "shop", **options) -> Shop:
        folder = tmp_path / name
        folder.mkdir()
        made.append(Shop(folder, **options))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Iterator[Shop]:
    """One running shop for the tests that leave it as usable as they found it: a demo, and lamps in ample stock."""
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder).fill(products=300, catalogue=write_catalogue(folder / "tests.csv", [*AMPLE, HOSTILE])).start()
    yield shop
    shop.stop()
    shop.close()
    shop.audit()


@pytest.fixture(scope="session")
def staff(shop):
    return shop.staff()


@pytest.fixture(scope="session")
def customer(shop):
    return shop.register()


@pytest.fixture
def shared_file() -> Callable[[str], object]:
    """A file of the public data beside the repository, or a skip that says which one is not there."""

    def find(name: str):
        if not (DATA / name).exists():
            pytest.skip(f"../shared/data/{name} is not here")
        return DATA / name

    return find


def pytest_make_parametrize_id(val) -> str | None:
    """Names a case by its value where that is short text."""
    text = val.decode("latin-1") if isinstance(val, bytes) else val
    if isinstance(text, str) and text and len(text) < 60:
        return re.sub(r"[^\w.,:=/ -]", "·", text)
    return None
