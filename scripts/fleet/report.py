"""What the drills found: as a table for people, and as a drawing."""

import math
from xml.sax.saxutils import escape

FIGURES = {
    "first": "first success",
    "longest": "longest wait of a shopper",
    "whole": "whole again",
}


def restart_text(found: dict) -> str:
    migrated = ", and all schemas migrated to the next release in the middle" if found["migrated"] else ""
    return (
        f"Rolling restart under load: {found['restarts']:,} replicas restarted one after the other in "
        f"{found['seconds']:,.0f} s{migrated}; {found['requests']:,} requests, **{found['failed']} failed**; all "
        f"{found['orders']:,} acknowledged orders are there, and `souk audit` is clean."
    )


def kill_text(found: dict) -> str:
    return (
        f"kill -9 under checkout load, {len(found['kills'])} times at random moments (seed {found['seed']}) in "
        f"{found['seconds']:,.0f} s: **{found['failed']} failed** for good; all {found['orders']:,} "
        "acknowledged orders are there, and `souk audit` is clean."
    )


def kill_table(found: dict) -> list[str]:
    """In Markdown: seconds, median and worst."""
    rows = ["| killed | times | " + " | ".join(FIGURES.values()) + " |", "|---|---:|" + "---:|" * len(FIGURES)]
    for kind, figures in found["kinds"].items():
        cells = [f"{figures[name]['median']:.2f} s, worst {figures[name]['worst']:.2f} s" for name in FIGURES]
        rows.append(f"| {kind} | {figures['kills']} | " + " | ".join(cells) + " |")
    return rows


EXPLANATION = """Shoppers ask for a page that no cache has, place an order, and ask again with the same key when they
get no answer.

- **First success**: until both a page and an order have been answered that were asked for after the kill. Of a role
  there are two replicas: the other one goes on.
- **Longest wait of a shopper**: for one page or one order, all attempts together, among those that were under way when
  the process was killed or came before all was whole again.
- **Whole again**: until the process is back, is ready, and the balancer sends it requests.
"""


def page(restart: dict, kill: dict, machine: str) -> str:
    """docs/drills.md"""
    lines = [
        "# Drills",
        "",
        f"Made by `make drills` on {machine}. The figures in full are in [drills.json](drills.json).",
        "",
    ]
    lines += ["## Rolling restart", "", restart_text(restart), ""]
    lines += ["## kill -9", "", kill_text(kill), "", *kill_table(kill), ""]
    lines += ["![Time to recover, each kill a dot](recovery.svg)", "", EXPLANATION]
    return "\n".join(lines)


# --- the drawing ------------------------------------------------------------------------------------------------------

LEFT, TOP, WIDTH, ROW, FOOT = 120, 56, 560, 34, 40
SHORTEST, LONGEST = 0.01, 100  # seconds
STYLE = """
svg { font: 13px system-ui, sans-serif; fill: #222; background: #fff }
.grid { stroke: #ddd } .first { fill: #0a7a5c; fill-opacity: .55 } .whole { fill: none; stroke: #b4480f }
.muted { fill: #666 }
@media (prefers-color-scheme: dark) {
  svg { fill: #eee; background: #161616 } .grid { stroke: #3a3a3a } .first { fill: #4cc9a0 } .whole { stroke: #ff9a5c }
  .muted { fill: #aaa }
}
"""


def across(seconds: float) -> float:
    """Where on the logarithmic scale."""
    place = math.log(max(seconds, SHORTEST) / SHORTEST) / math.log(LONGEST / SHORTEST)
    return LEFT + WIDTH * min(place, 1)


def drawing(found: dict) -> str:
    """An SVG: a row for each kind of process, two marks for each kill."""
    kinds = list(found["kinds"])
    height = TOP + ROW * len(kinds) + FOOT
    title = f"Time to recover from {len(found['kills'])} times kill -9"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 40} {height}" role="img">']
    parts += [f"<title>{title}</title><style>{STYLE}</style>", f'<text x="16" y="24" font-size="16">{title}</text>']
    parts.append('<circle class="first" cx="24" cy="42" r="4"/><text class="muted" x="34" y="46">first success</text>')
    parts.append('<circle class="whole" cx="140" cy="42" r="4"/><text class="muted" x="150" y="46">whole again</text>')
    bottom = TOP + ROW * len(kinds)
    for seconds in 0.01, 0.1, 1, 10, 100:
        x = across(seconds)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="muted" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{seconds:g} s</text>')
    for number, kind in enumerate(kinds):
        y = TOP + ROW * (number + 0.5)
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(kind)}</text>')
        for each in found["kills"]:
            if each["kind"] == kind:
                for figure, shift in ("first", -5), ("whole", 5):
                    x = across(each[figure])
                    parts.append(f'<circle class="{figure}" cx="{x:.1f}" cy="{y + shift:.1f}" r="4"/>')
    return "\n".join([*parts, "</svg>", ""])
