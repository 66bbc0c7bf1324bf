"""A node with real containers: containerd, kubelet and kube-proxy in private namespaces.

The namespaces come into being with a node's first process, the founder: on the first node the forwarder, because
the control plane lives there too, on others containerd. Whichever process of the node still lives is the way in.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox import api, enclosure, forwarder, packages, processes
from sandbox.component import Component, Failed
from sandbox.directory import Directory
from sandbox.namespaces import Place
from sandbox.nodes import link, settings
from sandbox.ports import listen
from sandbox.spec import SERVICES, State, address

FORWARDER = "forwarder"
CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kwok", "prometheus")


def named(component: str, node: int) -> str:
    """A node's process; the first node's have the plain names."""
    return component if node == 1 else f"{component}-{node}"


def place(node: int) -> Place:
    """The namespaces of the node NODE (from 1)."""
    own = tuple(named(component, node) for component in ("containerd", "kubelet", "kube-proxy"))
    return Place((FORWARDER, *CONTROL_PLANE, *own) if node == 1 else own)


@dataclass(frozen=True)
class Founder(Component):
    """Makes the namespaces if they are not there; `listens` are the ports outside that it is to serve."""

    node: int = 1
    listens: tuple[int, ...] = ()
    binaries: str = ""

    def start(self, directory: Directory) -> None:
        """Returns when the namespaces are complete."""
        if processes.running(directory, self.name) is not None:
            return
        with ExitStack() as open_files:
            command, fds = list(self.command), list[int]()
            for port in self.listens:
                outside = open_files.enter_context(listen(port)).fileno()
                command, fds = [*command, str(outside), str(port)], [*fds, outside]
            if any(processes.running(directory, name) for name in self.place.inhabitants):
                processes.start(directory, self.name, self.place.command(directory, command), fds=fds)
            else:
                self._found(directory, command, fds)

    def _found(self, directory: Directory, command: list[str], fds: list[int]) -> None:
        done, write = os.pipe()
        try:
            enclosed = [*self._enclosure(directory, write), *command]
            processes.start(directory, self.name, enclosed, fds=[*fds, write])
        finally:
            os.close(write)
        with open(done, "rb") as told:
            if told.read() != b"done":
                raise Failed(f"private namespaces could not be made; {self.logged(directory)()}")
        if self.node > 1:
            link.lay(directory, self.node, place(1), self.place)

    def _enclosure(self, directory: Directory, done: int) -> list[str]:
        used = {str(directory.root), self.binaries, sys.prefix, sys.base_prefix, str(Path(__file__).parents[2])}
        unshare = ["unshare", "--net", "--mount", "--propagation", "private", "--"]
        python = [sys.executable, "-I", enclosure.__file__]
        own = ["--address", address(self.node), "--services", SERVICES, "--done", str(done)]
        return [*unshare, *python, *own, *(f"--keep={path}" for path in sorted(used)), "--"]


def gate(state: State) -> Founder:
    """The forwarder to the API server and to Prometheus, on the first node."""
    ports = (state.ports.api, *([state.ports.prometheus] if state.spec.prometheus else []))
    command = [sys.executable, "-I", forwarder.__file__]
    return Founder(FORWARDER, command, lambda: True, place(1), node=1, listens=ports, binaries=state.binaries)


def components(directory: Directory, state: State, node: int) -> Iterator[Component]:
    """The node's own three, containerd first."""
    within, binaries = place(node), Path(state.binaries)
    runtime = [_program("containerd"), "--config", str(settings.file(directory, "containerd", node))]
    name = named("containerd", node)

    def answers() -> bool:
        return _accepts(f"/proc/{within.pid(directory)}/root{settings.SOCKET}")

    if node == 1:
        yield Component(name, runtime, answers, within)
    else:
        yield Founder(name, runtime, answers, within, node=node, binaries=state.binaries)
    kubelet = {
        "config": settings.file(directory, "kubelet", node),
        "kubeconfig": directory.configuration / f"kubelet-{node}",
        "hostname-override": f"real-{node}",
        "node-ip": address(node),
    }
    flags = [f"--{flag}={value}" for flag, value in kubelet.items()]
    yield Component(named("kubelet", node), [str(binaries / "kubelet"), *flags], lambda: api.healthy(10248), within)
    proxy = [str(binaries / "kube-proxy"), f"--config={settings.file(directory, 'kube-proxy', node)}"]
    yield Component(named("kube-proxy", node), proxy, lambda: api.healthy(10256), within)


def _accepts(path: str) -> bool:
    """Whether somebody listens; the socket of a dead one stays in its place."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def load(directory: Directory, node: int, image: Path) -> None:
    """Make an image known to the node's containerd."""
    ctr = [_program("ctr"), "--address", settings.SOCKET, "--namespace", "k8s.io", "images", "import", str(image)]
    subprocess.run(place(node).command(directory, ctr), check=True, capture_output=True)


def check() -> None:
    """Say what is missing for real pods before anything is started."""
    if os.geteuid() != 0:
        raise Failed("real pods need root; `--pods simulated` does without")
    absent = packages.missing()
    if absent:
        raise Failed(packages.advice(absent))


def _program(name: str) -> str:
    found = packages.program(name)
    assert found, "checked before the start"
    return found
