"""etcd, API server, controller manager and scheduler, as close to a production cluster as one machine allows.

Left as on a real cluster because Penstock's behaviour depends on it: the default admission plugins, RBAC, all
native controllers with their default request rates. What differs is for the speed of start: etcd does not wait
for the disk, nobody is to be elected, and the native controllers share one identity. (One ServiceAccount for
each costs a hundred requests under the manager's own limit of 20 a second: 5 s until the first one works.)
"""

import ssl
from collections.abc import Callable
from pathlib import Path

from sandbox.api import Api, healthy
from sandbox.component import Component
from sandbox.directory import Directory
from sandbox.namespaces import Place
from sandbox.pki import ca_file
from sandbox.spec import SERVICES, State, address

ISSUER = "https://kubernetes.default.svc.cluster.local"


class ControlPlane:
    """The components for one state."""

    def __init__(self, directory: Directory, state: State, client: Api, place: Place) -> None:
        self.directory, self.spec, self.ports, self.place = directory, state.spec, state.ports, place
        self.binaries = Path(state.binaries)
        self.api = client

    def store(self) -> tuple[Component, Component]:
        """etcd and the API server, which may be started together: the second waits for the first."""
        return self._etcd(), self._apiserver()

    def loops(self) -> tuple[Component, Component]:
        """Controller manager and scheduler; they want an API server that serves, or they wait for whole seconds."""
        return self._controller_manager(), self._scheduler()

    def _etcd(self) -> Component:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.ports.etcd, self.ports.etcd_peer))
        flags = {
            "data-dir": self.directory.root / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "log-level": "warn",
            "unsafe-no-fsync": "true",
        }
        return self._component("etcd", flags, lambda: healthy(self.ports.etcd, "/health"))

    def _apiserver(self) -> Component:
        pki = self.directory.pki
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self.ports.etcd}",
            "secure-port": self.ports.api,
            "client-ca-file": ca_file(pki),
            "tls-cert-file": pki / "serving.crt",
            "tls-private-key-file": pki / "serving.key",
            "service-account-issuer": ISSUER,
            "service-account-key-file": pki / "tokens.pub",
            "service-account-signing-key-file": pki / "tokens.key",
            "service-cluster-ip-range": SERVICES,
            "authorization-mode": "Node,RBAC",
            "allow-privileged": "true",
            "profiling": "false",
        }
        return self._component("kube-apiserver", flags | self._addresses(), self.api.ready)

    def _addresses(self) -> dict[str, object]:
        """The same port inside and outside of the private network, so that one kubeconfig serves both."""
        if not self.place.inhabitants:
            # No pod can reach the machine's loopback, so the `kubernetes` Service gets no endpoint.
            return {"bind-address": "127.0.0.1", "endpoint-reconciler-type": "none"}
        pki = self.directory.pki
        return {
            "bind-address": "0.0.0.0",
            "advertise-address": address(1),
            "kubelet-preferred-address-types": "InternalIP",
            "kubelet-certificate-authority": ca_file(pki),
            "kubelet-client-certificate": pki / "kubelet-client.crt",
            "kubelet-client-key": pki / "kubelet-client.key",
        }

    def _controller_manager(self) -> Component:
        pki = self.directory.pki
        flags: dict[str, object] = {
            "kubeconfig": self.directory.configuration / "kube-controller-manager",
            "service-account-private-key-file": pki / "tokens.key",
            "root-ca-file": ca_file(pki),
        }
        if self.spec.kube_api_qps:
            flags |= {"kube-api-qps": self.spec.kube_api_qps, "kube-api-burst": 2 * self.spec.kube_api_qps}
        return self._loop("kube-controller-manager", self.ports.controller_manager, flags)

    def _scheduler(self) -> Component:
        flags: dict[str, object] = {"kubeconfig": self.directory.configuration / "kube-scheduler"}
        return self._loop("kube-scheduler", self.ports.scheduler, flags)

    def _loop(self, name: str, port: int, flags: dict[str, object]) -> Component:
        pki = self.directory.pki
        served = {
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "tls-cert-file": pki / "serving.crt",
            "tls-private-key-file": pki / "serving.key",
            "leader-elect": "false",
        }
        tls = ssl.create_default_context(cafile=str(ca_file(pki)))
        return self._component(name, served | flags, lambda: healthy(port, tls=tls))

    def _component(self, name: str, flags: dict[str, object], ready: Callable[[], bool]) -> Component:
        options = [f"--{flag}={value}" for flag, value in flags.items()]
        return Component(name, [str(self.binaries / name), *options], ready, self.place)
