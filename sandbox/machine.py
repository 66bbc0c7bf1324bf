"""All components of one sandbox, and the order in which they are started.

Made anew from the saved state by every command, so that `restart` in another process, hours later, uses the same
command lines as `up` did. The order is made for speed: whatever can wait for something else by itself is started
before it, and containerd unpacks images while the API server starts.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from sandbox import cgroups, manifests, pause, penstock, processes, prometheus
from sandbox.api import Api
from sandbox.component import PATIENCE, Component, until
from sandbox.controlplane import ControlPlane
from sandbox.directory import Directory
from sandbox.image import dev
from sandbox.namespaces import HERE
from sandbox.nodes import real, settings, simulated
from sandbox.spec import State, identity


class Machine:
    """The components for one state."""

    def __init__(self, directory: Directory, state: State) -> None:
        self.directory, self.state = directory, state
        self.place = real.place(1) if state.spec.real_nodes else HERE

    @cached_property
    def api(self) -> Api:
        """The administrator's requests; only once there are certificates."""
        return Api(self.directory, self.state.ports.api)

    @property
    def _real_nodes(self) -> range:
        return range(1, self.state.spec.real_nodes + 1)

    def components(self) -> Iterator[Component]:
        """Every component there is to be, in the order of their start."""
        if self._real_nodes:
            yield real.gate(self.state)
        state = self.state
        control_plane = ControlPlane(self.directory, state, self.api, self.place)
        yield from control_plane.store()
        for node in self._real_nodes:
            yield from real.components(self.directory, self.state, node)
        yield from control_plane.loops()
        if self.state.spec.simulated_nodes:
            yield simulated.component(self.directory, Path(self.state.binaries), self.state.ports, self.place)
        yield from prometheus.component(self.directory, self.state, self.place)
        if self.state.spec.penstock:
            yield from penstock.components(self.directory, self.state, self.api)

    def prepare(self) -> None:
        """What has to be there before the first process is, and may take a while the first time."""
        if self.state.spec.simulated_nodes:
            simulated.write(self.directory)
        if self._real_nodes:
            cgroups.create(self.state.identity, len(self._real_nodes))
            for node in self._real_nodes:
                settings.write(self.directory, self.state, node)
            pause.write(self._pause)
            dev.write(self._image)

    @property
    def _pause(self) -> Path:
        return self.directory.configuration / "pause.tar"

    @property
    def _image(self) -> Path:
        return self.directory.configuration / "penstock.tar"

    def refresh(self) -> None:
        """Pods started from now on run the code as it is now."""
        before = self._image.read_bytes()
        if dev.write(self._image).read_bytes() != before:
            for node in self._real_nodes:
                self._load(node, [self._image])

    def start(self) -> None:
        """Start what does not run, and return when pods can be scheduled and Penstock answers."""
        components = list(self.components())
        own = [each for each in components if each.name in penstock.NAMES]
        native = [each for each in components if each not in own]
        empty = [n for n in self._real_nodes if processes.running(self.directory, real.named("containerd", n)) is None]
        early = {real.FORWARDER, "etcd", "kube-apiserver", *(real.named("containerd", n) for n in self._real_nodes)}
        self._start(each for each in native if each.name in early)
        threads = ThreadPoolExecutor()
        try:
            loaded = [threads.submit(self._load, node, [self._pause, self._image]) for node in empty]
            rendered = threads.submit(manifests.render, Path(self.state.binaries) / "kubectl")
            self._wait(each for each in native if each.name == "kube-apiserver")
            if self.state.spec.prometheus:
                prometheus.write(self.directory, self.state, self.api)
            self._start(native)
            simulated.create(self.api, self.state.spec)
            for each in loaded:
                each.result()  # before the first pod is scheduled: a kubelet that finds no image waits for long
            if len(self._real_nodes) > 1:
                self._wait_for_nodes()  # or all pods would be on the first one that is ready
            if self.state.spec.penstock:
                penstock.install(self.directory, self.state, self.api, rendered.result())
                self._start(own)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)  # interrupted, they end when containerd has ended
        self._wait(native)
        self._wait_for_nodes()
        self._wait(own)

    def _start(self, components: Iterable[Component]) -> None:
        for component in components:
            component.start(self.directory)

    def _wait(self, components: Iterable[Component]) -> None:
        for component in components:
            component.wait(self.directory)

    def _load(self, node: int, archives: Iterable[Path]) -> None:
        self._wait(c for c in real.components(self.directory, self.state, node) if c.name.startswith("containerd"))
        for archive in archives:
            real.load(self.directory, node, archive)

    def _wait_for_nodes(self) -> None:
        until("all nodes are ready for pods", self._schedulable, PATIENCE)

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


def stop(directory: Directory) -> None:
    """End every process of a sandbox, without grace: nothing of what they would still write is kept.

    Asks nothing of the state but the name of the control group, so that a sandbox ends in whichever condition it is.
    """
    processes.end(processes.members(directory), patience=0)
    name = identity(directory)
    if name:
        cgroups.remove(name)
        processes.end(processes.members(directory), patience=0)
