"""Rules, alerts and who hears of them, dashboards, logs and traces: by Prometheus' own tools, and beside each other."""

import json
import os
import re
import sys
import tempfile
from collections import Counter
from datetime import datetime
from itertools import combinations
from pathlib import Path

import jsonschema
import yaml

from checks import ROOT, Absent, Mistake, check, run, tool
from checks.observability_metrics import HERE, panels, plain, routes, rule_files, rules
from checks.running import observed

RUNBOOK = "docs/runbook.md"
SCHEMAS = Path(os.environ.get("SOUK_SCHEMAS", ROOT.parent / "shared/schemas"))
LAYOUT_KEYS = {"uid", "title", "panels", "templating", "annotations", "schemaVersion", "time", "refresh"}


def unpacked(name: str) -> str:
    """Where a program of Debian's is that `scripts/setup deploy` has unpacked, or the system's."""
    beside = ROOT / ".venv/debian/usr/bin" / name
    return str(beside) if beside.exists() else tool(name)


def complaints(where: str, command: list[str | Path], cwd: Path) -> list[str]:
    """What a tool says that does not exit with 0."""
    result = run(command, cwd)
    said = " ".join((result.stdout + result.stderr).split())
    return [f"{where}: {said}"] if result.returncode else []


# --- rules ------------------------------------------------------------------------------------------------------------


