"""Draws what `docs/architecture.md` shows: `python docs/drawings/draw.py` writes the SVGs beside it.

Text that does not fit its box is an error, so that what is drawn can be read.
"""

from pathlib import Path
from xml.sax.saxutils import escape

STYLE = """
    .page { fill: #fffefa; }
    .box { fill: #f4f2ec; stroke: #b9b3a3; }
    .strong { fill: #24513f; stroke: #24513f; }
    .group { fill: none; stroke: #8d8a7c; stroke-dasharray: 5 4; }
    text { fill: #22261f; text-anchor: middle; }
    .left { text-anchor: start; }
    .bold { font-weight: 600; }
    .muted { fill: #5d6257; font-size: 12px; }
    .line { stroke: #7d8276; fill: none; stroke-width: 1.5; }
    .head { fill: #7d8276; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #171a16; }
      .box { fill: #242822; stroke: #4d5449; }
      .strong { fill: #3c7d63; stroke: #3c7d63; }
      .group { stroke: #6b7266; }
      text { fill: #eceee8; }
      .muted { fill: #a9b0a2; }
      .line { stroke: #8b9284; }
      .head { fill: #8b9284; }
    }
    .strong + text, .strong + text + .muted { fill: #ffffff; }
"""
# Widths of a character at the most, on average over a line, of common sans-serif fonts.
TITLE, SMALL = 8.1, 6.7


class Drawing:
    def __init__(self, name: str, title: str, description: str, width: int, height: int) -> None:
        self.name, self.width, self.height = name, width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            ' aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="14">',
            f'  <title id="title">{escape(title)}</title>',
            f'  <desc id="desc">{escape(description)}</desc>',
            f"  <style>{STYLE}  </style>",
            '  <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
            ' orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'  <rect class="page" width="{width}" height="{height}" rx="8"/>',
        ]

    def text(self, x: float, y: float, words: str, style: str = "") -> None:
        style = f' class="{style}"' if style else ""
        self.parts.append(f'  <text{style} x="{x:g}" y="{y:g}">{escape(words)}</text>')

    def box(self, x: float, y: float, w: float, h: float, title: str, *lines: str, strong: bool = False) -> None:
        """A box with a title and muted lines below it, centred."""
        for words, width in ((title, TITLE), *((line, SMALL) for line in lines)):
            if len(words) * width > w - 8:
                raise ValueError(f"{self.name}: '{words}' needs {len(words) * width + 8:.0f} px, its box has {w}")
        if 20 + 17 * len(lines) > h:
            raise ValueError(f"{self.name}: '{title}' has more lines than fit into {h} px")
        self.parts.append(
            f'  <rect class="{"strong" if strong else "box"}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6"/>'
        )
        top = y + h / 2 + 5 - 8.5 * len(lines)
        self.text(x + w / 2, top, title, "bold")
        for number, line in enumerate(lines, 1):
            self.text(x + w / 2, top + 17 * number, line, "muted")

    def note(self, x: float, y: float, w: float, words: str) -> None:
        """A flat box with one muted line, centred at x."""
        if len(words) * SMALL > w - 8:
            raise ValueError(f"{self.name}: '{words}' needs {len(words) * SMALL + 8:.0f} px, its box has {w}")
        self.parts.append(f'  <rect class="box" x="{x - w / 2:g}" y="{y:g}" width="{w:g}" height="26" rx="4"/>')
        self.text(x, y + 17, words, "muted")

    def group(self, x: float, y: float, w: float, h: float, label: str) -> None:
        self.parts.append(f'  <rect class="group" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="8"/>')
        if label:
            self.text(x + 10, y + 18, label, "left muted")

    def arrow(self, *points: tuple[float, float], both: bool = False) -> None:
        path = "M" + " ".join(f"{x:g} {y:g}" for x, y in points)
        start = ' marker-start="url(#arrow)"' if both else ""
        self.parts.append(f'  <path class="line"{start} marker-end="url(#arrow)" d="{path}"/>')

    def line(self, *points: tuple[float, float]) -> None:
        self.parts.append(f'  <path class="line" d="M{" ".join(f"{x:g} {y:g}" for x, y in points)}"/>')

    def __str__(self) -> str:
        return "\n".join([*self.parts, "</svg>", ""])


