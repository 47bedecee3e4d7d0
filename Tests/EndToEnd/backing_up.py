"""What the tests of `souk backup` and `souk restore` share: shops on either back end, and buyers who do not stop."""

import json
import os
import shutil
import threading
import uuid
from pathlib import Path

import httpx
import postgres
from shop import SOUK, Shop, order_for, souk

KEY = "c291ayBzb3VrIHNvdWsgc291ayBzb3VrIHNvdWsgc291aw=="
SECRET = {"SOUK_BACKUP_KEY": KEY}
SKUS = [f"LAMP-{number}" for number in range(8)]


class Place:
    """Makes shops on one back end, each with nothing in it."""

    def __init__(self, engine: str, folder: Path, server: postgres.Postgres | None):
        self.engine, self.folder, self.server = engine, folder, server
        self.keys = folder / "keys"
        self.made: list[BackedShop] = []

    def shop(self, engine: str | None = None, **settings: str) -> "BackedShop":
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        if (engine or self.engine) == "postgres":
            settings |= {"SOUK_DATABASE": self.server.new_database(), "SOUK_SIGNING_KEYS": str(self.keys)}
        shop = BackedShop(folder, **settings)
        shop.server = self.server
        self.made.append(shop)
        return shop

    def close(self) -> None:
        for shop in self.made:
            shop.close()


class BackedShop(Shop):
    server: postgres.Postgres | None = None

    @property
    def database(self) -> str:
        return self.settings["SOUK_DATABASE"].rpartition("/")[2]

    @property
    def is_on_files(self) -> bool:
        return "SOUK_DATABASE" not in self.settings

    def run(self, *arguments, check: bool = True, **settings: str):
        """A command on this shop's data."""
        return souk(*arguments, "--data", self.data, check=check, **{**self.settings, **SECRET, **settings})

    def stocked(self, catalogue: Path) -> "BackedShop":
        if not self.is_on_files:
            self.run("migrate")
        self.run("demo", "--products", 5, "--seed", 1)
        self.run("import", catalogue)
        return self

    def backup(self, to: str, *arguments) -> dict:
        return json.loads(self.run("backup", "--to", to, "--json", *arguments).stdout)

    def restore(self, source: str, *arguments) -> dict:
        return json.loads(self.run("restore", "--from", source, "--json", *arguments).stdout)

    def refuses(self, *arguments, code: int = 1, **settings: str) -> str:
        """What is said against it."""
        result = self.run(*arguments, check=False, **settings)
        assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
        return result.stderr

    def audit(self, *arguments) -> None:
        self.run("audit", *arguments)

    def destroy(self) -> None:
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def command(self, *arguments) -> list[str]:
        return [str(SOUK), *map(str, arguments), "--data", str(self.data)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.settings, **SECRET}


class Buyers:
    """Place orders until they are told to stop, and note what they were told."""

    def __init__(self, shop: Shop, count: int = 8):
        self.shop, self.told, self.failures = shop, [], []
        self.grown, self.is_over = threading.Condition(), False
        self.threads = [threading.Thread(target=self.buy, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Buyers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def buy(self, number: int) -> None:
        client, count = self.shop.client(), 0
        while not self.is_over:
            key, count = f"buyer-{number}-{count}", count + 1
            body = order_for(SKUS[(number + count) % len(SKUS)])
            try:
                answer = self.shop.order(body, key, client)
            except httpx.TransportError:
                return
            with self.grown:
                if answer.status_code == 201:
                    self.told.append({"key": key, "body": body, "order": answer.json()})
                else:
                    self.failures.append(answer.text)
                self.grown.notify_all()

    def wait_for(self, more: int) -> list[dict]:
        """All that was acknowledged, after so many more orders."""
        with self.grown:
            wanted = len(self.told) + more
            assert self.grown.wait_for(lambda: len(self.told) >= wanted, 120), (len(self.told), self.failures[:3])
            return list(self.told)


def acknowledged(told: list[dict], file: Path) -> Path:
    """As `souk audit` reads it."""
    lines = [
        {"order": each["order"]["id"], "idempotency_key": each["key"], "total": each["order"]["total"]} for each in told
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def parts(folder: Path, backup: str) -> list[Path]:
    return sorted(folder.glob(f"backups/{backup}/0*"))
