"""A backup of a shop that sells, its destruction, and the shop again somewhere else."""

import re
import resource
import signal
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing
from pathlib import Path

import postgres
import pytest
from backing_up import KEY, SECRET, SKUS, Buyers, Place, acknowledged, parts
from shop import PASSWORD, eventually, order_for, write_catalogue

ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def server():
    if not postgres.PROGRAMS:
        yield None
        return
    with postgres.serving() as server:
        yield server


@pytest.fixture(params=ENGINES)
def place(request, tmp_path, server):
    if server is None and request.param == "postgres":
        pytest.skip(postgres.MISSING)
    place = Place(request.param, tmp_path, server)
    yield place
    place.close()


@pytest.fixture
def files(tmp_path):
    """A place for shops on SQLite."""
    place = Place("sqlite", tmp_path, None)
    yield place
    place.close()


@pytest.fixture
def catalogue(tmp_path) -> Path:
    rows = [{"handle": sku.lower(), "sku": sku, "stock": 1_000_000, "price": "7.50"} for sku in SKUS]
    return write_catalogue(tmp_path / "lamps.csv", rows)


@pytest.fixture
def vault(tmp_path) -> str:
    return f"file:{tmp_path}/vault"


@pytest.fixture
def kept(files, catalogue, vault, tmp_path):
    """A backup of a small shop, in a folder: the folder, and its ID."""
    shop = files.shop().stocked(catalogue)
    return tmp_path / "vault", shop.backup(vault)["id"]


# -- a shop that sells


@pytest.mark.parametrize("target", ENGINES)
def test_a_selling_shop_is_back_elsewhere(place, target, catalogue, vault, tmp_path):
    if target == "postgres" and not postgres.PROGRAMS:
        pytest.skip(postgres.MISSING)
    shop = place.shop().stocked(catalogue).start()
    customer = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    assert shop.http.post("/api/users", json={**customer, "name": "Ada L."}).status_code == 201
    session = shop.http.post("/api/sessions", json=customer).json()
    picture = re.search(r"/images/[^\"' ]+", shop.http.get("/").text)[0]
    with Buyers(shop) as buyers:
        before = buyers.wait_for(100)
        made = shop.backup(vault)
        buyers.wait_for(20)
        assert not buyers.failures
    shop.destroy()

    again = (place if place.engine == target else Place(target, tmp_path, place.server)).shop(target)
    restored = again.restore(vault, "--at", made["id"])
    assert restored["rows"] == made["rows"]
    assert restored["pictures"] == made["pictures"] > 0
    assert all(check["violationCount"] == 0 for check in restored["audit"])
    try:
        carries_on(again, before, session, picture)
    finally:
        again.close()
    again.audit("--acknowledged", acknowledged(before, tmp_path / "told.jsonl"))


def carries_on(shop, before: list[dict], session: dict, picture: str) -> None:
    """What was begun goes on where it was."""
    shop.start()
    # A key that was used before the backup still stands for the order of then.
    told = before[0]
    answer = shop.order(told["body"], told["key"])
    assert (answer.status_code, answer.json()["id"]) == (201, told["order"]["id"]), answer.text
    assert answer.headers["idempotency-replayed"] == "true"
    # Who was logged in stays so.
    answer = shop.http.post("/api/tokens", json={"refresh_token": session["refresh_token"]})
    assert answer.status_code in (200, 201), answer.text
    assert shop.http.get(picture).status_code == 200
    # Orders take the next numbers, and those on their way come to their end.
    new = shop.order(order_for(SKUS[0]))
    assert new.status_code == 201, new.text
    assert int(new.json()["number"]) > max(int(each["order"]["number"]) for each in before)
    staff = shop.staff()
    for each in [*before, {"order": new.json()}]:
        order = each["order"]["id"]
        eventually(
            lambda order=order: staff.get(f"/api/orders/{order}").json()["payment_status"] == "captured",
            f"{order} is captured:\n{shop.log()}",
            60,
        )
    shop.stop()


