"""The writes that end a rollout by hand: every field as its owner had it, with or without Penstock alive. Pure.

One write has to be right in four worlds, for nobody can tell beforehand whether webhook and controller are there. So it
states the whole end (fields, template, no label, no record) and adds the opt-out label:

    webhook alive    the opt-out makes it restore the fields itself, in every phase; without it the guard would put
                     record and label back, as it does for tools that replace the whole object
    webhook dead     what stands in the write is stored; the step lock lets it pass, because our label goes
    controller       finds no record any more and clears away what is left, or (dead) has nothing to say

A second write takes the opt-out back, for this release was to be let go and not all that follow, and gives ownership
of the fields back. `kubectl rollout undo` is no help here: it refuses a Deployment that is paused.
"""

from collections.abc import Mapping
from typing import Any

from penstock.core import conditions, keys, patch
from penstock.core.guard import annotation, label
from penstock.core.ownership import Entries, Owners, entries, given_back, ours, owners
from penstock.core.patch import Operation, Path, value_at
from penstock.core.record import Record, declared
from penstock.core.rollout import Phase
from penstock.core.template import template_hash

Object = Mapping[str, Any]

ENABLED: Path = ("metadata", "labels", keys.ENABLED)
ROLLOUT: Path = ("metadata", "labels", keys.ROLLOUT)
MANAGED: Path = ("metadata", "managedFields")
TEMPLATE: Path = ("spec", "template")


def ended(obj: Object, record: Record, template: Object | None = None) -> tuple[Operation, ...]:
    """The first write. `template` is the version to run; None is the declared one."""
    wanted: list[tuple[Path, Any]] = []
    if record.phase is not Phase.LEAVING:  # else the fields are the owner's already, who may have changed them since
        shown = template or declared(annotation(obj, keys.DECLARED), record)
        wanted += [(TEMPLATE, shown)] if shown else []
        wanted += record.saved.wanted()
    wanted += [(("metadata", "annotations", key), None) for key in keys.OUR_ANNOTATIONS]
    wanted += [(ROLLOUT, None), (ENABLED, "false")]
    return _guarded(obj, wanted)


def shows_stable(obj: Object, record: Record) -> bool:
    """Whether a retreat shows the stable template for a moment, with the declared one put aside. To declare the stable
    one is no change then that anybody could see."""
    aside = declared(annotation(obj, keys.DECLARED), record)
    return aside is not None and template_hash(obj["spec"]["template"]) == record.stable


def hidden(obj: Object, record: Record) -> tuple[Operation, ...]:
    """The write that ends such a moment, as the controller itself does: the declared template again, paused."""
    template = declared(annotation(obj, keys.DECLARED), record)
    aside: Path = ("metadata", "annotations", keys.DECLARED)
    return _guarded(obj, [(TEMPLATE, template), (("spec", "paused"), True), (aside, None)])


def known_owners(obj: Object, record: Record) -> Owners:
    """Whom the fields belong to, before our write takes them."""
    return owners(entries(obj), record.owners)


def given(obj: Object, known: Owners, enabled: str | None) -> tuple[Operation, ...]:
    """The second write: the opt-out label as it was, and nothing that names us in managedFields."""
    managed: Entries = given_back(entries(obj), known)
    if not conditioned(obj):
        managed = [entry for entry in managed if not ours(entry)]
    wanted: list[tuple[Path, Any]] = [(ENABLED, enabled)] if label(obj, keys.ENABLED) != enabled else []
    wanted += [(MANAGED, managed)] if managed != entries(obj) else []
    return _guarded(obj, wanted) if wanted else ()


def conditioned(obj: Object) -> bool:
    """Whether a condition of ours stands in the status."""
    return any(map(conditions.ours, value_at(obj, ("status", "conditions")) or []))


def _guarded(obj: Object, wanted: list[tuple[Path, Any]]) -> tuple[Operation, ...]:
    version: Path = ("metadata", "resourceVersion")
    return (patch.test(version, value_at(obj, version)), *patch.operations(obj, wanted))
