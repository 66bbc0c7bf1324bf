"""The Deployments that tests roll out, written as a user writes them: nothing of Penstock but annotations."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.reading import LIMITS, Amount

NAME = "web"
SANDBOX = "sandbox.penstock.dev/"


@dataclass(frozen=True)
class Workload:
    """A user's manifest. `spec` adds fields to the Deployment's spec, `pod` annotations and labels of behaviour."""

    replicas: int = 10
    surge: Amount = "25%"
    unavailable: Amount = "25%"
    steps: str = "2, 50%"
    step_time: str = "1s..60s"
    notes: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    ready_after: str = "300ms"

    def manifest(self, version: str = "1", behaviour: str = "", **times: str) -> dict[str, Any]:
        """The manifest of a version. `times` are kwok's, as in sandbox/nodes/stages.yaml, with _ for -."""
        notes = {
            "penstock.dev/steps": self.steps,
            "penstock.dev/step-time": self.step_time,
            LIMITS: json.dumps([self.surge, self.unavailable]),
        }
        rolling = {"maxSurge": self.surge, "maxUnavailable": self.unavailable}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "labels": {"app": NAME}, "annotations": notes | self.notes},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": NAME}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
                "template": self.template(version, behaviour, **times),
            }
            | self.spec,
        }

    def template(self, version: str, behaviour: str = "", **times: str) -> dict[str, Any]:
        """The pod template of a version."""
        waits = {"ready_after": self.ready_after} | times
        return {
            "metadata": {
                "labels": {"app": NAME} | ({SANDBOX + "behaviour": behaviour} if behaviour else {}),
                "annotations": {SANDBOX + name.replace("_", "-"): value for name, value in waits.items()},
            },
            "spec": {"containers": [{"name": "app", "image": image(version)}]},
        }

    @staticmethod
    def limits(surge: Amount, unavailable: Amount) -> dict[str, Any]:
        """A merge patch with which the user changes their limits."""
        return {
            "metadata": {"annotations": {LIMITS: json.dumps([surge, unavailable])}},
            "spec": {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}},
        }


def idle(name: str) -> dict[str, Any]:
    """A Deployment of one pod beside the one that is rolled out; its labels keep it out of the recorder's history."""
    manifest = Workload(1).manifest()
    manifest["metadata"] |= {"name": name, "labels": {"app": name}}
    manifest["spec"]["selector"] = {"matchLabels": {"app": name}}
    manifest["spec"]["template"]["metadata"]["labels"] = {"app": name}
    return manifest


def image(version: str) -> str:
    """How a version is called in histories."""
    return f"app:{version}"
