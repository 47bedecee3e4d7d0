"""deploy/compose.yaml: the fleet's shape for people with Docker, as tight as its containers can be."""

import os
import shutil
import subprocess

import pytest
import yaml
from shop import ROOT

DEPLOY = ROOT / "deploy"
FILE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = FILE["services"]
ROLES = ["storefront", "orders", "notifications", "products", "payments", "users", "auth"]
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.mark.parametrize("name", SERVICES)
class TestService:
    def test_may_do_only_what_it_has_to(self, name):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"].split(":")[0] not in ("root", "0")
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory"}
        assert service["pids_limit"] > 0

    def test_is_what_it_was_when_it_was_tried(self, name):
        image = SERVICES[name]["image"]
        assert image == "souk" or image.rpartition(":")[2] not in ("", "latest"), image

    def test_publishes_to_this_machine_only(self, name):
        for port in SERVICES[name].get("ports", []):
            assert port.startswith("127.0.0.1:")

    def test_has_no_secret_in_its_environment(self, name):
        for setting, value in SERVICES[name].get("environment", {}).items():
            if "PASSWORD" in setting or ("SECRET" in setting and not setting.startswith("AWS_")):
                assert setting.endswith("_FILE"), setting
            assert "@" not in value, f"{setting} has a password"

    def test_refers_to_what_is_there(self, name):
        service = SERVICES[name]
        assert set(service.get("secrets", [])) <= FILE["secrets"].keys()
        assert set(service["networks"]) <= FILE["networks"].keys()
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
        for value in service.get("environment", {}).values():
            if value.startswith("/run/secrets/"):
                assert value.rpartition("/")[2] in service["secrets"]


def test_every_role_is_one_service():
    played = {name: each["environment"]["SOUK_ROLES"] for name, each in SERVICES.items() if name in ROLES}
    assert played == {role: role for role in ROLES}
    for name in ROLES:
        peers = dict(peer.split("=") for peer in SERVICES[name]["environment"]["SOUK_PEERS"].split(","))
        assert sorted(peers) == sorted(ROLES)


def test_only_what_is_published_has_a_way_out():
    assert FILE["networks"]["inside"]["internal"] is True
    outside = [name for name, service in SERVICES.items() if "outside" in service["networks"]]
    assert outside == [name for name, service in SERVICES.items() if service.get("ports")]


@pytest.mark.skipif(not HAPROXY, reason="needs Debian's haproxy")
def test_balancer_understands_its_files():
    files = ["-f", DEPLOY / "fleet/haproxy.cfg", "-f", DEPLOY / "fleet/compose.cfg"]
    environment = {**os.environ, "FLEET_EDGE": ":8080", "FLEET_ADMIN": "/tmp/admin.sock"}
    result = subprocess.run([HAPROXY, "-c", *files], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_balancer_listens_where_the_roles_look():
    text = (DEPLOY / "fleet/compose.cfg").read_text()
    for peer in SERVICES["orders"]["environment"]["SOUK_PEERS"].split(","):
        role, url = peer.split("=")
        assert f"frontend {role}-peers from shop\n    bind :{url.rpartition(':')[2]}\n" in text


def test_every_secret_is_made_up():
    text = (DEPLOY / "fleet/secrets").read_text()
    for name in FILE["secrets"]:
        assert name in text
