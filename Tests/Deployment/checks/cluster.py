"""deploy/cluster: namespaces with their bounds, what people may do, nodes."""

from pathlib import Path

from manifests import Manifest, bytes_of, invalid, invalid_custom, read

from checks import Mistake, check

BASE, NODES = "deploy/cluster/base", "deploy/cluster/nodes"
GROUPS = {"souk:admins", "souk:operators", "souk:developers", "souk:readers", "souk:deployers"}
# Of Kubernetes itself, and without a wildcard in them but for the first.
BUILT_IN = {"cluster-admin", "view"}
# Whoever has one of these has what is behind it, too.
FORBIDDEN = {"secrets", "pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token", "nodes/proxy"}
# Seven roles, each at the most that the policy `replicas` lets it have and one more while pods are replaced, with a
# release beside the old one, as blue-green starts it.
PODS = 7 * (10 + 1) * 2


def base(root: Path, kind: str) -> list[Manifest]:
    return [manifest for manifest in read(root, f"{BASE}/*.yaml") if manifest.kind == kind]


@check
def schemas(root: Path) -> list[str]:
    return invalid(read(root, f"{BASE}/*.yaml"))


@check
def bounds(root: Path) -> list[str]:
    """Every namespace has a level of Pod Security, a quota, and what a container gets that says nothing."""
    namespaces = {m.name: m.object["metadata"]["labels"] for m in base(root, "Namespace")}
    quotas = {m.namespace: m.object["spec"]["hard"] for m in base(root, "ResourceQuota")}
    limits = {m.namespace: m.object["spec"]["limits"] for m in base(root, "LimitRange")}
    found = [f"{BASE}/quotas.yaml: there is no namespace {name}" for name in quotas.keys() - namespaces.keys()]
    found += [f"{BASE}/limits.yaml: there is no namespace {name}" for name in limits.keys() - namespaces.keys()]
    for name, labels in namespaces.items():
        if labels.get("pod-security.kubernetes.io/enforce") not in ("restricted", "privileged"):
            found.append(f"{BASE}/namespaces.yaml: {name} enforces no level of Pod Security")
        if name == "kube-system":
            continue
        if name not in quotas:
            found.append(f"{BASE}/quotas.yaml: {name} has no ResourceQuota")
        elif "limits.memory" in quotas[name] and name not in limits:
            found.append(f"{BASE}/limits.yaml: {name} has a quota of memory and no LimitRange: it would refuse pods")
    if namespaces["souk"].get("pod-security.kubernetes.io/enforce") != "restricted":
        found.append(f"{BASE}/namespaces.yaml: souk has to enforce restricted")
    return found + fits(quotas["souk"], limits["souk"][0])


def fits(quota: dict, limit: dict) -> list[str]:
    """The shop at its most, with what a role asks for."""
    asked = {
        "pods": 1,
        "requests.cpu": limit["defaultRequest"]["cpu"],
        "requests.memory": limit["defaultRequest"]["memory"],
        "limits.memory": limit["default"]["memory"],
    }
    return [
        f"{BASE}/quotas.yaml: souk may have {quota[name]} of {name}, but {PODS} pods ask for {PODS} times {one}"
        for name, one in asked.items()
        if bytes_of(quota[name]) < PODS * bytes_of(one)
    ]


