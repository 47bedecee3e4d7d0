"""What Argo CD makes of deploy/argocd in each environment, and of the folders and the chart that it points to."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import jsonpatch
import yaml
from manifests import ENVIRONMENTS, Manifest, of_environments, parse, read, rendered

FOLDER = "deploy/argocd"
# Of a kustomization.
UNDERSTOOD = {"apiVersion", "kind", "resources", "generatorOptions", "configMapGenerator", "secretGenerator"}


@functools.cache
def platform(root: Path) -> dict[str, list[Manifest]]:
    """The Applications and projects of each environment, the shop's among them."""
    values = {"shop": {"digest": "sha256:" + "0" * 64}}
    return rendered(root, FOLDER, of_environments(values, files="environments/{}.yaml"))


def applications(root: Path, environment: str) -> dict[str, Manifest]:
    return {manifest.name: manifest for manifest in platform(root)[environment] if manifest.kind == "Application"}


@functools.cache
def shop(root: Path) -> dict[str, list[Manifest]]:
    """The shop as Argo CD would make it in each environment."""
    variants = {}
    for environment in ENVIRONMENTS:
        helm = applications(root, environment)["souk"].object["spec"]["source"]["helm"]
        variants[environment] = {"files": helm["valueFiles"], "values": helm["valuesObject"]}
    return rendered(root, "deploy/helm/souk", json.dumps(variants))


def each(root: Path) -> Iterator[tuple[str, dict[str, Manifest], Manifest]]:
    """Environment, all its Applications, and one of them."""
    for environment in ENVIRONMENTS:
        found = applications(root, environment)
        for application in found.values():
            yield environment, found, application


def folder(root: Path, source: dict) -> list[Manifest]:
    """What Argo CD finds at a source's path, with the patches that kustomize would apply."""
    return built(root, json.dumps(source))


@functools.cache
def built(root: Path, said: str) -> list[Manifest]:
    source = json.loads(said)
    path = root / source["path"]
    directory = source.get("directory", {})
    if directory.get("recurse"):
        return read(path, *directory["include"].strip("{}").split(","))
    if not (path / "kustomization.yaml").exists():
        return read(path, "*.yaml")
    build = yaml.safe_load((path / "kustomization.yaml").read_text())
    assert not set(build) - UNDERSTOOD, f"{path}/kustomization.yaml has more than {sorted(UNDERSTOOD)}"
    manifests = [manifest for file in build["resources"] for manifest in parse(file, (path / file).read_text())]
    for kind, generator in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for entry in build.get(generator, []):
            assert all((path / file.rpartition("=")[2]).exists() for file in entry["files"]), f"{path}: {entry}"
            metadata = {"name": entry["name"], "namespace": entry.get("namespace", "")}
            made = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
            manifests.append(Manifest(f"{source['path']}/kustomization.yaml", made))
    for patch in source.get("kustomize", {}).get("patches", []):
        targets = [m for m in manifests if {"kind": m.kind, "name": m.name} == patch["target"]]
        assert targets, f"{path}: nothing is {patch['target']}"
        for manifest in targets:
            jsonpatch.apply_patch(manifest.object, yaml.safe_load(patch["patch"]), in_place=True)
    return manifests
