"""Writes of others while a rollout runs: the fields in force stay, the user's new values are kept for the end.

GitOps tools re-apply their manifest every few seconds; without this each re-apply would undo a clamp or lift the
brake in an open window. A revert to the stable template and the opt-out end the rollout here and now, in the same
admission, with no controller alive (I8).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.core import keys
from penstock.core.draft import Draft, released, stepping
from penstock.core.fields import Fields
from penstock.core.ownership import entries, stated
from penstock.core.patch import value_at
from penstock.core.record import Record, RecordError, declared, decode, superseded
from penstock.core.rollout import Phase
from penstock.core.template import loose_hash, template_hash

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What one question of the policy answers."""

    reason: str
    draft: Draft
    warnings: tuple[str, ...] = ()


def annotation(obj: Object | None, key: str) -> str | None:
    """An annotation, or None."""
    value = value_at(obj, ("metadata", "annotations", key))
    return value if isinstance(value, str) else None


def label(obj: Object | None, key: str) -> str | None:
    """A label, or None."""
    value = value_at(obj, ("metadata", "labels", key))
    return value if isinstance(value, str) else None


def record_in(text: str | None, uid: Any) -> Record | None:
    """The record in a text, if it is that of the object with this uid."""
    try:
        record = decode(text) if text else None
    except RecordError:
        return None
    return record if record and record.uid == uid else None


def record_of(obj: Object | None) -> Record | None:
    """The record of this very object (same uid), whether or not our label is there."""
    return record_in(annotation(obj, keys.RECORD), value_at(obj, ("metadata", "uid")))


def active(obj: Object | None) -> Record | None:
    """The record that counts: valid, together with our label, and not of a rollout that has been released.

    One that lost its label while paused counts all the same: no ReplicaSet has a copy of it (`rollout undo` is refused
    while paused). One that is not paused any more was released by hand.
    """
    record = record_of(obj)
    if record is None or record.phase is Phase.LEAVING:
        return None
    held = value_at(obj, ("spec", "paused")) is True and record.phase is not Phase.FINISHING
    return record if label(obj, keys.ROLLOUT) or held else None


def guarded(old: Object, new: Object, record: Record, *, resumed: bool) -> Outcome:
    """The answer to a write to a Deployment whose rollout runs. `resumed`: it came from `kubectl rollout resume`."""
    before, after = Fields.of(old), Fields.of(new)
    was, now = template_hash(old["spec"]["template"]), _version(new, record)
    known = _kept_by_admission(record, old, new)
    if known is None:
        known = record
        saved = record.saved.merged(before, after, stated(entries(old), entries(new)))
    else:  # the fields that came are then ours, but for what another mutator changed since
        force = _in_force(known, before)
        saved = known.saved.merged(force if now == was else _held(force, known, old), after)
    known = replace(known, saved=saved)
    shown = annotation(old, keys.DECLARED) is not None  # a retreat shows the stable template, declared is another one
    ended = _ended(record, old, new, reverted=now == record.stable and (now != was or not shown))
    if ended:
        draft = released(entries(new), record, saved)
        shown = now == was == record.stable  # a retreat shows the stable template for a moment, its owner's is aside
        return Outcome(
            ended, replace(draft, template=declared(annotation(old, keys.DECLARED), record) if shown else None)
        )
    if saved.problem():
        asked = replace(saved, paused=before.paused)  # the API server refuses these with its own message
        return Outcome("Invalid", stepping(known, asked, _text(old, record, known)))
    if now != was:
        return _other_template(old, new, now, known, before)
    if resumed and before.paused and not after.paused:
        return _resumed(old, record, known, before)
    draft = stepping(known, _in_force(known, before), _text(old, record, known))
    kept = {keys.DECLARED: annotation(old, keys.DECLARED)}
    return Outcome("Guarded", replace(draft, annotations={**draft.annotations, **kept}), _put_back(old, new))


def _in_force(record: Record, before: Fields) -> Fields:
    """What stays in force after a write: at the end of a rollout the user's own fields, until then ours."""
    return record.saved.rolling() if record.phase is Phase.FINISHING else before


def _held(force: Fields, known: Record, old: Object) -> Fields:
    """What is in force once another template has come: a pause, in whatever window that was."""
    return force.held(known.saved, value_at(old, ("spec", "replicas")) or 0)


