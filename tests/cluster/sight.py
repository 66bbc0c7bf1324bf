"""What a test sees of its own corner of the cluster, as far as its watches have heard, and how it waits for more.

Nothing here asks the API server but to find out how far behind the watches are: a test that looked for itself would
see other moments than the recorder judges.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.kube import Client, objects
from tests.cluster.climb import levels
from tests.cluster.reading import Grant, ReplicaSet
from tests.cluster.recorder import Recorder
from tests.cluster.state import State
from tests.cluster.workload import NAME, image

Object = dict[str, Any]

PATIENCE = 90.0
"""Seconds until a wait is given up: many scenarios share two cores."""


class Late(AssertionError):
    """What was waited for did not come."""


@dataclass
class Sight:
    """A namespace with one Deployment, seen through its recorder."""

    client: Client
    namespace: str
    recorder: Recorder

    @property
    def path(self) -> str:
        """Of the Deployment."""
        return objects.deployment(self.namespace, NAME)

    @property
    def collection(self) -> str:
        """Of all Deployments here."""
        return objects.deployments(self.namespace)

    @property
    def deployment(self) -> Object:
        """The newest one that was heard of."""
        return self.recorder.objects["Deployment", NAME]

    @property
    def state(self) -> State:
        """ReplicaSets and pods as they are, as far as heard."""
        return self.recorder.live

    @property
    def size(self) -> int:
        """spec.replicas."""
        return int(self.deployment["spec"]["replicas"])

    @property
    def grant(self) -> Grant | None:
        """The record."""
        deployment = self.state.deployment
        return deployment.grant if deployment else None

    @property
    def record(self) -> Object:
        """The record as it is written; empty without one."""
        notes = self.deployment["metadata"].get("annotations") or {}
        return dict(json.loads(notes.get("penstock.dev/record", "{}")))

    def condition(self, field: str) -> str:
        """A field of our condition; empty without one."""
        conditions = (self.deployment.get("status") or {}).get("conditions") or []
        return next((str(c[field]) for c in conditions if c["type"] == "penstock.dev/Rollout"), "")

    def pods(self, version: str) -> int:
        """Pods of a version, by spec."""
        return sum(rs.replicas for rs in self.state.own if rs.image == image(version))

    def names(self, version: str) -> list[str]:
        """Living pods of a version."""
        state = self.state
        owners = {rs.uid for rs in state.own if rs.image == image(version)}
        return sorted(pod.name for pod in state.pods.values() if pod.owner in owners and pod.alive)

    def at_rest(self) -> bool:
        """All pods are Ready, of the declared version, counted by the native controller, and nothing is under way."""
        deployment = self.recorder.objects.get(("Deployment", NAME))
        if deployment is None or label(deployment):
            return False
        status, replicas = deployment.get("status") or {}, deployment["spec"]["replicas"]
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        return seen and counts == [replicas] * 3

    def settled(self) -> bool:
        """The native controllers have seen everything, and there are as many pods as they want."""
        deployment, state = self.state.deployment, self.state
        if deployment is None or deployment.observed < deployment.generation:
            return False
        return all(rs.replicas == sum(p.owner == rs.uid and p.alive for p in state.pods.values()) for rs in self.sets())

    def sets(self) -> list[ReplicaSet]:
        """All ReplicaSets."""
        return list(self.state.own)

    def holding(self, step: int) -> bool:
        """The step has been reached and all its pods are Ready."""
        grant, state = self.grant, self.state
        if grant is None or (grant.phase, grant.step) != ("Holding", step):
            return False
        living, deployment = state.living(grant.declared), state.deployment
        wanted = levels(deployment)[step - 1] if deployment else 0
        return len(living) == wanted == state.declared_pods(grant.declared) and all(p.ready for p in living)

    def phase(self) -> str:
        """The record's phase; empty without a record."""
        grant = self.grant
        return grant.phase if grant else ""

    async def until(self, what: str, check: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until `check` has held, looking at each event."""
        try:
            async with asyncio.timeout(patience):
                await self.recorder.until(check)
        except TimeoutError:
            raise Late(
                f"{self.namespace}: not {what} within {patience:.0f} s\n{self.recorder.report().tail()}"
            ) from None

    async def heard(self, stored: Object) -> None:
        """Wait until our own watch has come to what the API server answered: right after a write it lags behind."""
        version = int(objects.version(stored))

        def come() -> bool:
            known = self.recorder.objects.get(("Deployment", NAME))
            return known is not None and int(objects.version(known)) >= version

        await self.until(f"heard of version {version}", come)

    async def catch_up(self) -> None:
        """Wait until all is heard of that is stored now."""
        await self.heard(await self.client.get(self.path))

    async def calm(self, seconds: float) -> None:
        """Wait until nothing has happened for so long, and the native controllers have what they want."""
        async with asyncio.timeout(PATIENCE):
            while True:
                seen = len(self.recorder.events)
                await self.silence(seconds)
                if seen == len(self.recorder.events) and self.settled():
                    return

    async def until_size(self, replicas: int) -> None:
        """Wait until it is heard of."""
        await self.until(f"of {replicas} replicas", lambda: self.size == replicas)

    async def until_promoted(self, version: str, patience: float = PATIENCE) -> None:
        """Wait until a version runs alone and nothing of the rollout is left."""
        await self.until(f"promoted {image(version)}", lambda: self.at_rest() and self.pods(version) > 0, patience)

    async def until_rejected(self, patience: float = PATIENCE) -> None:
        """Wait until a version has been taken back: declared and paused, and only the stable one runs."""
        await self.until("rejected", lambda: self.phase() == "Rejected" and self.stable_alone(), patience)

    def stable_alone(self) -> bool:
        """All pods are Ready and of the stable version."""
        grant, state = self.grant, self.state
        if grant is None or state.deployment is None:
            return False
        living, replicas = state.living(grant.stable), state.deployment.replicas
        return state.total == replicas == len(living) == sum(pod.ready for pod in living)

    async def silence(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


def label(deployment: Object) -> str:
    """Our label."""
    return str((deployment["metadata"].get("labels") or {}).get("penstock.dev/rollout", ""))
