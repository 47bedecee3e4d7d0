"""What is asked of Prometheus exists: each metric, label and value is a running Souk's, or a named exporter's."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from checks import ROOT, Mistake, check
from checks.promql import Matcher, Selector, asked
from checks.running import observed

HERE = "deploy/observability"
# What Prometheus and its discovery add to everything.
TARGET_LABELS = {"job", "instance", "namespace", "pod", "container", "service", "endpoint", "node"}
PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}


def rule_files(root: Path) -> list[Path]:
    return sorted((root / HERE / "rules").glob("*.yaml"))


def rules(root: Path) -> Iterator[tuple[str, dict]]:
    """Each with where it stands."""
    for file in rule_files(root):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{HERE}/rules/{file.name}, {rule.get('alert') or rule['record']}", rule


def panels(root: Path) -> Iterator[tuple[str, dict]]:
    for file in sorted((root / HERE / "dashboards").glob("*.json")):
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            yield f"{HERE}/dashboards/{file.name}, {panel['title']!r}", panel


def plain(expr: str) -> str:
    """With a value for each of Grafana's variables."""
    return expr.replace("$__rate_interval", "5m").replace("$job", "souk-orders")


def expressions(root: Path) -> Iterator[tuple[str, str]]:
    for where, rule in rules(root):
        yield where, rule["expr"]
    for where, panel in panels(root):
        for target in panel.get("targets", []):
            yield where, plain(target["expr"])
    for file in sorted((root / HERE / "dashboards").glob("*.json")):
        for annotation in json.loads(file.read_text())["annotations"]["list"]:
            yield f"{HERE}/dashboards/{file.name}, {annotation['name']!r}", annotation["expr"]


def recorded(root: Path) -> dict[str, set[str]]:
    """Names that rules record, with the labels that they add; what they keep is not followed."""
    names: dict[str, set[str]] = {}
    for _, rule in rules(root):
        if "record" in rule:
            kept = asked(rule["expr"]).labels
            names.setdefault(rule["record"], set()).update(rule.get("labels", {}), kept)
    slo = {name: labels | {"slo"} for name, labels in names.items() if name.startswith("slo:")}
    return names | slo


def exporters(root: Path) -> dict[str, set[str]]:
    listed = yaml.safe_load((root / HERE / "exporters.yaml").read_text())
    return {metric: set(labels) for entry in listed for metric, labels in entry["metrics"].items()}


@functools.cache
def routes() -> list[str]:
    """Every path that stands in the sources."""
    texts = (file.read_text() for area in ("Contracts", "Storefront", "Wire") for file in sources(area))
    return sorted({path for text in texts for path in re.findall(r'"(/[^"\s\\]*)"', text)})


def sources(area: str) -> list[Path]:
    return list((ROOT / "Sources" / area).rglob("*.swift"))


@check
def metrics_exist(root: Path) -> list[str]:
    souk = observed().metrics
    others = exporters(root) | recorded(root) | PROMETHEUS
    found = []
    for where, expr in expressions(root):
        for selector in asked(expr).selectors:
            name = selector.metric
            if name in souk:
                found += [f"{where}: {name}: {each}" for each in unknown(selector, souk[name])]
            elif name in others:
                labels = {matcher.label for matcher in selector.matchers} - others[name] - TARGET_LABELS
                found += [f"{where}: {name} has no label {label}" for label in sorted(labels)]
            else:
                found.append(f"{where}: {name} is exported by nobody")
    return found


def unknown(selector: Selector, labels: dict[str, set[str]]) -> Iterator[str]:
    """What a running Souk's metric does not have: a label, a route, or a value that must occur from the start."""
    for matcher in selector.matchers:
        if matcher.label in TARGET_LABELS:
            continue
        if matcher.label not in labels:
            yield f"has no label {matcher.label}"
        elif not is_possible(matcher, selector, labels[matcher.label]):
            yield f"{matcher.label}{matcher.sign}{matcher.value} is never the case"


