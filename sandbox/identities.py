"""Who is who in the cluster: one certificate and kubeconfig per component, named as kubeadm names them."""

from sandbox import kubeconfig, pki
from sandbox.directory import Directory
from sandbox.spec import KUBERNETES_SERVICE, State, address

SERVED_AS = (
    "127.0.0.1",
    KUBERNETES_SERVICE,
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


def create(directory: Directory, state: State) -> None:
    """All keys, certificates and kubeconfigs of a new sandbox."""
    authority = pki.create(directory.pki)
    pki.signing_key(directory.pki)
    nodes = range(1, state.spec.real_nodes + 1)
    authority.server("serving", [*SERVED_AS, *map(address, nodes)])
    authority.client("kubelet-client", "kube-apiserver-kubelet-client", "system:masters")

    here = f"https://127.0.0.1:{state.ports.api}"
    admin = authority.client("admin", "kubernetes-admin", "system:masters")
    kubeconfig.write(directory.kubeconfig, here, authority.file, pair=admin)
    for name, group in (
        ("system:kube-controller-manager", "system:masters"),
        ("system:kube-scheduler", ""),
        ("kwok", "system:masters"),
    ):
        _configure(directory, authority, here, name.removeprefix("system:"), name, group)
    for node in nodes:
        # Inside the first node's namespaces the API server is on every address, for the others only on the network.
        server = here if node == 1 else f"https://{address(1)}:{state.ports.api}"
        _configure(directory, authority, server, f"kubelet-{node}", f"system:node:real-{node}", "system:nodes")
        _configure(directory, authority, server, f"kube-proxy-{node}", "system:kube-proxy", "")


def _configure(directory: Directory, authority: pki.Authority, server: str, file: str, user: str, group: str) -> None:
    pair = authority.client(file, user, group)
    kubeconfig.write(directory.configuration / file, server, authority.file, pair=pair)
