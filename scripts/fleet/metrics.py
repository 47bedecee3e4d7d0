"""What the replicas measure: what a dashboard shows of a cluster, for a fleet without one."""

import re
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

SERIES = re.compile(r"^(\w+(?:\{.*\})?) (\S+)$", re.MULTILINE)
GAUGE = re.compile(r"^# TYPE (\w+) gauge$", re.MULTILINE)
SUM, COUNT = re.compile(r"_sum(?=\{|$)"), re.compile(r"_count(?=\{|$)")
WITHIN = 2  # seconds that a replica has to answer

# By who measures and series: counters are a role's, gauges a replica's, for their sum means nothing.
Measured = Counter[tuple[str, str]]


def read(port: int) -> str | None:
    """Of one replica; nothing when it does not answer."""
    # Whatever proxy the user has, these are on the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=WITHIN) as answer:
            return answer.read().decode()
    except OSError:
        return None


def measure(replicas: list[dict]) -> tuple[Measured, Measured, list[str]]:
    """Counters, gauges, and the replicas that do not answer."""
    counters, gauges, silent = Counter(), Counter(), []
    with ThreadPoolExecutor(len(replicas)) as pool:
        texts = list(pool.map(lambda each: read(each["port"]), replicas))
    for replica, text in zip(replicas, texts, strict=True):
        if text is None:
            silent.append(replica["name"])
            continue
        names = set(GAUGE.findall(text))
        for series, value in SERIES.findall(text):
            if series.partition("{")[0] in names:
                gauges[replica["name"], series] = float(value)
            elif "_bucket{" not in series:
                counters[replica["name"].rpartition("-")[0], series] += float(value)
    return counters, gauges, silent


def lines(facts: dict, pattern: str, seconds: float | None) -> list[str]:
    """The series that the pattern (a regular expression) is found in, those that are zero left out; with `seconds`, by
    how much the counters grow meanwhile. Of a histogram, how often and how long on average."""
    replicas = [each for each in facts["processes"] if each["roles"]]
    counters, gauges, silent = measure(replicas)
    if seconds is not None:
        before = counters
        time.sleep(seconds)
        counters, gauges, silent = measure(replicas)
        # A replica that began anew counts from zero.
        counters = Counter({key: max(0, value - before[key]) for key, value in counters.items()})
    shown = [f"{name:<17}does not answer" for name in silent]
    for (who, series), value in sorted({**counters, **gauges}.items()):
        if not value or COUNT.search(series) or not re.search(pattern, series):
            continue
        text = f"{value:.10g}"
        if SUM.search(series) and (often := counters[who, SUM.sub("_count", series, count=1)]):
            series, text = SUM.sub("", series, count=1), f"{often:g} times, {value / often:.3f} on average"
        shown.append(f"{who:<17}{series}  {text}")
    return shown
