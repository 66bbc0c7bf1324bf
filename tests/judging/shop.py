"""A shop in a namespace of its own on real pods: the demo's application, real traffic, and a recorder of what it said.

Several run side by side on one cluster, so a whole story takes as long as its longest release.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.core import keys
from penstock.core.guard import record_of
from penstock.core.rollout import Phase
from penstock.kube import Client, objects
from sandbox.cluster import Sandbox

Object = dict[str, Any]
NAME = "web"


@dataclass(frozen=True)
class Order:
    """What is deployed: four pods, two steps, and how it is judged."""

    step_time: str = "10s..90s"
    max_impact: str = "5%"
    source: str = "pods"
    error_rate: str = "0.005"
    replicas: int = 4


@dataclass
class Story:
    """What was seen of one release."""

    reasons: list[str] = field(default_factory=list)
    """Of our condition, each once, in order."""
    messages: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    seconds: float = 0.0
    end: str = ""
    """promoted, rejected, or empty where it did not end."""

    def saw(self, deployment: Object) -> None:
        """One look."""
        for condition in objects.at(deployment, "status", "conditions") or ():
            if condition["type"] == keys.CONDITION and condition["message"] not in self.messages[-1:]:
                self.messages.append(condition["message"])
                if condition["reason"] not in self.reasons[-1:]:
                    self.reasons.append(condition["reason"])
        record = record_of(deployment)
        if record and record.step and record.step not in self.steps:
            self.steps.append(record.step)


class Shop:
    """One namespace."""

    def __init__(self, sandbox: Sandbox, client: Client, namespace: str, order: Order) -> None:
        self.sandbox, self.client, self.namespace, self.order = sandbox, client, namespace, order
        self.url = ""

    async def open(self) -> None:
        """The first version runs and answers."""
        notes = {
            keys.STEP_TIME: self.order.step_time,
            keys.WARMUP: "3s",
            keys.STEPS: "1, 50%",
            keys.ERRORS: 'http_requests_total{code=~"5.."} / http_requests_total',
            keys.MAX_IMPACT: self.order.max_impact,
            keys.SOURCE: self.order.source,
        }
        labels = {keys.ENABLED: "true"}
        meta = {"name": self.namespace, "labels": labels, "annotations": notes}
        await self.client.post(objects.namespaces(), {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME},
            "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        made = await self.client.post(objects.services(self.namespace), service)
        self.url = f"http://{made['spec']['clusterIP']}:80"
        await self.apply("v1")
        for _ in range(180):
            if objects.at(await self.deployment(), "status", "availableReplicas") == self.order.replicas:
                return
            await asyncio.sleep(0.5)
        raise TimeoutError(f"the pods of {self.namespace} are not available")

    async def close(self) -> None:
        """Its pods make room for those of the next one."""
        await self.client.delete(objects.namespace(self.namespace))

    async def apply(self, version: str, error_rate: str = "") -> None:
        """Declare a version."""
        env = {"VERSION": version, "ERROR_RATE": error_rate or self.order.error_rate, "DRAIN": "3"}
        container = {
            "name": NAME,
            "image": "localhost/penstock:dev",
            "imagePullPolicy": "Never",
            "command": ["python3", "/app/sandbox/demo/app.py"],
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "ports": [{"name": "metrics", "containerPort": 8080}],
            # A busy machine answers late; a pod that lost readiness for it would begin its warm-up anew.
            "readinessProbe": {
                "httpGet": {"path": "/healthz", "port": 8080},
                "periodSeconds": 1,
                "timeoutSeconds": 5,
                "failureThreshold": 6,
            },
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
        }
        template = {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}}
        spec = {"replicas": self.order.replicas, "selector": {"matchLabels": {"app": NAME}}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}, "spec": spec}
        await self.client.apply(objects.deployment(self.namespace, NAME), body, manager="test", force=True)

    async def deployment(self) -> Object:
        return await self.client.get(objects.deployment(self.namespace, NAME))

    async def release(self, version: str, error_rate: str = "", patience: float = 240.0) -> Story:
        """Declare a version and look until it is over."""
        await self.apply(version, error_rate)
        return await self.follow(patience)

    async def follow(self, patience: float, until: str = "") -> Story:
        """Look until the rollout is over, or a reason is said."""
        story, begun = Story(), time.monotonic()
        while time.monotonic() - begun < patience:
            deployment = await self.deployment()
            story.saw(deployment)
            story.seconds = time.monotonic() - begun
            record = record_of(deployment)
            if record is None or record.phase is Phase.REJECTED:
                story.end = "rejected" if record else "promoted"
                return story
            if until and until in story.reasons:
                return story
            await asyncio.sleep(0.5)
        return story

    @contextlib.asynccontextmanager
    async def traffic(self, rate: float, *, burst: float = 0.0, path: str = "/") -> AsyncIterator[None]:
        """Requests through the Service while the block lasts."""
        flow = [sys.executable, "-m", "sandbox.demo.traffic", self.url + path]
        flow += ["--rate", f"{rate:g}", "--burst", f"{burst:g}", "--seconds", "3600"]
        command = [sys.executable, "-m", "sandbox", "exec", "--directory", str(self.sandbox.directory), "--", *flow]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[2]
        )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
