"""The servers that are measured, each started on a free loopback port, pinned to cores, and stopped by SIGTERM."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOUK = ROOT / ".build/release/souk"
PEERS = ROOT / "Benchmarks/peers"
SERVER_CORE, LOAD_CORE = "0", "1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class Server:
    """A process that listens at `url`."""

    patience = 30  # seconds for a start, and for a stop

    def __init__(self, command: list[str], path: str, *, core: str | None, cwd: Path, port: int, **environment: str):
        self.url = f"http://127.0.0.1:{port}"
        self.probe = self.url + path
        self.command = (["taskset", "-c", core] if core else []) + [str(part) for part in command]
        self.cwd, self.environment = cwd, {**os.environ, **environment}

    def start(self) -> float:
        """Starts it and waits until it answers; returns the seconds that took."""
        self.log = open(self.cwd / "server.log", "ab")  # noqa: SIM115, open as long as the process
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )
        while time.monotonic() < began + self.patience:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, urllib.error.URLError):
                fetch(self.probe)
                return time.monotonic() - began
            time.sleep(0.002)
        self.stop()
        raise SystemExit(f"did not start: {' '.join(self.command)}; see {self.cwd / 'server.log'}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(self.patience)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()

    def memory(self) -> dict[str, float]:
        """MiB of the process: now, and at its highest."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return {name: int(fields[field].split()[0]) / 1024 for name, field in (("now", "VmRSS"), ("peak", "VmHWM"))}

    def cpu_seconds(self) -> float:
        """Processor time used so far by all processes of this server."""
        ticks = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid:  # its session is the one that started here
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def souk(data: Path, *, core: str | None = None, **settings: str) -> Server:
    port = free_port()
    # One client makes the whole load here, so what limits one client is lifted.
    lifted = dict.fromkeys(("SOUK_CLIENT_RATE", "SOUK_CLIENT_BURST"), "10000000")
    settings = {**lifted, "SOUK_LOG_LEVEL": "warning", **settings}
    command = [str(SOUK), "serve", "--data", str(data), "--port", str(port)]
    return Server(command, "/ready", core=core, cwd=data.parent, port=port, **settings)


def fill_souk(data: Path, products: int, extra: Path | None = None) -> None:
    subprocess.run([SOUK, "demo", "--data", data, "--products", str(products), "--seed", "1"], check=True)
    if extra:
        subprocess.run([SOUK, "import", extra, "--data", data], check=True)


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000;
    open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    types {{ application/json json; text/html html; }}
    server {{ listen 127.0.0.1:{port}; root {folder}/files; add_header Cache-Control "public, max-age=60"; }}
}}
"""


def nginx(folder: Path, files: dict[str, bytes], *, core: str) -> Server:
    """nginx as fast as it goes: one worker, sendfile, open files kept, no log."""
    port = free_port()
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "files" / name).write_bytes(content)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    folder.chmod(0o755)
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    # As root, the worker would drop to a user who may not read below a home folder.
    command = [binary, "-c", f"{folder}/nginx.conf", "-p", str(folder), "-e", f"{folder}/error.log"]
    if os.geteuid() == 0:
        command += ["-g", "user root;"]
    return Server(command, f"/{next(iter(files))}", core=core, cwd=folder, port=port)


def peer(kind: str, folder: Path, products: int) -> Server:
    """FastAPI or Flask with one worker on the server's core, over a database of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "shop.db"
    if not database.exists():
        command = [sys.executable, PEERS / "shop.py", database, "--products", str(products)]
        subprocess.run(command, check=True)
    port = free_port()
    command = {
        "fastapi": ["uvicorn", "--workers", "1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
        + ["--app-dir", str(PEERS), "fastapi_shop:app"],
        "flask": ["gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "8"]
        + ["--bind", f"127.0.0.1:{port}", "--keep-alive", "60", "--log-level", "warning"]
        + ["--chdir", str(PEERS), "flask_shop:app"],
    }[kind]
    command = [sys.executable, "-m", *command]
    environment = {"PEER_DATABASE": str(database)}
    return Server(command, "/api/products/bench-0", core=SERVER_CORE, cwd=folder, port=port, **environment)
