"""A Deployment in a model cluster: API server, native controllers with caches of their own, pods, and a clock.

Nothing moves unless a test says which controller acts next, so every order of events can be had.
"""

import contextlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from penstock.core import keys
from penstock.core import observation as seen_as
from penstock.core.conditions import stated
from penstock.core.decision import Align, Clean, Decision, Delete, Empty, Patch, Unmark, Unstall
from penstock.core.fields import Fields
from penstock.core.reasons import Reason
from penstock.core.template import template_hash
from tests.model import native
from tests.model.native import Conflict, ReplicaSet, Status, Target, View
from tests.model.pods import Pods
from tests.model.server import Object, Server

START = 1_800_000_000.0
ENDS = (Reason.PROMOTED, Reason.RELEASED, Reason.FAILED_RELEASED, Reason.REVERTED, Reason.NO_STABLE)


def template(version: str, restarted: str = "") -> Object:
    """A pod template of one version."""
    notes = {"annotations": {"kubectl.kubernetes.io/restartedAt": restarted}} if restarted else {}
    return {
        "metadata": {"labels": {"app": "web"}, **notes},
        "spec": {"containers": [{"name": "web", "image": f"web:{version}"}]},
    }


class Cluster:
    """One Deployment `web` in namespace `shop`, at rest on version v1."""

    def __init__(
        self, replicas: int, spec: Object | None = None, annotations: dict[str, str] | None = None, epoch: int = 1
    ) -> None:
        self.now = START
        self.epoch = epoch
        self.sets: dict[str, ReplicaSet] = {}
        self.pods = Pods()
        self.templates: dict[str, Object] = {}
        self.namespace_labels = {keys.ENABLED: "true"}
        self.resized: Callable[[ReplicaSet, int], None] = lambda rs, before: None
        """Called after every change of a ReplicaSet's size."""
        self.removed: Callable[[ReplicaSet], None] = lambda rs: None
        self._made = 0
        self._versions = 100
        self.server: Server = Server(
            {
                "metadata": {"name": "web", "namespace": "shop", "annotations": annotations or {}},
                "spec": {"replicas": replicas, "template": template("v1"), **(spec or {})},
            },
            lambda: self.now,
        )
        self._view = View(self._target())
        self.settle()
        self.ready()

    # -- the Store of the native controller

    def update(self, changed: ReplicaSet) -> ReplicaSet:
        stored = self.sets.get(changed.name)
        if stored is None or stored.version != changed.version:
            raise Conflict
        grown = (stored.size, stored.min_ready) != (changed.size, changed.min_ready) or stored.notes != changed.notes
        self.sets[changed.name] = replace(
            changed, generation=stored.generation + grown, version=self._next(), **_status(stored)
        )
        if stored.size != changed.size:
            self.resized(self.sets[changed.name], stored.size)
        return replace(self.sets[changed.name])

    def create(self, template: str, size: int, desired: int, most: int, target: Target) -> ReplicaSet:
        if any(s.template == template for s in self.sets.values()):
            raise Conflict  # it exists, and the cache does not know it yet
        self._made += 1
        name = f"web-{self._made}"
        revision = 1 + max((s.revision for s in self.sets.values()), default=0)
        self.sets[name] = ReplicaSet(
            name,
            template,
            self._made,
            size,
            desired,
            most,
            target.min_ready,
            notes=target.notes,
            revision=revision,
            version=self._next(),
        )
        if size:
            self.resized(self.sets[name], 0)
        return replace(self.sets[name])

    def delete(self, gone: ReplicaSet) -> None:
        if gone.name not in self.sets:  # deleted by us since its cache was filled: the real one passes over NotFound
            return
        if self.sets[gone.name].version != gone.version:
            raise Conflict
        del self.sets[gone.name]
        self.removed(gone)

    def report(self, status: Status, version: int) -> None:
        if str(version) != self.server.obj["metadata"]["resourceVersion"]:
            raise Conflict
        new = {
            "observedGeneration": status.observed,
            "replicas": status.replicas,
            "updatedReplicas": status.updated,
            "availableReplicas": status.available,
        }
        if {k: self.server.obj["status"].get(k) for k in new} != new:
            self.server.report(new)

    def _next(self) -> int:
        self._versions += 1
        return self._versions

    def _target(self) -> Target:
        obj = self.server.obj
        spec, meta = obj["spec"], obj["metadata"]
        strategy = spec["strategy"]
        rolling = strategy.get("rollingUpdate") or {}
        name = template_hash(spec["template"])
        self.templates.setdefault(name, spec["template"])
        return Target(
            replicas=spec["replicas"],
            surge=rolling.get("maxSurge", 0),
            unavailable=rolling.get("maxUnavailable", 0),
            template=name,
            paused=spec.get("paused", False),
            min_ready=spec.get("minReadySeconds", 0),
            rolling=strategy["type"] == "RollingUpdate",
            history=spec.get("revisionHistoryLimit", 10),
            notes=frozenset(k for k in meta.get("annotations", {}) if k in keys.COPIED),
            generation=meta["generation"],
            version=int(meta["resourceVersion"]),
            status_replicas=obj["status"].get("replicas", 0),
        )

    # -- what the native controllers do, one action at a time

    def see_deployment(self) -> None:
        """The Deployment controller's cache of the Deployment catches up."""
        self._view = View(self._target(), self._view.sets)

    def see_sets(self) -> None:
        """Its cache of ReplicaSets catches up."""
        self._view = View(self._view.target, {name: replace(s) for name, s in self.sets.items()})

    def sync(self) -> None:
        """The Deployment controller acts on what its caches hold."""
        with contextlib.suppress(Conflict):
            native.sync(self._view, self)

    def sync_set(self, name: str) -> None:
        """The ReplicaSet controller: a status of the pods there were, then pods made and deleted."""
        rs = self.sets[name]
        counted = self.pods.count(rs, self.now)
        if counted != rs:
            self.sets[name] = replace(counted, version=self._next())
        self.pods.fit(rs, self.now)

    def settle(self) -> None:
        """Both controllers, with fresh caches, until nothing changes."""
        for _ in range(300):
            before = self._state()
            for name in list(self.sets):
                self.sync_set(name)
            self.see_deployment()
            self.see_sets()
            self.sync()
            if self._state() == before:
                return
        raise AssertionError("the native controllers do not come to rest")

    def _state(self) -> Any:
        sets = [replace(s) for s in self.sets.values()]
        return self._versions, self.server.obj["metadata"]["resourceVersion"], sets, list(self.pods.all)

    def ready(self) -> None:
        """All pods that are not broken become Ready, and everything settles."""
        for _ in range(30):
            before = self._state()
            for name in self.sets:
                self.pods.start(name, self.now)
            self.settle()
            if self._state() == before:
                return

    # -- Penstock

    def observation(self, epoch: int | None = None) -> seen_as.Observation:
        """What a controller of ours sees now."""
        return seen_as.Observation(
            now=self.now,
            deployment=seen_as.Deployment.of(self.server.obj),
            replicasets=tuple(self._seen(s) for s in self.sets.values()),
            pods=tuple(
                seen_as.Pod(
                    p.name,
                    p.owner,
                    p.created,
                    p.ready,
                    p.since,
                    True,
                    False,
                    p.restarts,
                    p.crashed,
                    p.exit_code,
                    flaps=p.flaps,
                )
                for p in self.pods.all.values()
            ),
            namespace_labels=self.namespace_labels,
            epoch=self.epoch if epoch is None else epoch,
        )

    def _seen(self, s: ReplicaSet) -> seen_as.ReplicaSet:
        return seen_as.ReplicaSet(
            s.name,
            s.name,
            s.template,
            self.templates[s.template],
            s.size,
            s.ready,
            s.available,
            s.min_ready,
            s.observed >= s.generation,
            START + s.created,
            str(s.revision),
            bool(s.notes),
            s.desired,
        )

    def carry_out(self, decision: Decision, seen: Object, sets: dict[str, int]) -> None:
        """The decision's one write, with a test of the versions that were looked at; then the condition."""
        match decision.write:
            case Patch(draft):
                operations = draft.operations(seen)
                if operations:
                    self.server.controller(operations, seen["metadata"]["resourceVersion"])
            case Empty(name):
                self._touch(name, sets, size=0)
            case Clean(name):
                self._touch(name, sets, notes=frozenset())
            case Align(name, replicas):
                self._touch(name, sets, desired=replicas)
            case Delete(name, _):
                if name in self.sets:
                    self.delete(replace(self.sets[name], version=sets[name]))
                    for pod in self.pods.of(name):
                        del self.pods.all[pod.name]
            case Unmark():
                self.server.report({"conditions": []})
            case Unstall():
                present = self.server.obj["status"]["conditions"]
                self.server.report({"conditions": [c for c in present if c["type"] != keys.STALLED]})
        if decision.shown and decision.reason not in ENDS:
            said = stated(decision.reason, decision.message)
            if self.server.obj["status"].get("conditions") != said:
                self.server.report({"conditions": said})

    def _touch(self, name: str, sets: dict[str, int], **changes: Any) -> None:
        if name not in self.sets:
            raise Conflict
        self.update(replace(self.sets[name], version=sets[name], **changes))

    def touch(self, name: str, **changes: Any) -> None:
        """A write to a ReplicaSet by hand."""
        self._touch(name, self.versions(), **changes)

    def versions(self) -> dict[str, int]:
        return {name: s.version for name, s in self.sets.items()}

    # -- what tests ask

    @property
    def fields(self) -> Fields:
        return Fields.of(self.server.obj)

    def sizes(self) -> dict[str, int]:
        """Pods by spec of each version that has some."""
        out: dict[str, int] = {}
        for s in self.sets.values():
            if s.size:
                image = self.templates[s.template]["spec"]["containers"][0]["image"].removeprefix("web:")
                out[image] = out.get(image, 0) + s.size
        return out

    def change_template(self, new: Object) -> Callable[[Object], None]:
        def change(obj: Object) -> None:
            obj["spec"]["template"] = deepcopy(new)

        return change


def _status(s: ReplicaSet) -> dict[str, int]:
    return {"observed": s.observed, "replicas": s.replicas, "ready": s.ready, "available": s.available}
