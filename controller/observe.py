"""Reads one workload: from our caches while nothing is to be written, from the API server before a write.

A watch event can be missed, doubled, late or stale, so a cache may start a look but never decides a write.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock import clock
from penstock.core.judgement import NOT_YET, Judgement
from penstock.core.observation import Deployment, Observation, Pod, ReplicaSet, without_node
from penstock.core.patch import value_at
from penstock.kube import Client, Reflector, objects

Object = dict[str, Any]

NAMESPACE_AGE = 30.0
"""Seconds for which a namespace's labels and annotations are not read again."""


@dataclass(frozen=True)
class Sight:
    """An observation, and the objects it was made from: a write is stated against these."""

    seen: Observation
    deployment: Object
    replicasets: Mapping[str, Object]


def is_ready(pod: Object | None) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions = value_at(pod, ("status", "conditions")) or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


class Watcher:
    """ReplicaSets and pods of one workload, and what only a watch can tell: readiness that came and went."""

    def __init__(
        self,
        client: Client,
        deployment: Object,
        changed: Callable[[], None],
        listed: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.client = client
        self.namespace = deployment["metadata"]["namespace"]
        self.selector = objects.selector(deployment)
        self.changed = changed
        self.flaps: Counter[str] = Counter()
        self.judgement: Judgement = NOT_YET
        params = {"labelSelector": self.selector}
        self._replicasets = Reflector(
            client, objects.replicasets(self.namespace), params, self._replicaset, listed=listed
        )
        self._pods = Reflector(client, objects.pods(self.namespace), params, self._pod, listed=listed)
        self._names: tuple[float, Object] = (0.0, {})

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._replicasets.run())
            group.create_task(self._pods.run())

    async def synced(self) -> None:
        """Returns when both caches are filled."""
        await self._replicasets.synced.wait()
        await self._pods.synced.wait()

    @property
    def pods(self) -> Iterable[Object]:
        """Pods by the workload's selector, as our watch knows them."""
        return self._pods.items.values()

    def replicaset(self, name: str) -> Object | None:
        """A ReplicaSet, as our watch knows it."""
        return self._replicasets.items.get(f"{self.namespace}/{name}")

    def _replicaset(self, _key: str, _old: Object | None, _new: Object | None) -> None:
        self.changed()

    def _pod(self, _key: str, old: Object | None, new: Object | None) -> None:
        if new is None:
            self.flaps.pop(value_at(old, ("metadata", "uid")) or "", None)
        elif is_ready(old) and not is_ready(new) and not _taken(new):
            self.flaps[new["metadata"]["uid"]] += 1
        self.changed()

    async def cached(self, deployment: Object, epoch: int) -> Sight:
        """What our watches say."""
        return await self._sight(deployment, self._replicasets.items.values(), self._pods.items.values(), epoch)

    async def fresh(self, name: str, epoch: int) -> Sight:
        """What the API server says now (quorum reads), and from now on our watches too: an event may have been lost.
        Raises NotFound where the Deployment has gone."""
        deployment, replicasets, pods = await asyncio.gather(
            self.client.get(objects.deployment(self.namespace, name)),
            self.client.get(objects.replicasets(self.namespace), labelSelector=self.selector),
            self.client.get(objects.pods(self.namespace), labelSelector=self.selector),
        )
        self._replicasets.told(replicasets)
        self._pods.told(pods)
        return await self._sight(deployment, replicasets["items"], pods["items"], epoch)

    async def _sight(self, deployment: Object, replicasets: Any, pods: Any, epoch: int) -> Sight:
        uid = deployment["metadata"]["uid"]
        own = [rs for rs in replicasets if _controlled_by(rs, uid)]
        namespace = await self._namespace()
        seen = Observation(
            now=clock.now(),
            deployment=Deployment.of(deployment),
            replicasets=tuple(map(ReplicaSet.of, own)),
            pods=tuple(Pod.of(p, self.flaps[p["metadata"]["uid"]]) for p in pods),
            namespace_labels=value_at(namespace, ("metadata", "labels")) or {},
            namespace_annotations=value_at(namespace, ("metadata", "annotations")) or {},
            judgement=self.judgement,
            epoch=epoch,
        )
        return Sight(seen, deployment, {rs["metadata"]["name"]: rs for rs in own})

    async def _namespace(self) -> Object:
        read, namespace = self._names
        if time.monotonic() - read > NAMESPACE_AGE or not namespace:
            namespace = await self.client.get(objects.namespace(self.namespace))
            self._names = (time.monotonic(), namespace)
        return namespace


def _taken(pod: Object) -> bool:
    """It goes, or its node has: nothing that the pod itself shows."""
    status = pod.get("status") or {}
    return bool(value_at(pod, ("metadata", "deletionTimestamp"))) or without_node(status) or bool(status.get("reason"))


def _controlled_by(obj: Object, uid: str) -> bool:
    owners = value_at(obj, ("metadata", "ownerReferences")) or []
    return any(o.get("uid") == uid and o.get("controller") for o in owners)
