"""deploy/argocd: what each cluster is made of, in which order, from where, and what may come from there."""

import json
import re
from pathlib import Path

import yaml
from argocd import FOLDER, applications, each, folder, platform, shop
from manifests import ENVIRONMENTS, Manifest, invalid_custom, read

from checks import ROOT, Mistake, check

SHOP = "deploy/helm/souk"

WAVE = "argocd.argoproj.io/sync-wave"
# Exactly one version of a chart.
VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+")
# Who makes the kinds of a group.
MAKERS = {"karpenter.k8s.aws": "karpenter", "karpenter.sh": "karpenter", "policies.kyverno.io": "kyverno"}
# What an add-on needs whose values say so, and what they say.
NEEDS = {
    "prometheus-operator-crds": r'"(pod|service)monitor": {"enabled": true',
    "cert-manager": r'"(certmanager|enablecertmanager)": ({"enabled": )?true',
    "cluster": r'"storageclassname":',
    "kube-prometheus-stack": r"kube-prometheus-stack-prometheus",
    "karpenter-crd": r'"skipcrds": true',
    "secrets-store-csi-driver": r'"secrets-store-csi-driver": {"install": false}',
}
# In an add-on's values, the name of what configures it.
CONFIGURED_BY = r'"(?:existingName|existingConfigMap|configSecret)": "([a-z-]+)"'
EXPORTERS = "deploy/observability/exporters.yaml"
# Those that are add-ons of their own; kube-prometheus-stack brings the others along.
EXPORTED_BY = {
    "cert-manager": "cert-manager",
    "yet-another-cloudwatch-exporter": "prometheus-yet-another-cloudwatch-exporter",
}
# They run before there are nodes without a taint.
SYSTEM_TOLERATION = {"key": "CriticalAddonsOnly", "operator": "Exists"}


@check
def schemas(root: Path) -> list[str]:
    """Applications and projects are what Argo CD knows, and the nodes, as patched for each environment, Karpenter."""
    found = [error for manifests in platform(root).values() for error in invalid_custom(manifests)]
    for environment in ENVIRONMENTS:
        nodes = applications(root, environment)["nodes"]
        manifests = folder(root, nodes.object["spec"]["source"])
        found += invalid_custom(manifests)
        said = json.dumps([manifest.object for manifest in manifests])
        others = [name for name in ENVIRONMENTS if name != environment and f"souk-{name}" in said]
        if others or f'"Environment": "{environment}"' not in said:
            found.append(f"{nodes} in {environment}: its nodes have names of {others or 'no environment'}")
    return found


def sources(root: Path) -> list[str]:
    """Charts at one version, folders and files of values that are there, and no values for what is not deployed."""
    found = []
    for environment, _, application in each(root):
        source = application.object["spec"]["source"]
        if "chart" in source:
            if not VERSION.fullmatch(str(source["targetRevision"])):
                found.append(f"{application}: version {source['targetRevision']!r}, expected one exact version")
            continue
        path = root / source["path"]
        if not path.is_dir():
            found.append(f"{application}: there is no folder {source['path']}")
        for file in source.get("helm", {}).get("valueFiles", []):
            if not (path / file).exists():
                found.append(f"{application} in {environment}: there is no file {source['path']}/{file}")
    values = yaml.safe_load((root / FOLDER / "values.yaml").read_text())
    for file in (root / FOLDER / "addons").iterdir():
        if file.stem not in values["addons"]:
            found.append(f"{FOLDER}/addons/{file.name}: values.yaml has no add-on {file.stem}")
    return found


def projects(root: Path) -> list[str]:
    """Each Application keeps to what its project lets it: sources, namespaces, and kinds of the whole cluster."""
    namespaces = {m.name for m in read(root, "deploy/cluster/base/namespaces.yaml")}
    found = []
    for environment, manifests in platform(root).items():
        known = {m.name: m.object["spec"] for m in manifests if m.kind == "AppProject"}
        for application in applications(root, environment).values():
            spec = application.object["spec"]
            project = known.get(spec["project"])
            if project is None:
                found.append(f"{application}: there is no project {spec['project']}")
                continue
            if spec["source"]["repoURL"] not in project["sourceRepos"]:
                found.append(f"{application}: project {spec['project']} has no source {spec['source']['repoURL']}")
            if spec["destination"] not in project["destinations"]:
                found.append(f"{application}: project {spec['project']} has no destination {spec['destination']}")
            if spec["destination"]["namespace"] not in namespaces:
                found.append(f"{application}: deploy/cluster has no namespace {spec['destination']['namespace']}")
            if "path" in spec["source"] and application.name not in ("souk", "souk-platform"):
                found += outside(application, folder(root, spec["source"]), project)
    return sorted(set(found))


