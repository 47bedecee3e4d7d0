import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet_shop import FLEET_ONLY, TESTED, FleetShop
from shop import DATA, ROOT, SOUK, Shop, write_catalogue


def pytest_addoption(parser) -> None:
    parser.addoption("--fleet", action="store_true", help="test seven roles on servers, in place of one process")


def pytest_ignore_collect(collection_path, config) -> bool | None:
    if not collection_path.name.startswith("test_"):
        return None
    is_tested = collection_path.name in TESTED if config.getoption("fleet") else collection_path.name not in FLEET_ONLY
    return None if is_tested else True


def pytest_collection_modifyitems(config, items) -> None:
    if config.getoption("fleet"):
        items[:] = [item for item in items if not item.get_closest_marker("one_process")]
        items.sort(key=lambda item: TESTED.index(item.path.name))


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "one_process: holds of one process, without a balancer before it")
    config.addinivalue_line("markers", "alone: measures, so that nothing may run beside it")
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
def shop(pytestconfig, tmp_path_factory) -> Iterator[Shop]:
    """One running shop for the tests that leave it as usable as they found it: a demo, and lamps in ample stock."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue = write_catalogue(folder / "tests.csv", [*AMPLE, HOSTILE])
    if pytestconfig.getoption("fleet"):
        fleet = FleetShop()
        try:
            yield fleet.fill(products=300, catalogue=catalogue)
            fleet.audit()
        finally:
            fleet.close()
        return
    shop = Shop(folder).fill(products=300, catalogue=catalogue).start()
    yield shop
    shop.stop()
    shop.close()
    shop.audit()


@pytest.fixture(scope="session")
def staff(shop):
    return shop.staff()


@pytest.fixture(scope="session")
def desk(shop, tmp_path_factory):
    """Somebody with the runbook beside a fleet."""
    from fleet_desk import Desk

    return Desk(shop, tmp_path_factory.mktemp("desk"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Not below a folder that is one user's own: PostgreSQL's user has to come to it."""
    folder = Path(tempfile.mkdtemp(prefix="souk-open-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def customer(shop):
    return shop.register()


def peer(script: str, folder):
    """What the peer says about itself; it ends when its standard input does."""
    folder.mkdir()
    command = [sys.executable, str(ROOT / "Tests/Peers" / script), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(20)


@pytest.fixture
def s3(tmp_path):
    yield from peer("s3.py", tmp_path / "s3")


@pytest.fixture
def smtp(tmp_path):
    yield from peer("smtp.py", tmp_path / "smtp")


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