@check
def rules_are_valid(root: Path) -> list[str]:
    command = [unpacked("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *rule_files(root)]
    return complaints(f"{HERE}/rules", command, root)


@check
def prometheus_is_valid(root: Path) -> list[str]:
    file = root / HERE / "prometheus.yaml"
    return complaints(f"{HERE}/prometheus.yaml", [unpacked("promtool"), "check", "config", file], root)


@check
def alerts_fire_when_they_should(root: Path) -> list[str]:
    tests = sorted((root / HERE / "rules/tests").glob("*.yaml"))
    return complaints(f"{HERE}/rules/tests", [unpacked("promtool"), "test", "rules", *tests], root)


@check
def alerts_are_tested_both_ways(root: Path) -> list[str]:
    fires, rests = set(), set()
    for file in (root / HERE / "rules/tests").glob("*.yaml"):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for alert in test["alert_rule_test"]:
                (fires if alert.get("exp_alerts") else rests).add(alert["alertname"])
    found = []
    for where, rule in rules(root):
        if "alert" not in rule:
            continue
        if rule["alert"] not in fires:
            found.append(f"{where}: no test in rules/tests expects it")
        # One that always fires has no other case.
        if rule["alert"] not in rests and rule["expr"] != "vector(1)":
            found.append(f"{where}: no test in rules/tests expects it not to fire")
    return found


@check
def alerts_have_their_runbook(root: Path) -> list[str]:
    headings = re.findall(r"^#+ (.+)$", (root / RUNBOOK).read_text(), re.MULTILINE)
    # As GitHub makes them.
    anchors = Counter(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)
    objectives = {rule["labels"]["slo"] for _, rule in rules(root) if rule.get("record") == "slo:budget:ratio"}
    found, prefixes, linked = [], set(), set()
    for where, rule in rules(root):
        if "alert" not in rule:
            continue
        if rule["labels"].get("severity") not in ("page", "ticket", "none"):
            found.append(f"{where}: expected a severity of page, ticket or none")
        prefix, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        prefixes.add(prefix)
        expanded = [anchor.replace("{{ $labels.slo }}", slo) for slo in sorted(objectives)]
        linked |= set(expanded)
        found += [f"{where}: {RUNBOOK} has no section #{each}" for each in dict.fromkeys(expanded) if not anchors[each]]
    found += [f"{RUNBOOK}: {anchor} is there {count} times" for anchor, count in anchors.items() if count > 1]
    found += [f"{HERE}/rules: runbooks at several places: {sorted(prefixes)}"] * (len(prefixes) > 1)
    # To those of a drill somebody goes who starts it.
    of_alerts = (root / RUNBOOK).read_text().partition("\n## Drills\n")[0]
    sections = set(re.findall(r"^### (.+)$", of_alerts, re.MULTILINE))
    names = {section for section in sections if section.lower().replace(" ", "-").replace(":", "") not in linked}
    return found + [f"{RUNBOOK}: no alert leads to the section {name!r}" for name in sorted(names)]


# --- what is generated ------------------------------------------------------------------------------------------------


@check
def generated_files_are_current(root: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        program = root / HERE / "generate.py"
        if found := complaints(f"{HERE}/generate.py", [sys.executable, "-B", program, folder], root):
            return found
        made = {str(file.relative_to(folder)): file.read_text() for file in Path(folder).rglob("*") if file.is_file()}
    kept = {f"dashboards/{file.name}" for file in (root / HERE / "dashboards").glob("*.json")}
    kept |= {"prometheusrule.yaml"}
    found = [f"{HERE}/{name}: generate.py does not make it" for name in sorted(kept - made.keys())]
    for name, text in made.items():
        file = root / HERE / name
        if not file.exists() or file.read_text() != text:
            found.append(f"{HERE}/{name}: is not what generate.py makes now; run it")
    return found


@check
def the_operator_takes_the_rules(root: Path) -> list[str]:
    schema = SCHEMAS / "prometheusrule_monitoring.coreos.com_v1.json"
    if not schema.exists():
        raise Absent("the schema of PrometheusRule is not here (SOUK_SCHEMAS)")
    # Python's regular expressions want flags first.
    text = schema.read_text().replace("^(?i)", "(?i)^")
    validator = jsonschema.Draft7Validator(json.loads(text))
    resource = yaml.safe_load((root / HERE / "prometheusrule.yaml").read_text())
    return [f"{HERE}/prometheusrule.yaml: {error.message}" for error in validator.iter_errors(resource)]


@check
def the_cluster_takes_every_dashboard(root: Path) -> list[str]:
    listed = yaml.safe_load((root / HERE / "kustomization.yaml").read_text())
    generators = listed["configMapGenerator"] + listed["secretGenerator"]
    files = [file for each in generators for file in each["files"]]
    # KEY=FILE
    named = listed["resources"] + [file.split("=")[-1] for file in files]
    made = {f"dashboards/{file.name}" for file in (root / HERE / "dashboards").glob("*.json")}
    found = [f"{HERE}/kustomization.yaml: lacks {name}" for name in sorted(made - set(named))]
    missing = [name for name in named if not (root / HERE / name).exists()]
    return found + [f"{HERE}/kustomization.yaml: {name} is not there" for name in missing]


# --- dashboards -------------------------------------------------------------------------------------------------------


@check
def dashboards_hold_together(root: Path) -> list[str]:
    found, uids = [], Counter()
    for file in sorted((root / HERE / "dashboards").glob("*.json")):
        name, dashboard = f"{HERE}/dashboards/{file.name}", json.loads(file.read_text())
        found += [f"{name}: lacks {key}" for key in sorted(LAYOUT_KEYS - dashboard.keys())]
        uids[dashboard["uid"]] += 1
        variables = {each["name"]: each for each in dashboard["templating"]["list"]}
        if variables.get("datasource", {}).get("type") != "datasource":
            found.append(f"{name}: expected a variable datasource")
        ids = Counter(panel["id"] for panel in dashboard["panels"])
        found += [f"{name}: the id {each} is there {count} times" for each, count in ids.items() if count > 1]
        found += [f"{name}: {each}" for each in misplaced(dashboard["panels"])]
        for panel in dashboard["panels"]:
            used = set(re.findall(r"\$\{?(\w+)", json.dumps(panel))) - {"__rate_interval"}
            found += [f"{name}, {panel['title']!r}: no variable {each}" for each in sorted(used - variables.keys())]
    twice = [uid for uid, count in uids.items() if count > 1]
    return found + [f"{HERE}/dashboards: more than one has the uid {uid}" for uid in twice]


def misplaced(panels: list[dict]) -> list[str]:
    found = []
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24 or place["w"] < 1 or place["h"] < 1:
            found.append(f"{panel['title']!r} is not within the 24 columns")
        if panel["type"] != "row" and (not panel["title"] or not panel["fieldConfig"]["defaults"].get("unit")):
            found.append(f"{panel['title']!r}: expected a title and a unit")
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not apart and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            found.append(f"{one['title']!r} and {other['title']!r} overlap")
    return found


@check
def panels_ask_in_promql(root: Path) -> list[str]:
    """All in one file of rules, for promtool."""
    queries = [
        {"record": f"panel:{number}", "expr": plain(target["expr"]), "labels": {"panel": where}}
        for number, (where, target) in enumerate(
            (where, target) for where, panel in panels(root) for target in panel.get("targets", [])
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "panels.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": queries}]}))
        return complaints(f"{HERE}/dashboards", [unpacked("promtool"), "check", "rules", file], root)


