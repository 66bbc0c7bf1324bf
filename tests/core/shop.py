"""The Deployment `shop/web` at rest and in a rollout, and writes to it, as tests of the core need them."""

from copy import deepcopy
from typing import Any

import jsonpatch

from penstock.core import keys
from penstock.core.admission import Request
from penstock.core.draft import stepping
from penstock.core.fields import Fields
from penstock.core.patch import Operation
from penstock.core.record import Record
from penstock.core.rollout import HELD, Phase
from penstock.core.template import loose_hash, template_hash

Object = dict[str, Any]

UID = "d-1"
NOW = 1_800_000_000.0


def template(version: str, restarted: str = "") -> Object:
    """A pod template of one version."""
    notes = {"annotations": {"kubectl.kubernetes.io/restartedAt": restarted}} if restarted else {}
    return {
        "metadata": {"labels": {"app": "web"}, **notes},
        "spec": {"containers": [{"name": "web", "image": f"web:{version}"}]},
    }


V1, V2, V3 = (template_hash(template(version)) for version in ("v1", "v2", "v3"))


def deployment(version: str = "v1", **spec: Any) -> Object:
    """Ten pods that all run the template; a None in `spec` leaves the field out."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    values = {"replicas": 10, "strategy": strategy, "progressDeadlineSeconds": 600, "template": template(version)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": UID, "resourceVersion": "7", "generation": 3},
        "spec": {k: v for k, v in {**values, **spec}.items() if v is not None},
        "status": {"observedGeneration": 3, "replicas": 10, "updatedReplicas": 10, "availableReplicas": 10},
    }


def noted(obj: Object, **annotations: str | None) -> Object:
    """`obj` with annotations of ours: on_failure="pause" is penstock.dev/on-failure; None takes one away."""
    out = deepcopy(obj)
    notes = out["metadata"].setdefault("annotations", {})
    for name, value in annotations.items():
        key = keys.PREFIX + name.replace("_", "-")
        if value is None:
            notes.pop(key, None)
        else:
            notes[key] = value
    return out


def labelled(obj: Object, **labels: str) -> Object:
    """`obj` with labels of ours."""
    out = deepcopy(obj)
    out["metadata"].setdefault("labels", {}).update({keys.PREFIX + name: value for name, value in labels.items()})
    return out


def record(phase: Phase = Phase.HOLDING, **changes: Any) -> Record:
    """v1 is being replaced by v2; step 1 of 10%, 25%, 50% for ten replicas is reached."""
    begun = phase is not Phase.PENDING
    values: Object = {
        "uid": UID,
        "id": "3f2a9c1e",
        "declared": V2,
        "loose": loose_hash(template("v2")),
        "saved": Fields(),
        "stable": V1,
        "revision": "1",
        "phase": phase,
        "step": 1 if begun else 0,
        "started": NOW - 120 if begun else 0,
        "since": NOW - 120 if begun else 0,
        "target": 1 if begun else 0,
        "replicas": 10 if begun else 0,
        "epoch": 4,
    }
    return Record(**values | changes)


def rolling(known: Record, version: str = "v2", fields: Fields | None = None) -> Object:
    """The stored object during the rollout of `known`."""
    own = known.saved.rolling()
    paused = Fields(own.type, own.surge, own.unavailable, own.min_ready, own.deadline, paused=True)
    force = fields or (paused if known.phase in HELD | {Phase.RETREATING} else own)
    obj = deployment(version)
    return applied(obj, stepping(known, force).operations(obj))


def applied(obj: Object, patch: tuple[Operation, ...]) -> Object:
    """What the API server makes of the patch: by an implementation of RFC 6902 that is not ours."""
    out: Object = jsonpatch.apply_patch(deepcopy(obj), list(deepcopy(patch)))
    return out


def write(old: Object | None, new: Object | None, **changes: Any) -> Request:
    """A write of Anna's."""
    values: Object = {
        "uid": "r-1",
        "operation": "CREATE" if old is None else "UPDATE",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "username": "anna",
        "field_manager": "kubectl-edit",
        "dry_run": False,
        "object": new,
        "old": old,
    }
    return Request(**values | changes)
