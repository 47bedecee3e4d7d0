"""What a fleet is made of, and where: its folder, ports, secrets and settings."""

import contextlib
import json
import os
import random
import secrets
import shlex
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOUK = Path(os.environ.get("SOUK_BINARY", ROOT / ".build/release/souk"))

# In the order in which they stop: whoever calls others comes before those.
WAVES = [["storefront"], ["orders", "notifications"], ["products", "payments", "users", "auth"]]
ROLES = [role for wave in WAVES for role in wave]
STAFF = os.environ.get("SOUK_STAFF_EMAIL", "staff@souk.example")
BUCKET, REGION, KEY_ID = "souk", "eu-west-1", "fleet"

# What a fleet can be made to do without, to see that it is missed: see docs/score.md.
WEAKNESSES = {
    "readiness": "the balancer asks nobody whether it is ready",
    "retries": "the balancer does not try another replica when a connection fails",
    "fsync": "PostgreSQL does not wait for the disk",
    "replicas": "one replica of each role",
}

# A socket's path may have 104 bytes, and HAProxy adds to it while it starts.
LONGEST_FOLDER = 75


class FleetError(Exception):
    """What keeps a fleet from running, said to whoever called."""


class Folder:
    """Everything of one fleet is below one folder."""

    def __init__(self, path: Path):
        self.path = path.resolve()
        self.data, self.logs = self.path / "data", self.path / "logs"
        self.secrets, self.configuration = self.path / "secrets", self.path / "configuration"
        self.control, self.admin = self.path / "control.sock", self.path / "admin.sock"
        self.lock, self.facts_file = self.path / "fleet.lock", self.path / "fleet.json"
        self.settings_file = self.path / "settings.env"
        # Where PostgreSQL has a small disk of its own: see disk.py.
        self.disk, self.disk_image = self.data / "disk", self.data / "disk.img"

    def make(self) -> None:
        if len(str(self.path)) > LONGEST_FOLDER:
            raise FleetError(f"{self.path} is too long a path for sockets: {LONGEST_FOLDER} characters at the most")
        # As root, PostgreSQL runs as somebody else, who has to pass through.
        for folder, mode in (self.path, 0o711), (self.data, 0o711), (self.logs, 0o755):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
        for folder in self.secrets, self.configuration:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)

    @property
    def rows(self) -> Path:
        """PostgreSQL's folder."""
        return (self.disk if self.disk_image.exists() else self.data) / "postgres"

    def facts(self) -> dict:
        """What `fleet.json` says; nothing when there is no fleet."""
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(self.facts_file.read_text())
        return {}

    def keep_facts(self, facts: dict) -> None:
        write_private(self.facts_file, json.dumps(facts, indent=2) + "\n")

    def forget(self) -> None:
        for file in self.facts_file, self.control, self.admin:
            file.unlink(missing_ok=True)

    def secret(self, name: str) -> str:
        """Made up once, and the same at every start over the same data."""
        file = self.secrets / name
        if not file.exists():
            write_private(file, secrets.token_hex(24) + "\n")
        return file.read_text().strip()

    def take_secrets(self, other: "Folder") -> None:
        """Those of another fleet, as a secret is replicated to another region."""
        shutil.copytree(other.secrets, self.secrets, dirs_exist_ok=True)


def port_of(folder: Folder, name: str) -> int:
    """Of a process of a fleet that runs."""
    for process in folder.facts().get("processes", []):
        if process["name"] == name:
            return process["port"]
    raise FleetError(f"no fleet runs in {folder.path}")


def write_private(file: Path, text: str) -> None:
    """Whole or not at all, for the owner's eyes."""
    draft = file.with_name(f".{file.name}.new")
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)


class Ports:
    """Free ports of the loopback, below those that the system gives to outgoing connections: such a connection could
    take the port of a role while it restarts."""

    def __init__(self) -> None:
        self._candidates = list(range(10_240, _first_ephemeral()))
        random.shuffle(self._candidates)

    def take(self) -> int:
        while self._candidates:
            if is_free(port := self._candidates.pop()):
                return port
        raise FleetError("there is no free port")


