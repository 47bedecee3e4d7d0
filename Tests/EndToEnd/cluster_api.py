"""As much of a Kubernetes API server as `kubectl` asks for in the runbook, over the objects of the rendered chart.

It has what the chart has, and what a running cluster makes of it: pods, nodes, a job of each CronJob, a binding of the
load balancer. What is not there is answered with 404, also a namespace that `deploy/cluster` does not make. It restarts
nothing: what is asked of it is kept in `asked`.
"""

import copy
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import yaml
from shop import ROOT

# Kind: plural, whether it is in a namespace, short names.
KINDS = {
    "Pod": ("pods", True, ["po"]),
    "Service": ("services", True, ["svc"]),
    "ConfigMap": ("configmaps", True, ["cm"]),
    "Secret": ("secrets", True, []),
    "ServiceAccount": ("serviceaccounts", True, ["sa"]),
    "Event": ("events", True, ["ev"]),
    "Endpoints": ("endpoints", True, ["ep"]),
    "Node": ("nodes", False, ["no"]),
    "Deployment": ("deployments", True, ["deploy"]),
    "ReplicaSet": ("replicasets", True, ["rs"]),
    "Job": ("jobs", True, []),
    "CronJob": ("cronjobs", True, ["cj"]),
    "HorizontalPodAutoscaler": ("horizontalpodautoscalers", True, ["hpa"]),
    "PodDisruptionBudget": ("poddisruptionbudgets", True, ["pdb"]),
    "NetworkPolicy": ("networkpolicies", True, ["netpol"]),
    "Ingress": ("ingresses", True, ["ing"]),
    "PriorityClass": ("priorityclasses", False, ["pc"]),
    "ServiceMonitor": ("servicemonitors", True, []),
    "SecretProviderClass": ("secretproviderclasses", True, []),
    "TargetGroupBinding": ("targetgroupbindings", True, []),
    "Certificate": ("certificates", True, ["cert"]),
    "NodeClaim": ("nodeclaims", False, []),
}
PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)
# Said by every container, so that what is looked for in a log is found.
LOG = """{"level":"error","message":"recovery failed"}
{"level":"warning","message":"an order is left to recovery","step":"reserve","error":"503: the peer is away"}
{"level":"warning","message":"mail cannot be handed on at the moment"}
{"level":"error","message":"Stripe refuses an authorisation"}
"""
NODE = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False"}


def namespaces() -> set[str]:
    objects = yaml.safe_load_all((ROOT / "deploy/cluster/base/namespaces.yaml").read_text())
    return {each["metadata"]["name"] for each in objects if each and each["kind"] == "Namespace"} | {"kube-system"}


def made(version: str, kind: str, name: str, namespace: str | None = "souk", **rest) -> dict:
    metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "uid": f"{kind}-{name}"}
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata | rest.pop("metadata", {}), **rest}


def pod(owner: dict, template: dict, name: str) -> dict:
    spec = copy.deepcopy(template["spec"]) | {"nodeName": "node-1"}
    containers = [each["name"] for each in spec["containers"]]
    state = {
        "ready": True,
        "restartCount": 1,
        "state": {"running": {}},
        "image": "souk",
        "imageID": "",
        "started": True,
    }
    conditions = [{"type": "Ready", "status": "True"}]
    status = {"phase": "Running", "containerStatuses": [{"name": each, **state} for each in containers]}
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    metadata = {"labels": dict(template["metadata"]["labels"]), "ownerReferences": [reference | {"controller": True}]}
    metadata["ownerReferences"][0]["uid"] = owner["metadata"].get("uid", "")
    return made("v1", "Pod", name, metadata=metadata, spec=spec, status=status | {"conditions": conditions})


