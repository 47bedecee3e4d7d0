"""Who may call whom: what the chart allows is what the sources do, no edge less and none more."""

import re
from collections.abc import Iterator
from pathlib import Path

from helm import binary
from helm.rendering import CHART, Objects, component, named, of, pods, rendered

from checks import ROOT, Mistake, check

SOURCES = ROOT / "Sources"
PROXY = "deploy/fleet/haproxy.cfg"
Edges = set[tuple[str, str]]

# Who may ask a role besides other roles, each for one port.
OUTSIDERS = {"test"}


def source(name: str) -> str:
    return (SOURCES / name).read_text()


def calls() -> tuple[Edges, Edges]:
    """From the sources: whom each role calls by its contracts, and whom it asks only how they are.

    `Composition` makes a remote client for each role that is not here, and gives it to the services that use it.
    """
    composition, serve = source("souk/Composition.swift"), source("souk/Serve.swift")
    clients = dict(re.findall(r"(\w+) = Remote\w+\(peers\[\.(\w+)\]", composition))
    clients |= dict(re.findall(r"(\w+) = services\.deadLetters\(\.(\w+),", composition))
    blocks = dict(re.findall(r"^ {8}if roles\.contains\(\.(\w+)\) \{\n(.*?)^ {8}\}", composition, re.M | re.S))
    pages = re.search(r"Storefront\.Services\((.*?)\),\n", serve, re.S)
    assert pages
    assert "auth.caller(accessToken: bearer)" in serve, "Serve.swift: expected that each server knows callers by Auth"
    blocks["storefront"] = pages[1]
    edges = {
        (role, clients[argument])
        for role, block in blocks.items()
        for argument in re.findall(r"\w+: (\w+)\b", block)
        if argument in clients
    }
    edges |= {(role, "auth") for role in binary.roles()}
    survey = source("souk/Survey.swift")
    assert "grouping: peers.all" in survey, "Survey.swift: expected that the topology asks all peers"
    asked = {("storefront", role) for role in binary.roles()}
    own = {(role, role) for role in binary.roles()}
    return edges - own, asked - own - edges


def uses() -> dict[str, set[str]]:
    """From the sources: which roles reach which server."""
    survey = source("souk/Survey.swift")
    objects = re.search(r"isDisjoint\(with: \[([^]]+)\]\) \{\n\s+part\(\"SOUK_OBJECTS\"", survey)
    stores = re.search(r"case (products, .*)", source("souk/Databases.swift"))
    assert objects
    assert stores
    return {
        "database": set(stores[1].split(", ")),
        "redis": set(binary.roles()),
        "objects": {name.strip(" .") for name in objects[1].split(",")},
        "smtp": {"notifications"},
    }


@check
def sources_agree(_root: Path) -> list[str]:
    """Peers that a process insists on are those that its services call."""
    text = source("souk/ShopRole.swift")
    told = {
        (role, peer)
        for names, peers in re.findall(r"case ([.\w, ]+): \[([.\w, ]+)\]", text)
        for role in names.replace(".", "").split(", ")
        for peer in peers.replace(".", "").split(", ")
    }
    called, _ = calls()
    return [f"Sources/souk/ShopRole.swift: {a} → {b}, but its services do not call it" for a, b in told - called] + [
        f"Sources/souk/ShopRole.swift: lacks {a} → {b}, which its services call" for a, b in called - told
    ]


def peers_of(rule: dict, side: str) -> Iterator[str]:
    """The components that a rule of a policy names; anything else by what it is."""
    for peer in rule.get(side) or [{"everybody": True}]:
        labels = peer.get("podSelector", {}).get("matchLabels", {})
        if set(peer) == {"podSelector"} and "app.kubernetes.io/component" in labels:
            yield labels["app.kubernetes.io/component"]
        else:
            yield ""


def policies(items: Objects) -> dict[str, dict]:
    """By component; that without one is for all."""
    return {
        policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component", ""): policy["spec"]
        for policy in of(items, "NetworkPolicy")
    }


