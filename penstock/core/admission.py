"""Admission: what becomes of one write to a Deployment, as a pure function of the write.

The order of the questions is the policy. First, a rollout that runs (a valid record together with our label, read
from the *stored* object, never from what the caller sends) is guarded, and ends by itself on a revert to the stable
template; one whose record cannot be read is held. Otherwise a record or label that the caller brings is foreign and is
dropped, and a template change is gated. The answer is a list of wanted values, so the same answer given twice changes
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.core import keys
from penstock.core.draft import Draft, released
from penstock.core.fields import Fields
from penstock.core.gate import gated, replicas_of
from penstock.core.guard import Outcome, active, annotation, guarded, label, record_of
from penstock.core.ownership import entries
from penstock.core.patch import Operation, value_at
from penstock.core.record import Record, RecordError, decode, encode, rollout_id
from penstock.core.release import failed_version
from penstock.core.rollout import Phase
from penstock.core.salvage import held, salvaged
from penstock.core.template import template_hash

KUBECTL_ROLLOUT = "kubectl-rollout"
"""Field manager of `kubectl rollout pause|resume|restart`."""

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """The parts of an AdmissionRequest that matter."""

    uid: str
    operation: str
    kind: str
    namespace: str
    name: str
    username: str
    field_manager: str
    dry_run: bool
    object: dict[str, Any] | None
    old: dict[str, Any] | None


@dataclass(frozen=True)
class Admission:
    """A JSON Patch, warnings for the caller, and the reason in one word for metrics and logs."""

    patch: tuple[Operation, ...]
    warnings: tuple[str, ...] = ()
    reason: str = "Untouched"


def admit(request: Request, now: float, *, gating: bool = True) -> Admission:
    """The patch for one write. `gating` is off where only our label brings us in: then a rollout is guarded, no new
    one is begun."""
    new, old = request.object, request.old
    if request.kind != "Deployment" or new is None or request.username == keys.CONTROLLER:
        return Admission(())
    record = active(old)
    if old is not None and record is not None:
        outcome = guarded(old, new, record, resumed=request.field_manager == KUBECTL_ROLLOUT)
        return _answer(new, _warned(request, record, outcome))
    unread = (salvaged(old, new) or held(old, new)) if old is not None else None
    if unread:
        return _answer(new, unread)
    fields, foreign = _own_fields(old, new), _foreign(old, new)
    answer = _returned(old, new, fields)
    if answer is None and old is not None and gating:
        answer = gated(old, new, fields, now)
    outcome = answer or _noted(old, fields)
    if foreign:
        outcome = _without_foreign(old, outcome, fields)
    return _answer(new, outcome)


def _warned(request: Request, record: Record, outcome: Outcome) -> Outcome:
    """A release of a version that has failed is the owner's to make, but not unknowingly."""
    new = request.object
    if outcome.reason not in ("OptedOut", "Released") or new is None:
        return outcome
    saved = replace(record, saved=outcome.draft.fields or record.saved)
    template = template_hash(outcome.draft.template or new["spec"]["template"])
    place = f"{value_at(new, ('metadata', 'name'))} -n {request.namespace}"
    warning = failed_version(saved, template, replicas_of(new), place)
    return replace(outcome, warnings=(*outcome.warnings, warning)) if warning else outcome


def _answer(new: Object, outcome: Outcome) -> Admission:
    patch = outcome.draft.operations(new)
    reason = "Untouched" if outcome.reason == "Guarded" and not patch else outcome.reason
    return Admission(patch, outcome.warnings, reason)


def _orphan(old: Object | None) -> Record | None:
    """A stored record that does not count, and whose saved fields the controller has still to put back."""
    record = record_of(old)
    return record if record and record.phase is not Phase.LEAVING else None


def _returned(old: Object | None, new: Object, fields: Fields) -> Outcome | None:
    """The way back is never gated (I8), also after a release by hand that the controller has not seen yet."""
    stored = _orphan(old)
    if old is None or stored is None or template_hash(new["spec"]["template"]) != stored.stable:
        return None
    if template_hash(old["spec"]["template"]) == stored.stable:
        return None
    own = replace(fields, paused=Fields.of(new).paused)
    return Outcome("Reverted", released(entries(new), stored, own))


def _noted(old: Object | None, fields: Fields) -> Outcome:
    """Nothing to say; only, where the controller will put saved fields back, these shall be the user's last word."""
    stored = _orphan(old)
    if stored is None or stored.saved == fields:
        return Outcome("Untouched", Draft())
    return Outcome("Noted", Draft(annotations={keys.RECORD: encode(replace(stored, saved=fields))}))


def _foreign(old: Object | None, new: Object) -> bool:
    """Whether the caller brings a record or label of ours that the stored object has not."""
    record, mark = annotation(new, keys.RECORD), label(new, keys.ROLLOUT)
    return bool((record and not annotation(old, keys.RECORD)) or (mark and not label(old, keys.ROLLOUT)))


def _own_fields(old: Object | None, new: Object) -> Fields:
    """The user's own fields of a write outside any rollout.

    A backup taken during a hold brings the fields that were in force then; what it saved counts instead. So it is
    for a stored record that does not count any more. `rollout undo` brings back a record that a ReplicaSet once copied,
    with fields that are as stored: these are the user's.
    """
    after = Fields.of(new)
    made = _made_for(old, new)
    if made:
        return replace(after, paused=made.saved.paused)
    stored = _orphan(old)
    if stored:
        return stored.saved.merged(Fields.of(old or {}), after)
    if not _foreign(old, new):
        return after
    before = Fields.of(old) if old is not None else None
    saved = _foreign_saved(new, before)
    changed = {n: v for n, v in saved.json().items() if before is None or getattr(after, n) != getattr(before, n)}
    return replace(after, **changed)


def _made_for(old: Object | None, new: Object) -> Record | None:
    """The record in the incoming object that an earlier admission of this very write has put there: the pause that
    came with it is the gate's. Only the user's own pause is read from it."""
    record = record_of(new)
    if old is None or record is None:
        return None
    generation = value_at(old, ("metadata", "generation")) or 0
    same = record.id == rollout_id(record.uid, template_hash(new["spec"]["template"]), generation)
    return record if same and record.phase is Phase.PENDING and record.id != _id(old) else None


def _id(obj: Object) -> str:
    known = record_of(obj)
    return known.id if known else ""


def _foreign_saved(new: Object, before: Fields | None) -> Fields:
    try:
        return decode(annotation(new, keys.RECORD) or "").saved
    except RecordError:
        return (before or replace(Fields.of(new), paused=None)).unbraked()


def _without_foreign(old: Object | None, outcome: Outcome, fields: Fields) -> Outcome:
    if outcome.reason == "Gated":
        return outcome
    warning = "a record of another rollout came with this object (a backup, or rollout undo); it was dropped"
    kept = {key: annotation(old, key) for key in keys.OUR_ANNOTATIONS}
    draft = Draft(fields, label(old, keys.ROLLOUT), {**kept, **outcome.draft.annotations})
    return Outcome("ForeignRecord", draft, (*outcome.warnings, warning))
