"""Manifests as checks look at them: read from files or rendered by Helm, and held against their schemas."""

import functools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from checks import ROOT, Absent, run

# Both are what an environment may run at.
KUBERNETES = ("1.35", "1.36")
# Of the custom resources, made from their definitions.
SCHEMAS = Path(os.environ.get("SOUK_SCHEMAS") or ROOT.parent / "shared/schemas")
ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Manifest:
    """An object, and the file that says it, for findings."""

    file: str
    object: dict

    @property
    def kind(self) -> str:
        return self.object["kind"]

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    @property
    def namespace(self) -> str:
        return self.object["metadata"].get("namespace", "")

    @property
    def group(self) -> str:
        version = self.object["apiVersion"]
        return version.rpartition("/")[0]

    @property
    def is_custom(self) -> bool:
        """Made by a CustomResourceDefinition: Kubernetes' own groups have no dot, or end in k8s.io."""
        return "." in self.group and (
            not self.group.endswith(".k8s.io") or self.group in ("gateway.networking.k8s.io", "autoscaling.k8s.io")
        )

    def __str__(self) -> str:
        return f"{self.file}: {self.kind} {self.name}"


def parse(file: str, text: str) -> list[Manifest]:
    """The objects of a file, and those of a List in it. What an anchor repeats is a copy, as for any reader of JSON."""
    documents = [json.loads(json.dumps(document, default=str)) for document in yaml.safe_load_all(text) if document]
    return [
        Manifest(file, found)
        for document in documents
        for found in (document["items"] if document.get("kind") == "List" else [document])
    ]


def read(root: Path, *patterns: str) -> list[Manifest]:
    """Of the files that match; fails where nothing does, so that no check looks at nothing."""
    files = sorted({file for pattern in patterns for file in root.glob(pattern)})
    assert files, f"nothing is at {patterns}"
    return [manifest for file in files for manifest in parse(str(file.relative_to(root)), file.read_text())]


@functools.cache
def rendered(root: Path, chart: str, variants: str) -> dict[str, list[Manifest]]:
    """A chart by Helm's own engine. `variants` is JSON: names to `files` of values, from the chart, and `values`."""
    renderer, python = ROOT / "Tests/Deployment/helm/render.py", ROOT / ".venv/environments/helm/bin/python"
    if not (renderer.exists() and python.exists()):
        raise Absent("Helm's engine is not installed: scripts/setup deploy")
    if not (root / chart).exists():
        raise Absent(f"{chart} is not there")
    environment = dict(os.environ, HELM_DRIVER="memory", SOUK_VARIANTS=variants)
    ended = run(
        ["bash", "-c", f'"{python}" "{renderer}" "{root / chart}" <<< "$SOUK_VARIANTS"'], renderer.parent, environment
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)["rendered"]
    wrong = [f"{chart} with {name}: {what['error']}" for name, what in found.items() if "error" in what]
    assert not wrong, wrong
    return {
        name: [
            manifest
            for file, text in what["files"].items()
            if file.endswith(".yaml")
            for manifest in parse(f"{chart}/templates/{file} ({name})", text)
        ]
        for name, what in found.items()
    }


def of_environments(values: Mapping[str, object] | None = None, files: str = "values-{}.yaml") -> str:
    """Variants of a chart: each environment's file, and values besides."""
    return json.dumps({name: {"files": [files.format(name)], "values": values or {}} for name in ENVIRONMENTS})


def invalid(manifests: Iterable[Manifest]) -> list[str]:
    """What Kubernetes' own schemas say of its own kinds. An unknown kind or field is wrong, too."""
    found = []
    for manifest in manifests:
        for version in KUBERNETES:
            try:
                if not manifest.is_custom:
                    kubernetes_validate.validate(manifest.object, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = "/".join(map(str, error.path))
                found.append(f"{manifest}: for Kubernetes {version}, {where}: {error.message}")
            except kubernetes_validate.SchemaNotFoundError:
                found.append(f"{manifest}: Kubernetes {version} knows no such kind of {manifest.object['apiVersion']}")
    return found


@functools.cache
def validator(file: Path) -> jsonschema.protocols.Validator:
    return jsonschema.Draft202012Validator(json.loads(file.read_text()))


def invalid_custom(manifests: Iterable[Manifest]) -> list[str]:
    """What the custom resources' schemas say of them."""
    if not SCHEMAS.is_dir():
        raise Absent(f"the custom resources' schemas are not at {SCHEMAS}, nor where SOUK_SCHEMAS says")
    found = []
    for manifest in manifests:
        if not manifest.is_custom:
            continue
        version = manifest.object["apiVersion"].rpartition("/")[2]
        schema = SCHEMAS / f"{manifest.kind.lower()}_{manifest.group}_{version}.json"
        if not schema.exists():
            found.append(f"{manifest}: there is no schema {schema.name}")
            continue
        for error in validator(schema).iter_errors(manifest.object):
            found.append(f"{manifest}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    return found


def bytes_of(quantity: object) -> float:
    """A quantity of Kubernetes as a number: `200m` is 0.2, `256Mi` is 268435456."""
    text = str(quantity)
    units = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    unit = next((unit for unit in sorted(units, key=len, reverse=True) if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)