def outside(application: Manifest, manifests: list[Manifest], project: dict) -> list[str]:
    """Of what it makes, what its project does not let it make."""
    allowed = {(entry["group"], entry["kind"]) for entry in project.get("clusterResourceWhitelist", [])}
    destinations = {entry["namespace"] for entry in project["destinations"]}
    found = []
    for manifest in manifests:
        if manifest.namespace or manifest.kind in ("ConfigMap", "Secret", "PrometheusRule"):
            if manifest.namespace and manifest.namespace not in destinations:
                found.append(f"{application}: its project has no destination for {manifest}")
        elif not {(manifest.group, manifest.kind), (manifest.group, "*")} & allowed:
            found.append(f"{application}: its project lets it make no {manifest.kind} of {manifest.group}")
    return found


def waves(root: Path) -> list[str]:
    """What makes kinds, nodes or certificates comes in a wave before what needs them; the shop comes last."""
    found = []
    for environment, all_of_it, application in each(root):
        if application.name == "souk-platform":
            continue
        wave = {name: int(a.object["metadata"].get("annotations", {}).get(WAVE, 0)) for name, a in all_of_it.items()}
        source = application.object["spec"]["source"]
        helm = source.get("helm", {})
        said = json.dumps(helm).lower()
        needed = {maker for maker, words in NEEDS.items() if re.search(words, said)}
        if "path" in source and application.name != "souk":
            needed |= {MAKERS[m.group] for m in folder(root, source) if m.group in MAKERS}
        if application.name == "souk":
            needed = set(wave)
        for maker in needed - {application.name}:
            if wave[maker] >= wave[application.name]:
                found.append(f"{application} in {environment}: wave {wave[application.name]}, expected after {maker}")
        has_pods = "chart" in source and not application.name.endswith(("-crd", "-crds"))
        if has_pods and wave[application.name] <= wave["nodes"]:
            values = helm["valuesObject"]
            tolerated = values.get("tolerations") or values.get("global", {}).get("tolerations", [])
            if SYSTEM_TOLERATION not in tolerated:
                found.append(f"{application}: is there before other nodes are, and does not tolerate the system nodes")
        found += unconfigured(root, application, all_of_it, wave)
    return sorted(set(found))


def unconfigured(root: Path, addon: Manifest, all_of_it: dict[str, Manifest], wave: dict[str, int]) -> list[str]:
    """What an add-on's values say that it is configured with, and nothing makes in its namespace before it comes."""
    said = addon.object["spec"]["source"]
    names = re.findall(CONFIGURED_BY, json.dumps(said))
    values = said.get("helm", {}).get("valuesObject", {})
    if values.get("configMap", {}).get("enabled") is False:
        # Then the chart takes the one of its own name.
        names.append(values["fullnameOverride"])
    if not names:
        return []
    namespace = addon.object["spec"]["destination"]["namespace"]
    folders = {a.name: a.object["spec"] for a in all_of_it.values() if "path" in a.object["spec"]["source"]}
    made = {
        (manifest.namespace or spec["destination"]["namespace"], manifest.name)
        for name, spec in folders.items()
        if name not in ("souk", "souk-platform") and wave[name] < wave[addon.name]
        for manifest in folder(root, spec["source"])
    }
    return [
        f"{addon}: is configured by {name}, which nothing makes in {namespace} before it"
        for name in names
        if (namespace, name) not in made
    ]


def watchers(root: Path) -> list[str]:
    """Who makes the metrics that are asked of exporters runs in every environment, and Prometheus is told of it."""
    found = []
    exporters = {entry["exporter"] for entry in yaml.safe_load((root / EXPORTERS).read_text())}
    for exporter in exporters & EXPORTED_BY.keys():
        addon = EXPORTED_BY[exporter]
        for environment in ENVIRONMENTS:
            application = applications(root, environment).get(addon)
            values = application and application.object["spec"]["source"]["helm"]["valuesObject"]
            if not (values and '"servicemonitor": {"enabled": true' in json.dumps(values).lower()):
                found.append(f"{FOLDER} in {environment}: no {addon} that Prometheus asks, but {EXPORTERS} needs it")
    return found


@check
def the_platform(root: Path) -> list[str]:
    """One check, so that the chart is rendered once."""
    return [*sources(root), *projects(root), *waves(root), *watchers(root)]


@check
def metrics(root: Path) -> list[str]:
    """Prometheus Adapter makes metrics of what Souk exports."""
    exported = {
        label
        for file in (ROOT / "Sources").rglob("*.swift")
        for label in re.findall(r'label: "(souk_[a-z0-9_]+)"', file.read_text())
    }
    found = []
    adapter = read_values(root, "prometheus-adapter")["rules"]["custom"]
    for rule in adapter:
        series = rule["seriesQuery"].partition("{")[0]
        if series.removesuffix("_bucket") not in exported:
            found.append(f"{FOLDER}/addons/prometheus-adapter.yaml: Souk exports no {series}")
        if not re.fullmatch(rule["name"]["matches"], series):
            found.append(f"{FOLDER}/addons/prometheus-adapter.yaml: {rule['name']['matches']} does not match {series}")
    return found


