"""What must be true at the end of a rollout: the user's fields as they were, and nothing left that names Penstock."""

import json
from typing import Any

from tests.cluster.sight import Late, label
from tests.cluster.world import World

Object = dict[str, Any]

KEPT = "penstock.dev/previous"
"""The one annotation that outlives a rollout: which template may come back un-gated for a while."""

PROMISED = frozenset(
    {
        "penstock.dev/steps",
        "penstock.dev/step-time",
        "penstock.dev/approve",
        "penstock.dev/on-failure",
        "penstock.dev/fast-rollback",
    }
)


def spelled(value: Any) -> str:
    """Byte for byte."""
    return json.dumps(value, sort_keys=True)


def fields(deployment: Object) -> Object:
    """The spec without what a release changes: template and replicas."""
    return {name: value for name, value in deployment["spec"].items() if name not in ("template", "replicas")}


def traces(here: World, *, replicasets: bool = True) -> list[str]:
    """What still names us, on the Deployment and on its ReplicaSets."""
    deployment = here.deployment
    meta, status = deployment["metadata"], deployment.get("status") or {}
    found = [f"annotation {key}" for key in meta.get("annotations", {}) if _ours(key)]
    found += [f"label {label(deployment)}"] if label(deployment) else []
    found += [f"managed by us: {spelled(e['fieldsV1'])}" for e in meta["managedFields"] if e["manager"] == "penstock"]
    found += [
        f"condition {c['type']}"
        for c in status.get("conditions") or []
        if "penstock" in c["type"] or c["type"] == "Stalled"
    ]
    for (kind, name), obj in here.recorder.objects.items():
        if kind == "ReplicaSet" and replicasets:
            found += [f"{name}: annotation {key}" for key in obj["metadata"].get("annotations", {}) if _ours(key)]
    return found


def _ours(key: str) -> bool:
    return key.startswith("penstock.dev/") and key not in PROMISED and key != KEPT


async def restored(here: World, *, replicasets: bool = True) -> None:
    """Wait until nothing names us, and compare the fields with those from before."""
    try:
        await here.until("free of traces", lambda: not traces(here, replicasets=replicasets), 60)
    except Late:
        assert traces(here, replicasets=replicasets) == []
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
