"""A real node: containers run, Services work, and the machine is afterwards as it was before."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox import cgroups, enclosure, processes
from sandbox.api import Api
from sandbox.cluster import Sandbox
from sandbox.directory import Directory
from sandbox.image import dev
from sandbox.spec import Spec, load
from tests.sandbox.conftest import administrator, command

pytestmark = pytest.mark.real

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SERVE = """
import http.server, os, signal, sys
signal.signal(15, lambda *_: os._exit(0))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["HOSTNAME"].encode())
http.server.ThreadingHTTPServer(("", 8080), Answer).serve_forever()
"""
ASK = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1], timeout=5).read().decode())
"""


def wait(holds: Callable[[], bool], patience: float = 15) -> None:
    """Until it holds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def machine() -> Mapping[str, object]:
    """What a node could leave changed on the machine. Other sandboxes do not show: theirs is all private, too."""
    settings = {
        name: Path("/proc/sys", name).read_text() for name in enclosure.COVERED if Path("/proc/sys", name).exists()
    }
    return {
        "settings": settings,
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "mounts": Path("/proc/self/mounts").read_text(),
        "links": sorted(os.listdir("/sys/class/net")),
        "directories": {top: sorted(os.listdir(top)) for top in ("/opt", "/run", "/var/lib", "/var/log")},
        "rules": subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout,
        "routes": subprocess.run(
            ["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True
        ).stdout,
    }


def traces(files: Directory, identity: str) -> Mapping[str, object]:
    """What is left of one sandbox itself."""
    return {
        "processes": processes.members(files),
        "contained": cgroups.members(identity),
        "groups": [str(h) for h in cgroups.hierarchies() if (h / cgroups.name(identity)).exists()],
    }


NOTHING: Mapping[str, object] = {"processes": [], "contained": set(), "groups": []}


def server(api: Api, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A pod that answers HTTP with its name, confined as Penstock's own are; returned when it is ready."""
    confined = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "web",
        "image": dev.REFERENCE,
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", SERVE],
        "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1},
        "securityContext": confined,
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5}
    wait(lambda: api.get("/api/v1/namespaces/default/serviceaccounts/default").ok)
    assert api.create(PODS, {"metadata": {"name": name, "labels": dict(labels)}, "spec": spec}).status == 201
    wait(lambda: ready(api, name))
    return api.get(f"{PODS}/{name}").object