def living(chart: list[dict], target_group: str) -> Iterator[dict]:
    """The chart's objects, and what a cluster makes of them."""
    for item in chart:
        item = copy.deepcopy(item)
        name = item["metadata"]["name"]
        item["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        if item["kind"] == "Deployment":
            item["status"] = {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
            item["spec"].setdefault("replicas", 2)
            for number in 1, 2:
                yield pod(item, item["spec"]["template"], f"{name}-{number}")
        if item["kind"] == "CronJob":
            yield from job_of(item, f"{name}-29000000")
        yield item
    for name in "monitoring", "observability":
        yield made("v1", "Pod", f"{name}-0", name, spec={"containers": [{"name": name, "image": name}]}, status={})
    conditions = [{"type": name, "status": value} for name, value in NODE.items()]
    yield made("v1", "Node", "node-1", None, spec={}, status={"conditions": conditions})
    yield made("karpenter.sh/v1", "NodeClaim", "general-1", None, spec={}, status={})
    yield made("cert-manager.io/v1", "Certificate", "souk", spec={"secretName": "souk-tls"}, status={})
    yield made("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "souk", spec={"targetGroupARN": target_group}, status={})


def job_of(cron: dict, name: str) -> Iterator[dict]:
    spec = copy.deepcopy(cron["spec"]["jobTemplate"]["spec"])
    labels = {**spec["template"]["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
    spec |= {"selector": {"matchLabels": {"batch.kubernetes.io/job-name": name}}, "parallelism": 1, "completions": 1}
    spec["template"]["metadata"]["labels"] = labels
    one = made("batch/v1", "Job", name, spec=spec, status={"succeeded": 1})
    yield one
    yield pod(one, spec["template"], f"{name}-x")


class Cluster(ThreadingHTTPServer):
    """Listens on the loopback as long as it is entered."""

    daemon_threads = True

    def __init__(self, chart: list[dict], target_group: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[tuple[str, str | None, str], dict] = {}
        self.versions: dict[str, str] = {"Event": "v1", "Endpoints": "v1", "ReplicaSet": "apps/v1", "Secret": "v1"}
        self.namespaces = namespaces()
        self.asked: list[tuple[str, str]] = []
        for each in living(chart, target_group):
            self.keep(each)

    def __enter__(self) -> "Cluster":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def keep(self, item: dict) -> None:
        plural, is_namespaced, _ = KINDS[item["kind"]]
        self.versions[item["kind"]] = item["apiVersion"]
        namespace = item["metadata"].setdefault("namespace", "souk") if is_namespaced else None
        item["metadata"]["resourceVersion"] = "1"
        self.objects[plural, namespace, item["metadata"]["name"]] = item

    def configuration(self) -> str:
        cluster = {"name": "souk-prod", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
        context = {"name": "souk-prod", "context": {"cluster": "souk-prod", "user": "nobody"}}
        config = {"clusters": [cluster], "users": [{"name": "nobody", "user": {}}], "contexts": [context]}
        return yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "souk-prod"} | config)

    def resources(self, version: str) -> list[dict]:
        verbs = ["get", "list", "create", "patch", "update", "delete", "watch"]
        found = []
        for kind, (plural, is_namespaced, short) in KINDS.items():
            if self.versions.get(kind) == version:
                named = {"name": plural, "singularName": kind.lower(), "namespaced": is_namespaced, "kind": kind}
                found.append({**named, "verbs": verbs, "shortNames": short})
        return found + [
            {"name": name, "namespaced": True, "kind": kind, "verbs": verbs, "group": group, "version": "v1"}
            for name, kind, group, where in (
                ("pods/eviction", "Eviction", "policy", "v1"),
                ("deployments/scale", "Scale", "autoscaling", "apps/v1"),
            )
            if where == version
        ]

    def selected(self, plural: str, namespace: str | None, query: dict[str, list[str]]) -> list[dict]:
        labels = [part.partition("=")[::2] for part in query.get("labelSelector", [""])[0].split(",") if part]
        fields = [part.partition("=")[::2] for part in query.get("fieldSelector", [""])[0].split(",") if part]

        def matches(item: dict) -> bool:
            own = item["metadata"].get("labels", {})
            return all(own.get(name) == value.lstrip("=") for name, value in labels) and all(
                value_at(item, path) == value for path, value in fields
            )

        return [
            item
            for (kind, where, _), item in self.objects.items()
            if kind == plural and namespace in (None, where) and matches(item)
        ]


def value_at(item: dict, path: str) -> object:
    for name in path.split("."):
        item = item.get(name, {}) if isinstance(item, dict) else {}
    return item or ""


def merged(below: object, above: object) -> object:
    """RFC 7396; of a strategic merge it is as much as the runbook's patches need."""
    if not isinstance(above, dict):
        return above
    both = dict(below) if isinstance(below, dict) else {}
    for name, value in above.items():
        both[name] = merged(both.get(name), value)
    return {name: value for name, value in both.items() if value is not None}


def told(data: bytes) -> dict:
    """What was sent: JSON, or the protobuf that kubectl makes things in, of which the names are read."""
    if not data.startswith(b"k8s\0"):
        return json.loads(data or b"{}")
    # Unknown.raw, metadata; there name and ownerReferences.name. Source: k8s.io/apimachinery, generated.proto.
    metadata = dict(fields(dict(fields(dict(fields(data[4:]))[2]))[1]))
    owner = dict(fields(metadata[13]))[3] if 13 in metadata else b""
    return {"metadata": {"name": metadata[1].decode(), "ownerReferences": [{"name": owner.decode()}]}}


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that have a length."""
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while place < len(data):
        tag = number()
        if tag & 7 == 2:
            length = number()
            yield tag >> 3, data[place : place + length]
            place += length
        else:
            assert tag & 7 == 0, "expected numbers and texts only"
            number()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cluster

    def log_message(self, *arguments: object) -> None:
        pass

    def answer(self, body: dict | str, code: int = 200) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, what: str, code: int = 404, reason: str = "NotFound") -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        self.answer({**status, "message": what}, code)

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        body = told(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.server.asked.append((self.command, self.path))
        if (found := self.discovery(parts.path)) is not None:
            self.answer(found)
        elif not (match := PATH.fullmatch(parts.path)):
            self.refuse(f"there is no {parts.path}")
        elif (namespace := match["namespace"]) and namespace not in self.server.namespaces:
            self.refuse(f'namespaces "{namespace}" not found')
        else:
            self.resource(match, parse_qs(parts.query), body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def discovery(self, path: str) -> dict | None:
        versions = set(self.server.versions.values())
        match path.split("/")[1:]:
            case ["version"]:
                return {"major": "1", "minor": "35", "gitVersion": "v1.35.0"}
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                groups = [
                    {"name": one.partition("/")[0], "versions": [named], "preferredVersion": named}
                    for one in sorted(versions - {"v1"})
                    for named in [{"groupVersion": one, "version": one.partition("/")[2]}]
                ]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
            case ["api", version] | ["apis", version] if version in versions:
                pass
            case ["apis", group, number] if f"{group}/{number}" in versions:
                version = f"{group}/{number}"
            case _:
                return None
        return {"kind": "APIResourceList", "groupVersion": version, "resources": self.server.resources(version)}

    def resource(self, match: re.Match, query: dict, body: dict) -> None:
        plural, namespace, name, sub = match["plural"], match["namespace"], match["name"], match["sub"]
        kind = next((kind for kind, (each, *_) in KINDS.items() if each == plural), None)
        version = match["core"] or match["group"]
        if not kind or self.server.versions.get(kind) != version:
            return self.refuse(f"the server doesn't have a resource type {plural} of {version}")
        if not name:
            if self.command == "POST":
                return self.make(kind, body["metadata"])
            items = [] if query.get("watch") else self.server.selected(plural, namespace, query)
            listed = {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "1"}}
            return self.answer("" if query.get("watch") else {**listed, "items": items})
        item = self.server.objects.get((plural, namespace, name))
        if item is None:
            return self.refuse(f'{plural} "{name}" not found')
        return self.one(item, (plural, namespace, name), sub, body)

    def make(self, kind: str, metadata: dict) -> None:
        """A job of a CronJob; the runbook makes nothing else."""
        cron = self.server.objects.get(("cronjobs", "souk", metadata["ownerReferences"][0]["name"]))
        if kind != "Job" or not cron:
            return self.refuse(f"a {kind} of nothing")
        made = list(job_of(cron, metadata["name"]))
        for each in made:
            self.server.keep(each)
        self.answer(made[0], 201)

    def one(self, item: dict, key: tuple, sub: str | None, body: dict) -> None:
        match sub, self.command:
            case "log", "GET":
                self.answer(LOG)
            case (("exec" | "portforward"), _):
                # The stream itself is not spoken here: that it was asked for is in `asked`.
                self.refuse("no streams here", 403, "Forbidden")
            case "eviction", "POST":
                del self.server.objects[key]
                self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"}, 201)
            case "scale", _:
                if self.command != "GET":
                    item["spec"]["replicas"] = body["spec"]["replicas"]
                spec = {"replicas": item["spec"].get("replicas", 2)}
                self.answer(made("autoscaling/v1", "Scale", key[2], spec=spec, status={"replicas": 2}))
            case None, ("PATCH" | "PUT"):
                self.server.keep(changed := merged(item, body))
                self.answer(changed)
            case None, "DELETE":
                del self.server.objects[key]
                self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})
            case None, "GET":
                self.answer(item)
            case _:
                self.refuse(f"there is no {sub} of it")
