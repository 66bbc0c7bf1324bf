"""All components of one sandbox, in the order in which they are started.

Made anew from the saved state by every command, so that `restart` in another process, hours later, uses the same
command lines as `up` did.
"""

from collections.abc import Iterator
from pathlib import Path

from sandbox import processes
from sandbox.api import Api
from sandbox.component import Component, until
from sandbox.controlplane import ControlPlane
from sandbox.directory import Directory
from sandbox.namespaces import HERE
from sandbox.nodes import simulated
from sandbox.spec import State


class Machine:
    """The components for one state."""

    def __init__(self, directory: Directory, state: State) -> None:
        self.directory, self.state = directory, state
        self.place = HERE
        self.api = Api(directory, state.ports.api)
        self.control_plane = ControlPlane(directory, Path(state.binaries), state.spec, state.ports, self.place)

    def components(self) -> Iterator[Component]:
        """Every component there is to be."""
        yield from self.control_plane.store()
        yield from self.control_plane.loops()
        if self.state.spec.simulated_nodes:
            yield simulated.component(self.directory, Path(self.state.binaries), self.state.ports, self.place)

    def start(self) -> None:
        """Start what does not run, and return when pods can be scheduled."""
        components = {component.name: component for component in self.components()}
        for name in ("etcd", "kube-apiserver"):
            components[name].start(self.directory)
        components["kube-apiserver"].wait(self.directory)
        for component in components.values():
            component.start(self.directory)
        simulated.create(self.api, self.state.spec)
        for component in components.values():
            component.wait(self.directory)
        until("all nodes are ready for pods", self._schedulable, 60)

    def _schedulable(self) -> bool:
        """Ready is not enough: the taint of a node that was not Ready stays for a moment."""
        expected = self.state.spec.real_nodes + self.state.spec.simulated_nodes
        nodes = self.api.get("/api/v1/nodes").object.get("items", [])
        tainted = [
            taint
            for node in nodes
            for taint in node["spec"].get("taints", [])
            if taint["key"].startswith("node.kubernetes.io/")
        ]
        return len(nodes) >= expected and not tainted

    def stop(self) -> None:
        """End every process, without grace: nothing of what they would still write is kept."""
        processes.end(processes.members(self.directory), patience=0)
