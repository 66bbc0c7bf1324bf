"""The way out where the record is no record: edited, cut off, another object's, another version's, or taken away.

Such a rollout is held, for whatever moved it would be a guess: while Penstock itself is updated, admission may be older
than the controller whose record it meets. To gate anew would take clamps and brake for the user's own values, and write
over what the newer one knows. But its owner's word still ends it, and then nothing may stay paused or braked (I7).
Which fields were theirs can be read in most of these records all the same; where it cannot, the fields in force stay,
without what is certainly ours.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import keys
from penstock.core.draft import Draft
from penstock.core.fields import Fields
from penstock.core.guard import Outcome, annotation, label, place, record_of
from penstock.core.record import LONGEST, RecordError, decode, saved_in
from penstock.core.rollout import LABELS, Phase
from penstock.core.template import template_hash

Object = Mapping[str, Any]

FINISHING = LABELS[Phase.FINISHING]
"""Our label once the fields in force are the user's, and a pause may be theirs, too."""

WARNING = "the record of this rollout could not be read; its fields are put back as far as they are known"


def owners_fields(text: str | None, force: Fields) -> Fields:
    """What the user's fields are, by a text that is no record and by the fields in force."""
    return (saved_in(text) if text else None) or replace(force, paused=None).unbraked()


def salvaged(old: Object, new: Object) -> Outcome | None:
    """The answer to a write that ends a rollout whose record does not count, by opting out, by taking the record away,
    or by label and pause in one write; None for any other write."""
    text, mark = annotation(old, keys.RECORD), label(old, keys.ROLLOUT)
    held = mark is not None and (text or mark != FINISHING)
    if not held or record_of(old) or not _ends(old, new):
        return None
    force, after = Fields.of(old), Fields.of(new)
    fields = owners_fields(text, force).merged(force, after)
    return Outcome("OptedOut", Draft(fields, None, dict.fromkeys(keys.OUR_ANNOTATIONS)), (WARNING,))


def _ends(old: Object, new: Object) -> bool:
    taken = annotation(old, keys.RECORD) is not None and annotation(new, keys.RECORD) is None
    return taken or label(new, keys.ENABLED) == "false" or label(new, keys.ROLLOUT) is None


def held(old: Object, new: Object) -> Outcome | None:
    """The answer to any other write to such a rollout: what is in force stays, and another template waits; None where
    there is none."""
    text, mark = annotation(old, keys.RECORD), label(old, keys.ROLLOUT)
    problem = unread(text) if text and mark else None
    if problem is None:
        return None
    another = template_hash(old["spec"]["template"]) != template_hash(new["spec"]["template"])
    kept = {key: annotation(old, key) for key in (keys.RECORD, keys.DECLARED)}
    draft = Draft(_waiting(old) if another else Fields.of(old), mark, kept)
    if not another and not draft.operations(new):
        return Outcome("Untouched", Draft())
    warning = (
        f"{problem}; until a version that can read it runs, the rollout is held, and paused, strategy, minReadySeconds "
        "and progressDeadlineSeconds stay as they are; to end it: "
        f"kubectl label deployment {place(old)} {keys.ENABLED}=false"
    )
    return Outcome("Held", draft, (warning,))


def unread(text: str) -> str | None:
    """Why a record cannot be read. None where it can, or says, in whatever version, that nothing in force is ours."""
    try:
        decode(text)
    except RecordError as error:
        return None if _leaving(text) else str(error)
    return None


def _waiting(old: Object) -> Fields:
    """The fields in force, paused. At the end of a rollout, where a pause would be the owner's, the brake marks it as
    ours (see decide.owners_word)."""
    force = Fields.of(old)
    if label(old, keys.ROLLOUT) != FINISHING or force.paused:
        return replace(force, paused=True)
    return replace(force, paused=True, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)


def _leaving(text: str) -> bool:
    """Whether it says, in whatever version, that nothing in force is ours any more."""
    try:
        return len(text) <= LONGEST and bool(json.loads(text)["phase"] == Phase.LEAVING)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
