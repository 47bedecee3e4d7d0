"""The servers around the roles: PostgreSQL, Redis, an object store, a mail server, and the balancer in front."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import balancer
from layout import (
    BUCKET,
    REGION,
    FleetError,
    Folder,
    Layout,
    port_of,
    postgres_programs,
    program,
    without_souk,
    write_private,
)
from process import Program, answers, run

HERE = Path(__file__).resolve().parent


def check_programs() -> None:
    missing = [name for name in ("haproxy", "redis-server") if not program(name)]
    if not postgres_programs():
        missing.append("PostgreSQL's server")
    for name in "moto", "aiosmtpd":
        if subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode:
            missing.append(f"Python's {name}")
    if missing:
        raise FleetError(f"these are missing: {', '.join(missing)}: run scripts/setup fleet")


class Servers:
    """Their programs, each with its files below the fleet's folder."""

    def __init__(self, layout: Layout):
        self.layout, self.folder = layout, layout.folder
        self.environment = without_souk(dict(os.environ))

    def programs(self) -> list[Program]:
        return [self.postgres(), self.redis(), self.object_store(), self.mail(), self.balancer()]

    def _program(self, name: str, command: list, port: int, **options) -> Program:
        return Program(
            name=name,
            command=[str(part) for part in command],
            port=port,
            log=self.folder.logs / f"{name}.log",
            **{"environment": self.environment, "folder": self.folder.path, **options},
        )

    # -- PostgreSQL

    async def prepare_postgres(self, primary: Folder | None = None) -> None:
        """A new cluster, where there is none. Its order of texts is a dictionary's: a query that needs another must
        say so, as on any server that somebody else set up. Beside another fleet: a standby of that one's."""
        if (self.folder.rows / "PG_VERSION").exists():
            return
        user = unprivileged()
        shutil.rmtree(self.folder.rows, ignore_errors=True)
        self.folder.rows.mkdir(mode=0o700)
        if primary:
            await self._copy_postgres(primary, user)
            return
        password = self.folder.data / "password"
        write_private(password, self.folder.secret("database-password"))
        if user:
            for path in self.folder.rows, password:
                shutil.chown(path, user, user)
            check_reach(self.folder.rows, user)
        command = [
            postgres_programs() / "initdb",
            "--pgdata",
            self.folder.rows,
            "--username",
            "souk",
            "--pwfile",
            password,
        ]
        command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        command += ["--locale-provider", "icu", "--icu-locale", "en-US"]
        log = self.folder.logs / "postgres.log"
        try:
            await run([str(part) for part in command], self.environment, log, user=user, folder=self.folder.data)
        finally:
            password.unlink()

    async def _copy_postgres(self, primary: Folder, user: str | None) -> None:
        """By streaming replication, which goes on from there. The primary keeps what is not here yet."""
        if user:
            shutil.chown(self.folder.rows, user, user)
            check_reach(self.folder.rows, user)
        command = [postgres_programs() / "pg_basebackup", "--pgdata", self.folder.rows, "--host", "127.0.0.1", "--port"]
        command += [
            port_of(primary, "postgres"),
            "--username",
            "souk",
            "--checkpoint",
            "fast",
            "--wal-method",
            "stream",
        ]
        command += ["--write-recovery-conf", "--create-slot", "--slot", "second_region"]
        environment = {**self.environment, "PGPASSWORD": primary.secret("database-password")}
        log = self.folder.logs / "postgres.log"
        await run([str(part) for part in command], environment, log, user=user, folder=self.folder.data)

    async def promote(self) -> None:
        """From here on the standby is a primary, for good."""
        if await self._psql("template1", "SELECT pg_promote(true, 60)") != "t":
            raise FleetError("the standby was not promoted: see postgres.log")

    def postgres(self) -> Program:
        settings = {
            "port": self.layout.postgres,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # Two dozen replicas, each with a few connections, and those of a release that is rolled out beside them.
            "max_connections": 300,
            "shared_buffers": "128MB",
            "log_line_prefix": "%m [%p] %a ",
            "fsync": "off" if "fsync" in self.layout.weakened else "on",
        }
        if self.folder.disk_image.exists():
            # Each segment of the log needs new room, so that a full disk is one for the log as well.
            settings["wal_recycle"] = "off"
        command = [postgres_programs() / "postgres", "-D", self.folder.rows]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]

        async def probe() -> bool:
            return await self._psql("template1", "SELECT 1") is not None

        # SIGINT is its "fast" stop, which does not wait for clients to leave.
        return self._program(
            "postgres",
            command,
            self.layout.postgres,
            user=unprivileged(),
            folder=self.folder.data,
            probe=probe,
            stop_signal=signal.SIGINT,
        )

    async def begin_log_segment(self) -> bool:
        """Whether PostgreSQL had room for it; a segment that is empty would not be left for the next one."""
        begin = "SELECT pg_logical_emit_message(true, 'fleet', 'a segment ends'), pg_switch_wal()"
        return await self._psql("template1", begin) is not None

    async def make_database(self) -> None:
        if await self._psql("template1", "SELECT 1 FROM pg_database WHERE datname = 'souk'") == "1":
            return
        if await self._psql("template1", "CREATE DATABASE souk") is None:
            raise FleetError("the database cannot be made: see postgres.log")

    async def _psql(self, database: str, statement: str) -> str | None:
        command = [str(postgres_programs() / "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--host"]
        command += ["127.0.0.1", "--port", str(self.layout.postgres), "--username", "souk", "--dbname", database]
        environment = {
            **self.environment,
            "PGPASSWORD": self.folder.secret("database-password"),
            "PGCONNECT_TIMEOUT": "4",
        }
        null = asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *command, "--command", statement, env=environment, stdin=null, stdout=asyncio.subprocess.PIPE, stderr=null
        )
        output, _ = await child.communicate()
        return output.decode().strip() if child.returncode == 0 else None

    # -- Redis

    def redis(self) -> Program:
        data, port, password = self.folder.data / "redis", self.layout.redis, self.folder.secret("redis-password")
        data.mkdir(exist_ok=True)
        file = self.folder.configuration / "redis.conf"
        lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", f'dir "{data}"', "appendonly yes"]
        write_private(file, "\n".join([*lines, 'save ""', "daemonize no"]) + "\n")

        async def probe() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"AUTH {password}\r\nPING\r\n".encode())
                return [await reader.readline(), await reader.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
            finally:
                writer.close()

        return self._program("redis", [program("redis-server"), file], port, probe=probe)

    # -- The object store and the mail server

    def object_store(self) -> Program:
        port, record = self.layout.s3, self.folder.data / "objects.jsonl"

        async def probe() -> bool:
            return await answers(port, "/moto-api/")

        command = [sys.executable, HERE / "object_store.py", port, BUCKET, REGION, record]
        return self._program("s3", command, port, probe=probe)

    def mail(self) -> Program:
        port = self.layout.mail

        async def probe() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return (await reader.readline()).startswith(b"220")
            finally:
                writer.close()

        command = [sys.executable, HERE / "mail_sink.py", port, self.folder.data / "mail"]
        return self._program("mail", command, port, probe=probe)

    # -- HAProxy

    def balancer(self) -> Program:
        file = self.folder.configuration / "backends.cfg"
        write_private(file, balancer.backends(self.layout))
        environment = {
            **self.environment,
            "FLEET_EDGE": f"127.0.0.1:{self.layout.edge}",
            "FLEET_ADMIN": str(self.folder.admin),
        }

        async def probe() -> bool:
            return bool(await balancer.states(self.folder.admin))

        command = [program("haproxy"), "-db", "-f", balancer.SHARED, "-f", file]
        return self._program("balancer", command, self.layout.edge, environment=environment, probe=probe)


def unprivileged() -> str | None:
    """Who runs PostgreSQL, which refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in "postgres", "nobody":
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise FleetError("as root, a user postgres or nobody is needed to run PostgreSQL")


def check_reach(folder: Path, user: str) -> None:
    if subprocess.run(["test", "-w", folder], user=user, group=user, extra_groups=[]).returncode:
        raise FleetError(f"user {user}, who runs PostgreSQL, does not reach {folder}: choose another --folder")
