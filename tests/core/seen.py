"""Observations of `shop/web` in a rollout, as tests of checks and decisions need them."""

from typing import Any

from penstock.core import keys
from penstock.core.decide import situation
from penstock.core.fields import Fields
from penstock.core.observation import Deployment, Observation, Pod, ReplicaSet
from penstock.core.record import Record
from penstock.core.situation import Situation
from penstock.core.template import template_hash
from tests.core.shop import NOW, Object, noted, record, rolling, template

AGE = {"v1": 100_000.0, "v2": 120.0, "v3": 60.0}
"""How long ago each version's pods and ReplicaSet were created."""


def replicaset(version: str, size: int, **changes: Any) -> ReplicaSet:
    """One version with all its pods available."""
    values: Object = {
        "name": f"web-{version}",
        "uid": f"rs-{version}",
        "template": template_hash(template(version)),
        "spec": template(version),
        "replicas": size,
        "ready": size,
        "available": size,
        "min_ready": 0,
        "seen": True,
        "created": NOW - AGE[version],
        "revision": version[1:],
        "marked": False,
    }
    return ReplicaSet(**values | changes)


def pod(number: int = 0, version: str = "v2", **changes: Any) -> Pod:
    """A healthy pod, Ready ten seconds after its creation."""
    values: Object = {
        "name": f"web-{version}-{number}",
        "owner": f"rs-{version}",
        "created": NOW - AGE[version],
        "ready": True,
        "ready_since": NOW - AGE[version] + 10,
        "scheduled": True,
        "deleting": False,
        "restarts": 0,
    }
    return Pod(**values | changes)


def pods(version: str, size: int, **changes: Any) -> tuple[Pod, ...]:
    """`size` pods that are all alike."""
    return tuple(pod(number, version, **changes) for number in range(size))


def observation(
    known: Record | None = None,
    new: int = 1,
    old: int = 10,
    *,
    version: str = "v2",
    fields: Fields | None = None,
    notes: dict[str, str] | None = None,
    **changes: Any,
) -> Observation:
    """Ten replicas, `new` pods of v2 and `old` of v1, all healthy, for the controller that wrote the record.

    A change named like a field of the Deployment is made there, the others in the observation.
    """
    known = known or record()
    obj = noted(rolling(known, version, fields), **notes or {})
    deployment = Deployment.of(obj)
    own = {name: changes.pop(name) for name in list(changes) if name in Deployment.__dataclass_fields__}
    counts: Object = {"status_replicas": new + old, "status_updated": new, "status_available": new + old}
    fresh: Object = {**{f: getattr(deployment, f) for f in Deployment.__dataclass_fields__}, **counts, **own}
    sets = [replicaset("v1", old), *([replicaset("v2", new)] if new else [])]
    values: Object = {
        "now": NOW,
        "deployment": Deployment(**fresh),
        "replicasets": tuple(sets),
        "pods": (*pods("v1", old), *pods("v2", new)),
        "namespace_labels": {keys.ENABLED: "true"},
        "epoch": known.epoch,
    }
    return Observation(**values | changes)


def seen_pods(new: tuple[Pod, ...], old: tuple[Pod, ...] = (), known: Record | None = None) -> Situation:
    """The situation of a hold with these pods."""
    known = known or record()
    return situation(observation(known, len(new), len(old), pods=(*old, *new)), known)
