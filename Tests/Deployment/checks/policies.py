"""deploy/policies: each lets good manifests through and refuses bad ones, in real engines; the shop's chart is good."""

import copy
import fnmatch
import json
import re
from pathlib import Path

import jsonpatch
import yaml
from admission import Admission, evaluate
from argocd import shop
from celpy import celtypes
from celpy.adapter import json_to_cel
from manifests import Manifest, invalid, invalid_custom, read

from checks import Mistake, check

FOLDER = "deploy/policies"
# A rendered chart is held against what may run in its own namespace.
SHOP = "souk"


def admission(root: Path) -> Admission:
    return Admission.of(read(root, f"{FOLDER}/admission/*.yaml"), read(root, "deploy/cluster/base/namespaces.yaml"))


def good(root: Path) -> list[Manifest]:
    return read(root, f"{FOLDER}/tests/good.yaml")


def bad(root: Path) -> list[tuple[Manifest, str, dict]]:
    """Each as the patched manifest, a name for findings, and its entry."""
    file = root / FOLDER / "tests/bad.yaml"
    known = {f"{manifest.kind}/{manifest.name}": manifest for manifest in good(root)}
    found = []
    for entry in yaml.safe_load(file.read_text()):
        patched = jsonpatch.apply_patch(copy.deepcopy(known[entry["of"]].object), entry["patch"])
        name = f"{FOLDER}/tests/bad.yaml: {entry['of']} with {entry['mistake']}"
        found.append((Manifest(f"{FOLDER}/tests/bad.yaml", patched), name, entry))
    return found


@check
def schemas(root: Path) -> list[str]:
    """Policies, bindings and manifests are what Kubernetes knows; the bad ones, too: they are only forbidden."""
    policies = read(root, f"{FOLDER}/admission/*.yaml")
    return invalid([*policies, *good(root), *(manifest for manifest, _, _ in bad(root))])


@check
def custom_schemas(root: Path) -> list[str]:
    return invalid_custom([*read(root, f"{FOLDER}/images/*.yaml"), *good(root)])


@check
def fixtures(root: Path) -> list[str]:
    """Each bad manifest is refused by its policy and no other, each good one by none; every policy has both."""
    server = admission(root)
    found = [
        f"{manifest} is good, but refused: {said}" for manifest in good(root) if (said := server.refusals(manifest))
    ]
    for manifest, name, entry in bad(root):
        said = server.refusals(manifest, entry.get("resource", ""))
        if set(said) != {entry["policy"]}:
            found.append(f"{name} is refused by {sorted(said) or 'nobody'}, expected {entry['policy']} alone: {said}")
    tested = {entry["policy"] for _, _, entry in bad(root)}
    bound = {binding.object["spec"]["policyName"] for binding in server.bindings}
    for name, policy in server.policies.items():
        if name not in tested:
            found.append(f"{policy}: no bad manifest tries it")
        if name not in bound:
            found.append(f"{policy}: no binding puts it in force")
        if policy.object["spec"].get("failurePolicy") != "Fail":
            found.append(f"{policy}: failurePolicy has to be Fail")
    return found


@check
def subresources(root: Path) -> list[str]:
    """What looks at replicas sees those who scale, and what looks at pods sees those who debug."""
    found = []
    also = {"deployments": ("spec.replicas", "deployments/scale"), "rollouts": ("spec.replicas", "rollouts/scale")}
    for policy in admission(root).policies.values():
        text = json.dumps(policy.object["spec"])
        resources = {
            name for rule in policy.object["spec"]["matchConstraints"]["resourceRules"] for name in rule["resources"]
        }
        for resource, (field, subresource) in also.items():
            if field in text and resource in resources and subresource not in resources:
                found.append(f"{policy}: looks at replicas, but does not match {subresource}")
        if "pods" in resources and "pods/ephemeralcontainers" not in resources:
            found.append(f"{policy}: does not match pods/ephemeralcontainers")
    return found


@check
def gatekeeper(root: Path) -> list[str]:
    """Rego refuses what the policy no-privileged refuses, and nothing else."""
    import regopy

    template, constraint = read(root, f"{FOLDER}/gatekeeper/*.yaml")
    kind = template.object["spec"]["crd"]["spec"]["names"]["kind"]
    found = []
    if template.name != kind.lower() or constraint.kind != kind:
        found.append(f"{template}: the template of {kind} has to be named {kind.lower()}, and the constraint {kind}")
    (target,) = template.object["spec"]["targets"]
    (code,) = target["code"]
    rules = constraint.object["spec"]["match"]
    kinds = {kind for rule in rules["kinds"] for kind in rule["kinds"]}
    server = admission(root)

    def violations(manifest: Manifest) -> list[str]:
        if manifest.kind not in kinds or manifest.namespace == "node-agents":
            return []
        engine = regopy.Interpreter()
        engine.add_module("policy", code["source"]["rego"])
        engine.set_input({"review": {"object": manifest.object}, "parameters": {}})
        answer = json.loads(str(engine.query(f"data.{template.name}.violation")))
        return [violation["msg"] for violation in answer["expressions"][0]]

    for manifest in good(root):
        if said := violations(manifest):
            found.append(f"{manifest} is good, but Gatekeeper says {said}")
    for manifest, name, entry in bad(root):
        if bool(violations(manifest)) != (entry["policy"] == "no-privileged"):
            found.append(f"{name}: Gatekeeper says {violations(manifest)}, unlike the policy no-privileged")
    binding = next(b for b in server.bindings if b.name == "no-privileged")
    if rules["namespaceSelector"] != binding.object["spec"]["matchResources"]["namespaceSelector"]:
        found.append(f"{constraint}: has to look at the same namespaces as the binding no-privileged")
    return found