def is_possible(matcher: Matcher, selector: Selector, values: set[str]) -> bool:
    if matcher.sign in ("!=", "!~"):
        return True
    if matcher.label == "route":
        values = set(routes())
    # These depend on what happens.
    elif selector.metric.startswith("souk_http_") and matcher.label in ("status", "method", "priority"):
        return re.fullmatch(r"[1-5](\d\d|\.\.)|[A-Z]+|checkout|cart|browse|reports", matcher.value) is not None
    if matcher.sign == "=":
        return matcher.value in values
    return any(re.fullmatch(matcher.value, value) for value in values)


@check
def exporters_are_used(root: Path) -> list[str]:
    used = {metric for _, expr in expressions(root) for metric in asked(expr).metrics}
    return [f"{HERE}/exporters.yaml: {metric} is used nowhere" for metric in exporters(root) if metric not in used]


@check
def everything_has_a_panel(root: Path) -> list[str]:
    targets = [target["expr"] for _, panel in panels(root) for target in panel.get("targets", [])]
    shown = {metric for expr in targets for metric in asked(plain(expr)).metrics}
    # Of a histogram one of its three names is enough.
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} | shown
    exported = {re.sub(r"_(bucket|sum|count)$", "", name) for name in observed().metrics}
    return [f"{HERE}/dashboards: no panel shows {name}" for name in sorted(exported - families)]


@check
def the_cluster_asks_for_what_exists(root: Path) -> list[str]:
    """The chart's autoscaling and analysis, the adapter's rules, and what goes to CloudWatch."""
    known = observed().metrics.keys() | recorded(root).keys()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known} | known
    found = []
    files = [file for folder in ("helm", "argocd") for file in (root / "deploy" / folder).rglob("*.y*ml")]
    texts = {file: file.read_text() for file in [*files, root / HERE / "collector.yaml"]}
    # The adapter's rules name what they make.
    made = {name for text in texts.values() for name in re.findall(r"\bas:\s*[\"']?(souk_\w+)", text)}
    for file, text in texts.items():
        asked_for = set(re.findall(r"(?<![\w/.-])\^?(souk_\w+\b(?![(])|(?:souk|slo):\w+:\w+)", text))
        unknown = asked_for - families - made - {"souk_"}
        found += [f"{file.relative_to(root)}: {name} is exported by nobody" for name in sorted(unknown)]
    return found


@check
def cloudwatch_is_asked(root: Path) -> list[str]:
    """The exporter makes aws_NAMESPACE_METRIC_STATISTIC of what its file names."""
    file = f"{HERE}/cloudwatch-exporter.yaml"
    made = {
        f"aws_{job['type'].removeprefix('AWS/').lower()}_{snake(metric['name'])}_{statistic.lower()}"
        for job in yaml.safe_load((root / file).read_text())["discovery"]["jobs"]
        for metric in job["metrics"]
        for statistic in metric["statistics"]
    }
    wanted = {name for name in exporters(root) if name.startswith("aws_")}
    return [f"{file}: asks for nothing that becomes {name}" for name in sorted(wanted - made)] + [
        f"{file}: {name} is in no rule and on no dashboard" for name in sorted(made - wanted)
    ]


def snake(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


MISTAKES = [
    Mistake(
        "metric that nobody exports, in an alert",
        metrics_exist,
        f"{HERE}/rules/shop.yaml",
        "souk_dead_letters_total[1h]",
        "souk_deadletters_total[1h]",
        "souk_deadletters_total is exported by nobody",
    ),
    Mistake(
        "label value that never occurs, in an alert",
        metrics_exist,
        f"{HERE}/rules/shop.yaml",
        'consumer="orders.settle"',
        'consumer="settle"',
        "consumer=settle is never the case",
    ),
    Mistake(
        "route that does not exist, in an alert",
        metrics_exist,
        f"{HERE}/rules/shop.yaml",
        'route=~"/checkout|/api/orders", method="POST", status=~"5.."',
        'route=~"/chekout|/api/order", method="POST", status=~"5.."',
        "route=~/chekout|/api/order is never the case",
    ),
    Mistake(
        "metric that nobody exports, on a dashboard",
        metrics_exist,
        f"{HERE}/dashboards/business.json",
        "rate(souk_carts_total[",
        "rate(souk_baskets_total[",
        "souk_baskets_total is exported by nobody",
    ),
]
