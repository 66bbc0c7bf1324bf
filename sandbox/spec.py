"""What kind of cluster a sandbox is, and the addresses inside it.

Kept in a file of its own beside the ports: `restart`, `status` and a second `up` in another process must build
exactly the same commands as the first one did.
"""

import json
from dataclasses import dataclass

import msgspec

from sandbox.directory import Directory
from sandbox.ports import Ports

SERVICES = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
PODS = "10.244.0.0/16"
SIMULATED_PODS = "10.245.0.0/16"


@dataclass(frozen=True)
class Spec:
    """What was asked for. A `kube_api_qps` of 0 leaves Kubernetes' own default."""

    real_nodes: int = 0
    simulated_nodes: int = 1
    penstock: bool = True
    kube_api_qps: int = 0
    prometheus: bool = False

    @property
    def words(self) -> str:
        """The kind of cluster, for people."""
        kinds = [(self.real_nodes, "real"), (self.simulated_nodes, "simulated")]
        nodes = " and ".join(f"{count} {kind} node{'s' * (count > 1)}" for count, kind in kinds if count)
        rate = f", kube-api-qps {self.kube_api_qps}" if self.kube_api_qps else ""
        metrics = ", Prometheus" if self.prometheus else ""
        return f"{nodes} with{'' if self.penstock else 'out'} Penstock{metrics}{rate}"


@dataclass(frozen=True)
class State:
    """A sandbox that was started: its specification, its ports, and what it is called outside its directory."""

    spec: Spec
    ports: Ports
    binaries: str
    identity: str


def address(node: int) -> str:
    """The address of the real node NODE (from 1): its bridge's, so that no outer network is needed."""
    return f"10.244.{node - 1}.1"


def pod_range(node: int) -> str:
    """The addresses of the pods on the real node NODE."""
    return f"10.244.{node - 1}.0/24"


def save(directory: Directory, state: State) -> None:
    """Whole or not at all."""
    partial = directory.state.with_suffix(".new")
    partial.write_bytes(msgspec.json.encode(state))
    partial.rename(directory.state)


def load(directory: Directory) -> State | None:
    """What `save` wrote; None when there is no sandbox, or one of another version of this code."""
    try:
        return msgspec.json.decode(directory.state.read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def identity(directory: Directory) -> str:
    """What a sandbox is called outside, from a state of whichever version of this code; else nothing."""
    try:
        return str(json.loads(directory.state.read_bytes())["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
