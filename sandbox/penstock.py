"""Penstock in the sandbox: in pods where there are real ones, else as local processes with the same rights.

Both are made from deploy/, so that what is tested is what is installed. Local processes get tokens of the same
ServiceAccounts; only the address differs at which the API server finds the webhook.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from sandbox import gated, kubeconfig
from sandbox.api import Api, healthy
from sandbox.component import Component, Failed
from sandbox.deployed import NAMESPACE, Deployed
from sandbox.directory import Directory
from sandbox.pki import ca_file
from sandbox.spec import State

ROOT = Path(__file__).parents[1]
NAMES = ("controller", "webhook")
"""Also their ServiceAccounts and Deployments; the controller first, it makes the webhook's certificates."""
IN_PODS_ONLY = ("Deployment", "Service", "PodDisruptionBudget")
TOKEN_LIFE = 7 * 24 * 3600


def components(directory: Directory, state: State, api: Api) -> Iterator[Component]:
    """Controller and webhook."""
    if state.spec.real_nodes:
        for name in NAMES:
            yield Deployed(name, (), _readiness(name, api), api=api, identity=state.identity)
        return
    ports = state.ports
    own = {
        "controller": ["--metrics-port", ports.controller_metrics],
        "webhook": [
            "--metrics-port",
            ports.webhook_metrics,
            "--port",
            ports.webhook,
            "--bind-address",
            "127.0.0.1",
            "--drain-seconds",
            0,
        ],
    }
    for name in NAMES:
        flags = ["--kubeconfig", _kubeconfig(directory, name), "--webhook-names", "127.0.0.1", *own[name]]
        command = [sys.executable, "-m", name, *map(str, flags)]
        ready = _readiness(name, api, ports.controller_metrics)
        yield Component(name, command, ready, variables={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"})


def _readiness(name: str, api: Api, port: int = 0) -> Callable[[], bool]:
    if name == "webhook":
        return lambda: gated.gated(api)
    return lambda: not port or healthy(port, "/readyz")


def install(directory: Directory, state: State, api: Api) -> None:
    """Everything but the processes: namespace, rights, webhook configurations; with real nodes those too."""
    if state.spec.real_nodes:
        _kubectl(directory, state, "apply", "-k", str(ROOT / "deploy"))
    else:
        _install_local(directory, state, api)
    gated.create(api)


def _install_local(directory: Directory, state: State, api: Api) -> None:
    kept = []
    for entry in yaml.safe_load_all(_kubectl(directory, state, "kustomize", str(ROOT / "deploy"))):
        if entry["kind"] in IN_PODS_ONLY:
            continue
        for webhook in entry.get("webhooks", []):
            path = webhook["clientConfig"].pop("service")["path"]
            webhook["clientConfig"]["url"] = f"https://127.0.0.1:{state.ports.webhook}{path}"
        kept.append(entry)
    file = directory.configuration / "penstock.yaml"
    file.write_text(yaml.safe_dump_all(kept))
    _kubectl(directory, state, "apply", "-f", str(file))
    server = f"https://127.0.0.1:{state.ports.api}"
    for name in NAMES:
        kubeconfig.write(_kubeconfig(directory, name), server, ca_file(directory.pki), token=_token(api, name))


def _kubeconfig(directory: Directory, name: str) -> Path:
    return directory.configuration / name


def _token(api: Api, name: str) -> str:
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
    answer = api.create(path, {"spec": {"expirationSeconds": TOKEN_LIFE}})
    if not answer.ok:
        raise Failed(f"no token for the ServiceAccount {name}: {answer.message}")
    return str(answer.object["status"]["token"])


def _kubectl(directory: Directory, state: State, *arguments: str) -> str:
    # Its cache of what the API server offers goes beside its kubeconfig, not into the user's home.
    variables = {"KUBECONFIG": str(directory.kubeconfig), "KUBECACHEDIR": str(directory.configuration / "cache")}
    done = subprocess.run(
        [str(Path(state.binaries) / "kubectl"), *arguments],
        env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