@check
def people(root: Path) -> list[str]:
    """Nobody but admins has a wildcard or what leads to secrets; each binding names a known role and known groups."""
    roles = {m.name: m for kind in ("Role", "ClusterRole") for m in base(root, kind)}
    found = []
    for role in roles.values():
        for rule in role.object["rules"]:
            words = [word for field in ("apiGroups", "resources", "verbs") for word in rule[field]]
            if any("*" in word for word in words):
                found.append(f"{role}: has a wildcard in {rule}")
            if taken := FORBIDDEN & set(rule["resources"]):
                found.append(f"{role}: gives {', '.join(sorted(taken))}")
            if {"escalate", "bind", "impersonate"} & set(rule["verbs"]):
                found.append(f"{role}: may raise itself: {rule['verbs']}")
    bound = set()
    for binding in base(root, "ClusterRoleBinding") + base(root, "RoleBinding"):
        role, groups = binding.object["roleRef"]["name"], {s["name"] for s in binding.object["subjects"]}
        bound |= groups
        if role not in roles.keys() | BUILT_IN:
            found.append(f"{binding}: there is no role {role}")
        if any(subject["kind"] != "Group" for subject in binding.object["subjects"]) or groups - GROUPS:
            found.append(f"{binding}: binds {sorted(groups)}, expected groups of {sorted(GROUPS)}")
        if role == "cluster-admin" and groups != {"souk:admins"}:
            found.append(f"{binding}: makes {sorted(groups)} admins of the cluster")
    return found + [f"{BASE}/rbac.yaml: nothing is bound to {group}" for group in sorted(GROUPS - bound)]


@check
def node_schemas(root: Path) -> list[str]:
    return invalid_custom(pools(root))


def pools(root: Path) -> list[Manifest]:
    return [m for file in ("nodeclass", "general", "spot") for m in read(root, f"{NODES}/{file}.yaml")]


@check
def nodes(root: Path) -> list[str]:
    """Bottlerocket of one version on Graviton, encrypted, its credentials out of the pods' reach, bounded in number."""
    found = []
    for manifest in pools(root):
        spec = manifest.object["spec"]
        if manifest.kind == "EC2NodeClass":
            (image,) = spec["amiSelectorTerms"]
            metadata = spec["metadataOptions"]
            if not image["alias"].startswith("bottlerocket@v"):
                found.append(f"{manifest}: image {image['alias']}, expected one version of Bottlerocket")
            if metadata["httpTokens"] != "required" or metadata["httpPutResponseHopLimit"] != 1:
                found.append(f"{manifest}: pods reach the node's credentials, expected IMDSv2 within one hop")
            for device in spec["blockDeviceMappings"]:
                if device["ebs"].get("volumeType") != "gp3" or device["ebs"].get("encrypted") is not True:
                    found.append(f"{manifest}: {device['deviceName']} has to be gp3 and encrypted")
            continue
        template = spec["template"]["spec"]
        wanted = {rule["key"]: rule.get("values") for rule in template["requirements"]}
        if wanted.get("kubernetes.io/arch") != ["arm64"]:
            found.append(f"{manifest}: architectures {wanted.get('kubernetes.io/arch')}, expected arm64")
        if not {"cpu", "memory"} <= spec.get("limits", {}).keys():
            found.append(f"{manifest}: has no limits of cpu and memory")
        if "spot" in wanted["karpenter.sh/capacity-type"] and not template.get("taints"):
            found.append(f"{manifest}: spot nodes need a taint, or everything runs there")
    return found


MISTAKES = [
    Mistake(
        "operators with a wildcard",
        people,
        f"{BASE}/rbac.yaml",
        "resources: [pods], verbs: [delete]",
        'resources: ["*"], verbs: [delete]',
        "has a wildcard",
    ),
    Mistake(
        "developers as admins",
        people,
        f"{BASE}/rbac.yaml",
        'name: "souk:admins"}]',
        'name: "souk:developers"}]',
        "admins of the cluster",
    ),
    Mistake("quota too small for a release", bounds, f"{BASE}/quotas.yaml", 'cpu: "36"', 'cpu: "20"', "154 pods"),
    Mistake(
        "namespace without a level",
        bounds,
        f"{BASE}/namespaces.yaml",
        "    pod-security.kubernetes.io/enforce: restricted\n",
        "",
        "souk enforces no level of Pod Security",
    ),
    Mistake(
        "pods that reach the node's credentials",
        nodes,
        f"{NODES}/nodeclass.yaml",
        "httpPutResponseHopLimit: 1",
        "httpPutResponseHopLimit: 2",
        "IMDSv2 within one hop",
    ),
    Mistake(
        "volume that is not encrypted",
        nodes,
        f"{NODES}/nodeclass.yaml",
        "encrypted: true",
        "encrypted: false",
        "has to be gp3 and encrypted",
    ),
]
