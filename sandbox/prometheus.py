"""A real Prometheus that scrapes the sandbox's pods, found as in any cluster (see discovery).

With real pods it lives where they can be reached: in the first node's private network. The forwarder leads to it
from outside; the controller, in a pod, finds it at the node's address. Simulated pods have nothing to scrape, but
the controller's way to it can be tried with them too.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox import kubeconfig, packages
from sandbox.api import Api, healthy
from sandbox.component import PATIENCE, Component, Failed, until
from sandbox.directory import Directory
from sandbox.namespaces import Place
from sandbox.pki import ca_file
from sandbox.spec import State, address

ROOT = Path(__file__).parents[1]
NAME = "prometheus"
DISCOVERY = "prometheus-discovery"
INTERVAL = 2
"""Seconds between scrapes: people who try things wait for every one of them."""

CONFIGURATION = "penstock.yaml"


def check() -> None:
    """Say what is missing before anything is started."""
    absent = packages.missing(packages.MONITORING)
    if absent:
        raise Failed(f"there is no Prometheus here; {packages.how(absent)}")


def component(directory: Directory, state: State, place: Place) -> Iterator[Component]:
    """The server and what tells it of pods, if it was asked for."""
    if not state.spec.prometheus:
        return
    port = state.ports.prometheus
    listen = "0.0.0.0" if state.spec.real_nodes else "127.0.0.1"
    flags = {
        "config.file": _file(directory),
        "storage.tsdb.path": directory.prometheus,
        "storage.tsdb.retention.time": "1d",
        "web.listen-address": f"{listen}:{port}",
        "log.level": "warn",
        "enable-feature": "native-histograms",
    }
    program = packages.program(NAME)
    assert program, "checked before the start"
    command = [program, *(f"--{flag}={value}" for flag, value in flags.items())]
    yield Component(NAME, command, lambda: healthy(port, "/-/ready"), place)
    watch = ["-m", "sandbox.discovery", f"--kubeconfig={_kubeconfig(directory)}", f"--file={_targets(directory)}"]
    variables = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    yield Component(DISCOVERY, [sys.executable, *watch], _targets(directory).exists, place, variables)


def url(state: State) -> str:
    """Where the controller finds it."""
    host = address(1) if state.spec.real_nodes else "127.0.0.1"
    return f"http://{host}:{state.ports.prometheus}"


def penstock_yaml(state: State) -> str:
    """The controller's configuration."""
    configuration: dict[str, Any] = {"version": 1}
    if state.spec.prometheus:
        configuration["prometheus"] = {"url": url(state), "lookback": 10 * INTERVAL}
    return yaml.safe_dump(configuration, sort_keys=False)


def penstock_file(directory: Directory) -> Path:
    """Where a controller that is a local process reads it."""
    return directory.configuration / CONFIGURATION


def write(directory: Directory, state: State, api: Api) -> None:
    """Its configuration, and who it is: somebody who may look at pods."""
    directory.prometheus.mkdir(mode=0o700, exist_ok=True)
    directory.log(NAME).with_suffix(".url").write_text(f"{url(state)}\n")
    penstock_file(directory).write_text(penstock_yaml(state))
    _file(directory).write_text(yaml.safe_dump(_configuration(directory), sort_keys=False))
    account, token = f"/api/v1/namespaces/kube-system/serviceaccounts/{NAME}", {"spec": {"expirationSeconds": 604800}}
    until("there is kube-system", lambda: api.get("/api/v1/namespaces/kube-system").ok, PATIENCE)
    api.create(account.rpartition("/")[0], {"metadata": {"name": NAME}})
    api.create(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": f"sandbox-{NAME}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": "kube-system"}],
        },
    )
    answer = api.create(f"{account}/token", token)
    if not answer.ok:
        raise Failed(f"no token for {NAME}: {answer.message}")
    server = f"https://127.0.0.1:{state.ports.api}"
    kubeconfig.write(_kubeconfig(directory), server, ca_file(directory.pki), token=answer.object["status"]["token"])


def _file(directory: Directory) -> Path:
    return directory.configuration / "prometheus.yaml"


def _targets(directory: Directory) -> Path:
    return directory.prometheus / "targets.json"


def _kubeconfig(directory: Directory) -> Path:
    return directory.configuration / NAME


def _configuration(directory: Directory) -> Mapping[str, Any]:
    """Pods that say so: by annotation, else by a port that is called metrics. The same rule as `source: pods` has."""
    meta = "__meta_kubernetes_pod"
    annotation = f"{meta}_annotation_prometheus_io"
    port = {
        "source_labels": [f"{meta}_ip", f"{annotation}_port"],
        "regex": r"(.+);(\d+)",
        "target_label": "__address__",
        "replacement": "$1:$2",
    }
    port_name = f"{meta}_container_port_name"
    annotated = [
        {
            "source_labels": [f"{annotation}_scrape", f"{annotation}_port", port_name],
            "regex": r"true;\d+;.*|true;;metrics",
            "action": "keep",
        },
        port,
        {"source_labels": [f"{annotation}_path"], "regex": "(/.*)", "target_label": "__metrics_path__"},
        {"source_labels": [f"{annotation}_scheme"], "regex": "(https?)", "target_label": "__scheme__"},
    ]
    named = [
        {"source_labels": [f"{annotation}_scrape"], "regex": ".+", "action": "drop"},
        {"source_labels": [port_name], "regex": "metrics", "action": "keep"},
    ]
    own = [
        {"source_labels": [f"{meta}_phase"], "regex": "Succeeded|Failed", "action": "drop"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": [f"{meta}_name"], "target_label": "pod"},
    ]
    found = [{"files": [str(_targets(directory))]}]
    return {
        "global": {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": f"{INTERVAL}s"},
        "scrape_configs": [
            {"job_name": name, "file_sd_configs": found, "relabel_configs": [*rules, *own]}
            for name, rules in (("annotated", annotated), ("named", named))
        ],
    }
