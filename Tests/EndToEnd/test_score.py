"""What is acknowledged reaches the disk, and the score: of evidence in a folder, from the command line."""

import json
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import postgres
import pytest
from shop import ROOT, souk

ROLES = ["storefront", "orders", "products", "payments", "users", "auth", "notifications"]


def seconds_ago(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


# --- what is acknowledged reaches the disk ----------------------------------------------------------------------------


def audited(server: postgres.Postgres, folder: Path) -> tuple[int, dict]:
    """The exit code of an audit of an empty shop on the server, and its checks by name."""
    settings = {"SOUK_DATABASE": server.new_database(), "SOUK_SIGNING_KEYS": str(folder / "keys")}
    souk("migrate", "--data", folder, **settings)
    done = souk("audit", "--json", "--data", folder, check=False, **settings)
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


@pytest.mark.skipif(not postgres.PROGRAMS, reason=postgres.MISSING)
@pytest.mark.parametrize(
    ("setting", "broken"),
    {
        "shared_buffers=65MB": [],
        # Souk's own connections ask for it themselves.
        "synchronous_commit=off": [],
        "fsync=off": ["fsync"],
        "full_page_writes=off": ["full_page_writes"],
    }.items(),
)
def test_audit_sees_a_server_that_does_not_wait_for_the_disk(tmp_path, setting, broken):
    with postgres.serving(setting) as server:
        code, checks = audited(server, tmp_path)
    check = checks["commits.reach-the-disk"]
    assert (code, check["violationCount"] > 0) == (bool(broken), bool(broken))
    assert {text.split()[0] for text in check["violations"]} == set(broken)
    assert all(other["violationCount"] == 0 for name, other in checks.items() if name != check["name"])


def test_audit_says_when(new_shop):
    """Evidence is as old as what it says of itself. Of SQLite's commits there is nothing to ask."""
    shop = new_shop().fill(products=5)
    checks = json.loads(souk("audit", "--json", "--data", shop.data).stdout)
    assert all(seconds_ago(60) < check["at"] <= seconds_ago(-1) for check in checks)
    assert "commits.reach-the-disk" not in {check["name"] for check in checks}


# --- the score --------------------------------------------------------------------------------------------------------


def load(refused: int = 0) -> dict:
    measures = {"requests": 20_000, "error_rate": 0, "goodput": 100, "refused": refused, "failures": {}}
    measures |= {"refused_without_retry_after": 0, "statuses": {"200": 20_000}, "latency": {"p99": 80}}
    steps = [{"step": step, "measures": measures} for step in ("search", "product", "checkout")]
    found = {"arrivals": "open", "began_at": seconds_ago(600), "visits": {"dropped": 0}, "total": measures}
    return found | {"steps": steps}


@pytest.fixture
def evidence(tmp_path) -> Path:
    """Of a shop that does all that is asked but has no second region, as the drills write it."""
    at, folder = seconds_ago(300), tmp_path / "evidence"
    names = ["orders.paid-once", "orders.acknowledged", "commits.reach-the-disk"]
    check = {"promise": "it holds", "checked": 9, "violations": [], "violationCount": 0, "at": at}
    audit = [{"name": name, **check} for name in names]
    flood = {"goodput_ratio": 0.95, "back_after_seconds": 1, "memory": {"processes": 1, "before": 3e8, "peak": 4e8}}
    files = {
        "load": load(),
        "flood": {"at": at, "capacity": load(), "flood": load(9), **flood},
        "audit": audit,
        "fleet": {"at": at, "replicas": dict.fromkeys(ROLES, 2), "readiness_checks": True, "retries": 3},
    }
    for tag in "process", "back end", "network", "zone":
        journal = {"experiment": {"tags": [tag]}, "deviated": False}
        felt = {"error_rate": 0.0001, "recovered_after_seconds": 1.5, "bit": True}
        files[f"chaos-{tag.replace(' ', '-')}"] = {"at": at, "journal": journal, "audit": audit, **felt}
    for engine in "sqlite", "postgres":
        figures = {"lost": 0, "lost_before_last_cut": 0, "rpo_seconds": 0, "rto_seconds": 20}
        files[f"recover-{engine}"] = {"at": at, "audit": audit, "passed": True, **figures}
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def chart() -> str:
    """As production gets it, by Helm's own engine."""
    script = "import sys; sys.path.insert(0, 'scripts/fleet'); import chart; print(chart.rendered())"
    done = subprocess.run([ROOT / ".venv/bin/python", "-c", script], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("Helm's engine is not installed: run scripts/setup test")
    return done.stdout


def score(folder: Path, *arguments, code: int = 0) -> dict:
    done = souk("score", "--evidence", folder, "--json", "-", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def refused(folder: Path, *arguments) -> str:
    done = souk("score", "--evidence", folder, *arguments, check=False)
    assert done.returncode == 64, (done.returncode, done.stdout)
    return done.stderr


def lost(report: dict) -> dict[str, float]:
    return {loss["criterion"]: loss["points"] for loss in report["losses"]}


def test_the_chart_as_helm_prints_it(evidence, chart):
    (evidence / "chart.yaml").write_text(chart)
    report = score(evidence, "--at-least", 90)
    assert lost(report).keys() == {"recovery.region.rpo", "recovery.region.rto"}
    assert (report["score"], report["caps"]) == (95.0, [])
    without = re.sub(r"(?m)^( *)readinessProbe:", r"\1formerProbe:", chart)
    assert without != chart
    (evidence / "chart.yaml").write_text(without)
    report = score(evidence, "--at-least", 90, code=1)
    assert report["score"] == 80
    assert lost(report)["posture.chart.readiness"] > 0
    assert "souk-auth" in report["caps"][0]["why"]


def test_a_chart_as_kubectl_prints_it(evidence, chart, tmp_path):
    yaml = pytest.importorskip("yaml")
    items = [item for item in yaml.safe_load_all(chart) if item]
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"kind": "List", "items": items}))
    assert score(evidence, "--chart", file)["score"] == 95


