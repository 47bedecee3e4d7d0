"""Renders a chart with Helm's own engine, for which there is no call that only renders.

    HELM_DRIVER=memory render.py CHART <<< '{"prod": {"files": ["values-prod.yaml"], "values": {"host": "a.example"}}}'

Prints for each name the text that each template gives, hooks, tests and notes too, or the error; and what lint says.

The chart is installed, but as one object: a copy of it has its templates as partials, and one template more, a
ConfigMap with the text of each. So a cluster is enough that takes that one object, and nothing has to be waited for.
Runs with the Python of .venv/environments/helm; HELM_DRIVER has to be there from the start.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import helm_sdkpy
import yaml

RELEASE = NAMESPACE = "souk"


class Handler(BaseHTTPRequestHandler):
    """As much of a Kubernetes API server as takes a ConfigMap, and has nothing when it is looked for."""

    protocol_version = "HTTP/1.1"
    server: "Cluster"

    def log_message(self, *arguments: object) -> None:
        pass

    def answer(self, body: dict | None, code: int = 200) -> None:
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        data = json.dumps(body or missing).encode()
        self.send_response(code if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        kinds = [("configmaps", "ConfigMap"), ("secrets", "Secret")]
        resources = [{"name": name, "namespaced": True, "kind": kind, "verbs": ["create"]} for name, kind in kinds]
        known = {
            "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources},
        }
        self.answer(known.get(self.path.split("?")[0]))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.created.append(body)
        self.answer(body, 201)


class Cluster(ThreadingHTTPServer):
    """Listens on the loopback as long as it is entered; `created` has what was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.created: list[dict] = []

    def __enter__(self) -> "Cluster":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def kubeconfig(self) -> str:
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
        config = {"clusters": [cluster], "users": [{"name": "c", "user": {}}], "contexts": [context]}
        return yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "c"} | config)


def as_one_object(chart: Path, folder: Path) -> Path:
    copy = folder / "chart"
    shutil.copytree(chart, copy)
    templates = copy / "templates"
    name = yaml.safe_load((chart / "Chart.yaml").read_text())["name"]
    all_of_it = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata:\n"
    files = [file for file in sorted(templates.rglob("*.*")) if not file.name.startswith("_")]
    for file in files:
        partial = file.with_name("_" + file.name)
        file.rename(partial)
        place = partial.relative_to(copy)
        all_of_it += f'  {file.name}: {{{{ include "{name}/{place}" . | toJson }}}}\n'
    # A template that includes another one as a whole finds it under its new name.
    for file in templates.rglob("_*"):
        file.write_text(file.read_text().replace('.BasePath "/', '.BasePath "/_'))
    (templates / "all.yaml").write_text(all_of_it)
    return copy


def merged(below: dict, above: dict) -> dict:
    """As Helm does it: maps are merged, all else is replaced."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return both


def render(chart: Path, files: list[str], values: dict) -> dict:
    for file in reversed(files):
        values = merged(yaml.safe_load((chart / file).read_text()) or {}, values)
    with Cluster() as cluster, helm_sdkpy.Configuration(namespace=NAMESPACE, kubeconfig=cluster.kubeconfig) as helm:
        try:
            asyncio.run(helm_sdkpy.Install(helm).run(RELEASE, str(chart), values=values, wait=False, timeout=20))
        except helm_sdkpy.HelmError as error:
            return {"error": str(error)}
        return {"files": cluster.created[0]["data"]}


def lint(chart: Path) -> int:
    """The worst that it found: 0 nothing, 1 a note, 2 a warning, 3 an error."""
    with Cluster() as cluster, helm_sdkpy.Configuration(namespace=NAMESPACE, kubeconfig=cluster.kubeconfig) as helm:
        found = asyncio.run(helm_sdkpy.Lint(helm).run(str(chart)))
    return max([message["Severity"] for message in found.get("Messages") or []], default=0)


def main() -> None:
    chart = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        copy = as_one_object(chart, Path(folder))
        rendered = {name: render(copy, **what) for name, what in json.load(sys.stdin).items()}
    json.dump({"lint": lint(chart), "rendered": rendered}, sys.stdout)


main()
