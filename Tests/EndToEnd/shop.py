"""Souk as a person runs it: the command, and a shop of its own on a free loopback port."""

import contextlib
import csv
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
SOUK = Path(os.environ.get("SOUK_BINARY", ROOT / ".build/release/souk"))
DATA = ROOT.parent / "shared/data"
ARTIFACTS = ROOT / ".build/end-to-end"
# kubectl and aws, of known versions.
CLUSTER_TOOLS = ROOT / ".venv/environments/cluster/bin"

PASSWORD = "eleven violet umbrellas"
STAFF = {"email": "staff@souk.example", "password": "a long password for staff"}

# Every test comes from the same address; what limits one client is tested where it is set low.
GENEROUS = {"SOUK_CLIENT_RATE": "1000000", "SOUK_CLIENT_BURST": "1000000"}
FIRST_STAFF = {"SOUK_STAFF_EMAIL": STAFF["email"], "SOUK_STAFF_PASSWORD": STAFF["password"]}

# Reading the certificates takes longer than a request, and nobody here speaks TLS.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

ADDRESS = {"name": "Ada L.", "line1": "1 High St", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"}


def souk(*arguments: Any, check: bool = True, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess:
    """Runs a command to its end; with `check`, anything but exit code 0 fails the test with what was printed."""
    command = [str(SOUK), *map(str, arguments)]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **environment}, cwd=ROOT
    )
    if check and result.returncode != 0:
        shown = f"{' '.join(command)}\nexit {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
        raise AssertionError(shown)
    return result


def souk_json(*arguments: Any, **options: Any) -> Any:
    return json.loads(souk(*arguments, "--json", **options).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition: Callable[[], Any], what: str, within: float = 20) -> Any:
    """The first true value of `condition`, asked again and again until the deadline."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(httpx.TransportError, OSError):
            if value := condition():
                return value
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.01)


class Shop:
    """One `souk serve` on its own data folder. It may be stopped, killed and started again on the same port."""

    # Seconds until it is ready.
    PATIENCE = 20

    def __init__(self, folder: Path, *, port: int | None = None, arguments: Iterable[str] = (), **settings: str):
        self.folder, self.data = folder, folder / "data"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments, self.settings = list(arguments), {**GENEROUS, **FIRST_STAFF, **settings}
        self.log_path = folder / "serve.log"
        self.process: subprocess.Popen | None = None
        self.clients: list[httpx.Client] = []
        self.http = self.client()

    # -- its life

    def fill(self, *, products: int = 0, catalogue: Path | None = None) -> "Shop":
        if products:
            souk("demo", "--data", self.data, "--products", products, "--seed", 1)
        if catalogue:
            souk("import", catalogue, "--data", self.data)
        return self

    def launch(self) -> None:
        """Starts the process, and does not wait."""
        command = [str(SOUK), "serve", "--data", str(self.data), "--port", str(self.port), *self.arguments]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **self.settings}, cwd=self.folder
            )

    def start(self) -> "Shop":
        self.launch()
        eventually(self.is_ready, f"the shop is ready:\n{self.log()}", self.PATIENCE)
        return self

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.log()}"
        return httpx.get(self.url + "/ready", timeout=5).status_code == 200

    def stop(self) -> None:
        """A graceful stop: SIGTERM, and exit code 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"serve did not stop on SIGTERM:\n{self.log()}") from None
        self.process = None
        assert code == 0, f"serve stopped with {code}:\n{self.log()}"

    def close(self) -> None:
        self.kill()
        for client in self.clients:
            client.close()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")[-4000:] if self.log_path.exists() else ""

    def audit(self, *arguments: Any) -> None:
        souk("audit", "--data", self.data, *arguments)

    # -- its HTTP interface

    def client(self, **headers: str) -> httpx.Client:
        """A visitor of its own, with its own connections and cookies."""
        client = httpx.Client(base_url=self.url, timeout=30, headers=headers, verify=TLS, trust_env=False)
        self.clients.append(client)
        return client

    def log_in(self, email: str, password: str) -> httpx.Client:
        answer = self.http.post("/api/sessions", json={"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        return self.client(Authorization=f"Bearer {answer.json()['access_token']}")

    def staff(self) -> httpx.Client:
        return self.log_in(**STAFF)

    def register(self) -> httpx.Client:
        """A new customer, logged in."""
        account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        answer = self.http.post("/api/users", json={**account, "name": "Ada L."})
        assert answer.status_code == 201, answer.text
        return self.log_in(**account)

    def order(self, body: dict, key: str | None = None, client: httpx.Client | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return (client or self.http).post("/api/orders", json=body, headers=headers)

    def available(self, sku: str) -> int:
        answer = self.http.get(f"/api/inventory/{sku}")
        assert answer.status_code == 200, answer.text
        return answer.json()["available"]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", self.http.get("/metrics").text, re.MULTILINE)
        assert found, f"{name} is exported by nobody"
        return sum(float(value) for series, value in found if wanted <= set(series.split(",")))


def order_for(sku: str, quantity: Any = 1, **changes: Any) -> dict:
    return {
        "lines": [{"sku": sku, "quantity": quantity}],
        "email": "ada@example.com",
        "shipping_method": "standard",
        "shipping_address": ADDRESS,
        "payment": {"token": "tok_approved"},
        **changes,
    }


def write_catalogue(file: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """A Shopify CSV. A row has `handle`, `sku`, `stock` and `price`, and may have `title`, `option` and `value`."""
    columns = ["Handle", "Title", "Body (HTML)", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value"]
    columns += ["Variant SKU", "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Price", "Status"]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in rows:
            title, option, value = row.get("title", row["handle"]), row.get("option", "Title"), row.get("value")
            writer.writerow(
                [row["handle"], title, f"<p>{title}</p>", "Souk", "Tests", "true", option, value or "Default Title"]
                + [row["sku"], "souk", row["stock"], row["price"], "active"]
            )
    return file
