"""Penstock in the sandbox: in pods where there are real ones, else as local processes with the same rights.

Both are made from deploy/, so that what is tested is what is installed. Local processes get tokens of the same
ServiceAccounts; only the address differs at which the API server finds the webhook.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox import gated, kubeconfig, manifests, prometheus
from sandbox.api import Api, healthy
from sandbox.component import Component, Failed
from sandbox.deployed import NAMESPACE, Deployed
from sandbox.directory import Directory
from sandbox.pki import ca_file
from sandbox.spec import State

ROOT = Path(__file__).parents[1]
NAMES = ("controller", "webhook")
"""Also their ServiceAccounts and Deployments; the controller first, it makes the webhook's certificates."""
TOKEN_LIFE = 7 * 24 * 3600


def components(directory: Directory, state: State, api: Api) -> Iterator[Component]:
    """Controller and webhook."""
    if state.spec.real_nodes:
        for name in NAMES:
            yield Deployed(name, (), _readiness(name, api), api=api, identity=state.identity)
        return
    ports = state.ports
    webhook = {"port": ports.webhook, "bind-address": "127.0.0.1", "drain-seconds": 0}
    # One at a time by its pid, so the next one may take the dead one's lease at once instead of after 15 s.
    controller = {"identity": "sandbox", "page-port": ports.page}
    configured = state.spec.prometheus
    for name, metrics in zip(NAMES, (ports.controller_metrics, ports.webhook_metrics), strict=True):
        flags = {
            "kubeconfig": _kubeconfig(directory, name),
            "webhook-names": "127.0.0.1",
            "metrics-port": metrics,
            **(webhook if name == "webhook" else controller),
            **({"configuration": prometheus.penstock_file(directory)} if configured and name == "controller" else {}),
        }
        command = [sys.executable, "-m", name, *(f"--{flag}={value}" for flag, value in flags.items())]
        ready = _readiness(name, api, ports.controller_metrics)
        yield Component(name, command, ready, variables={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"})


def page(directory: Directory, state: State) -> str:
    """How the web page is opened: its address, or what to do for one."""
    if state.spec.real_nodes:
        kubectl = f"{state.binaries}/kubectl --kubeconfig {directory.kubeconfig}"
        return f"{kubectl} port-forward -n {NAMESPACE} deployment/controller 8080, then http://127.0.0.1:8080/"
    return f"http://127.0.0.1:{state.ports.page}/"


def _readiness(name: str, api: Api, port: int = 0) -> Callable[[], bool]:
    if name == "webhook":
        return lambda: gated.gated(api)
    return lambda: not port or healthy(port, "/readyz")


def install(directory: Directory, state: State, api: Api, objects: list[manifests.Object]) -> None:
    """Everything but local processes: namespace, rights, webhook configurations; with real nodes the pods too."""
    # First, because a labelled namespace made when there is a configuration and no webhook yet costs a time-out.
    gated.create(api)
    if state.spec.real_nodes:
        manifests.apply(api, manifests.configured(objects, prometheus.penstock_yaml(state)))
        return
    manifests.apply(api, manifests.without_pods(objects, state.ports.webhook))
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
