"""deploy/, rendered by kustomize and applied.

Applied by server-side apply over plain requests: `kubectl apply` first asks the API server for everything it
knows, which takes longer than all objects together, and it is on the way of every single test run.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sandbox.api import Api
from sandbox.component import Failed

ROOT = Path(__file__).parents[1] / "deploy"
IN_PODS_ONLY = ("Deployment", "Service", "PodDisruptionBudget")

Object = dict[str, Any]


def render(kubectl: Path) -> list[Object]:
    """All objects, in the order in which they can be created."""
    variables = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    command = [str(kubectl), "kustomize", str(ROOT)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return list(yaml.safe_load_all(done.stdout))


def without_pods(objects: Iterable[Object], port: int) -> Iterator[Object]:
    """The same for a webhook that is a process on this machine: no Service leads to it, but its address does."""
    for entry in objects:
        if entry["kind"] in IN_PODS_ONLY:
            continue
        for webhook in entry.get("webhooks", []):
            path = webhook["clientConfig"].pop("service")["path"]
            webhook["clientConfig"]["url"] = f"https://127.0.0.1:{port}{path}"
        yield entry


def configured(objects: Iterable[Object], text: str) -> Iterator[Object]:
    """The same with another penstock.yaml."""
    for entry in objects:
        if entry["kind"] == "ConfigMap" and entry["metadata"]["name"] == "penstock":
            entry = {**entry, "data": {"penstock.yaml": text}}
        yield entry


def apply(api: Api, objects: Iterable[Object]) -> None:
    """Create or change each; what others own in it, such as a webhook's caBundle, stays."""
    for entry in objects:
        parameters = {"fieldManager": "sandbox", "force": "true"}
        answer = api.ask("PATCH", _path(entry), entry, "application/apply-patch+yaml", parameters=parameters)
        if not answer.ok:
            raise Failed(f"{entry['kind']} {entry['metadata']['name']} cannot be applied: {answer.message}")


def _path(entry: Object) -> str:
    group = "api" if "/" not in entry["apiVersion"] else "apis"
    namespace = entry["metadata"].get("namespace")
    place = f"namespaces/{namespace}/" if namespace else ""
    return f"/{group}/{entry['apiVersion']}/{place}{_plural(entry['kind'])}/{entry['metadata']['name']}"


def _plural(kind: str) -> str:
    """As Kubernetes forms its resource names."""
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"