def ready(api: Api, name: str) -> bool:
    """Whether the pod is Ready."""
    conditions = api.get(f"{PODS}/{name}").object["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_service_reaches_its_pod_from_the_node_from_another_pod_and_from_itself(real: Sandbox) -> None:
    """Three different ways through kube-proxy's rules; the API server takes the first, users the others."""
    api = administrator(real)
    served = server(api, "served", {"app": "served"})
    server(api, "other", {"app": "other"})
    spec = {"selector": {"app": "served"}, "ports": [{"port": 80, "targetPort": 8080}]}
    created = api.create(SERVICES, {"metadata": {"name": "served"}, "spec": spec})
    url = f"http://{created.object['spec']['clusterIP']}/"
    direct = f"http://{served['status']['podIP']}:8080/"
    wait(lambda: command(real.directory, "exec", "--", sys.executable, "-c", ASK, url).returncode == 0)

    answers = [
        command(real.directory, "exec", "--", sys.executable, "-c", ASK, direct),
        command(real.directory, "exec", "--", sys.executable, "-c", ASK, url),
        *(
            command(real.directory, "exec", "--", "kubectl", "exec", pod, "--", "python3", "-c", ASK, url)
            for pod in ("other", "served")
        ),
    ]

    assert [(answer.returncode, answer.stdout, answer.stderr) for answer in answers] == [(0, "served\n", "")] * 4


def test_a_pod_can_speak_to_the_api_server_as_its_service_account(real: Sandbox) -> None:
    """By the Service's address, verified with the authority that is mounted into every pod: as Penstock does."""
    server(administrator(real), "client", {"app": "client"})
    ask = (
        "import ssl, urllib.request as u; d = '/var/run/secrets/kubernetes.io/serviceaccount/';"
        "c = ssl.create_default_context(cafile=d + 'ca.crt');"
        "r = u.Request('https://10.96.0.1/apis/authentication.k8s.io/v1/selfsubjectreviews', b'{}',"
        " {'Authorization': 'Bearer ' + open(d + 'token').read(), 'Content-Type': 'application/json'});"
        "print(u.urlopen(r, context=c, timeout=5).read().decode())"
    )

    said = command(real.directory, "exec", "--", "kubectl", "exec", "client", "--", "python3", "-c", ask)

    assert json.loads(said.stdout)["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


def test_pods_survive_the_restart_of_what_runs_them(real: Sandbox) -> None:
    """Tests of the controller restart node components; the containers must not notice."""
    api = administrator(real)
    before = server(api, "survivor", {"app": "survivor"})["status"]["containerStatuses"][0]

    for name in ("containerd", "kubelet", "kube-proxy", "forwarder"):
        assert command(real.directory, "restart", name).returncode == 0, name

    wait(lambda: ready(api, "survivor"))
    after = api.get(f"{PODS}/survivor").object["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)


def test_nothing_is_left_behind_by_down(real_pods: None, tmp_path: Path) -> None:
    """The machine belongs to somebody; and the next sandbox would trip over the rest of this one."""
    before = machine()
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.up(Spec(1, 0, penstock=False))
    state = load(sandbox.files)
    assert state
    try:
        server(administrator(sandbox), "web", {"app": "web"})
        during = machine()
        contained = cgroups.members(state.identity)
    finally:
        sandbox.down()

    assert len(contained) >= 2  # the server and its pod's pause: so the emptiness below says something
    assert traces(sandbox.files, state.identity) == NOTHING
    assert during == before
    assert machine() == before


@pytest.fixture
def hidden_directory() -> Iterator[Path]:
    """A directory where a node's own empty one lies over the machine's."""
    with tempfile.TemporaryDirectory(prefix="penstock-test-", dir="/var/lib") as made:
        yield Path(made)


def test_nothing_is_left_behind_when_everything_was_killed_first(real_pods: None, hidden_directory: Path) -> None:
    """With containerd dead its containers live on; nobody but the control group knows of them. What was started by
    an older version of this code has to be ended too. And a checkout may lie under /var/lib, which a node covers."""
    before = machine()
    sandbox = Sandbox(hidden_directory / "sandbox")
    sandbox.up(Spec(1, 0, penstock=False))
    state = load(sandbox.files)
    assert state
    server(administrator(sandbox), "web", {"app": "web"})
    processes.end(processes.members(sandbox.files), patience=0)
    sandbox.files.state.write_text(json.dumps({"identity": state.identity, "version": 0}))
    contained = cgroups.members(state.identity)

    sandbox.down()

    assert len(contained) >= 2
    assert traces(sandbox.files, state.identity) == NOTHING
    assert machine() == before


def test_nothing_is_left_behind_when_up_is_interrupted(real_pods: None, tmp_path: Path) -> None:
    """Ctrl-C while the kubelet is just making its groups."""
    before = machine()
    files = Directory(tmp_path / "sandbox")
    called = [
        sys.executable,
        "-m",
        "sandbox",
        "up",
        "--directory",
        str(files.root),
        "--pods",
        "real",
        "--without-penstock",
    ]
    with subprocess.Popen(called, stderr=subprocess.PIPE, text=True) as process:
        while not files.pid_file("kubelet").exists():
            time.sleep(0.01)
            assert process.poll() is None
        state = load(files)
        process.send_signal(signal.SIGINT)
        code = process.wait(20)

    assert state
    assert code == 130
    assert traces(files, state.identity) == NOTHING
    assert machine() == before
