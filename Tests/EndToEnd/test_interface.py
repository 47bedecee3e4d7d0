"""The published interface, searched by schemathesis: no 5xx, and no answer that it does not announce.

SOUK_EXAMPLES sets how many examples each operation gets (20 by default, 5 on a fleet).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import AMPLE
from shop import Shop, write_catalogue

ONE = pytest.mark.one_process
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance"]
CHECKS += ["response_headers_conformance", "response_schema_conformance"]


@pytest.fixture(scope="module")
def busy_shop(request, tmp_path_factory):
    if request.config.getoption("fleet"):
        yield request.getfixturevalue("shop")
        return
    folder = tmp_path_factory.mktemp("interface")
    shop = Shop(folder).fill(catalogue=write_catalogue(folder / "ample.csv", AMPLE)).start()
    yield shop
    shop.stop()
    shop.audit()


# A fleet is asked by staff, who come further than the others: through the balancer to every role and what it does.
@pytest.mark.parametrize("caller", [*(pytest.param(who, marks=ONE) for who in ("anonymous", "customer")), "staff"])
def test_answers_as_published(busy_shop, tmp_path, pytestconfig, caller):
    examples = os.environ.get("SOUK_EXAMPLES", "5" if pytestconfig.getoption("fleet") else "20")
    st = [Path(sys.executable).with_name("st"), "run", f"{busy_shop.url}/openapi.json"]
    st += ["--max-examples", examples, "--continue-on-failure", "--seed", "1", "--checks", ",".join(CHECKS)]
    if caller != "anonymous":
        client = busy_shop.register() if caller == "customer" else busy_shop.staff()
        # Logging out would make the rest of the run anonymous.
        st += ["-H", f"Authorization: {client.headers['authorization']}", "--exclude-path", "/api/sessions/current"]
    result = subprocess.run(st, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert busy_shop.http.get("/ready").status_code == 200