def context() -> Drawing:
    d = Drawing(
        "context",
        "Souk and who deals with it",
        "Shoppers, staff and programs use Souk; Souk uses Stripe, a mail server and merchants' webhooks; AWS runs it.",
        960,
        420,
    )
    d.box(20, 30, 270, 60, "Shoppers", "pages, with or without JavaScript")
    d.box(345, 30, 270, 60, "Staff", "orders, stock, refunds, topology")
    d.box(670, 30, 270, 60, "Programs", "JSON over HTTP, /openapi.json")
    what = "catalogue, search, carts, checkout, payments, accounts, mail: one Swift binary, as seven roles"
    d.box(20, 170, 920, 76, "Souk", what, strong=True)
    d.box(20, 330, 210, 60, "Stripe", "authorises, captures, refunds")
    d.box(257, 330, 210, 60, "Mail server", "SMTP: confirmations")
    d.box(494, 330, 210, 60, "Merchants' systems", "signed webhooks")
    d.box(731, 330, 209, 60, "AWS and GitHub", "run it, build it, watch it")
    for x in (155, 480, 805):
        d.arrow((x, 90), (x, 168))
    d.arrow((95, 246), (95, 328))
    d.arrow((155, 328), (155, 248))
    d.arrow((362, 246), (362, 328))
    d.arrow((599, 246), (599, 328))
    d.arrow((835, 328), (835, 248))
    for x, words in ((155, "HTTPS"), (480, "HTTPS, logged in"), (805, "HTTPS, token")):
        d.text(x + 62, 133, words, "muted")
    d.text(225, 292, "API, webhooks back", "muted")
    d.text(396, 292, "SMTP", "muted")
    d.text(640, 292, "HTTPS", "muted")
    return d


def containers() -> Drawing:
    d = Drawing(
        "containers",
        "What Souk is made of on AWS",
        "CloudFront serves pictures and passes on the rest; the load balancer sends requests by path to seven roles "
        "from one image; they share PostgreSQL, Redis, S3 and a mail server.",
        960,
        566,
    )
    d.box(20, 20, 640, 46, "Shoppers, staff and programs")
    d.box(700, 20, 240, 46, "Stripe")
    d.box(20, 96, 920, 52, "CloudFront", "WAF; pictures from the bucket, all else from the region that is well")
    d.arrow((340, 66), (340, 94))
    d.arrow((820, 66), (820, 94))
    d.text(868, 85, "webhooks", "muted")
    what = "WAF, TLS 1.3, routes by path, sends only to pods that are ready"
    d.box(230, 178, 710, 52, "Application Load Balancer", what, strong=True)
    d.arrow((585, 148), (585, 176))
    d.arrow((120, 148), (120, 470))
    d.group(230, 256, 710, 146, "EKS, namespace souk: one image, seven roles; a workload, Service, HPA and PDB each")
    roles = [
        ("storefront", "pages"),
        ("orders", "carts, checkout"),
        ("products", "search, stock"),
        ("payments", "gateway, books"),
        ("users", "accounts"),
        ("auth", "sessions, keys"),
        ("notifications", "mail, webhooks"),
    ]
    columns = [242 + 174 * number for number in range(4)] + [329 + 174 * number for number in range(3)]
    for number, (role, what) in enumerate(roles):
        d.box(columns[number], 282 if number < 4 else 340, 162, 50, role, what)
    d.arrow((585, 230), (585, 254))
    for x in (420, 640, 850):
        d.arrow((x, 402), (x, 470))
    d.arrow((262, 402), (262, 436), (200, 436), (200, 470))
    d.text(272, 454, "storefront, products", "muted")
    d.text(488, 436, "all but storefront", "muted")
    d.text(662, 436, "all", "muted")
    d.text(898, 436, "notifications", "muted")
    d.box(20, 472, 230, 74, "S3", "pictures; backups", "versioned, encrypted, replicated")
    d.box(270, 472, 250, 74, "RDS Proxy, PostgreSQL", "a schema for each service", "Multi-AZ, encrypted")
    d.box(540, 472, 200, 74, "ElastiCache Redis", "cache, events, limits", "may be lost")
    d.box(760, 472, 180, 74, "Mail server", "SMTP")
    return d


def order() -> Drawing:
    d = Drawing(
        "order",
        "An order from the click to the letter",
        "Orders commits the order, reserves stock, authorises the payment and commits the confirmation before it "
        "answers 201; the rest follows from the event.",
        960,
        560,
    )
    lanes = {"client": 80, "orders": 300, "products": 500, "payments": 640, "gateway": 765, "notifications": 888}
    for name, x in lanes.items():
        d.box(x - 60, 16, 120, 34, name, strong=name == "orders")
        d.line((x, 50), (x, 540))
    d.group(8, 346, 944, 206, "")
    steps = [
        ("client", "orders", 84, "1. POST /api/orders"),
        ("orders", "orders", 100, "2. commit: pending, key, saga step"),
        ("orders", "products", 158, "3. reserve all or none"),
        ("orders", "payments", 198, "4. authorise"),
        ("payments", "gateway", 238, "5. authorise"),
        ("orders", "orders", 258, "6. commit: confirmed, and the event"),
        ("orders", "client", 320, "7. 201 Created"),
        ("orders", "orders", 358, "afterwards, by the event, until done"),
        ("orders", "products", 420, "8. the stock is sold"),
        ("orders", "payments", 458, "9. capture"),
        ("payments", "gateway", 486, "10. capture"),
        ("orders", "notifications", 520, "11. the letter, webhooks"),
    ]
    centres = sorted(lanes.values())
    for start, end, y, words in steps:
        a, b = lanes[start], lanes[end]
        if a == b:
            d.note(a, y, 262, words)
            continue
        step = 5 if b > a else -5
        d.arrow((a + step, y), (b - step, y))
        # Between the first two lanes that it crosses, so that no lane runs through it.
        beside = min((x for x in centres if x > a), default=b) if b > a else max(x for x in centres if x < a)
        d.text((a + beside) / 2, y - 7, words, "muted")
    return d