def read_values(root: Path, addon: str) -> dict:
    """As they are in prod."""
    return applications(root, "prod")[addon].object["spec"]["source"]["helm"]["valuesObject"]


def found_at(value: object, key: str) -> list:
    """All that stands in lists under this key, however deep."""
    if isinstance(value, list):
        return [found for item in value for found in found_at(item, key)]
    if not isinstance(value, dict):
        return []
    return [*value.get(key, []), *(found for item in value.values() for found in found_at(item, key))]


@check
def the_shop(root: Path) -> list[str]:
    """What the shop asks of the add-ons is there: metrics, a collector, labels of nodes, secrets."""
    made = {f"{rule['name']['as']}" for rule in read_values(root, "prometheus-adapter")["rules"]["custom"]}
    collector = read_values(root, "opentelemetry-collector")["fullnameOverride"]
    namespace = applications(root, "prod")["opentelemetry-collector"].object["spec"]["destination"]["namespace"]
    taints = {
        taint["key"]
        for manifest in read(root, "deploy/cluster/nodes/*.yaml")
        if manifest.kind == "NodePool"
        for taint in manifest.object["spec"]["template"]["spec"].get("taints", [])
    }
    found = []
    for environment, manifests in shop(root).items():
        for manifest in manifests:
            where = f"{manifest} in {environment}"
            said = json.dumps(manifest.object)
            if manifest.kind == "HorizontalPodAutoscaler":
                asked = {m["pods"]["metric"]["name"] for m in manifest.object["spec"]["metrics"] if m["type"] == "Pods"}
                found += [f"{where}: Prometheus Adapter makes no {name}" for name in sorted(asked - made)]
            for host in re.findall(r"http://([a-z0-9.-]+):4318", said):
                if host != f"{collector}.{namespace}":
                    found.append(f"{where}: spans go to {host}, but the collector is {collector}.{namespace}")
            for toleration in found_at(manifest.object, "tolerations"):
                if toleration["key"] not in taints:
                    found.append(f"{where}: no node has the taint {toleration['key']}")
        said = json.dumps([m.object for m in manifests if m.kind in ("Deployment", "Rollout")])
        found += [f"{SHOP} in {environment}: nobody bears the taint {taint}" for taint in taints if taint not in said]
    return sorted(set(found))


MISTAKES = [
    Mistake(
        "chart of no certain version",
        the_platform,
        f"{FOLDER}/values.yaml",
        "version: 1.6.0",
        "version: 1.6.x",
        "version '1.6.x', expected one exact version",
    ),
    Mistake(
        "ServiceMonitors before their kind",
        the_platform,
        f"{FOLDER}/values.yaml",
        "prometheus-operator-crds:\n    {wave: 2",
        "prometheus-operator-crds:\n    {wave: 7",
        "expected after prometheus-operator-crds",
    ),
    Mistake(
        "add-on in a namespace that nobody made",
        the_platform,
        f"{FOLDER}/values.yaml",
        "namespace: velero",
        "namespace: backups",
        "has no namespace backups",
    ),
    Mistake(
        "Karpenter where no node lets it be",
        the_platform,
        f"{FOLDER}/addons/karpenter.yaml",
        "CriticalAddonsOnly",
        "NoSuchTaint",
        "does not tolerate the system nodes",
    ),
    Mistake(
        "prod's nodes in every environment",
        schemas,
        f"{FOLDER}/addons/nodes.yaml",
        "value: souk-{{ .Values.environment }}-node",
        "value: souk-prod-node",
        "its nodes have names of ['prod']",
    ),
    Mistake(
        "unknown field of an Application",
        schemas,
        f"{FOLDER}/templates/addons.yaml",
        "syncOptions:",
        "syncOption:",
        "syncOption",
    ),
    Mistake(
        "exporter that nobody asks",
        the_platform,
        f"{FOLDER}/addons/prometheus-yet-another-cloudwatch-exporter.yaml",
        "serviceMonitor: {enabled: true}",
        "serviceMonitor: {enabled: false}",
        "no prometheus-yet-another-cloudwatch-exporter that Prometheus asks",
    ),
    Mistake(
        "exporter without what to ask for",
        the_platform,
        "deploy/observability/kustomization.yaml",
        "{name: cloudwatch-exporter, namespace: monitoring",
        "{name: cloudwatch-exporter, namespace: observability",
        "is configured by cloudwatch-exporter, which nothing makes in monitoring",
    ),
    Mistake(
        "nodes for nobody",
        the_shop,
        "deploy/cluster/nodes/spot.yaml",
        "key: souk/spot",
        "key: souk/cheap",
        "nobody bears the taint souk/cheap",
    ),
    Mistake(
        "adapter for a metric that is not exported",
        metrics,
        f"{FOLDER}/addons/prometheus-adapter.yaml",
        "'souk_http_requests_total{",
        "'souk_requests_total{",
        "Souk exports no souk_requests_total",
    ),
]
