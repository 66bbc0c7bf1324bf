"""The way out where the record is no record: edited, cut off, another object's, another version's, or taken away.

Such a rollout is held, for whatever moved it would be a guess. But its owner's word still ends it, and then nothing may
stay paused or braked (I7). Which fields were theirs can be read in most of these records all the same; where it cannot,
the fields in force stay, without what is certainly ours.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import keys
from penstock.core.draft import Draft
from penstock.core.fields import Fields
from penstock.core.guard import Outcome, annotation, label, record_of
from penstock.core.record import saved_in
from penstock.core.rollout import LABELS, Phase

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
