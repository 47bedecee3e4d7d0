"""Grafana's JSON for a dashboard that is written as rows of panels. Places, ids and the data source are made here."""

from dataclasses import dataclass, field
from typing import Any

COLUMNS = 24
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    # Expressions by their legend.
    queries: dict[str, str] = field(default_factory=dict)
    # A histogram, with matchers: its middle, slowest twentieth and slowest hundredth.
    quantiles: str = ""
    about: str = ""
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    minimum: float | None = 0
    maximum: float | None = None
    stacked: bool = False
    # Values from which on the panel is orange, and red; falling where the second is smaller.
    warn: list[float] = field(default_factory=list)


def render(name: str, dashboard: Json) -> Json:
    """`dashboard` is a file of dashboards/: title, about, rows, and perhaps variables and annotations."""
    data_source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    variables = [label_values(each, query) for each, query in dashboard.get("variables", {}).items()]
    return {
        "uid": f"souk-{name}",
        "title": f"Souk / {dashboard['title']}",
        "description": dashboard["about"],
        "tags": ["souk"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": f"now-{dashboard.get('span', '3h')}", "to": "now"},
        "timezone": "utc",
        "links": [{"type": "dashboards", "title": "Souk", "tags": ["souk"], "asDropdown": True, "keepTime": True}],
        "templating": {"list": [data_source, *variables]},
        "annotations": {"list": [annotation(*each) for each in dashboard.get("annotations", {}).items()]},
        "panels": placed(dashboard["rows"]),
    }


def label_values(name: str, query: str) -> Json:
    """A variable that is chosen from a label's values; several may be."""
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def annotation(name: str, expr: str) -> Json:
    return {
        "name": name,
        "datasource": DATA_SOURCE,
        "enable": True,
        "expr": expr,
        "titleFormat": name,
        "textFormat": "{{job}} {{instance}}",
        "iconColor": "orange",
    }


def placed(rows: dict[str, list[Json]]) -> list[Json]:
    """From left to right, a new line where the columns are used up."""
    panels: list[Json] = []
    y = 0
    for title, members in rows.items():
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place(0, y, 24, 1)})
        x, y, height = 0, y + 1, 0
        for panel in [Panel(**each) for each in members]:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            panels.append(shown(panel) | {"gridPos": place(x, y, panel.width, panel.height)})
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return [{"id": number} | panel for number, panel in enumerate(panels, 1)]


def place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def shown(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit}
    if panel.minimum is not None:
        defaults["min"] = panel.minimum
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.warn:
        defaults["thresholds"] = thresholds(*panel.warn)
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if panel.warn else "off"},
        }
    json: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATA_SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options(panel.kind),
        "targets": [target(panel.kind, *each) for each in enumerate(expressions(panel))],
    }
    return json


def expressions(panel: Panel) -> list[tuple[str, str]]:
    """Each with its legend."""
    queries = [(expr, legend) for legend, expr in panel.queries.items()]
    if panel.quantiles:
        metric, brace, matchers = panel.quantiles.partition("{")
        series = f"rate({metric}_bucket{brace}{matchers}[$__rate_interval])"
        queries += [
            (f"histogram_quantile({quantile}, sum by (le) ({series}))", legend)
            for quantile, legend in ((0.5, "half within"), (0.95, "95 % within"), (0.99, "99 % within"))
        ]
    return queries


def target(kind: str, index: int, query: tuple[str, str]) -> Json:
    instant = kind in ("stat", "table")
    json: Json = {"refId": chr(ord("A") + index), "datasource": DATA_SOURCE, "expr": query[0], "legendFormat": query[1]}
    return json | {"instant": instant, "range": not instant, "format": "table" if kind == "table" else "time_series"}


def thresholds(orange: float, red: float) -> Json:
    if red < orange:
        steps = [(None, "red"), (red, "orange"), (orange, "green")]
    else:
        steps = [(None, "green"), (orange, "orange"), (red, "red")]
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def options(kind: str) -> Json:
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "table":
        return {"showHeader": True}
    return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "auto"}
