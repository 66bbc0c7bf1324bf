"""An installation by Helm, from beginning to end, on real pods: what is under way at its end is ended first."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import build, gated
from sandbox.cluster import Sandbox
from sandbox.helm import helm
from sandbox.image import dev
from sandbox.image.libraries import ROOT
from sandbox.spec import Spec
from tests.sandbox.conftest import administrator, real_pods, running

__all__ = ["real_pods"]

pytestmark = [pytest.mark.real, pytest.mark.full]

KINDS = (
    "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,flowschemas,clusterroles,clusterrolebindings"
)
OWN = "deployments,jobs,pods,serviceaccounts,secrets,configmaps,services,roles,rolebindings,leases,networkpolicies"
OF_EVERY_NAMESPACE = {"serviceaccount/default", "configmap/kube-root-ca.crt"}


@dataclass(frozen=True)
class Place:
    """A cluster without Penstock."""

    sandbox: Sandbox

    def ran(self, *command: Any, text: str = "") -> str:
        """Of kubectl or Helm; it has to work."""
        called = [str(part) for part in (*command, "--kubeconfig", self.sandbox.kubeconfig)]
        done = subprocess.run(called, input=text, capture_output=True, text=True, timeout=360, check=False)
        assert done.returncode == 0, f"{called[1:4]}: {done.stderr}\n{self.told() if called[1] != 'logs' else ''}"
        return done.stdout

    def kubectl(self, *arguments: str, text: str = "") -> str:
        return self.ran(build.binaries() / "kubectl", *arguments, text=text)

    def told(self) -> str:
        """What the Job of an uninstallation has said, for whoever reads a failure."""
        program = build.binaries() / "kubectl"
        command = [program, "logs", "-n", "penstock-system", "job/uninstall", "--kubeconfig", self.sandbox.kubeconfig]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def web(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "deployment", "web", "-n", "shop", "-o", "json"))
        return found

    def until(self, holds: Callable[[], bool], patience: float = 120) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < deadline, json.dumps(self.web())
            time.sleep(1)


@pytest.fixture
def place(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One real node."""
    sandbox = Sandbox(tmp_path_factory.mktemp("helm") / "sandbox")
    for started in running(sandbox, Spec(1, 0, penstock=False)):
        yield Place(started)


def declared(version: str) -> str:
    """The demo's application as its owner writes it."""
    container = {
        "name": "web",
        "image": dev.REFERENCE,
        "imagePullPolicy": "Never",
        "command": ["python3", "/app/sandbox/demo/app.py"],
        "env": [{"name": "VERSION", "value": version}, {"name": "DRAIN", "value": "1"}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 5},
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    steps = {"penstock.dev/steps": "1", "penstock.dev/step-time": "600s..900s"}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "annotations": steps},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        }
    )


def owners(web: dict[str, Any]) -> dict[str, Any]:
    """What its owner has decided, and nothing that changes with the version."""
    return {name: value for name, value in web["spec"].items() if name != "template"}


def test_helm_uninstall_ends_what_is_under_way_and_leaves_nothing(place: Place) -> None:
    """A Deployment that was held would be paused for good, and nobody there to say why."""
    program = helm(4)
    installed = ("penstock", "--namespace", "penstock-system")
    place.ran(program, "install", *installed, ROOT / "deploy" / "chart", "--create-namespace", "--wait")
    api = administrator(place.sandbox)
    gated.create(api)
    place.kubectl("create", "namespace", "shop")
    place.kubectl("label", "namespace", "shop", "penstock.dev/enabled=true")
    place.kubectl("apply", "-f", "-", text=declared("v1"))
    place.kubectl("rollout", "status", "deployment/web", "-n", "shop", "--timeout=120s")
    place.until(lambda: gated.gated(api))
    born = owners(place.web())
    place.kubectl("apply", "-f", "-", text=declared("v2"))
    place.until(lambda: place.web()["metadata"]["labels"].get("penstock.dev/rollout") == "holding")
    assert place.web()["spec"]["paused"] is True

    place.ran(program, "uninstall", *installed)

    place.until(lambda: place.web()["status"].get("updatedReplicas") == 3)
    ended = place.web()
    assert (owners(ended), "penstock.dev/rollout" in ended["metadata"].get("labels", {})) == (born, False)
    assert [name for name in ended["metadata"]["annotations"] if "penstock.dev" in name] == [
        "penstock.dev/step-time",
        "penstock.dev/steps",
    ]
    listed = place.kubectl("get", KINDS, "-o", "name").splitlines()
    assert [name for name in listed if "penstock" in name] == []

    def left() -> set[str]:
        found = place.kubectl("get", OWN, "-n", "penstock-system", "-o", "name").split()
        return set(found) - OF_EVERY_NAMESPACE

    deadline = time.monotonic() + 60
    while left() and time.monotonic() < deadline:
        time.sleep(1)  # pods end in their own time
    assert left() == set()
