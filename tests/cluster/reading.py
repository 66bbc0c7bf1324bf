"""What the recorder takes from API objects: the few facts that the invariants speak of.

Read here anew and not with penstock.core.observation: a proof that reads the world with the eyes of the code it
judges would share its mistakes. Only the names of pod templates come from the core, because the record uses them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.core.template import template_hash

Object = Mapping[str, Any]
Amount = int | str

LIMITS = "test.penstock.dev/limits"
"""Annotation in which a test says what its user's own maxSurge and maxUnavailable are, in the very write that sets
them: the fields in force are Penstock's during a rollout."""

OURS = "penstock.dev/"


def resolve(amount: Amount, replicas: int, *, up: bool) -> int:
    """An int-or-percent in pods."""
    if isinstance(amount, int):
        return amount
    share = int(amount.rstrip("%")) * replicas / 100
    return math.ceil(share - 1e-9) if up else math.floor(share + 1e-9)


@dataclass(frozen=True)
class Limits:
    """The user's own maxSurge and maxUnavailable."""

    surge: Amount
    unavailable: Amount

    def most(self, replicas: int) -> int:
        """I3: pods in all."""
        return replicas + resolve(self.surge, replicas, up=True)

    def fewest(self, replicas: int) -> int:
        """I1: Ready pods. The native controller takes both limits at 0 for one unavailable."""
        down = resolve(self.unavailable, replicas, up=False)
        if down == 0 and resolve(self.surge, replicas, up=True) == 0:
            down = 1
        return max(0, replicas - down)


@dataclass(frozen=True)
class Grant:
    """What the record allows: `target` pods of version `declared` at `replicas`."""

    declared: str
    stable: str
    phase: str
    step: int
    target: int
    replicas: int

    @property
    def ends(self) -> bool:
        """Every step has passed, or the rollout was released: the native controller may complete."""
        return self.phase in ("Finishing", "Leaving")

    def pods(self, replicas: int) -> int:
        """New pods allowed at `replicas`; a scaling event keeps the share, rounded by the native controller."""
        if replicas == self.replicas or self.replicas == 0 or self.target == 0:
            return self.target
        return min(replicas, math.ceil(self.target * replicas / self.replicas) + 1)


@dataclass(frozen=True)
class Deployment:
    """A Deployment at one resource version."""

    uid: str
    name: str
    generation: int
    observed: int
    replicas: int
    paused: bool
    version: str
    image: str
    limits: Limits
    plan: tuple[str, str]
    """The annotations steps and step-time, as the user wrote them."""
    grant: Grant | None
    label: str
    clamps: str = ""
    surge: Amount = 0
    """maxSurge in force."""

    @classmethod
    def of(cls, obj: Object) -> "Deployment":
        """From the API object."""
        meta, spec = obj["metadata"], obj["spec"]
        notes = meta.get("annotations") or {}
        rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
        surge, unavailable = rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%")
        told = json.loads(notes[LIMITS]) if LIMITS in notes else [surge, unavailable]
        braked = ", braked" if (spec.get("minReadySeconds") or 0) > 10**9 else ""
        return cls(
            uid=meta["uid"],
            name=meta["name"],
            generation=meta.get("generation", 0),
            observed=(obj.get("status") or {}).get("observedGeneration", 0),
            replicas=spec.get("replicas", 1),
            paused=bool(spec.get("paused")),
            version=template_hash(spec["template"]),
            image=image(spec["template"]),
            limits=Limits(*told),
            plan=(notes.get(OURS + "steps", "10%, 25%, 50%"), notes.get(OURS + "step-time", "1m..10m")),
            grant=_grant(notes.get(OURS + "record")),
            label=(meta.get("labels") or {}).get(OURS + "rollout", ""),
            clamps=f"surge {surge} unavailable {unavailable}{braked}",
            surge=surge,
        )


def image(template: Object) -> str:
    """The name of a version, for people."""
    return str(template["spec"]["containers"][0]["image"])


def _grant(text: str | None) -> Grant | None:
    try:
        record = json.loads(text or "")
        names = ("declared", "stable", "phase", "step", "target", "replicas")
        return Grant(**{name: record[name] for name in names})
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class ReplicaSet:
    """A ReplicaSet at one resource version."""

    uid: str
    name: str
    owner: str
    version: str
    image: str
    generation: int
    observed: int
    replicas: int
    pods: int
    ready: int

    @classmethod
    def of(cls, obj: Object) -> "ReplicaSet":
        """From the API object."""
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        return cls(
            uid=meta["uid"],
            name=meta["name"],
            owner=_controller(meta),
            version=template_hash(spec["template"]),
            image=image(spec["template"]),
            generation=meta.get("generation", 0),
            observed=status.get("observedGeneration", 0),
            replicas=spec.get("replicas", 1),
            pods=status.get("replicas", 0),
            ready=status.get("readyReplicas", 0),
        )


@dataclass(frozen=True)
class Pod:
    """A pod at one resource version."""

    uid: str
    name: str
    owner: str
    ready: bool
    deleting: bool
    finished: bool = False
    since: float | None = None
    """When it became Ready or ceased to be, by its own condition: when that is heard of depends on the machine."""

    @property
    def alive(self) -> bool:
        """Exists and is to stay; what the ReplicaSet controller counts."""
        return not self.deleting and not self.finished

    @classmethod
    def of(cls, obj: Object) -> "Pod":
        """From the API object."""
        meta, status = obj["metadata"], obj.get("status") or {}
        ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), {})
        changed = ready.get("lastTransitionTime")
        return cls(
            uid=meta["uid"],
            name=meta["name"],
            owner=_controller(meta),
            ready=ready.get("status") == "True",
            deleting=bool(meta.get("deletionTimestamp")),
            finished=status.get("phase") in ("Succeeded", "Failed"),
            since=datetime.fromisoformat(changed).timestamp() if changed else None,
        )


def _controller(meta: Object) -> str:
    return next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), "")
