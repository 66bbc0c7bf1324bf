"""A real API server for the tests of the installation and of the certificates; one for all of them.

Two folders want it, and a session fixture imported by two conftest files would start it twice, so it is kept with the
pytest run itself.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from penstock.kube import Client
from sandbox import build
from sandbox.cluster import Sandbox
from sandbox.spec import Spec

T = TypeVar("T")
Object = dict[str, Any]

KEPT = pytest.StashKey["Plane"]()
DEPLOY = Path(__file__).parents[2] / "deploy"


@dataclass(frozen=True)
class Plane:
    """The cluster, and ways to use it."""

    sandbox: Sandbox
    kubectl_path: Path

    @property
    def kubeconfig(self) -> str:
        """The administrator's."""
        return str(self.sandbox.kubeconfig)

    def kubectl(self, *arguments: str, text: str = "", who: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run kubectl; its exit code and words are for the caller to judge."""
        command = [str(self.kubectl_path), "--kubeconfig", who or self.kubeconfig, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)

    def must(self, *arguments: str, text: str = "", who: str | None = None) -> str:
        """Run kubectl; it has to work."""
        done = self.kubectl(*arguments, text=text, who=who)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, work: Callable[[Client], Awaitable[T]], who: str | None = None) -> T:
        """Do something with a client, from a test that is not asynchronous."""

        async def run() -> T:
            async with Client.connect(who or self.kubeconfig) as client:
                return await work(client)

        return asyncio.run(run())

    async def account(self, client: Client, name: str) -> str:
        """A kubeconfig for a ServiceAccount of ours, with a token as a pod would have it."""
        path = f"/api/v1/namespaces/penstock-system/serviceaccounts/{name}/token"
        answer = await client.post(path, {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}})
        config = yaml.safe_load(self.sandbox.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": answer["status"]["token"]}
        file = self.sandbox.directory / f"account-{name}"
        file.write_text(yaml.safe_dump(config))
        return str(file)


async def apply(client: Client, item: Object, **query: str) -> Object:
    """As `kubectl apply --server-side` does."""
    group, namespace = item["apiVersion"], item["metadata"].get("namespace")
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    kind = item["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    place = f"/namespaces/{namespace}" if namespace else ""
    path = f"{root}{place}/{plural}/{item['metadata']['name']}"
    return await client.apply(path, item, manager="install", force=True, **query)


def rendered(plane: Plane, directory: Path = DEPLOY) -> list[Object]:
    """What `kubectl apply -k` would send."""
    return [item for item in yaml.safe_load_all(plane.must("kustomize", str(directory))) if item]


def shared(config: pytest.Config) -> Plane:
    """The one of this run; started on first use, ended with it."""
    if KEPT not in config.stash:
        binaries = build.binaries()
        directory = tempfile.TemporaryDirectory(prefix="penstock-plane-")
        sandbox = Sandbox(directory.name)
        sandbox.up(Spec(simulated_nodes=1, penstock=False))

        def end() -> None:
            sandbox.down()
            directory.cleanup()

        config.add_cleanup(end)
        config.stash[KEPT] = Plane(sandbox, binaries / "kubectl")
    return config.stash[KEPT]


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Plane:
    """A real API server."""
    return shared(request.config)
