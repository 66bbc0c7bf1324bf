"""How the release that a pipeline waits for ends, read off its Deployment alone. Pure.

The trap is identity: the release that was declared when the command began is meant, and no other. A newer version that
is promoted meanwhile must not count as its success, nor a Deployment that was deleted and created again under the same
name. So what is waited for is pinned at the first look (uid, rollout, template) and every later look is compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.cli.text import counted
from penstock.core import keys
from penstock.core.gate import replicas_of
from penstock.core.guard import active, annotation, record_of
from penstock.core.patch import value_at
from penstock.core.reasons import Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.template import template_hash
from penstock.kube import objects

Object = Mapping[str, Any]

PROMOTED, REJECTED, HELD, LATE, GONE = "promoted", "rejected", "held", "late", "gone"
"""Ends of a wait; an empty text is a release that still moves."""

CODES = {REJECTED: 1, HELD: 2, LATE: 2}
"""Exit codes where something else was waited for; of any other end 3."""

WAITING = frozenset(
    {
        Reason.AWAITING_APPROVAL,
        Reason.HELD_FAILED,
        Reason.INCONCLUSIVE,
        Reason.BAD_ANNOTATION,
        Reason.PAUSED_BY_USER,
        Reason.SCALED_TO_ZERO,
    }
)
"""Reasons that only a person's act ends."""


@dataclass(frozen=True)
class Aim:
    """The release that is waited for."""

    uid: str
    declared: str
    """Hash of its pod template."""
    rollout: str = ""
    """Empty: nothing of it is stepped, Kubernetes itself rolls it out."""
    stable: str = ""

    def exit_code(self, result: str, wanted: str) -> int:
        """What the pipeline is told."""
        return 0 if result == wanted else CODES.get(result, 3)


@dataclass(frozen=True)
class Look:
    """What one look at the Deployment says."""

    result: str
    sentence: str
    reason: str = ""


def aimed(obj: Object) -> Aim:
    """The release that is declared now."""
    record, uid = active(obj), objects.uid(obj)
    if record is None:
        return Aim(uid, template_hash(obj["spec"]["template"]))
    return Aim(uid, record.declared, record.id, record.stable)


def followed(aim: Aim, obj: Object) -> Aim:
    """The same release, as far as it has become better known: its stable version is found later where it began in the
    middle of a native rollout; a rejected version that is only restarted is the same one; and a pause of the user's
    own that is lifted turns a declared version into a stepped one."""
    record = active(obj)
    if record is None or objects.uid(obj) != aim.uid:
        return aim
    if record.id == aim.rollout or (not aim.rollout and record.declared == aim.declared):
        return replace(aim, rollout=record.id, declared=record.declared, stable=record.stable)
    return aim


def look(aim: Aim, obj: Object | None) -> Look:
    """How it stands with the release. `aim` has been `followed` to this very object."""
    if obj is None or value_at(obj, ("metadata", "deletionTimestamp")):
        return Look(GONE, "the Deployment was deleted")
    if objects.uid(obj) != aim.uid:
        return Look(GONE, "the Deployment was deleted and created again; this is another one")
    record = active(obj)
    if record is None:
        return _native(aim, obj) if not aim.rollout else _ended(aim, obj)
    if record.id == aim.rollout:
        return _stepped(obj, record)
    if aim.rollout and record.stable == aim.declared:
        return Look(PROMOTED, "all pods ran it before a newer version was declared")
    return Look(GONE, f"a newer version was declared before this one had ended; rollout {record.id} is under way now")


def _stepped(obj: Object, record: Record) -> Look:
    reason, message = said(obj, record)
    if record.phase is Phase.REJECTED:
        name = f"{objects.name(obj)} -n {objects.namespace_of(obj)}"
        hint = f"to try it again: penstock retry {name}"
        return Look(REJECTED, f"taken back, all pods run the former version: {record.failed}; {hint}", Reason.REJECTED)
    held = record.phase in (Phase.PENDING, Phase.HOLDING, Phase.FINISHING) and reason in WAITING
    return Look(HELD if held else "", f"{record.phase}, step {record.step}: {message}", reason)


def said(obj: Object, record: Record) -> tuple[str, str]:
    """What the controller said last, if that was about this state of this rollout and not about one before it."""
    for condition in value_at(obj, ("status", "conditions")) or []:
        told = objects.moment(condition.get("lastUpdateTime")) or 0.0
        if condition.get("type") == keys.CONDITION and told >= int(record.since):
            return str(condition.get("reason") or ""), str(condition.get("message") or "")
    return "", "the controller has said nothing of it yet"


def _ended(aim: Aim, obj: Object) -> Look:
    """Its record is gone, or marks what was released. Only the end of a promoted rollout leaves a note of which version
    may come back; admission has dropped an older one at the start."""
    now = template_hash(obj["spec"]["template"])
    if now == aim.stable:
        return Look(GONE, "the former version was declared again")
    if now != aim.declared:
        return Look(GONE, "another version was declared")
    if record_of(obj) is None and annotation(obj, keys.PREVIOUS):
        return Look(PROMOTED, f"all {counted(replicas_of(obj), 'pod')} run the new version", Reason.PROMOTED)
    message = "it was released: it goes to all pods at once, not judged"
    return Look(GONE, f"{message}; follow it: kubectl rollout status deployment/{objects.name(obj)}", Reason.RELEASED)


def _native(aim: Aim, obj: Object) -> Look:
    """No rollout of ours: the truth is whether all pods run the declared version."""
    if template_hash(obj["spec"]["template"]) != aim.declared:
        return Look(GONE, "another version was declared")
    replicas = counted(replicas_of(obj), "pod")
    if _complete(obj):
        last = annotation(obj, keys.PREVIOUS)
        begun = "its rollout has ended already" if last else "no rollout was started"
        return Look(PROMOTED, f"{begun}; all {replicas} run the declared version")
    if value_at(obj, ("spec", "paused")) is True:
        name = f"{objects.name(obj)} -n {objects.namespace_of(obj)}"
        return Look(HELD, f"paused by its owner; it goes on after: kubectl rollout resume deployment {name}")
    for condition in value_at(obj, ("status", "conditions")) or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return Look(LATE, f"no rollout was started; Kubernetes itself gave it up: {condition.get('message')}")
    updated = value_at(obj, ("status", "updatedReplicas")) or 0
    return Look("", f"no rollout was started, Kubernetes itself rolls it out: {updated} of {replicas} so far")


def _complete(obj: Object) -> bool:
    status = obj.get("status") or {}
    seen = (status.get("observedGeneration") or 0) >= (value_at(obj, ("metadata", "generation")) or 0)
    counts = {status.get(name) or 0 for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return bool(seen) and counts == {replicas_of(obj)}
