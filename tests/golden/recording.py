"""One scenario on the real control plane, act by act.

Pods fit no node here, and this module alone makes them Ready: no kubelet, no timer, so each act meets a cluster at rest
and two recordings differ only in what the native controllers leave to chance. One act at a time is what makes a trace
comparable; how lagging caches and crossing writes behave is searched by the property tests, on the model.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.core import keys
from penstock.kube import Client, objects
from tests.golden.scenarios import Act, Scenario
from tests.golden.trace import Entry, Rest, Trace, words

Object = dict[str, Any]

QUIET = 0.5
"""Seconds without a change after which a consistent state counts as rest; the native controllers try again within
milliseconds after a conflict."""

PATIENCE = 60.0
SPEC = {
    "paused": ("paused",),
    "replicas": ("replicas",),
    "maxSurge": ("strategy", "rollingUpdate", "maxSurge"),
    "maxUnavailable": ("strategy", "rollingUpdate", "maxUnavailable"),
}


def pod_template(version: str) -> Object:
    """Its pods fit no node."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "nodeSelector": {"tests": "nowhere"},
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": f"web:{version}"}],
        },
    }


def version_of(replicaset: Object) -> str:
    return str(objects.at(replicaset, "spec", "template", "spec", "containers", 0, "image")).removeprefix("web:")


@dataclass
class Recording:
    """One scenario on the real control plane."""

    client: Client
    scenario: Scenario
    namespace: str
    moves: list[str] = field(default_factory=list)
    sizes: dict[str, tuple[str, int]] = field(default_factory=dict)
    heard: int = 0

    @property
    def path(self) -> str:
        return objects.deployment(self.namespace, "web")

    async def play(self) -> Trace:
        """From nothing to the last act."""
        listed = await self.client.get(objects.replicasets(self.namespace))
        following = asyncio.create_task(self._follow(objects.version(listed)))
        try:
            await self.client.post(objects.deployments(self.namespace), self._manifest())
            await self._ready(lambda pod: True)
            await asyncio.sleep(
                1.1 + self.scenario.min_ready
            )  # creation times have whole seconds, and they order ReplicaSets
            self.moves.clear()
            entries = [await self._entry(act) for act in self.scenario.acts]
        finally:
            following.cancel()
        s = self.scenario
        return Trace(s.name, s.replicas, s.surge, s.unavailable, s.type, s.history, s.min_ready, tuple(entries))

    def _manifest(self) -> Object:
        s = self.scenario
        rolling = {"rollingUpdate": {"maxSurge": s.surge, "maxUnavailable": s.unavailable}}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": s.replicas,
                "minReadySeconds": s.min_ready,
                "revisionHistoryLimit": s.history,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": s.type, **(rolling if s.type == "RollingUpdate" else {})},
                "template": pod_template("v1"),
            },
        }

    async def _follow(self, version: str) -> None:
        path = objects.replicasets(self.namespace)
        async for event in self.client.watch(path, resourceVersion=version, timeoutSeconds=290):
            obj = event["object"]
            name, size = objects.name(obj), obj["spec"]["replicas"]
            before = self.sizes.get(name, ("", 0))[1]
            if event["type"] == "DELETED":
                self.sizes.pop(name, None)
                self.moves.append(f"{version_of(obj)} gone")
            else:
                self.sizes[name] = (version_of(obj), size)
                if size != before:
                    self.moves.append(f"{version_of(obj)} {size}")
            self.heard = max(self.heard, int(objects.version(obj)))

    async def _entry(self, act: Act) -> Entry:
        await self._act(act)
        rest = await self._rest()
        moves = tuple(self.moves)
        self.moves.clear()
        return Entry(act, moves, rest)

    # -- acts

    async def _act(self, act: Act) -> None:
        match act:
            case {"write": fields}:
                if "template" in fields:
                    await asyncio.sleep(1.1)
                await self.client.strategic(self.path, {"spec": self._spec(fields)})
            case {"scale": replicas}:
                await self.client.merge(objects.scale(self.path), {"spec": {"replicas": replicas}})
            case {"ready": version, "together": True}:
                found = [p for p in await self._pods() if version in ("all", p.version) and not p.ready]
                await asyncio.gather(*(self._set_ready(p, ready=True) for p in found))
            case {"ready": version}:
                await self._ready(lambda pod: version in ("all", pod.version))
            case {"fall": version, "pods": count}:
                for pod in [p for p in await self._pods() if p.version == version and p.ready][:count]:
                    await self._set_ready(pod, ready=False)
                    await self._rest()
            case {"kill": version, "pods": count}:
                for pod in [p for p in await self._pods() if p.version == version][:count]:
                    await self.client.delete(objects.pod(self.namespace, pod.name))
                    await self._rest()
            case {"empty": version}:
                await self._replicaset(version, {"spec": {"replicas": 0}})
            case {"align": version, "replicas": replicas}:
                await self._replicaset(version, {"metadata": {"annotations": {keys.DESIRED: str(replicas)}}})
            case {"delete": version}:
                await self.client.delete(objects.replicaset(self.namespace, self._named(version)))
            case {"wait": seconds}:
                await asyncio.sleep(seconds)
            case _:
                raise ValueError(f"no such act: {act}")

    def _spec(self, fields: Object) -> Object:
        spec: Object = {}
        for name, value in fields.items():
            if name == "template":
                spec["template"] = {"$patch": "replace", **pod_template(value)}
            elif name == "brake":
                spec["minReadySeconds"] = keys.BRAKE_READY if value else self.scenario.min_ready
                spec["progressDeadlineSeconds"] = keys.BRAKE_DEADLINE if value else 600
            else:
                at = spec
                for step in SPEC[name][:-1]:
                    at = at.setdefault(step, {})
                at[SPEC[name][-1]] = value
        return spec

    async def _ready(self, wanted: "Callable[[Pod], bool]") -> None:
        """One pod after the other, those of the oldest version first, until none is left that is not Ready."""
        while True:
            await self._rest()
            waiting = [pod for pod in await self._pods() if wanted(pod) and not pod.ready]
            if not waiting:
                return
            await self._set_ready(waiting[0], ready=True)

    async def _set_ready(self, pod: "Pod", *, ready: bool) -> None:
        now = objects.rfc3339(int(time.time())).replace(".000000", "")
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}
        body = {"status": {"phase": "Running", "conditions": [condition]}}
        await self.client.strategic(objects.status(objects.pod(self.namespace, pod.name)), body)

    async def _replicaset(self, version: str, body: Object) -> None:
        await self.client.merge(objects.replicaset(self.namespace, self._named(version)), body)

    def _named(self, version: str) -> str:
        return next(name for name, (of, _) in self.sizes.items() if of == version)

    async def _pods(self) -> "list[Pod]":
        owners = {o["metadata"]["uid"]: version_of(o) for o in await self._items(objects.replicasets)}
        found = [Pod.of(o, owners) for o in await self._items(objects.pods)]
        return sorted(found, key=lambda pod: (pod.version, pod.created, pod.name))

    async def _items(self, path: "Callable[[str], str]") -> list[Object]:
        return list((await self.client.get(path(self.namespace)))["items"])

    # -- rest

    async def _rest(self) -> Rest:
        """Everybody has seen everything, and nothing has changed for a while."""
        known, since = "", time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while True:
                deployment = await self.client.get(self.path)
                sets, pods = await self._items(objects.replicasets), await self._items(objects.pods)
                seen = str(sorted(f"{objects.uid(o)} {objects.version(o)}" for o in (deployment, *sets, *pods)))
                if seen != known or not self._consistent(deployment, sets, pods):
                    known, since = seen, time.monotonic()
                elif time.monotonic() - since > QUIET:
                    return rest_of(deployment, sets)
                await asyncio.sleep(0.1)

    def _consistent(self, deployment: Object, sets: list[Object], pods: list[Object]) -> bool:
        if any(int(objects.version(each)) > self.heard for each in sets):
            return False
        each = all(_seen(s) and s["status"].get("replicas", 0) == s["spec"]["replicas"] for s in sets)
        owned = len(pods) == sum(s["spec"]["replicas"] for s in sets)
        ready = sum(s["status"].get("readyReplicas", 0) for s in sets) == sum(Pod.of(p, {}).ready for p in pods)
        return each and owned and ready and _seen(deployment)


