"""The gate: a template change from rest is admitted paused, with a record, so that nothing of it runs yet.

Not gated is what could not be stepped or must not wait: a Deployment of which nothing is available (a broken first
deploy must be repairable at once), Recreate, one its user has paused, and the way back within fast-rollback.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import keys
from penstock.core.draft import Draft, stepping
from penstock.core.fields import ROLLING, Fields
from penstock.core.guard import Outcome, annotation, label, record_of
from penstock.core.patch import value_at
from penstock.core.record import Record, rollout_id
from penstock.core.template import loose_hash, template_hash

Object = Mapping[str, Any]

REVISION_LENGTH = 20


def previous(template: str, until: float) -> str:
    """The annotation that lets the former template back in un-gated for a while."""
    return json.dumps({"template": template, "until": round(until)}, separators=(",", ":"))


def way_back(obj: Object) -> tuple[str, float]:
    """The former template that may come back un-gated, and until when; nothing where none may."""
    try:
        value = json.loads(annotation(obj, keys.PREVIOUS) or "{}")
        return str(value["template"]), float(value["until"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return "", 0.0


def returns_fast(obj: Object, template: str, now: float) -> bool:
    """Whether `template` is the one that was left less than fast-rollback ago."""
    former, until = way_back(obj)
    return former == template and now < until


def at_rest(old: Object) -> bool:
    """Whether the stored object's status says that all pods run its template."""
    status = old.get("status") or {}
    replicas = replicas_of(old)
    return bool(
        int(status.get("observedGeneration", 0)) >= (value_at(old, ("metadata", "generation")) or 0)
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == replicas
        and int(status.get("availableReplicas", 0)) > 0
    )


def replicas_of(obj: Object) -> int:
    """spec.replicas; absent means 1."""
    value = value_at(obj, ("spec", "replicas"))
    return 1 if value is None else int(value)


def to_gate(old: Object, new: Object) -> bool:
    """Whether this write brings a template that does not run yet: a change, or the end of a user's pause over one."""
    if template_hash(old["spec"]["template"]) != template_hash(new["spec"]["template"]):
        return True
    resumed = value_at(old, ("spec", "paused")) is True and value_at(new, ("spec", "paused")) is not True
    return resumed and not at_rest(old)


def gated(old: Object, new: Object, fields: Fields, now: float) -> Outcome | None:
    """The answer to a write outside any rollout; `fields` are the user's own. None: nothing to say."""
    if label(new, keys.ENABLED) == "false" or not to_gate(old, new):
        return None
    passed = _passes(old, new, fields, now)
    if passed:
        return passed
    fields = fields.unbraked()
    record = _record(old, new, fields)
    draft = stepping(record, replace(fields, paused=True))
    dropped = {key: None for key in (keys.PREVIOUS, keys.REQUEST, keys.DECLARED) if annotation(new, key)}
    midway = "its pods were not at rest; the version with the most available ones counts as the stable one"
    changed = template_hash(old["spec"]["template"]) != record.declared
    warnings = () if record.stable or not changed else (midway,)
    return Outcome("Gated", replace(draft, annotations={**draft.annotations, **dropped}), warnings)


def _passes(old: Object, new: Object, fields: Fields, now: float) -> Outcome | None:
    """Why this template change is not gated, or None."""
    if fields.type != ROLLING:
        warning = f"strategy {fields.type} cannot be rolled out in steps; this change goes to all pods at once"
        return Outcome("NotRolling", Draft(), (warning,))
    if fields.problem():
        return Outcome("Invalid", Draft())  # the API server refuses these with its own message
    if fields.paused:
        warning = "paused by its owner; when it is resumed, this change is rolled out in steps"
        return Outcome("PausedByUser", Draft(), (warning,))
    if returns_fast(old, template_hash(new["spec"]["template"]), now):
        return Outcome("FastRollback", Draft(annotations={keys.PREVIOUS: None}))
    if replicas_of(new) == 0:
        warning = "no pods are wanted (replicas: 0), so there is nothing to compare with; this change is not stepped"
        return Outcome("NoReplicas", Draft(), (warning,))
    if value_at(old, ("status", "availableReplicas")):
        return None
    warning = "no pod of the running version is available to compare with; this change is not stepped"
    return Outcome("NothingAvailable", Draft(), (warning,))


def _record(old: Object, new: Object, fields: Fields) -> Record:
    """The record of a new rollout. From rest the stable version is the stored template; in the middle of a native
    rollout only the controller can tell, it sees the ReplicaSets."""
    uid = str(value_at(old, ("metadata", "uid")) or "")
    template = new["spec"]["template"]
    declared = template_hash(template)
    before = record_of(old)
    rests = at_rest(old)
    known = before.stable if before else template_hash(old["spec"]["template"]) if rests else ""
    revision = annotation(old, keys.REVISION) or "" if rests and not before else ""
    return Record(
        uid=uid,
        id=rollout_id(uid, declared, value_at(old, ("metadata", "generation")) or 0),
        declared=declared,
        loose=loose_hash(template),
        saved=fields,
        stable=known if known != declared else "",
        revision=revision[:REVISION_LENGTH] if known != declared else "",
    )