def test_what_was_not_run_counts_nothing(evidence):
    for file in evidence.glob("recover-*"):
        file.unlink()
    report = score(evidence, "--at-least", 60.1, code=1)
    assert report["score"] == 60
    assert lost(report)["recovery.sqlite.rpo"] > 0


def test_reports_link_the_evidence(evidence, tmp_path):
    (evidence / "load.html").write_text("<!doctype html>")
    folder = tmp_path / "reports"
    folder.mkdir()
    files = {name: folder / f"score.{name}" for name in ("html", "junit", "badge")}
    report = score(evidence, *(word for name, file in files.items() for word in (f"--{name}", file)))
    page = files["html"].read_text()
    linked = set(re.findall(r'href="([^"#]+)"', page))
    assert {"../evidence/load.json", "../evidence/load.html", "../evidence/chaos-zone.json"} <= linked
    for link in linked:
        assert (folder / link).exists(), link
    cases = ElementTree.parse(files["junit"]).getroot().findall(".//testcase")
    criteria = [each["name"] for part in report["parts"] for each in part["criteria"]]
    assert set(criteria) <= {case.get("name") for case in cases}
    assert f">{report['score']:g}</text>" in files["badge"].read_text()


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("load.json", "{", "load.json is no JSON: line 1"),
        ("load.json", "", "load.json is no JSON"),
        ("audit.json", '[{"at": "2999-01-01T00:00:00Z"}]', "audit.json: /0/at is 2999-01-01T00:00:00Z, which is in"),
        ("region.json", '{"at": "soon"}', 'region.json: /at is "soon", expected a time'),
        ("chart.yaml", "a: [", "chart.yaml is no YAML: line"),
        ("chart.yaml", "a: 1\n", "chart.yaml: a document is no manifest"),
        ("chart.yaml", "kind: A\nkind: B\n", "chart.yaml is no YAML"),
        ("chart.yaml", "kind: A\nb: *c\n", "chart.yaml is no YAML"),
    ],
)
def test_evidence_that_cannot_be_read_is_named(evidence, file, content, expected):
    (evidence / file).write_text(content)
    assert f"{evidence}/{expected}" in refused(evidence)


def test_a_small_file_may_not_stand_for_a_large_one(evidence):
    lines = ["kind: A", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    (evidence / "chart.yaml").write_text("\n".join(lines))
    assert "holds too much" in refused(evidence)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--evidence", "/nowhere/at/all"], "there is no folder '/nowhere/at/all'"),
        (["--chart", "/nowhere/chart.yaml"], "/nowhere/chart.yaml is not there"),
        (["--metric", "conversion=1"], "--metric 'conversion=1' compares nothing"),
        (["--at-least", "101"], "--at-least is 101.0, expected 0 to 100"),
    ],
)
def test_wrong_usage(evidence, arguments, expected):
    assert expected in refused(evidence, *arguments)
