"""What must fit together among the objects of one roll-out, which no schema sees."""

import re
from collections.abc import Iterator

from helm.rendering import Objects, component, containers, named, of, pods

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
FACTORS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    unit: float(1 << 10 * power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)
}


def all_of_them(objects: Objects) -> Iterator[str]:
    for check in (names, references, selectors, keys, resources, security, probes, replicas, spread, hooks):
        yield from check(objects)
    for check in (upgrades, servers):
        yield from check(objects)


def names(objects: Objects) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for item in objects:
        name = item["metadata"]["name"]
        if not LABEL.fullmatch(name):
            yield f"{named(item)}: expected a DNS label of RFC 1123, of 63 characters at most"
        if (item["kind"], name) in seen:
            yield f"{named(item)} is there twice"
        seen.add((item["kind"], name))


def references(objects: Objects) -> Iterator[str]:
    """That what a pod names is there. What the user brings, the Secret `souk`, is not this chart's."""
    there = {(item["kind"], item["metadata"]["name"]) for item in objects} | {("Secret", "souk")}
    for owner, pod in pods(objects):
        spec = pod["spec"]
        wanted = [("PriorityClass", spec.get("priorityClassName")), ("ServiceAccount", spec.get("serviceAccountName"))]
        for container in containers(pod):
            wanted += [("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])]
        for volume in spec.get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                wanted.append(("Secret", source["secret"]["name"]))
            if "csi" in volume:
                wanted.append(("SecretProviderClass", volume["csi"]["volumeAttributes"]["secretProviderClass"]))
        for kind, name in wanted:
            if name and (kind, name) not in there:
                yield f"{named(owner)}: there is no {kind} {name}"


def selectors(objects: Objects) -> Iterator[str]:
    """That what selects pods finds some of its own component, and no selector is empty."""
    labels = [pod["metadata"].get("labels", {}) for _, pod in pods(objects)]
    for item in of(objects, "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "Rollout", "StatefulSet"):
        spec = item["spec"]
        wanted = spec.get("podSelector") or spec["selector"]
        wanted = wanted.get("matchLabels", wanted)
        hits = [found for found in labels if wanted.items() <= found.items()]
        if not wanted or not hits:
            yield f"{named(item)}: its selector {wanted} finds no pod"
        own = item["metadata"]["labels"].get("app.kubernetes.io/component")
        if own and any(hit["app.kubernetes.io/component"] != own for hit in hits):
            yield f"{named(item)}: its selector {wanted} finds pods of another component"
        if item["kind"] in ("Deployment", "Rollout", "StatefulSet"):
            own = spec["template"]["metadata"]["labels"]
            if not wanted.items() <= own.items():
                yield f"{named(item)}: its selector {wanted} does not find its own pods {own}"
    for item in of(objects, "Service"):
        ports = {
            port["name"]
            for _, pod in pods(objects)
            if item["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            for container in containers(pod)
            for port in container.get("ports", [])
        }
        for port in item["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{named(item)}: its pods have no port {port['targetPort']}"


def keys(objects: Objects) -> Iterator[str]:
    """What a server-side apply merges by its key, as Helm 4 does it, is there once: it refuses what is there twice."""
    for owner, pod in pods(objects):
        lists = {"volumes": [volume["name"] for volume in pod["spec"].get("volumes", [])]}
        for container in containers(pod):
            where = f"container {container['name']}"
            lists[f"{where}: env"] = [entry["name"] for entry in container.get("env", [])]
            lists[f"{where}: volumeMounts"] = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            lists[f"{where}: ports"] = [port["containerPort"] for port in container.get("ports", [])]
        for where, values in lists.items():
            for twice in sorted({value for value in values if values.count(value) > 1}):
                yield f"{named(owner)}, {where}: {twice} is there twice"


def quantity(text: str | int) -> float | None:
    found = QUANTITY.fullmatch(str(text))
    return float(found[1]) * FACTORS[found[2] or ""] if found else None


def resources(objects: Objects) -> Iterator[str]:
    for owner, pod in pods(objects):
        for container in containers(pod):
            where = f"{named(owner)}, container {container['name']}"
            given = container.get("resources", {})
            for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if name not in (given.get(kind) or {}):
                    yield f"{where}: expected resources.{kind}.{name}, there is none"
            values = {
                (kind, name): quantity(text) for kind, part in given.items() for name, text in (part or {}).items()
            }
            for (kind, name), value in values.items():
                if value is None:
                    yield f"{where}: resources.{kind}.{name} is '{given[kind][name]}', expected a quantity"
                limit = values.get(("limits", name))
                if kind == "requests" and value and limit and value > limit:
                    yield f"{where}: more {name} is requested ({given[kind][name]}) than its limit"


def security(objects: Objects) -> Iterator[str]:
    """Pod Security `restricted`, and what goes beyond it: a read-only root, no token, an image that stays the same."""
    for owner, pod in pods(objects):
        spec, where = pod["spec"], named(owner)
        context = spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{where}: expected runAsNonRoot and the seccomp profile RuntimeDefault"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{where}: expected automountServiceAccountToken: false"
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                yield f"{where}: {field} is set, expected no part in the node's own"
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        if not kinds <= {"emptyDir", "projected", "csi", "secret"}:
            yield f"{where}: has volumes {sorted(kinds)}, expected emptyDir, projected, csi or secret"
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for container in containers(pod):
            if container.get("securityContext") != expected:
                yield f"{where}, container {container['name']}: expected the securityContext {expected}, no privileged"
            tag = container["image"].rpartition("/")[2]
            if ":" not in tag or tag.endswith(":latest"):
                yield f"{where}: the image is {container['image']}, expected a digest or a tag other than latest"


def probes(objects: Objects) -> Iterator[str]:
    for owner in of(objects, "Deployment", "Rollout"):
        for container in owner["spec"]["template"]["spec"]["containers"]:
            paths = {
                name: container.get(name, {}).get("httpGet", {}).get("path")
                for name in ("startupProbe", "readinessProbe", "livenessProbe")
            }
            if paths != {"startupProbe": "/health", "readinessProbe": "/ready", "livenessProbe": "/health"}:
                yield f"{named(owner)}: the probes ask for {paths}, expected /health, /ready and /health"
            if not container.get("readinessProbe", {}).get("initialDelaySeconds"):
                yield f"{named(owner)}: is ready before network policies know its address, expected initialDelaySeconds"


def replicas(objects: Objects) -> Iterator[str]:
    """One owner of each number: the autoscaler, or the chart; and a budget that lets nodes be drained."""
    workloads = {(item["kind"], item["metadata"]["name"]): item for item in of(objects, "Deployment", "Rollout")}
    owned = set()
    for scaler in of(objects, "HorizontalPodAutoscaler", "VerticalPodAutoscaler"):
        target = scaler["spec"].get("scaleTargetRef") or scaler["spec"]["targetRef"]
        key = (target["kind"], target["name"])
        if key not in workloads or workloads[key]["apiVersion"] != target["apiVersion"]:
            yield f"{named(scaler)}: its target {' '.join(key)} is not there"
        if scaler["kind"] == "HorizontalPodAutoscaler":
            owned.add(key)
            if scaler["spec"]["minReplicas"] > scaler["spec"]["maxReplicas"]:
                yield f"{named(scaler)}: minReplicas is above maxReplicas"
    for key, item in workloads.items():
        if ("replicas" in item["spec"]) == (key in owned):
            yield f"{' '.join(key)}: expected replicas where no autoscaler owns them, and only there"
        if not [budget for budget in of(objects, "PodDisruptionBudget") if budget["metadata"]["name"] == key[1]]:
            yield f"{' '.join(key)} has no PodDisruptionBudget"
    for budget in of(objects, "PodDisruptionBudget"):
        if budget["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{named(budget)}: expected unhealthyPodEvictionPolicy: AlwaysAllow"


def spread(objects: Objects) -> Iterator[str]:
    for item in of(objects, "Deployment", "Rollout"):
        for rule in item["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            expected = "rollouts-pod-template-hash" if item["kind"] == "Rollout" else "pod-template-hash"
            if rule.get("matchLabelKeys") != [expected]:
                yield f"{named(item)}: expected matchLabelKeys [{expected}], by which its releases are told apart"
            if "minDomains" in rule and rule["whenUnsatisfiable"] != "DoNotSchedule":
                yield f"{named(item)}: minDomains is only for whenUnsatisfiable: DoNotSchedule"


def hooks(objects: Objects) -> Iterator[str]:
    """That what a job before an installation needs is there by then: hooks of a lower weight, or the user's."""

    def weight(item: dict) -> int | None:
        notes = item["metadata"].get("annotations", {})
        return int(notes.get("helm.sh/hook-weight", 0)) if "pre-install" in notes.get("helm.sh/hook", "") else None

    for job in of(objects, "Job"):
        own = weight(job)
        if own is None:
            continue
        before = [item for item in objects if (other := weight(item)) is not None and other < own]
        yield from references([*before, job])
        policies = [item["spec"]["podSelector"]["matchLabels"] for item in of(before, "NetworkPolicy")]
        mine = {"app.kubernetes.io/component": component(job["spec"]["template"])}
        if of(objects, "NetworkPolicy") and not any(mine.items() <= labels.items() for labels in policies):
            yield f"{named(job)}: no NetworkPolicy is there before it, expected one that lets it out"


def upgrades(objects: Objects) -> Iterator[str]:
    """That the next release takes the place of this one, and of nothing else: of no server, and of no other role."""
    for item in of(objects, "StatefulSet"):
        if version := item["spec"]["template"]["metadata"]["labels"].get("app.kubernetes.io/version"):
            yield f"{named(item)}: its pods have the label version {version}, so that the next one restarts it"
    for item in of(objects, "PriorityClass"):
        if item.get("preemptionPolicy") != "Never":
            yield f"{named(item)}: expected preemptionPolicy: Never, or the pods of a roll-out throw others out"
    for item in of(objects, "Deployment", "Rollout", "StatefulSet"):
        selector = item["spec"]["selector"]["matchLabels"]
        if changing := selector.keys() & {"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}:
            yield f"{named(item)}: its selector has {', '.join(sorted(changing))}, but no upgrade may change it"


def servers(objects: Objects) -> Iterator[str]:
    """Servers that come with the chart are waited for, and take their volumes along, which only they can open."""
    stateful = of(objects, "StatefulSet")
    for item in stateful:
        if item["spec"].get("persistentVolumeClaimRetentionPolicy", {}).get("whenDeleted") != "Delete":
            yield f"{named(item)}: its volume outlives its password, expected whenDeleted: Delete"
    for owner, pod in pods(objects) if stateful else []:
        reads = [entry["name"] for entry in pod["spec"]["containers"][0].get("env", [])]
        first = [container["name"] for container in pod["spec"].get("initContainers", [])]
        if owner["kind"] != "CronJob" and "SOUK_DATABASE_FILE" in reads and first != ["wait", "migrate"]:
            yield f"{named(owner)}: begins with {first}, expected to wait for PostgreSQL and to migrate"