def _ended(record: Record, old: Object, new: Object, *, reverted: bool) -> str | None:
    if label(new, keys.ENABLED) == "false":
        return "OptedOut"
    if reverted:
        return "Reverted"
    resumed = value_at(old, ("spec", "paused")) and not value_at(new, ("spec", "paused"))
    if resumed and label(new, keys.ROLLOUT) is None and annotation(new, keys.RECORD):
        return "Released"  # the way out that the step lock names: label removed and resumed in one write
    return None


def _put_back(old: Object, new: Object) -> tuple[str, ...]:
    """Label and record gone, every field as its owner has it: that looks like a release, and is also just what
    `kubectl replace` and Terraform's provider send, which remove all metadata that they do not know and state their
    whole spec. So it is none; but whoever meant one is told how to say it. Not those that replace the whole object, the
    native controller's annotation included: they do so every few minutes."""
    removed = label(old, keys.ROLLOUT) is not None and label(new, keys.ROLLOUT) is None
    if not removed or annotation(new, keys.REVISION) is None:
        return ()
    return (f"the rollout goes on, its label was put back; to end it: penstock release {place(old)}",)


def place(obj: Object) -> str:
    """How commands name it: `web -n shop`."""
    return f"{value_at(obj, ('metadata', 'name'))} -n {value_at(obj, ('metadata', 'namespace'))}"


def _kept_by_admission(record: Record, old: Object, new: Object) -> Record | None:
    """The stored record with what an earlier admission of the same write already put into the incoming one, or None
    where there was none. Two entries may be asked about one write; the second would forget what the first has kept.

    Only what any updater may say anyway (own field values, approvals) is taken from there.
    """
    seen = record_of(new)
    if seen is None:
        return None
    if replace(seen, saved=record.saved, approved=record.approved, awaiting=record.awaiting) == record:
        voided = annotation(old, keys.DECLARED) is not None and annotation(new, keys.DECLARED) is None
        return seen if seen != record or voided else None
    made = (_superseding(record, old, new), replace(record, declared=template_hash(new["spec"]["template"])))
    return replace(record, saved=seen.saved) if replace(seen, saved=record.saved) in made else None


def _superseding(record: Record, old: Object, new: Object) -> Record:
    template = new["spec"]["template"]
    generation = value_at(old, ("metadata", "generation")) or 0
    return superseded(record, template_hash(template), loose_hash(template), generation)


def _text(old: Object, record: Record, known: Record) -> str | None:
    return annotation(old, keys.RECORD) if known == record else None


def _version(new: Object, record: Record) -> str:
    """The hash of the template that will be stored: what was sent for the declared version is made into it again by the
    webhook that has done so before."""
    now = template_hash(new["spec"]["template"])
    return record.declared if now == record.sent else now


def _other_template(old: Object, new: Object, now: str, known: Record, before: Fields) -> Outcome:
    loose = loose_hash(new["spec"]["template"])
    force = _held(_in_force(known, before), known, old)
    if now == known.declared:  # the controller shows the stable template for some milliseconds while it retreats
        return Outcome("Declared", _declaring(known, force))
    if known.failed and known.phase in (Phase.RETREATING, Phase.REJECTED) and loose == known.loose:
        warning = f"this version was taken back and stays held: {known.failed}"
        return Outcome("StillRejected", _declaring(replace(known, declared=now), force), (warning,))
    return Outcome("Superseded", _declaring(_superseding(known, old, new), force))


def _declaring(record: Record, force: Fields) -> Draft:
    """A template of the user's stands in the spec again, so the copy that a retreat put aside is void."""
    draft = stepping(record, force)
    return replace(draft, annotations={**draft.annotations, keys.DECLARED: None})


def _resumed(old: Object, record: Record, known: Record, before: Fields) -> Outcome:
    force = _in_force(known, before)
    if record.saved.paused:
        warning = "your own pause is lifted; the rollout goes on in steps"
        return Outcome("PauseLifted", stepping(known, force), (warning,))
    if record.awaiting:
        known = replace(known, approved=(*known.approved, known.step), awaiting=False)
        warning = f"step {known.step} is approved; the rollout goes on"
        return Outcome("Approved", stepping(known, force), (warning,))
    warning = f"nothing waits for an approval, nothing was changed; to go back: penstock abort {place(old)}, "
    warning += f"or, with no controller alive, penstock undo {place(old)}"
    return Outcome("NothingToApprove", stepping(known, force, _text(old, record, known)), (warning,))
