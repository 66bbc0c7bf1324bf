"""Many Deployments in a few namespaces, applied by one kubectl, and the judgement of each one's own history.

A controller with three hundred rollouts has no time for the one that matters to you: that shows only when there are
so many. The watches are the recorder's, one set for each namespace; what they heard is then played per Deployment.
"""

import asyncio
import json
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from penstock.kube import Client, objects
from tests.cluster.cluster import Cluster
from tests.cluster.judge import Judge
from tests.cluster.reading import Deployment, ReplicaSet
from tests.cluster.recorder import Recorder
from tests.cluster.state import Event
from tests.cluster.workload import NAME, Workload

Object = dict[str, Any]

OWN = "crowd"
"""Label by which each Deployment of a crowd selects its own pods; `app` is the same for all, for the recorder."""

PATIENCE = 300.0


@dataclass(frozen=True)
class Member:
    """One Deployment of a crowd."""

    namespace: str
    name: str

    def manifest(self, workload: Workload, version: str) -> Object:
        """As its owner writes it."""
        manifest = workload.manifest(version)
        manifest["metadata"] |= {"name": self.name, "namespace": self.namespace, "labels": self._labels}
        manifest["spec"]["selector"] = {"matchLabels": {OWN: self.name}}
        manifest["spec"]["template"]["metadata"]["labels"] |= self._labels
        return manifest

    @property
    def _labels(self) -> dict[str, str]:
        return {"app": NAME, OWN: self.name}


@dataclass(frozen=True)
class Delays:
    """Seconds from the admission of each change to the patch that opened its first window."""

    of: dict[Member, float]

    @property
    def median(self) -> float:
        """Of all."""
        return statistics.median(self.of.values())

    @property
    def slowest(self) -> float:
        """Of all."""
        return max(self.of.values())

    def __str__(self) -> str:
        """The distribution, for people."""
        ordered = sorted(self.of.values())
        shown = {f"{p} %": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (10, 50, 90, 99)}
        found = ", ".join(f"{name} {value:.2f} s" for name, value in shown.items())
        return f"{len(ordered)} first windows: quickest {ordered[0]:.2f} s, {found}, slowest {ordered[-1]:.2f} s"


class Crowd:
    """Namespaces with Deployments, and what was heard of them."""

    def __init__(self, cluster: Cluster, client: Client, workload: Workload, members: Sequence[Member]) -> None:
        self.cluster, self.workload, self.members = cluster, workload, members
        self.recorders = {ns: Recorder(client, ns) for ns in dict.fromkeys(m.namespace for m in members)}

    async def apply(self, version: str, members: Iterable[Member] = ()) -> float:
        """One `kubectl apply` of all, or of some; how long it took."""
        items = [member.manifest(self.workload, version) for member in members or self.members]
        begun = time.monotonic()
        output = await self.cluster.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        )
        assert output.code == 0, output.err
        return time.monotonic() - begun

    def deployment(self, member: Member) -> Object:
        """As last heard of."""
        return self.recorders[member.namespace].objects.get(("Deployment", member.name), {})

    def at_rest(self, member: Member, version: str) -> bool:
        """All of its pods run this version, and nothing is under way."""
        known = self.deployment(member)
        if not known or "penstock.dev/rollout" in (known["metadata"].get("labels") or {}):
            return False
        status, replicas = known.get("status") or {}, known["spec"]["replicas"]
        counts = [status.get(n, 0) for n in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration", 0) >= known["metadata"]["generation"]
        declared = known["spec"]["template"]["spec"]["containers"][0]["image"]
        return seen and counts == [replicas] * 3 and declared == f"app:{version}"

    async def until_at_rest(self, version: str, members: Iterable[Member] = ()) -> None:
        """Wait for all, or for some."""
        wanted = list(members or self.members)
        await self.until(lambda: all(self.at_rest(member, version) for member in wanted))

    async def until_opened(self, version: str, count: int) -> None:
        """Wait until so many have had their first window."""
        await self.until(lambda: len(self.opened(version)) >= count)

    async def until(self, check: Callable[[], bool]) -> None:
        """Looks now and then: at each event of so many would take longer than the events."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if check():
                    return
                await asyncio.sleep(0.5)

    def gated(self, version: str) -> dict[Member, float]:
        """When the change of each was admitted, paused and with a record, as far as heard."""
        return self._first(version, gate=True)

    def opened(self, version: str) -> dict[Member, float]:
        """When each had its first window."""
        return self._first(version, gate=False)

    def _first(self, version: str, *, gate: bool) -> dict[Member, float]:
        found: dict[Member, float] = {}
        for namespace, recorder in self.recorders.items():
            for event in recorder.events:
                now = event.object
                if isinstance(now, Deployment) and now.image == f"app:{version}" and now.grant and now.paused == gate:
                    found.setdefault(Member(namespace, now.name), event.at)
        return found

    def delays(self, version: str, members: Iterable[Member] = ()) -> Delays:
        """Fails where one was not gated."""
        gated, opened, wanted = self.gated(version), self.opened(version), list(members or self.members)
        assert [m for m in wanted if m not in gated or opened[m] < gated[m]] == []
        return Delays({m: opened[m] - gated[m] for m in wanted})

    def computed(self) -> float:
        """Processor seconds of the controller."""
        return self.cluster.processor_seconds("controller")

    def violations(self) -> list[str]:
        """I1, I2, I3 and I5 for each Deployment by itself."""
        return [
            f"{name}: {violation.invariant} broken: {violation.message}"
            for recorder in self.recorders.values()
            for name, events in _by_deployment(recorder.events).items()
            for violation in Judge().play(events).violations
        ]


def _by_deployment(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Each Deployment's history in the order of the store."""
    ordered = sorted(events, key=lambda event: event.version)
    owners = {e.object.uid: e.object.name for e in ordered if isinstance(e.object, Deployment)}
    owners |= {e.object.uid: owners[e.object.owner] for e in ordered if isinstance(e.object, ReplicaSet)}
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in ordered:
        fact = event.object
        found[fact.name if isinstance(fact, Deployment) else owners[fact.owner]].append(event)
    return found


@asynccontextmanager
async def crowd(cluster: Cluster, client: Client, workload: Workload, sizes: dict[str, int]) -> AsyncIterator[Crowd]:
    """Namespaces with so many Deployments each, all at rest with version 1, and the sandbox's own controller."""
    stamp = int(time.time()) % 100000
    members = [Member(f"{name}-{stamp}", f"web-{n}") for name, size in sizes.items() for n in range(size)]
    found = Crowd(cluster, client, workload, members)
    labels = {"penstock.dev/enabled": "true", "test": "true"}
    try:
        for namespace, recorder in found.recorders.items():
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
            await client.post(objects.namespaces(), body)
            await recorder.start()
        await found.apply("1")
        await found.until_at_rest("1")
        await cluster.restart("controller")
        yield found
    finally:
        await cluster.stop("controller")
        for namespace, recorder in found.recorders.items():
            await recorder.stop()
            await client.delete(objects.namespace(namespace))