def allowed(items: Objects, roles: set[str]) -> dict[str, Edges]:
    """The edges between roles, as each kind of object has them."""
    ways: dict[str, Edges] = {"egress of network policies": set(), "ingress of network policies": set()}
    for role, spec in policies(items).items():
        for rule in spec.get("egress", []):
            ways["egress of network policies"] |= {(role, peer) for peer in peers_of(rule, "to")}
        for rule in spec.get("ingress", []):
            ways["ingress of network policies"] |= {(peer, role) for peer in peers_of(rule, "from")}
    ways["SOUK_PEERS"] = set()
    for _, pod in pods(items):
        settings = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0].get("env", [])}
        for peer in filter(None, settings.get("SOUK_PEERS", "").split(",")):
            name, _, url = peer.partition("=")
            host = url.removeprefix("http://souk-").removesuffix(":8080")
            ways["SOUK_PEERS"].add((settings["SOUK_ROLES"], name if name == host else f"{name} at {url}"))
    mesh = of(items, "AuthorizationPolicy")
    if mesh:
        ways["authorization policies"] = {
            (principal.rpartition("/souk-")[2], policy["metadata"]["labels"]["app.kubernetes.io/component"])
            for policy in mesh
            for way in policy["spec"]["rules"][0]["from"]
            for principal in way["source"].get("principals", [])
        }
    return {
        way: {(a, b) for a, b in edges if a in roles and b and (b in roles or way == "SOUK_PEERS")}
        for way, edges in ways.items()
    }


@check
def only_what_is_called(root: Path) -> list[str]:
    called, asked = calls()
    expected = called | asked
    found = []
    for name, items in rendered(root).items():
        for way, edges in allowed(items, set(binary.roles())).items():
            found += [f"{CHART}, {name}: {way} allow {a} → {b}, which does not call it" for a, b in edges - expected]
            found += [f"{CHART}, {name}: {way} lack {a} → {b}, which calls it" for a, b in expected - edges]
    return sorted(found)


@check
def denied_by_default(root: Path) -> list[str]:
    return sorted(f"{CHART}, {name}: {text}" for name, items in rendered(root).items() for text in openings(items))


def openings(items: Objects) -> Iterator[str]:
    specs = policies(items)
    everybody = specs.get("", {})
    if everybody.get("policyTypes") != ["Ingress", "Egress"] or everybody.get("ingress") or everybody.get("egress"):
        yield "NetworkPolicy souk: expected one for all pods that lets nothing in and nothing out"
    for owner, pod in pods(items):
        if component(pod) not in specs:
            yield f"{named(owner)} has no NetworkPolicy of its own"
    reached = uses()
    ports = {5432: "database", 6379: "redis", 80: "objects", 25: "smtp", 465: "smtp", 587: "smtp"}
    for role, spec in specs.items():
        for rule in spec.get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield f"NetworkPolicy souk-{role}: a rule lets everybody in, or to every port"
            for name in peers_of(rule, "from"):
                if name and name not in OUTSIDERS | set(binary.roles()):
                    yield f"NetworkPolicy souk-{role}: lets {name} in, which is no role"
        for rule in spec.get("egress", []):
            numbers = {port["port"] for port in rule.get("ports", [])}
            if not rule.get("to") or not numbers:
                yield f"NetworkPolicy souk-{role}: a rule lets it out to everybody, or to every port"
            for number in numbers & ports.keys():
                if role in binary.roles() and role not in reached[ports[number]]:
                    yield f"NetworkPolicy souk-{role}: lets it out to port {number}, but it uses no {ports[number]}"
        ways = {
            port["protocol"]
            for rule in spec.get("egress", [])
            for port in rule["ports"]
            if port["port"] == 53 and "kube-dns" in str(rule["to"]) and "169.254.20.10/32" in str(rule["to"])
        }
        if role and spec.get("egress") and ways != {"UDP", "TCP"}:
            yield f"NetworkPolicy souk-{role}: expected DNS by UDP and TCP, in kube-system and on the node"
    for server in ("database", "redis"):
        port = next(number for number, name in ports.items() if name == server)
        for role in reached[server]:
            rules = specs.get(role, {}).get("egress", [])
            if port not in {part["port"] for rule in rules for part in rule["ports"]}:
                yield f"NetworkPolicy souk-{role}: does not let it out to its {server}"


