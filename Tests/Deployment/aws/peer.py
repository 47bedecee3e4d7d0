"""An AWS on loopback for as long as a check needs one: moto, and before it what moto lacks of EKS."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checks import ROOT, Absent

HERE = Path(__file__).resolve().parent
PYTHON = ROOT / ".venv/environments/moto/bin/python"
# Prefix lists that AWS has in each region, and moto has not.
PREFIX_LISTS = {region: f"com.amazonaws.{region}.route53-healthchecks" for region in ("eu-west-1", "eu-central-1")}
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "moto",
    "AWS_SECRET_ACCESS_KEY": "moto",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"nothing listens on {port} after {seconds:.0f} s")


@dataclass(frozen=True)
class Peer:
    """What answers for AWS on this machine."""

    moto: int
    settings: dict[str, str]

    def ask(self, service: str, region: str, path: str, body: str, kind: str, method: str = "POST") -> None:
        place = f"moto/20260101/{region}/{service}/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={place}, SignedHeaders=host, Signature=0"
        headers = {"Authorization": signed, "Content-Type": kind, "Host": f"{service}.{region}.amazonaws.com"}
        connection = http.client.HTTPConnection("127.0.0.1", self.moto, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.status >= 300:
            raise RuntimeError(f"moto, {service}: {answer.status} {answer.read()[:300]!r}")
        connection.close()

    def make_prefix_list(self, region: str, name: str) -> None:
        words = {"PrefixListName": name, "MaxEntries": 10, "AddressFamily": "IPv4", "Version": "2016-11-15"}
        form = urllib.parse.urlencode({"Action": "CreateManagedPrefixList", **words})
        self.ask("ec2", region, "/", form, "application/x-www-form-urlencoded")

    def make_zone(self, domain: str) -> None:
        """A hosted zone, as the account's Terraform makes it."""
        names = f"<Name>{domain}</Name><CallerReference>{domain}</CallerReference>"
        body = f"<CreateHostedZoneRequest>{names}</CreateHostedZoneRequest>"
        self.ask("route53", "us-east-1", "/2013-04-01/hostedzone", body, "text/xml")

    def open_bucket(self, name: str) -> None:
        """Without its policy: moto takes every Deny as it stands, whatever its condition."""
        self.ask("s3", "eu-west-1", f"/{name}?policy", "", "text/plain", "DELETE")


@contextmanager
def account() -> Iterator[Peer]:
    """An empty account."""
    if not PYTHON.exists():
        raise Absent("moto is not installed in .venv/environments/moto")
    moto, front = free_port(), free_port()
    environment = {**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    commands = {
        moto: [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", moto],
        front: [sys.executable, HERE / "eks.py", front, moto],
    }
    processes: list[subprocess.Popen] = []
    try:
        for port, words in commands.items():
            command = [str(word) for word in words]
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=quiet, stderr=quiet)
            processes.append(process)
            wait_for(port, process)
        peer = Peer(moto, {**SETTINGS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{front}"})
        for region, name in PREFIX_LISTS.items():
            peer.make_prefix_list(region, name)
        yield peer
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=20)
