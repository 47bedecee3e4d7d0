"""The command as a person meets it: help, wrong usage, and surroundings that are not as they should be."""

import contextlib
import json
import re
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from shop import SOUK, Shop, eventually, free_port, order_for, souk, write_catalogue

COMMANDS = [
    "serve",
    "migrate",
    "demo",
    "import",
    "export",
    "replay",
    "audit",
    "score",
    "openapi",
    "config",
    "doctor",
    "probe",
]


def refused(*arguments, code: int, **environment: str) -> str:
    """Runs what must fail with the exit code; what it said."""
    result = souk(*arguments, check=False, timeout=60, **environment)
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    return result.stdout + result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    text = souk(command, "--help").stdout
    assert re.search(rf"^\s*(SOUK_\w+=\S+ )?souk {command}\b", text, re.M), text
    assert "--json" in text or command == "serve"


def test_help_lists_the_commands():
    text = souk("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", text, re.M), command


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--nonsense"],
        ["serve", "--port", "many"],
        ["serve", "--port", "99999"],
        ["demo", "--products", "-1"],
        ["import"],
        ["audit", "--acknowledged"],
        ["probe", "127.0.0.1:8080"],
        ["probe", "--timeout", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    assert "Usage" in refused(*arguments, code=64) or "usage" in refused(*arguments, code=64)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SOUK_DATABASE", "oracle://db"), ("SOUK_PORT", "many"), ("SOUK_PAYMENTS", "cash:"), ("SOUK_CACHE", "x")],
)
def test_wrong_setting_is_named_with_what_was_expected(tmp_path, name, value):
    text = refused("config", "--data", tmp_path, code=64, **{name: value})
    assert name in text
    assert value in text
    assert "expected" in text


@pytest.mark.parametrize("command", ["openapi", "config", "doctor"])
def test_json_parses(command, tmp_path):
    data = [] if command == "openapi" else ["--data", tmp_path]
    result = souk(command, "--json", *data, check=command != "doctor")
    assert json.loads(result.stdout)


def test_probe_says_whether_a_shop_is_ready(new_shop):
    shop = new_shop().start()
    found = json.loads(souk("probe", f"{shop.url}/ready", "--json").stdout)
    assert found["status"] == 200
    assert "404" in refused("probe", f"{shop.url}/nothing", code=1)
    shop.stop()
    assert "does not answer" in refused("probe", f"{shop.url}/ready", code=1)


def test_secrets_are_not_printed():
    result = souk(
        "config", SOUK_STAFF_PASSWORD="a secret of the house", SOUK_WEBHOOK_SECRET="another secret of the house"
    )
    assert "secret of the house" not in result.stdout + result.stderr


def test_file_that_is_not_there(tmp_path):
    assert "missing.csv" in refused("import", tmp_path / "missing.csv", "--data", tmp_path / "data", code=1)


def test_port_in_use_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = refused("serve", "--data", tmp_path / "data", "--port", port, code=1)
    assert str(port) in text
    assert "use" in text


def test_second_process_on_one_data_folder_is_refused(new_shop):
    shop = new_shop().start()
    text = refused("serve", "--data", shop.data, "--port", free_port(), code=1)
    assert str(shop.data) in text
    assert shop.http.get("/ready").status_code == 200


def test_database_of_a_newer_release_is_refused(new_shop):
    """Its newest migration is unknown here: better not to touch it."""
    shop = new_shop().start()
    shop.stop()
    files = [file for file in shop.data.rglob("*") if file.suffix in (".db", ".sqlite", ".sqlite3")]
    assert files
    for file in files:
        with sqlite3.connect(file) as database:
            (table,) = [
                name
                for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if "migration" in name
            ]
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            newest = list(database.execute(f"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1").fetchone())
            newest[0] = newest[0] + 1000 if isinstance(newest[0], int) else "9999_" + newest[0]
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", newest)
    text = refused("serve", "--data", shop.data, "--port", free_port(), code=1)
    assert "newer" in text


def test_demo_fills_only_an_empty_shop(tmp_path):
    data = tmp_path / "data"
    souk("demo", "--data", data, "--products", 20, "--seed", 7)
    souk("export", "--data", data, "--output", tmp_path / "first.csv")
    souk("demo", "--data", tmp_path / "other", "--products", 20, "--seed", 7)
    souk("export", "--data", tmp_path / "other", "--output", tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes(), "the same every time"


def test_audit_finds_what_is_wrong(new_shop, tmp_path):
    """An audit that cannot fail proves nothing."""
    shop = new_shop().start()
    shop.stop()
    shop.audit()
    acknowledged = tmp_path / "acknowledged.jsonl"
    line = {"order": "order_01h455vb4pex5vsknk084sn02q", "idempotency_key": "k"}
    acknowledged.write_text(json.dumps({**line, "total": {"amount": 1, "currency": "GBP"}}) + "\n")
    text = refused("audit", "--data", shop.data, "--acknowledged", acknowledged, code=1)
    assert line["order"] in text


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(file: Path, room: int) -> None:
    """A file that takes all that is free, but for so many bytes."""
    with file.open("wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while out.write(bytes(65_536)):
                pass
        out.truncate(out.tell() - room)


@pytest.mark.parametrize("room", [0, 20_000, 300_000], ids=lambda room: f"{room} bytes are left")
def test_full_disk_refuses_and_loses_nothing(small_disk, tmp_path, room):
    """Who cannot be served is told so at once, and the same process goes on when there is room: no order that was
    acknowledged is missing, and who was refused buys by asking again with the same key."""
    stock = write_catalogue(tmp_path / "s.csv", [{"handle": "lamp", "sku": "LAMP", "stock": 1_000_000, "price": "5"}])
    shop = Shop(small_disk).fill(catalogue=stock).start()
    acknowledged, turned_away = {}, {}

    def order(key: str) -> None:
        answer = shop.order(order_for("LAMP"), key)
        (acknowledged if answer.status_code == 201 else turned_away)[key] = answer

    try:
        order("before")
        assert shop.http.get("/").status_code == 200
        filler = small_disk / "filler"
        fill(filler, room)
        for number in range(3000):
            order(f"full-{number}")
            if len(turned_away) == 10:
                break
        assert len(turned_away) == 10, "the disk did not get full"
        for answer in turned_away.values():
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert int(answer.headers["retry-after"]) > 0
        assert shop.http.get("/").status_code == 200
        filler.unlink()
        for key in [*turned_away, "after"]:
            eventually(lambda key=key: order(key) or key in acknowledged, f"{key} is placed:\n{shop.log()}")
        shop.stop()
    finally:
        shop.kill()
    file = tmp_path / "acknowledged.jsonl"
    orders = {key: answer.json() for key, answer in acknowledged.items()}
    lines = [{"order": each["id"], "idempotency_key": key, "total": each["total"]} for key, each in orders.items()]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shop.audit("--acknowledged", file)


def test_import_onto_a_full_disk_says_so(small_disk, tmp_path):
    rows = [{"handle": f"p-{n}", "sku": f"P-{n}", "stock": 1, "price": "5", "title": "x" * 400} for n in range(40_000)]
    file = write_catalogue(tmp_path / "large.csv", rows)
    assert re.search("full|space", refused("import", file, "--data", small_disk / "data", code=1))


def test_version_is_printed():
    assert re.search(r"\d+\.\d+", souk("--version").stdout)


def test_binary_needs_nothing_beside_it(tmp_path):
    """Pages and assets are inside: it may be copied anywhere."""
    copy = shutil.copy(SOUK, tmp_path / "souk")
    result = subprocess.run([copy, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
