"""Configuration files of one real node: containerd, its pod network, kubelet, kube-proxy.

Each setting that is not the default is here because the default fails on some machine or changes it; which
one and why stands beside it.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from sandbox import cgroups, packages, pause
from sandbox.directory import Directory
from sandbox.pki import ca_file
from sandbox.spec import PODS, State, address, pod_range

SOCKET = "/run/containerd/containerd.sock"
"""In the node's own /run: a path under the sandbox's directory could exceed a socket's 107 characters."""


def file(directory: Directory, component: str, node: int) -> Path:
    """Where a component of a node finds its configuration."""
    return directory.configuration / f"{component}-{node}.configuration"


def write(directory: Directory, state: State, node: int) -> None:
    """All of a node's files."""
    network = directory.configuration / f"network-{node}"
    network.mkdir()
    (network / "10-pods.conflist").write_text(json.dumps(_network(node)))
    file(directory, "containerd", node).write_text(_containerd(network))
    file(directory, "kubelet", node).write_text(yaml.safe_dump(_kubelet(directory, state, node)))
    file(directory, "kube-proxy", node).write_text(yaml.safe_dump(_proxy(directory, node)))
    # The machine's own may be a link into /run, which is empty there; and no name server can be reached anyway.
    _resolver(directory).write_text(f"nameserver {address(1)}\n")


def _resolver(directory: Directory) -> Path:
    return directory.configuration / "resolv.conf"


def _containerd(network: Path) -> str:
    """In the form of version 2, which containerd 1.6 to 2.x all read."""
    plugins = packages.program("ptp")
    assert plugins, "checked before the start"
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE (as in many containers and virtual machines) runc may not
    # lower it below its own, and no pod would start. opt: it would create /opt/containerd on the machine.
    return f"""
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause.REFERENCE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{Path(plugins).parent}"
    conf_dir = "{network}"
"""


def _network(node: int) -> dict[str, Any]:
    """Every pod on a line of its own, routed: on a bridge, the answer of a Service's pod to another pod of the
    same node would bypass kube-proxy's rules unless the machine had loaded br_netfilter."""
    ranges = [[{"subnet": pod_range(node), "gateway": address(node)}]]
    routes = [{"dst": "0.0.0.0/0"}]
    leases = {"type": "host-local", "dataDir": "/run/network-leases", "ranges": ranges, "routes": routes}
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": leases},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(directory: Directory, state: State, node: int) -> dict[str, Any]:
    pki = directory.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(state.identity)}/node-{node}",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "address": address(node),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(ca_file(pki))},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": str(pki / "serving.crt"),
        "tlsPrivateKeyFile": str(pki / "serving.key"),
        "clusterDNS": [address(node)],
        "clusterDomain": "cluster.local",
        "resolvConf": str(_resolver(directory)),
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(directory.pods / f"node-{node}"),
        "maxPods": 200,
        # The default of a minute is how long a crashed container's status may lag behind.
        "syncFrequency": "5s",
        # Images cannot be fetched again, and a full disk is none of this node's business.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def _proxy(directory: Directory, node: int) -> dict[str, Any]:
    """Without connection-tracking limits: those are the whole machine's."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(directory.configuration / f"kube-proxy-{node}")},
        "hostnameOverride": f"real-{node}",
        "bindAddress": address(node),
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