@check
def signatures(root: Path) -> list[str]:
    """Kyverno's policy asks about Souk's images alone, takes its build's signature alone, and one for each image."""
    (policy,) = read(root, f"{FOLDER}/images/*.yaml")
    cases = yaml.safe_load((root / FOLDER / "tests/signatures.yaml").read_text())
    spec = policy.object["spec"]
    (identity,) = spec["attestors"][0]["cosign"]["keyless"]["identities"]
    (validation,) = spec["validations"]
    images = [rule["glob"] for rule in spec["matchImageReferences"]]

    def signed(pod: dict) -> bool:
        attestors = json_to_cel({attestor["name"]: attestor for attestor in spec["attestors"]})
        context = {"images": json_to_cel(pod), "attestors": attestors}
        # Of the fixtures: how many signatures are found.
        functions = {"verifyImageSignatures": lambda image, attestors: celtypes.IntType(image)}
        return bool(evaluate(validation["expression"], context, functions))

    tests = {
        "images": lambda image: any(fnmatch.fnmatchcase(image, glob) for glob in images),
        "signers": lambda signer: bool(re.search(identity["subjectRegExp"], signer)),
        "pods": signed,
    }
    return [
        f"{policy}: {case} among the {what} is {'not ' if expected else ''}taken, expected otherwise"
        for what, takes in tests.items()
        for expected, word in ((True, "good"), (False, "bad"))
        for case in cases[what][word]
        if takes(case) != expected
    ]


@check
def the_shop(root: Path) -> list[str]:
    """What the shop's chart makes for each environment would be let in."""
    server = admission(root)
    found = []
    for manifests in shop(root).values():
        for manifest in manifests:
            manifest.object["metadata"].setdefault("namespace", SHOP)
            found += [f"{manifest}: {policy} refuses it: {said}" for policy, said in server.refusals(manifest).items()]
            if manifest.kind == "HorizontalPodAutoscaler" and manifest.object["spec"]["maxReplicas"] > 10:
                found.append(f"{manifest}: more than the policy `replicas` lets it have")
    return found


ADMISSION = f"{FOLDER}/admission"
MISTAKES = [
    Mistake(
        "policy that forgets init containers",
        fixtures,
        f"{ADMISSION}/no-privileged.yaml",
        "+ (has(variables.pod.initContainers) ? variables.pod.initContainers : [])",
        "",
        "a privileged init container is refused by nobody",
    ),
    Mistake(
        "policy that takes latest",
        fixtures,
        f"{ADMISSION}/no-latest.yaml",
        " && !c.image.endsWith(':latest')",
        "",
        "the tag latest is refused by nobody",
    ),
    Mistake(
        "registry with a dot for any character",
        fixtures,
        f"{ADMISSION}/approved-registries.yaml",
        "amazonaws[.]com/souk[@:]",
        "amazonaws[.]com.*",
        "only begins like Souk's is refused by nobody",
    ),
    Mistake(
        "policy bound to no namespace",
        fixtures,
        f"{ADMISSION}/requests-and-limits.yaml",
        "kubernetes.io/metadata.name: souk",
        "kubernetes.io/metadata.name: shop",
        "no limit of memory is refused by nobody",
    ),
    Mistake(
        "policy that does not see kubectl scale",
        subresources,
        f"{ADMISSION}/replicas.yaml",
        "[deployments, deployments/scale]",
        "[deployments]",
        "does not match deployments/scale",
    ),
    Mistake(
        "unknown field in a policy",
        schemas,
        f"{ADMISSION}/no-privileged.yaml",
        "  failurePolicy: Fail",
        "  failure: Fail",
        "failure",
    ),
    Mistake(
        "Rego that forgets init containers",
        gatekeeper,
        f"{FOLDER}/gatekeeper/deny-privileged.yaml",
        '"initContainers", ',
        "",
        "a privileged init container: Gatekeeper says []",
    ),
    Mistake(
        "signature of any branch",
        signatures,
        f"{FOLDER}/images/signed-by-the-build.yaml",
        "@refs/heads/main$",
        "@refs/heads/",
        "refs/heads/feature among the signers is taken",
    ),
    Mistake(
        "unsigned init container",
        signatures,
        f"{FOLDER}/images/signed-by-the-build.yaml",
        "images.initContainers, ",
        "",
        "among the pods is taken",
    ),
]