def _first_ephemeral() -> int:
    with contextlib.suppress(OSError, ValueError):
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if first > 12_000:
            return first
    return 32_768


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that connections that just ended are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Layout:
    """Ports, groups of roles with their replicas, and the settings they share."""

    def __init__(
        self,
        folder: Folder,
        port: int,
        replicas: dict[str, int],
        together: Iterable[list[str]],
        weakened: Iterable[str] = (),
    ):
        self.folder, self.weakened = folder, sorted(set(weakened))
        if "replicas" in self.weakened:
            replicas = {"all": 1}
        ports = Ports()
        if port and not is_free(port):
            raise FleetError(f"port {port} is in use: choose another with --port, or 0 for a free one")
        self.edge = port or ports.take()
        self.postgres, self.redis, self.s3, self.mail = (ports.take() for _ in range(4))
        self.peers = {role: ports.take() for role in ROLES}
        self.groups = grouped(together)
        # By group: the port of each replica.
        self.replicas = {
            name: [ports.take() for _ in range(max(replicas.get(role, replicas["all"]) for role in roles))]
            for name, roles in self.groups.items()
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.edge}"

    def servers(self, role: str) -> dict[str, int]:
        """The replicas that play a role, each with its port."""
        name = next(name for name, roles in self.groups.items() if role in roles)
        return {f"{name}-{number}": port for number, port in enumerate(self.replicas[name], 1)}

    def shared_settings(self) -> dict[str, str]:
        """What every role and every `souk` command beside them has in common."""
        folder, redis = self.folder, f"redis://:{self.folder.secret('redis-password')}@127.0.0.1:{self.redis}/0"
        for name in "staff-password", "service-keys", "webhook-secret":
            folder.secret(name)
        password = folder.secret("database-password")
        return {
            "SOUK_DATA": str(folder.data),
            "SOUK_DATABASE": f"postgres://souk:{password}@127.0.0.1:{self.postgres}/souk",
            "SOUK_CACHE": redis,
            "SOUK_EVENTS": redis,
            "SOUK_OBJECTS": f"s3://{BUCKET}?region={REGION}&endpoint=http://127.0.0.1:{self.s3}",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": folder.secret("object-store-key"),
            "SOUK_MAIL": f"smtp://127.0.0.1:{self.mail}?tls=off",
            "SOUK_SERVICE_KEYS_FILE": str(folder.secrets / "service-keys"),
            "SOUK_SIGNING_KEYS": str(folder.secrets / "signing-keys"),
            "SOUK_WEBHOOK_SECRET_FILE": str(folder.secrets / "webhook-secret"),
            "SOUK_STAFF_EMAIL": STAFF,
            "SOUK_STAFF_PASSWORD_FILE": str(folder.secrets / "staff-password"),
            "SOUK_PUBLIC_URL": self.url,
            "SOUK_TRUSTED_PROXIES": "127.0.0.1",
            "SOUK_DRAIN_DELAY": "3s",
        }

    def role_settings(self, group: str, name: str, port: int) -> dict[str, str]:
        return {
            "SOUK_ROLES": ",".join(self.groups[group]),
            "SOUK_PEERS": ",".join(f"{role}=http://127.0.0.1:{port}" for role, port in self.peers.items()),
            "SOUK_HOST": "127.0.0.1",
            "SOUK_PORT": str(port),
            "SOUK_DATA": str(self.folder.data / "roles" / name),
        }


def grouped(together: Iterable[list[str]]) -> dict[str, list[str]]:
    """The roles of each kind of process by its name, in the order of `ROLES`."""
    lists = [sorted(set(roles), key=ROLES.index) for roles in together]
    chosen = [role for roles in lists for role in roles]
    if len(chosen) != len(set(chosen)):
        raise FleetError("a role is in one process only: --roles-in-one names one of them twice")
    lists += [[role] for role in ROLES if role not in chosen]
    return {"-".join(roles): roles for roles in sorted(lists, key=lambda roles: ROLES.index(roles[0]))}


def without_souk(environment: dict[str, str]) -> dict[str, str]:
    """What a role inherits: nothing of a shop beside the fleet, nor of somebody's account at AWS."""
    return {name: value for name, value in environment.items() if not name.startswith(("SOUK_", "AWS_"))}


def write_settings(file: Path, settings: dict[str, str]) -> None:
    """For a shell: `set -a; . settings.env`."""
    write_private(file, "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))


def read_settings(file: Path) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(file.read_text()))


def program(name: str) -> str | None:
    """Where a program is; ordinary users have no `sbin` on their path."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version. Debian keeps them off the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return Path(found).parent if found else None