def tables(shop) -> dict[str, list]:
    """Every row of a shop on files, but for when migrations were applied."""
    found = {}
    for file in sorted(shop.data.glob("*.sqlite")):
        with closing(sqlite3.connect(file)) as database:
            names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'"
            for (name,) in database.execute(names).fetchall():
                found[f"{file.stem}.{name}"] = sorted(database.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
    return found


@pytest.mark.skipif(not postgres.PROGRAMS, reason=postgres.MISSING)
def test_a_shop_moves_to_postgres_and_back(tmp_path, server, catalogue, vault):
    place = Place("sqlite", tmp_path, server)
    shop = place.shop().stocked(catalogue).start()
    with Buyers(shop, 2) as buyers:
        buyers.wait_for(30)
    assert shop.http.post("/api/carts").status_code == 201
    shop.stop()
    shop.backup(f"{vault}-1")
    on_server = place.shop("postgres")
    on_server.restore(f"{vault}-1")
    on_server.backup(f"{vault}-2")
    back = place.shop("sqlite")
    back.restore(f"{vault}-2")
    before, after = tables(shop), tables(back)
    assert {name: len(rows) for name, rows in after.items()} == {name: len(rows) for name, rows in before.items()}
    assert after == before
    assert len(before["orders.orders"]) >= 30


# -- what is wrong is said, and nothing is changed


def test_another_key_and_none(files, kept, vault):
    shop = files.shop()
    other = {"SOUK_BACKUP_KEY": "00" * 32}
    for command in ["restore", "backup verify"]:
        words = [*command.split(), "--from", vault]
        assert "another key" in shop.refuses(*words, **other)
        assert "SOUK_BACKUP_KEY is not set" in shop.refuses(*words, code=64, SOUK_BACKUP_KEY="")
        assert "SOUK_BACKUP_KEY is not a key" in shop.refuses(*words, code=64, SOUK_BACKUP_KEY="secret")
    assert KEY not in shop.refuses("restore", "--from", vault, "--at", "2020-01-01T00-00-00.000Z")
    assert not list(shop.data.glob("objects/**/*,object"))


def swap(folder: Path, backup: str) -> None:
    first, second = parts(folder, backup)[:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def edit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)


DAMAGE = {
    "a damaged part": (lambda folder, backup: edit(parts(folder, backup)[2]), "is damaged"),
    "a missing part": (lambda folder, backup: parts(folder, backup)[2].unlink(), "is missing"),
    "swapped parts": (swap, "is damaged"),
    "a cut part": (lambda folder, backup: parts(folder, backup)[2].write_bytes(b""), "is damaged"),
    "no manifest": (
        lambda folder, backup: (folder / "backups" / backup / "manifest,object").unlink(),
        "no complete backup",
    ),
    "a damaged manifest": (lambda folder, backup: edit(folder / "backups" / backup / "manifest,object"), "damaged"),
    "a missing picture": (
        lambda folder, backup: next((folder / "content").rglob("*,object")).unlink(),
        "1 pictures are not there any more",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(files, kept, vault, name):
    damage, words = DAMAGE[name]
    damage(*kept)
    shop = files.shop()
    assert words in shop.refuses("backup", "verify", "--from", vault)
    assert words in shop.refuses("restore", "--from", vault)


def test_what_is_there_is_not_deleted_for_a_damaged_backup(files, kept, vault, catalogue):
    shop = files.shop().stocked(catalogue)
    before = tables(shop)
    assert "the shop is not empty" in shop.refuses("restore", "--from", vault)
    edit(parts(*kept)[-1])
    assert "is damaged" in shop.refuses("restore", "--from", vault, "--replace")
    assert tables(shop) == before
    shop.start().stop()


def test_replace(place, catalogue, vault):
    shop = place.shop().stocked(catalogue).start()
    with Buyers(shop, 2) as buyers:
        buyers.wait_for(10)
    assert "in use" in shop.refuses("restore", "--from", vault, "--replace") or shop.is_on_files
    shop.stop()
    made = shop.backup(vault)
    shop.start()
    with Buyers(shop, 2) as buyers:
        buyers.wait_for(10)
    shop.stop()
    assert "the shop is not empty" in shop.refuses("restore", "--from", vault)
    assert shop.restore(vault, "--replace")["rows"] == made["rows"]
    shop.start().stop()
    shop.audit()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_wrong_flag_is_named(files, tmp_path, command):
    shop = files.shop()
    flag = "--to" if command == "backup" else "--from"
    for url in ["vault", "gs://vault", "file:", f"file:{shop.data}/objects", f"file:{shop.data}/objects/vault"]:
        assert flag in shop.refuses(command, flag, url, code=64)
    assert "--keep" in shop.refuses("backup", "--to", f"file:{tmp_path}/x", "--keep", "7 days", code=64)


def test_a_full_disk_leaves_no_backup(files, catalogue, vault, tmp_path):
    shop = files.shop().stocked(catalogue)
    shop.run("import", many(tmp_path, 4_000))

    def limit() -> None:
        # What SQLite shares between its processes is smaller, a part with so many products is not.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    command = shop.command("backup", "--to", vault, "--no-objects")
    result = subprocess.run(
        command, env=shop.environment, preexec_fn=limit, restore_signals=False, capture_output=True, text=True
    )
    assert result.returncode == 1, result.stderr
    assert f"{tmp_path}/vault" in result.stderr
    assert not parts(tmp_path / "vault", "*")
    assert "no complete backup" in shop.refuses("backup", "verify", "--from", vault)
    shop.backup(vault)
    shop.run("backup", "verify", "--from", vault)


# -- broken off


def many(folder: Path, count: int) -> Path:
    rows = [{"handle": f"h-{number}", "sku": f"S-{number}", "stock": 3, "price": "1.00"} for number in range(count)]
    return write_catalogue(folder / "many.csv", rows)


@pytest.fixture
def large(catalogue, tmp_path):
    """Makes a shop with so many rows that there is a middle to be killed in."""

    def make(place: Place):
        shop = place.shop().stocked(catalogue)
        shop.run("import", many(tmp_path, 10_000))
        return shop

    return make


def start(shop, *arguments) -> subprocess.Popen:
    return subprocess.Popen(
        shop.command(*arguments), env=shop.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def test_a_killed_backup_is_none(place, large, vault, tmp_path):
    shop = large(place)
    first = shop.backup(vault)
    for _ in range(3):
        before = len(parts(tmp_path / "vault", "*"))
        process = start(shop, "backup", "--to", vault)
        eventually(lambda before=before: len(parts(tmp_path / "vault", "*")) > before, "it has begun")
        process.kill()
        process.communicate()
    listed = shop.run("backup", "list", "--from", vault).stdout
    assert "not complete" in listed
    shop.run("backup", "verify", "--from", vault)
    assert place.shop().restore(vault)["id"] == first["id"]
    assert place.shop().restore(vault, "--at", shop.backup(vault)["id"])["rows"] == first["rows"]


def is_marked(shop) -> bool:
    """Whether the restore has begun to write."""
    if not shop.is_on_files:
        found = shop.server.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'unfinished_restore'", shop.database)
        return found == "7"
    find = "SELECT 1 FROM sqlite_schema WHERE name = 'unfinished_restore'"
    try:
        with closing(sqlite3.connect(f"file:{shop.data}/sandbox.sqlite?mode=ro", uri=True)) as database:
            return database.execute(find).fetchone() is not None
    except sqlite3.Error:
        return False


def test_a_killed_restore_is_run_again(place, large, vault):
    shop = large(place)
    made = shop.backup(vault)
    target = place.shop()
    for moment in (0, 0.1, 0.3, 1):
        process = start(target, "restore", "--from", vault)
        eventually(lambda process=process: is_marked(target) or process.poll() is not None, "it has begun")
        time.sleep(moment)  # not for order: so that it is killed here and there
        process.kill()
        process.communicate()
        # The mark goes last: without it, it was done before it was killed.
        if not is_marked(target):
            break
        for command in [["audit"], ["backup", "--to", vault], ["migrate"], ["serve", "--port", "1"]]:
            assert "run `souk restore` again" in target.refuses(*command)
    else:
        moment = None
    assert moment != 0, "it was killed at least once"
    if moment is None:
        assert target.restore(vault)["rows"] == made["rows"]
    target.audit()
    target.start()
    assert target.available("S-9999") == 3
    target.stop()


# -- the place


def test_pictures_are_kept_once_and_old_backups_removed(files, catalogue, vault, tmp_path):
    shop = files.shop().stocked(catalogue)
    first = shop.backup(vault)
    content = set((tmp_path / "vault/content").rglob("*,object"))
    assert len(content) == first["pictures"]
    second = shop.backup(vault, "--keep", "1d")
    assert second["removed"] == [first["id"]]
    assert set((tmp_path / "vault/content").rglob("*,object")) == content
    shop.run("backup", "verify", "--from", vault)
    assert not list((tmp_path / "vault/backups" / first["id"]).glob("*,object"))


def test_without_a_key(files, catalogue, vault):
    shop = files.shop().stocked(catalogue)
    none = {"SOUK_BACKUP_KEY": ""}
    assert "SOUK_BACKUP_KEY" in shop.refuses("backup", "--to", vault, code=64, **none)
    shop.backup(vault, "--unencrypted")
    target = files.shop()
    # Who has a key does not take by mistake what anybody may have written.
    assert "not encrypted" in target.refuses("restore", "--from", vault)
    target.restore(vault, "--unencrypted")


def test_in_a_bucket(files, s3, catalogue):
    key, secret = s3["allowed"]
    base = f"s3://{s3['bucket']}?region={s3['region']}&endpoint=http://127.0.0.1:{s3['port']}&prefix="
    credentials = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    shop = files.shop(SOUK_OBJECTS=base + "shop", **credentials).stocked(catalogue)
    vault = base + "vault/"
    made = shop.backup(vault)
    assert made["pictures"] > 0
    shop.backup(vault)
    assert shop.run("backup", "list", "--from", vault).stdout.count("encrypted") == 2
    shop.run("backup", "verify", "--from", vault)
    target = files.shop(**credentials)
    assert target.restore(vault, "--at", made["id"])["pictures"] == made["pictures"]
    assert len(list(target.data.glob("objects/**/*,object"))) == made["pictures"]
    assert "--to" in shop.refuses("backup", "--to", base + "shop/vault", code=64)


def test_a_key_from_a_file(files, kept, vault, tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    shop = files.shop()
    environment = {name: value for name, value in shop.environment.items() if name not in SECRET}
    command = shop.command("backup", "verify", "--from", vault)
    subprocess.run(command, env={**environment, "SOUK_BACKUP_KEY_FILE": str(file)}, check=True, capture_output=True)
