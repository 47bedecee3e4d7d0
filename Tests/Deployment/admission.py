"""An API server's admission as far as ValidatingAdmissionPolicies go: which of them refuse an object, and why.

Expressions are evaluated by cel-python. It knows neither `quantity()` nor optional fields, so the policies use neither;
a real API server is the last word on CEL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import celpy
from celpy.adapter import json_to_cel
from manifests import Manifest

PLURALS = {
    "CronJob": "cronjobs",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "Job": "jobs",
    "Pod": "pods",
    "Rollout": "rollouts",
    "StatefulSet": "statefulsets",
    # Of which kind is not in a Scale: Deployments'.
    "Scale": "deployments/scale",
}
# A request for a subresource is for its parent's group.
GROUPS = {"deployments/scale": ("apps", "v1")}


def evaluate(expression: str, context: Mapping[str, object], functions: Mapping | None = None) -> object:
    program = environment.program(environment.compile(expression), functions=dict(functions or {}))
    return program.evaluate(dict(context))


environment = celpy.Environment()


def selects(selector: Mapping, labels: Mapping[str, str]) -> bool:
    """As Kubernetes does it: `NotIn` holds where the label is not there."""
    operators = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, values: value is not None,
        "DoesNotExist": lambda value, values: value is None,
    }
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        operators[rule["operator"]](labels.get(rule["key"]), rule.get("values"))
        for rule in selector.get("matchExpressions", [])
    )


@dataclass(frozen=True)
class Admission:
    """Policies and bindings, and the labels of namespaces by their names."""

    policies: Mapping[str, Manifest]
    bindings: list[Manifest]
    parameters: Mapping[tuple[str, str], dict]
    namespaces: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, manifests: Iterable[Manifest], namespaces: Iterable[Manifest]) -> "Admission":
        manifests = list(manifests)
        of_kind = {kind: [m for m in manifests if m.kind == kind] for kind in {m.kind for m in manifests}}
        return cls(
            {policy.name: policy for policy in of_kind["ValidatingAdmissionPolicy"]},
            of_kind["ValidatingAdmissionPolicyBinding"],
            {(m.namespace, m.name): m.object for m in of_kind.get("ConfigMap", [])},
            {
                m.name: {**m.object["metadata"].get("labels", {}), "kubernetes.io/metadata.name": m.name}
                for m in namespaces
                if m.kind == "Namespace"
            },
        )

    def refusals(self, manifest: Manifest, resource: str = "") -> dict[str, str]:
        """Names of the policies that refuse or complain about it, and what they say."""
        resource = resource or PLURALS.get(manifest.kind, "")
        labels = self.namespaces.get(manifest.namespace, {"kubernetes.io/metadata.name": manifest.namespace})
        found = {}
        for binding in self.bindings:
            spec = binding.object["spec"]
            policy = self.policies[spec["policyName"]]
            if not self.matches(policy, manifest, resource):
                continue
            if selects(spec.get("matchResources", {}).get("namespaceSelector", {}), labels):
                message = self.refusal(policy, spec, manifest)
                if message:
                    found[policy.name] = message
        return found

    @staticmethod
    def matches(policy: Manifest, manifest: Manifest, resource: str) -> bool:
        version = manifest.object["apiVersion"]
        group = GROUPS.get(resource, (manifest.group, version.rpartition("/")[2]))
        return any(
            group[0] in rule["apiGroups"]
            and group[1] in rule["apiVersions"]
            and "CREATE" in rule["operations"]
            and "UPDATE" in rule["operations"]
            and resource in rule["resources"]
            for rule in policy.object["spec"]["matchConstraints"]["resourceRules"]
        )

    def refusal(self, policy: Manifest, binding: Mapping, manifest: Manifest) -> str:
        """The first message; empty if it is let through. An expression that fails refuses, as `failurePolicy` says."""
        spec = policy.object["spec"]
        # None where none are asked for, as in the API server.
        reference = binding.get("paramRef")
        parameters = self.parameters.get((reference["namespace"], reference["name"])) if reference else None
        if reference and parameters is None:
            return "its parameters are not there"
        context = {"object": json_to_cel(manifest.object), "params": json_to_cel(parameters)}
        variables = celpy.celtypes.MapType()
        context["variables"] = variables
        try:
            for variable in spec.get("variables", []):
                variables[celpy.celtypes.StringType(variable["name"])] = evaluate(variable["expression"], context)
            for validation in spec["validations"]:
                if not evaluate(validation["expression"], context):
                    return validation["message"]
        except celpy.CELEvalError as error:
            return f"an expression failed: {error}"
        return ""
