"""Nodes without a kubelet: kwok writes the status that a kubelet would, after the delays in stages.yaml.

Everything above the node is real (scheduler, controllers, API server), so a rollout sees the same sequence of
events as on real nodes, and a thousand pods fit on a laptop. One kwok plays all nodes.
"""

from pathlib import Path
from typing import Any

import yaml

from sandbox import api
from sandbox.component import Component
from sandbox.directory import Directory
from sandbox.namespaces import Place
from sandbox.ports import Ports
from sandbox.spec import SIMULATED_PODS, Spec

STAGES = Path(__file__).with_name("stages.yaml")
LABEL = "sandbox.penstock.dev/node"
TAINT = {"key": LABEL, "value": "simulated", "effect": "NoSchedule"}
"""Where there are real nodes too: a pod lands on a simulated one only if it tolerates that."""


def component(directory: Directory, binaries: Path, ports: Ports, place: Place) -> Component:
    """kwok."""
    options = {
        "kubeconfig": directory.configuration / "kwok",
        "config": _file(directory),
        "server-address": f"127.0.0.1:{ports.kwok}",
        "node-ip": "10.0.0.1",
    }
    command = [str(binaries / "kwok"), *(f"--{name}={value}" for name, value in options.items())]
    return Component("kwok", command, lambda: api.healthy(ports.kwok), place)


def create(client: api.Api, spec: Spec) -> list[str]:
    """Make the Node objects; their names."""
    names = [f"simulated-{number}" for number in range(1, spec.simulated_nodes + 1)]
    for name in names:
        client.create("/api/v1/nodes", _node(name, tainted=spec.real_nodes > 0))
    return names


def _node(name: str, *, tainted: bool) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", LABEL: "simulated"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [TAINT]} if tainted else {},
    }


def _file(directory: Directory) -> Path:
    return directory.configuration / "kwok.yaml"


def write(directory: Directory) -> None:
    """stages.yaml has its common parts once, as anchors; kwok wants one document per stage."""
    options = {
        "manageNodesWithLabelSelector": f"{LABEL}=simulated",
        "cidr": SIMULATED_PODS,
        "podPlayStageParallelism": 16,
        "nodePlayStageParallelism": 4,
        "nodeLeaseDurationSeconds": 40,
        "nodeLeaseParallelism": 4,
    }
    documents: list[dict[str, Any]] = [
        {"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokConfiguration", "options": options}
    ]
    for stage in yaml.safe_load(STAGES.read_text())["stages"]:
        metadata = {"name": stage.pop("name")}
        documents.append({"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": metadata, "spec": stage})
    _file(directory).write_text(yaml.dump_all(documents, Dumper=_Plain, sort_keys=False))


class _Plain(yaml.SafeDumper):
    """Writes what was shared out in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
