"""What Prometheus is told of pods, and that it understands what it is told."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.metrics.configuration import Configuration, Prometheus, load
from sandbox import prometheus
from sandbox.directory import Directory
from sandbox.discovery import targets
from sandbox.ports import choose
from sandbox.spec import Spec, State


def pod(ip: str | None, *ports: dict[str, Any], **annotations: str) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": "web", "annotations": annotations}
    containers = [{"name": "web", "ports": list(ports)}, {"name": "sidecar"}]
    return {"metadata": metadata, "spec": {"containers": containers}, "status": {"podIP": ip, "phase": "Running"}}


def test_a_pod_is_a_target_for_each_port_and_each_container_without_one() -> None:
    """With the labels of Prometheus' own Kubernetes discovery, so that its rules are those of any cluster."""
    about = {
        "__meta_kubernetes_namespace": "shop",
        "__meta_kubernetes_pod_name": "web",
        "__meta_kubernetes_pod_ip": "10.1.2.3",
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_annotation_prometheus_io_scrape": "true",
    }

    def target(address: str, container: str, port: str) -> dict[str, Any]:
        own = {"container_name": container, "container_port_name": port}
        return {
            "targets": [address],
            "labels": about | {f"__meta_kubernetes_pod_{name}": value for name, value in own.items()},
        }

    ports = {"name": "http", "containerPort": 80}, {"containerPort": 81}
    assert list(targets(pod("10.1.2.3", *ports, **{"prometheus.io/scrape": "true"}))) == [
        target("10.1.2.3:80", "web", "http"),
        target("10.1.2.3:81", "web", ""),
        target("10.1.2.3", "sidecar", ""),
    ]


def test_a_pod_without_an_address_is_none() -> None:
    """It is about to get one."""
    assert list(targets(pod(None))) == list(targets({**pod(None), "status": None})) == []


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    """A typing error would show as a dead process only."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs the Debian package prometheus")
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(prometheus._configuration(Directory(tmp_path))))

    done = subprocess.run([promtool, "check", "config", file], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("nodes", "host"), [(0, "127.0.0.1"), (1, "10.244.0.1")])
def test_the_controller_is_told_where_it_finds_it(nodes: int, host: str, tmp_path: Path) -> None:
    """From a pod it is another address than from the machine."""
    state = State(Spec(nodes, 1 - nodes, prometheus=True), choose(), "/binaries", "0123abcd")
    file = tmp_path / "penstock.yaml"
    file.write_text(prometheus.penstock_yaml(state))

    url = f"http://{host}:{state.ports.prometheus}"
    assert load(str(file)) == Configuration(prometheus=Prometheus(url=url, lookback=20))
    file.write_text(prometheus.penstock_yaml(State(Spec(nodes, 1), choose(), "/binaries", "0123abcd")))
    assert load(str(file)) == Configuration()