@check
def the_edge_knows_each_role(root: Path) -> list[str]:
    """Paths go to the same roles as in the local fleet, and each of the published interface to the one that has it."""
    fleet = {}
    for role, condition in re.findall(r"use_backend (\w+) if (.*)", (root / PROXY).read_text()):
        for base, names in re.findall(r"\^(/\w+)/\(?([\w|-]+)\)?\(/", condition):
            fleet |= {f"{base}/{name}": role for name in names.split("|")}
        fleet |= dict.fromkeys(re.findall(r"{ path (/\S+) }", condition), role)
    found = []
    for name, items in rendered(root).items():
        for edge, routes in edges_of(items):
            where = f"{CHART}, {name}: {edge}"
            own = {path: role for path, role in routes.items() if role in binary.roles() and path != "/"}
            found += [
                f"{where}: {path} goes to {own.get(path)}, in {PROXY} to {fleet.get(path)}"
                for path in sorted(own.keys() | fleet.keys())
                if own.get(path) != fleet.get(path)
            ]
            if routes.get("/") != "storefront":
                found.append(f"{where}: / goes to {routes.get('/')}, expected the storefront")
            for path in binary.paths():
                if not any(path == base or path.startswith(base + "/") for base in own) and path != "/api/topology":
                    found.append(f"{where}: {path} goes to the storefront, which does not have it")
    return found


def edges_of(items: Objects) -> Iterator[tuple[str, dict[str, str]]]:
    """Each way in: paths to roles."""
    for item in of(items, "Ingress"):
        paths = item["spec"]["rules"][0]["http"]["paths"]
        routes = {path["path"]: path["backend"]["service"]["name"].removeprefix("souk-") for path in paths}
        if item["spec"]["ingressClassName"] == "alb" and (routes.get("/internal"), routes.get("/metrics")) != (
            "nothing-here",
            "nothing-here",
        ):
            routes["/internal"] = "everybody"
        yield named(item), routes
    for item in of(items, "HTTPRoute"):
        rules = [rule for rule in item["spec"]["rules"] if rule.get("backendRefs")]
        if rules:
            yield (
                named(item),
                {
                    match["path"]["value"]: rule["backendRefs"][0]["name"].removeprefix("souk-")
                    for rule in rules
                    for match in rule["matches"]
                },
            )


ROLES = f"{CHART}/templates/_roles.tpl"
POLICY = f"{CHART}/templates/_network.tpl"
MISTAKES = [
    Mistake(
        "edge too many",
        only_what_is_called,
        ROLES,
        "calls: [auth, products, payments]",
        "calls: [auth, products, payments, notifications]",
        "allow orders → notifications",
    ),
    Mistake(
        "edge too few",
        only_what_is_called,
        ROLES,
        "calls: [auth, products, payments]",
        "calls: [auth, products]",
        "lack orders → payments",
    ),
    Mistake(
        "policy that lets everybody in",
        denied_by_default,
        POLICY,
        "  ingress:\n",
        "  ingress:\n    - {}\n",
        "lets everybody in",
    ),
    Mistake(
        "DNS by UDP alone",
        denied_by_default,
        POLICY,
        "{protocol: UDP, port: 53}, {protocol: TCP, port: 53}",
        "{protocol: UDP, port: 53}",
        "expected DNS by UDP and TCP",
    ),
    Mistake(
        "storefront at the database",
        denied_by_default,
        ROLES,
        "uses: [redis, objects]",
        "uses: [database, redis, objects]",
        "uses no database",
    ),
    Mistake(
        "path of another role",
        the_edge_knows_each_role,
        ROLES,
        "paths: [/api/payments]",
        "paths: [/api/payment]",
        "/api/payments goes to None",
    ),
]