def _seen(obj: Object) -> bool:
    return (obj.get("status") or {}).get("observedGeneration", 0) >= obj["metadata"]["generation"]


@dataclass(frozen=True)
class Pod:
    """As far as acts choose among pods."""

    name: str
    version: str
    created: str
    ready: bool

    @classmethod
    def of(cls, obj: Object, owners: dict[str, str]) -> "Pod":
        conditions = objects.at(obj, "status", "conditions", default=[])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        owner = owners.get(objects.owner_uid(obj), "")
        return cls(objects.name(obj), owner, obj["metadata"]["creationTimestamp"], ready)


def rest_of(deployment: Object, sets: list[Object]) -> Rest:
    """What a trace keeps of a state at rest."""
    status = deployment["status"]
    counts = tuple(status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    return Rest(counts, {version_of(s): _set(s) for s in sorted(sets, key=version_of)})


def _set(obj: Object) -> str:
    status, notes = obj["status"], objects.annotations(obj)
    desired, most = (notes.get(f"deployment.kubernetes.io/{name}-replicas", "-") for name in ("desired", "max"))
    wait = obj["spec"].get("minReadySeconds", 0)
    counts = (status.get(name, 0) for name in ("replicas", "readyReplicas", "availableReplicas"))
    return words(obj["spec"]["replicas"], *counts, desired, most, wait)
