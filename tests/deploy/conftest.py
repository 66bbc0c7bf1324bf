"""The installation on a real API server: manifests applied, webhook and authority running as in the cluster."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from certs import inject
from penstock.kube import Client
from sandbox import ports
from tests.deploy.plane import Object, Plane, apply, plane, rendered

__all__ = ["plane"]

ROOT = Path(__file__).parents[2]


@dataclass
class Installation:
    """Penstock on a plane; the webhook is a local process, so its Service is replaced by its address."""

    plane: Plane
    webhook_port: int
    metrics_port: int
    webhook: str
    """kubeconfig of the ServiceAccount"""
    controller: str
    """kubeconfig of the ServiceAccount"""
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    served_after: float = 0.0
    """seconds from the empty Secret to a webhook that is trusted and ready, the start of Python included"""

    def start_webhook(self) -> None:
        """Does not wait."""
        flags = {
            "kubeconfig": self.webhook,
            "bind-address": "127.0.0.1",
            "port": self.webhook_port,
            "metrics-port": self.metrics_port,
            "webhook-names": "127.0.0.1",
            "drain-seconds": 0,
        }
        self.process = start("webhook", self.log, *(f"--{name}={value}" for name, value in flags.items()))

    def wait(self) -> None:
        """Until the webhook is ready."""
        until(lambda: asked(self.metrics_port, "/readyz")[0] == 200, "the webhook is ready", self.log)

    def end_webhook(self, number: int) -> int:
        """Send it a signal and wait; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def calls(self) -> dict[str, float]:
        """Admissions so far, by path."""
        found: dict[str, float] = {}
        for line in asked(self.metrics_port, "/metrics")[1].splitlines():
            if line.startswith("penstock_admission_requests_total{"):
                path = line.split('path="')[1].split('"')[0]
                found[path] = found.get(path, 0) + float(line.rsplit(" ", 1)[1])
        return found


def asked(port: int, path: str) -> tuple[int, str]:
    """A plain GET on this machine; 0 where nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def start(module: str, log: Path, *flags: str) -> "subprocess.Popen[bytes]":
    """One of our processes, without the test run's environment."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}
    with log.open("ab") as output:
        command = [sys.executable, "-m", module, *flags]
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=ROOT)


def until(holds: Callable[[], bool], what: str, log: Path, patience: float = 30.0) -> None:
    """Wait, looking often."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, f"waited in vain until {what}; {log}:\n{log.read_text()[-3000:]}"
        time.sleep(0.05)


def by_address(item: Object, port: int) -> Object:
    """A webhook configuration that calls this machine instead of the Service."""
    for entry in item.get("webhooks", ()):
        path = entry["clientConfig"].pop("service")["path"]
        entry["clientConfig"]["url"] = f"https://127.0.0.1:{port}{path}"
    return item


async def trusted(client: Client) -> bool:
    """Whether every webhook has a caBundle."""
    return all(webhook.trusted for found in await inject.read(client) for webhook in found.webhooks)


@pytest.fixture(scope="session")
def installed(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`kubectl apply -k deploy`, then both processes under their own identities."""
    chosen = ports.choose()
    items = [by_address(item, chosen.webhook) for item in rendered(plane)]

    async def install(client: Client) -> tuple[str, str]:
        for item in items:
            await apply(client, item)
        return await plane.account(client, "webhook"), await plane.account(client, "controller")

    webhook, controller = plane.call(install)
    log = tmp_path_factory.mktemp("installed") / "log"
    found = Installation(plane, chosen.webhook, chosen.webhook_metrics, webhook, controller, log)
    begun = time.monotonic()
    found.start_webhook()
    authority = start("certs", log, "--kubeconfig", controller, "--webhook-names", "127.0.0.1")
    try:
        found.wait()
        until(lambda: plane.call(trusted), "the webhook is trusted", log)
        found.served_after = time.monotonic() - begun
        yield found
    finally:
        for process in (authority, found.process):
            if process is not None:
                process.terminate()
                process.wait(20)
