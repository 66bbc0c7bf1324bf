"""`python -m sandbox.discovery`: tells Prometheus which pods there are.

Debian builds its Prometheus without Kubernetes service discovery, so this watches the pods in its place and writes
what that would have found, with the same `__meta_kubernetes_pod_…` labels, into a file that Prometheus watches. What
is scraped, and under which labels, remains Prometheus' own business: the rules are in its configuration.
"""

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from penstock.kube import Client, Reflector

PODS = "/api/v1/pods"
PAUSE = 0.2
"""Seconds in which changes are gathered: a ReplicaSet's pods come together."""

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_]")


def targets(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One for each port of a container, and one for a container without any; none for a pod without an address."""
    meta, status = pod["metadata"], pod.get("status") or {}
    if not status.get("podIP"):
        return
    about = {"name": meta["name"], "ip": status["podIP"], "phase": status.get("phase", "")}
    about |= {f"annotation_{_FORBIDDEN.sub('_', k)}": v for k, v in (meta.get("annotations") or {}).items()}
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or [{}]:
            address = f"{status['podIP']}:{port['containerPort']}" if port else status["podIP"]
            found = about | {"container_name": container["name"], "container_port_name": port.get("name", "")}
            labels = {f"__meta_kubernetes_pod_{name}": value for name, value in found.items()}
            yield {"targets": [address], "labels": {"__meta_kubernetes_namespace": meta["namespace"], **labels}}


async def run(kubeconfig: str, file: Path) -> None:
    """Until SIGTERM."""
    changed, this = asyncio.Event(), asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Client.connect(kubeconfig, user_agent="sandbox-discovery") as client:
        pods = Reflector(client, PODS, {}, lambda *_: changed.set())

        async def write() -> None:
            await pods.synced.wait()
            while True:
                partial = file.with_suffix(".new")
                partial.write_text(json.dumps([t for pod in pods.items.values() for t in targets(pod)]))
                partial.rename(file)
                changed.clear()
                await changed.wait()
                await asyncio.sleep(PAUSE)

        async with asyncio.TaskGroup() as group:
            group.create_task(pods.run())
            group.create_task(write())


@click.command()
@click.option("--kubeconfig", required=True)
@click.option("--file", required=True, type=click.Path(path_type=Path))
def main(kubeconfig: str, file: Path) -> None:
    """Write the targets there are to FILE, whenever they change."""
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(run(kubeconfig, file))


if __name__ == "__main__":
    main()