# --- who hears of it --------------------------------------------------------------------------------------------------


@check
def alerts_reach_somebody(root: Path) -> list[str]:
    amtool, file = unpacked("amtool"), root / HERE / "alertmanager.yaml"
    found = complaints(f"{HERE}/alertmanager.yaml", [amtool, "check-config", file], root)
    for case in yaml.safe_load((root / HERE / "alertmanager-routes.yaml").read_text()):
        labels = [f"{name}={value}" for name, value in case["labels"].items()]
        test = [amtool, "config", "routes", "test", f"--config.file={file}", f"--verify.receivers={case['receiver']}"]
        found += complaints(f"{HERE}/alertmanager.yaml, {' '.join(labels)}", test + labels, root)
    alerts = {rule["alert"] for _, rule in rules(root) if "alert" in rule}
    named = set(re.findall(r'alertname="(\w+)"', file.read_text()))
    return found + [f"{HERE}/alertmanager.yaml: there is no alert {name}" for name in sorted(named - alerts)]


# --- logs and traces --------------------------------------------------------------------------------------------------


@check
def logs_are_read_as_they_are_written(root: Path) -> list[str]:
    name = f"{HERE}/fluent-bit.yaml"
    pipeline = yaml.safe_load((root / name).read_text())
    parser = {each["name"]: each for each in pipeline["parsers"]}["souk"]
    merged = {each["merge_parser"] for each in pipeline["pipeline"]["filters"] if "merge_parser" in each}
    found = [f"{name}: there is no parser {each}" for each in sorted(merged - {"souk"})]
    # Fluent Bit's %L is Python's %f.
    time_format = parser["time_format"].replace("%L", "%f")
    lines = [line for line in observed().logs if line.startswith("{")]
    if not lines:
        return [*found, f"{name}: Souk wrote no line of JSON"]
    for line in lines:
        try:
            record = json.loads(line)
            datetime.strptime(record[parser["time_key"]], time_format)
        except (ValueError, KeyError) as error:
            return [*found, f"{name}: the parser does not read {line}: {error!r}"]
    for each in pipeline["pipeline"]["filters"]:
        key = each.get("exclude", "").split(" ")[0]
        if key and not all(key in json.loads(line) for line in lines):
            found.append(f"{name}: not every line has the key {key}")
    return found


@check
def the_collector_holds_together(root: Path) -> list[str]:
    name = f"{HERE}/collector.yaml"
    config = yaml.safe_load((root / name).read_text())
    used = {"extensions": set(config["service"]["extensions"])}
    for pipeline in config["service"]["pipelines"].values():
        for kind, members in pipeline.items():
            used.setdefault(kind, set()).update(members)
    found = []
    for kind, members in used.items():
        found += [f"{name}: {kind} lacks {each}" for each in sorted(members - config[kind].keys())]
        found += [f"{name}: {each} of {kind} is in no pipeline" for each in sorted(config[kind].keys() - members)]
    values = re.findall(r"key: http.route, values: \[(.*?)\]", (root / name).read_text())
    wanted = {route.strip() for each in values for route in each.split(",")}
    return found + [f"{name}: there is no route {route}" for route in sorted(wanted - set(routes()))]


MISTAKES = [
    Mistake(
        "alert without its section in the runbook",
        alerts_have_their_runbook,
        RUNBOOK,
        "### DeadLetters",
        "### Letters",
        "has no section #deadletters",
    ),
    Mistake(
        "burn rate that lets a month's budget go in hours",
        alerts_fire_when_they_should,
        f"{HERE}/rules/slo.yaml",
        "slo:bad_requests:ratio1h > 14.4 * slo:budget:ratio",
        "slo:bad_requests:ratio1h > 144 * slo:budget:ratio",
        "ErrorBudgetBurnsFast",
    ),
    Mistake(
        "page that goes to the tickets",
        alerts_reach_somebody,
        f"{HERE}/alertmanager.yaml",
        'severity="page"',
        'severity="pages"',
        "alertname=CheckoutFailing",
    ),
    Mistake(
        "dashboard with panels over each other",
        dashboards_hold_together,
        f"{HERE}/dashboards/overview.json",
        '"x": 12,',
        '"x": 11,',
        "overlap",
    ),
    Mistake(
        "rule changed and not made ready for the operator",
        generated_files_are_current,
        f"{HERE}/rules/shop.yaml",
        "for: 10m",
        "for: 11m",
        "prometheusrule.yaml: is not what generate.py makes",
    ),
]
