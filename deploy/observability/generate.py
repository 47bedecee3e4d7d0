#!/usr/bin/env python3
"""Writes what is made of other files here: Grafana's JSON of dashboards/*.yaml, and rules/*.yaml as the Prometheus
Operator takes them.

deploy/observability/generate.py [FOLDER]     into this folder, or another; needs PyYAML
"""

import json
import sys
from pathlib import Path

import yaml
from grafana import render

HERE = Path(__file__).resolve().parent


def generated() -> dict[str, str]:
    """The text of each file."""
    files = {
        f"dashboards/{file.stem}.json": json.dumps(render(file.stem, yaml.safe_load(file.read_text())), indent=1) + "\n"
        for file in sorted((HERE / "dashboards").glob("*.yaml"))
    }
    return files | {"prometheusrule.yaml": prometheus_rule()}


def prometheus_rule() -> str:
    groups = [group for file in sorted((HERE / "rules").glob("*.yaml")) for group in read(file)["groups"]]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "souk", "labels": {"app.kubernetes.io/name": "souk", "app.kubernetes.io/part-of": "souk"}},
        "spec": {"groups": groups},
    }
    head = "# Made of rules/*.yaml by generate.py: change those.\n"
    return head + yaml.dump(resource, Dumper=Literal, sort_keys=False, width=120, allow_unicode=True)


def read(file: Path) -> dict:
    return yaml.safe_load(file.read_text())


class Literal(yaml.SafeDumper):
    """Expressions of several lines stay readable; nothing is an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def literal(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Literal.add_representer(str, literal)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, text in generated().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main()
