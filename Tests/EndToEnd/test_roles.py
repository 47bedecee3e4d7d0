"""The settings that make one process of many: what does not fit together is refused at the start, by name."""

import os
import subprocess

import postgres
import pytest
from shop import SOUK, eventually

KEY = "k" * 32
PEERS = {role: f"{role}=http://127.0.0.1:9" for role in ("users", "auth", "products", "payments", "notifications")}
WRONG = {
    "unknown role": (["--roles", "orders,kitchen"], {}, "SOUK_ROLES has 'kitchen', expected one of storefront"),
    "no role": (["--roles", ","], {}, "SOUK_ROLES is empty"),
    "peer missing": (["--roles", "products"], {}, "SOUK_PEERS lacks auth, which is called from here"),
    "peer of no role": (["--peer", "kitchen=http://a"], {}, "SOUK_PEERS has 'kitchen'"),
    "peer without URL": (["--peer", "auth"], {}, "SOUK_PEERS has 'auth', expected ROLE=http://HOST:PORT"),
    "peer of a wrong scheme": (["--peer", "auth=ftp://a"], {}, "SOUK_PEERS has 'ftp://a', expected http(s)://HOST"),
    "peer with a path": (["--peer", "auth=http://a/b"], {}, "without a path"),
    "no key": (["--roles", "products", "--peer", PEERS["auth"]], {}, "SOUK_SERVICE_KEYS is not set"),
    "short key": (
        ["--roles", "products", "--peer", PEERS["auth"]],
        {"SOUK_SERVICE_KEYS": "short"},
        "SOUK_SERVICE_KEYS has a key of 5 characters, expected 32 or more",
    ),
    "events that reach nobody": (
        ["--roles", "users", "--peer", PEERS["auth"]],
        {"SOUK_SERVICE_KEYS": KEY},
        "SOUK_EVENTS is local:, which reaches this process only",
    ),
    "database scheme": ([], {"SOUK_DATABASE": "mysql://a:hunter2@b/c"}, "SOUK_DATABASE is 'mysql://…@b/c', expected"),
    "database name": (
        [],
        {"SOUK_DATABASE": "postgres://a:hunter2@b/", "SOUK_STAFF_PASSWORD": "long enough", "SOUK_SIGNING_KEYS": "keys"},
        "the database's name is missing",
    ),
    "database option": (
        [],
        {
            "SOUK_DATABASE": "postgres://a:hunter2@b/c?colour=red",
            "SOUK_STAFF_PASSWORD": "long enough",
            "SOUK_SIGNING_KEYS": "keys",
        },
        "unknown setting colour",
    ),
    "passwords that replicas would make up": (
        [],
        {"SOUK_DATABASE": "postgres://a:hunter2@127.0.0.1:9/c", "SOUK_SIGNING_KEYS": "keys"},
        "SOUK_STAFF_PASSWORD is not set",
    ),
    "keys that replicas would make up": (
        [],
        {"SOUK_DATABASE": "postgres://a:hunter2@b/c", "SOUK_STAFF_PASSWORD": "long enough"},
        "SOUK_SIGNING_KEYS is not set",
    ),
    "a replica of nothing": ([], {"SOUK_DATABASE_REPLICA": "postgres://b/c"}, "SOUK_DATABASE has no replica"),
    "payments scheme": ([], {"SOUK_PAYMENTS": "paypal:"}, "SOUK_PAYMENTS is 'paypal:', expected sandbox: or stripe:"),
    "stripe without its key": ([], {"SOUK_PAYMENTS": "stripe:"}, "SOUK_STRIPE_KEY is not set"),
    "webhook networks": ([], {"SOUK_WEBHOOK_NETWORKS": "10.0.0"}, "'10.0.0' is no network"),
}


def serve(folder, *arguments, **settings) -> subprocess.CompletedProcess:
    """A start that ends."""
    return subprocess.run(
        [SOUK, "serve", "--data", folder / "data", "--port", "1", *arguments],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(tmp_path, case):
    arguments, settings, message = WRONG[case]
    ended = serve(tmp_path, *arguments, **settings)
    assert ended.returncode in (1, 64), ended.stderr
    assert message in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_url_with_a_password_may_be_in_a_file(tmp_path):
    (tmp_path / "url").write_text("mysql://a:hunter2@b/c\n")
    ended = serve(tmp_path, SOUK_DATABASE_FILE=str(tmp_path / "url"))
    assert ended.returncode == 64
    assert "SOUK_DATABASE is 'mysql://…@b/c', expected" in ended.stderr
    ended = serve(tmp_path, SOUK_CACHE_FILE=str(tmp_path / "none"))
    assert (ended.returncode, "SOUK_CACHE_FILE: the file" in ended.stderr) == (64, True), ended.stderr


@pytest.mark.skipif(not postgres.PROGRAMS, reason=postgres.MISSING)
def test_a_server_that_comes_late_is_waited_for(tmp_path):
    with postgres.serving() as server:
        url = server.new_database()
        server.stop()
        settings = {"PATH": os.environ["PATH"], "SOUK_DATABASE": url, "SOUK_DATA": str(tmp_path)}
        ended = subprocess.run([SOUK, "migrate"], env=settings, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert "trying again" not in ended.stderr
        with (tmp_path / "migrate.log").open("w+") as log:
            waiting = subprocess.Popen([SOUK, "migrate"], env={**settings, "SOUK_DATABASE_WAIT": "60s"}, stderr=log)
            eventually(lambda: "trying again" in (tmp_path / "migrate.log").read_text(), "it says that it waits")
            server.start()
            assert waiting.wait(60) == 0