def network() -> Drawing:
    d = Drawing(
        "network",
        "The network of one environment",
        "A VPC over three zones with public, private and data subnets; a NAT gateway in each zone in production; AWS "
        "is reached by endpoints.",
        960,
        600,
    )
    d.box(20, 20, 150, 50, "Internet")
    d.box(220, 20, 220, 50, "CloudFront", "WAF; pictures from S3")
    d.box(490, 20, 190, 50, "Route 53", "the region that is well")
    d.box(730, 20, 210, 50, "WAF", "the region's own")
    d.arrow((170, 45), (218, 45))
    d.arrow((440, 45), (488, 45))
    d.arrow((680, 45), (728, 45))
    d.arrow((745, 70), (745, 98))
    d.group(20, 100, 740, 480, "VPC")
    rows = [(150, 118, "public", "subnets"), (282, 118, "private", "subnets"), (414, 150, "data", "subnets:")]
    for y, height, *words in rows:
        d.group(34, y, 712, height, "")
        for number, word in enumerate(words):
            d.text(44, y + 50 + 17 * number, word, "left muted")
    d.text(44, 498, "no way out", "left muted")
    for number, zone in enumerate("abc"):
        x = 132 + 204 * number
        d.text(x + 98, 138, f"zone {zone}", "muted")
        d.box(x, 172, 94, 74, "ALB", "port 443")
        d.box(x + 102, 172, 94, 74, "NAT", "one a zone", "in prod")
        d.box(x, 304, 196, 74, "Bottlerocket nodes", "Graviton, IMDSv2 hop 1", "NetworkPolicy for each role")
        d.arrow((x + 47, 246), (x + 47, 302))
        d.arrow((x + 149, 304), (x + 149, 248))
        d.arrow((x + 98, 378), (x + 98, 442))
    d.box(132, 444, 196, 94, "PostgreSQL", "the primary", "behind RDS Proxy")
    d.box(336, 444, 196, 94, "PostgreSQL", "the standby", "behind RDS Proxy")
    d.box(540, 444, 196, 94, "Redis", "primary and replicas", "one in each zone")
    d.box(800, 150, 140, 118, "Endpoints", "S3 by gateway;", "ECR, STS, logs,", "secrets by", "interface")
    d.box(800, 304, 140, 74, "EKS API", "private endpoint", "access entries")
    d.box(800, 444, 140, 94, "KMS", "a key for each", "kind of data")
    d.arrow((746, 322), (778, 322), (778, 209), (798, 209))
    d.arrow((748, 341), (798, 341), both=True)
    d.arrow((746, 491), (798, 491))
    return d


def failures() -> Drawing:
    d = Drawing(
        "failures",
        "What may fail together",
        "Processes in pods, pods on nodes, nodes in zones, zones in a region; beside it a second region with copies.",
        960,
        430,
    )
    d.group(20, 20, 620, 390, "region eu-west-1")
    for number, zone in enumerate("abc"):
        x = 36 + 200 * number
        d.group(x, 50, 188, 250, f"zone {zone}")
        for row in range(2):
            y = 80 + 106 * row
            d.group(x + 12, y, 164, 96, "node")
            d.box(x + 20, y + 28, 70, 56, "pod", "role R")
            d.box(x + 98, y + 28, 70, 56, "pod", "role S")
    d.box(36, 318, 160, 74, "PostgreSQL", "primary")
    d.box(236, 318, 160, 74, "PostgreSQL", "standby, synchronous")
    d.box(464, 318, 160, 74, "Redis", "primary and replicas")
    d.arrow((196, 355), (234, 355))
    d.group(690, 20, 250, 390, "region eu-central-1")
    d.box(706, 60, 218, 74, "Network and cluster", "pilot light: no pods yet")
    d.box(706, 176, 218, 74, "S3", "replicated objects")
    d.box(706, 318, 218, 74, "PostgreSQL", "replica, asynchronous")
    d.arrow((640, 213), (704, 213))
    d.arrow((640, 345), (704, 345))
    d.text(665, 205, "copies", "muted")
    return d


def drawings() -> list[Drawing]:
    return [context(), containers(), order(), network(), failures()]


if __name__ == "__main__":
    for drawing in drawings():
        Path(__file__).with_name(f"{drawing.name}.svg").write_text(str(drawing))
