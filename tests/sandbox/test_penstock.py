"""Penstock in the sandbox is the installed one: same manifests, same rights, and `up` returns when it works."""

import base64
import http.client
import json
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import gated, packages
from sandbox.api import Api
from sandbox.cluster import Sandbox
from sandbox.spec import Spec
from tests.sandbox.conftest import administrator, command, running

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
KINDS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Simulated pods, Penstock as local processes."""
    yield from running(Sandbox(tmp_path_factory.mktemp("local") / "sandbox"), Spec(0, 1))


@pytest.fixture(scope="module")
def in_pods(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Real pods, Penstock in them."""
    yield from running(Sandbox(tmp_path_factory.mktemp("in-pods") / "sandbox"), Spec(1, 0))


def wait(holds: Callable[[], bool], patience: float = 20) -> None:
    """Until it holds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def clients(api: Api) -> list[dict[str, Any]]:
    """How the API server is told to reach each webhook."""
    found = [api.get(f"{CONFIGURATIONS}/{kind}/zz-penstock").object["webhooks"] for kind in KINDS]
    return [webhook["clientConfig"] for webhooks in found for webhook in webhooks]


def ask(kubeconfig: Path, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a review says to the identity of a kubeconfig with a token."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    address = cluster["server"].removeprefix("https://")
    connection = http.client.HTTPSConnection(address, context=ssl.create_default_context(cadata=authority))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer["status"]


def may(kubeconfig: Path, verb: str, group: str, resource: str, name: str = "") -> bool:
    """Whether RBAC allows it, in Penstock's own namespace."""
    about = {"namespace": "penstock-system", "verb": verb, "group": group, "resource": resource, "name": name}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return bool(ask(kubeconfig, path, {"spec": {"resourceAttributes": about}})["allowed"])


@pytest.mark.cluster
def test_a_release_right_after_up_is_gated(local: Sandbox) -> None:
    """`up && kubectl apply` is what every script does next."""
    assert gated.gated(administrator(local))


@pytest.mark.cluster
def test_local_processes_have_the_identities_and_rights_of_the_pods(local: Sandbox) -> None:
    """A permission that is missing in deploy/ must show in the tests, not on a user's cluster."""
    files = {name: local.files.configuration / name for name in ("webhook", "controller")}

    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    users = {name: ask(file, path, {})["userInfo"]["username"] for name, file in files.items()}
    allowed = {
        f"{name} may {verb} {resource} {own}".rstrip()
        for name, file in files.items()
        for verb, group, resource, own in (
            ("get", "", "secrets", "penstock-webhook-certs"),
            ("get", "", "secrets", "other"),
            ("patch", "apps", "deployments", ""),
            ("create", "", "pods", ""),
        )
        if may(file, verb, group, resource, own)
    }

    assert users == {name: f"system:serviceaccount:penstock-system:{name}" for name in files}
    assert allowed == {
        "webhook may get secrets penstock-webhook-certs",
        "controller may get secrets penstock-webhook-certs",
        "controller may patch deployments",
    }


@pytest.mark.cluster
def test_with_local_processes_the_webhook_is_called_by_its_address(local: Sandbox) -> None:
    """A Service leads nowhere on a simulated node."""
    found = clients(administrator(local))

    assert found
    assert {client["url"].rpartition(":")[0] for client in found} == {"https://127.0.0.1"}
    assert all(client.get("caBundle") and "service" not in client for client in found)


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["webhook", "controller"])
def test_a_killed_local_process_is_ready_again_when_restart_returns(local: Sandbox, name: str) -> None:
    """The tests of invariants do nothing else all day."""
    pid = local.pid(name)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: local.pid(name) is None)
    held = gated.gated(administrator(local))

    restarted = command(local.directory, "restart", name)

    assert (held, restarted.returncode) == (name != "webhook", 0)
    assert local.pid(name) not in (None, pid)
    assert gated.gated(administrator(local))


@pytest.mark.real
def test_in_pods_the_webhook_is_called_through_its_service(in_pods: Sandbox) -> None:
    """The way it is installed on a user's cluster."""
    found = clients(administrator(in_pods))

    assert {client["service"]["name"] for client in found} == {"webhook"}
    assert gated.gated(administrator(in_pods))


@pytest.mark.real
@pytest.mark.parametrize("name", ["webhook", "controller"])
def test_the_pid_and_log_of_a_part_in_pods_are_those_of_its_container(in_pods: Sandbox, name: str) -> None:
    """Scripts kill by the pid file, whichever way Penstock runs."""
    pid = in_pods.pid(name)

    assert in_pods.files.pid_file(name).read_text() == f"{pid}\n"
    assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:3] == [b"python3", b"-m", name.encode()]
    assert in_pods.files.log(name).read_text()


@pytest.mark.real
def test_a_part_in_pods_can_be_killed_stopped_and_restarted(in_pods: Sandbox) -> None:
    """The kubelet brings back what was killed, and only what was killed."""
    api = administrator(in_pods)
    pid = in_pods.pid("controller")
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: in_pods.pid("controller") not in (None, pid))

    in_pods.stop("webhook")
    held = gated.gated(api)
    status = command(in_pods.directory, "status")
    restarted = command(in_pods.directory, "restart", "webhook")

    assert (held, status.returncode, restarted.returncode) == (False, 1, 0)
    assert [line.split()[:2] for line in status.stdout.splitlines() if "dead" in line] == [["webhook", "dead"]]
    assert gated.gated(api)


@pytest.mark.real
@pytest.mark.full
def test_two_real_nodes_and_a_simulated_one_form_one_cluster(real_pods: None, tmp_path: Path) -> None:
    """The webhook's replicas spread over the real nodes; calls to either arrive; simulated pods are asked for."""
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.up(Spec(2, 1))
    try:
        api = administrator(sandbox)
        pods = api.get("/api/v1/namespaces/penstock-system/pods").object["items"]
        webhooks = {pod["spec"]["nodeName"] for pod in pods if "webhook" in pod["metadata"]["name"]}
        assert webhooks == {"real-1", "real-2"}
        kubectl = ("exec", "--", "kubectl", "-n", "penstock-system")
        for pod in pods:
            said = command(
                sandbox.directory, *kubectl, "exec", pod["metadata"]["name"], "--", "python3", "-c", "print(1)"
            )
            assert (said.returncode, said.stdout) == (0, "1\n")
        assert all(gated.gated(api) for _ in range(5))
    finally:
        sandbox.down()


@pytest.mark.cluster
def test_a_local_controller_is_told_of_the_sandboxes_prometheus(tmp_path: Path) -> None:
    """And both are processes like the others: seen by status, ended by down."""
    if packages.missing(packages.MONITORING):
        pytest.skip("needs the Debian package prometheus")
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.up(Spec(0, 1, prometheus=True))
    try:
        arguments = Path(f"/proc/{sandbox.pid('controller')}/cmdline").read_text().split("\0")
        listed = command(sandbox.directory, "status")
        url = (sandbox.directory / "run" / "prometheus.url").read_text()
    finally:
        sandbox.down()

    assert f"--configuration={sandbox.files.configuration / 'penstock.yaml'}" in arguments
    assert listed.returncode == 0
    assert {"prometheus", "prometheus-discovery"} <= {line.split()[0] for line in listed.stdout.splitlines()}
    assert url.startswith("http://127.0.0.1:")
    assert sorted(os.listdir(sandbox.directory)) == [".lock", "run"]
    assert not [name for name in os.listdir(sandbox.directory / "run") if not name.endswith(".log")]
