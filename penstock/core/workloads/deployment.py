"""How a Deployment is stepped: windows under a brake, retreat through the stable template.

`spec.paused` alone is neither a cap nor safe: un-pausing a default Deployment of ten adds five pods within
milliseconds, and if we die then the release goes to 100 %. So nothing here un-pauses the declared template without
the brake (BRAKE_READY), under which the native controller stops by itself at the clamps, for ever. Measured on
kube-controller-manager 1.37.2, see docs/decisions/0001-brake.md.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import keys, wording
from penstock.core.decision import Clean, Decision, Delete, Empty, Patch, Unmark, Write
from penstock.core.draft import Draft, released, stepping
from penstock.core.exposure import clamp, settled, window
from penstock.core.fields import ROLLING, Fields
from penstock.core.gate import previous
from penstock.core.observation import Observation, Pod
from penstock.core.ownership import given_back, in_the_way, ours, owners
from penstock.core.reasons import Reason
from penstock.core.record import Record, declared
from penstock.core.rollout import Event, after
from penstock.core.situation import Situation

LEFT = "finishing"
"""Value of our label while only leftovers are to be cleared away."""

POLL = 1.0
"""Seconds between looks while a native controller is at work; watches usually tell us sooner."""

REOPEN = 10.0
"""A retreat whose old pods do not all become Ready opens its next window after so many seconds all the same."""


def quiet(message: str, write: Write | None = None, wait: float = POLL) -> Decision:
    """A step of the protocol that people need not see."""
    return Decision(Reason.WINDOW, message, write, wait, shown=False)


def patch(
    s: Situation,
    record: Record,
    fields: Fields,
    template: Mapping[str, Any] | None = None,
    notes: Mapping[str, str | None] | None = None,
) -> Patch:
    """A write of fields and record together. Owners of fields are noted in it, for giving them back later."""
    known = replace(record, owners=owners(s.deployment.managed, record.owners), epoch=s.seen.epoch)
    draft = stepping(known, fields)
    return Patch(replace(draft, template=template, annotations={**draft.annotations, **(notes or {})}))


def clear_newer(s: Situation) -> Decision | None:
    """Empty ReplicaSets newer than the stable one go first: from zero the native controller fills the newest."""
    if not s.empty_newer:
        return None
    rs = s.empty_newer[0]
    return quiet(f"the empty ReplicaSet {rs.name} goes, so that nothing can revive it", Delete(rs.name, rs.uid))


def give_back(s: Situation) -> Decision | None:
    """Fields that we took from a tool that applies on the server's side go back to it at once."""
    if not in_the_way(s.deployment.managed, s.record.owners):
        return None
    managed = given_back(s.deployment.managed, s.record.owners)
    return quiet("fields go back to the tool that owns them", Patch(Draft(managed=managed)))


def brake(s: Situation, step: int) -> Decision:
    """First half of a later window: the brake is written while still paused."""
    phase = after(s.record.phase, Event.BRAKED)
    record = replace(s.record, phase=phase, step=step, awaiting=False)
    if step != s.record.step:
        record = replace(record, failed="", note="")
    fields = replace(s.deployment.fields, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE, paused=True)
    return quiet(f"the brake is set for step {step}", patch(s, record, fields))


def unbrake(s: Situation) -> Decision:
    """Back to the hold without a window: the replicas changed so that the step needs none."""
    record = replace(s.record, phase=after(s.record.phase, Event.CLOSED), awaiting=s.awaits_approval)
    return quiet("the step needs no window any more", patch(s, record, holding_fields(s)))


def brake_seen(s: Situation) -> bool:
    """Whether every controller counts no new pod as available: only then is un-pausing safe. The Deployment's
    status is computed from the Deployment controller's own cache, so it shows what that controller has seen."""
    old = sum(rs.available for rs in s.seen.replicasets if rs.template != s.record.declared)
    return (
        s.new is not None
        and s.new.seen
        and s.new.min_ready == keys.BRAKE_READY
        and s.new.available == 0
        and s.deployment.seen
        and s.deployment.status_available == old
    )


def open_window(s: Situation, step: int) -> Decision:
    """Un-pause under the brake, clamped to the step, in one patch."""
    exposure = s.exposure(step)
    assert exposure is not None
    missing = max(0, s.replicas - s.old)
    opening = window(exposure.pods, s.limits, s.available, missing)
    if missing > opening.target:
        return quiet(f"step {step}: waiting until the native controller has brought the pods to their number")
    if opening.target <= s.n:
        return quiet(f"step {step}: waiting until the pods of the last window are available", wait=POLL)
    saved, r = s.record.saved, s.replicas
    fields = Fields(
        type=ROLLING,
        surge=clamp(opening.surge, r, saved.surge, up=True),
        unavailable=clamp(opening.unavailable, r, saved.unavailable, up=False),
        min_ready=keys.BRAKE_READY,
        deadline=keys.BRAKE_DEADLINE,
        paused=None,
    )
    record = replace(
        s.record,
        phase=after(s.record.phase, Event.OPENED),
        step=step,
        started=s.record.started or s.now,
        since=s.now,
        target=opening.target,
        replicas=r,
        awaiting=False,
    )
    message = f"step {step} of {len(s.exposures)}: {wording.get(exposure.pods, r)}"
    before = s.exposure(step - 1) if step > 1 else None
    first = s.n <= (before.pods if before else 0)  # a further window of the same step is nothing new to people
    return Decision(Reason.STEP_OPENED, message, patch(s, record, fields), POLL, shown=first)


def window_settled(s: Situation) -> bool:
    """Whether the native controller has seen the window and come to its fixed point."""
    if s.replicas == 0:
        return s.deployment.seen and s.n + s.old == 0
    return s.deployment.seen and settled(s.replicas, s.in_force.surge, s.in_force.unavailable, s.n, s.old)


def outgrown(s: Situation) -> bool:
    """Whether a change of replicas in an open window leaves what must not be paused: with every pod of the new version
    a pause would add even more of them, and a percentage may have grown beyond the number that the user wrote (I3)."""
    short = s.n >= s.replicas > s.n + s.old - s.in_force.surge
    return short or (s.replicas != s.record.replicas and s.in_force.surge > s.limits.surge)


def holding_fields(s: Situation) -> Fields:
    """The fields of a hold: paused, the user's own values, but the clamped surge (changing it would resize)."""
    saved = s.record.saved
    force = s.deployment.fields.held(saved, s.replicas)
    fields = Fields(ROLLING, force.surge, saved.unavailable, saved.min_ready, saved.deadline, paused=True)
    if saved.type != ROLLING or (force.surge in (0, "0%") and saved.unavailable in (0, "0%", None)):
        fields = replace(fields, unavailable=force.unavailable)
    if s.tight:
        fields = replace(fields, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
    return fields


def close_window(s: Situation) -> Decision:
    """Pause again, with the user's own values."""
    record = replace(s.record, phase=after(s.record.phase, Event.CLOSED), awaiting=s.awaits_approval)
    return quiet(f"step {s.record.step}: the window is closed", patch(s, record, holding_fields(s)))


def retreat(s: Situation, reason: Reason, message: str, *, failed: str = "", restart: bool = False) -> Decision:
    """Begin to take the new pods back; with `failed` the version stays out, else another try follows."""
    record = replace(
        s.record,
        phase=after(s.record.phase, Event.FAILED),
        failed=failed,
        note=reason if failed else "",
        awaiting=False,
        since=s.now,
        step=0 if not restart else s.record.step,
    )
    if s.paused:
        return Decision(reason, message, patch(s, record, s.deployment.fields))
    return Decision(reason, message, stable_window(s, record))


def stable_window(s: Situation, record: Record) -> Patch:
    """Show the native controller the stable template, within the user's own limits: it rolls back by itself.

    The declared template is kept in an annotation of the same write; a version that never ran stands nowhere else.
    """
    assert s.stable is not None
    aside = s.deployment.annotations.get(keys.DECLARED) or json.dumps(s.deployment.spec, separators=(",", ":"))
    fields = replace(_retreat_fields(s), paused=None)
    return patch(s, replace(record, since=s.now), fields, s.stable.spec, {keys.DECLARED: aside})


def _retreat_fields(s: Situation) -> Fields:
    """The user's fields, but no more surge than is used already.

    A pause, ours or that of a newer template's admission, would fill a surge up in proportion, new pods included.
    """
    own, limits = s.record.saved.rolling(), s.limits
    beside = sum(rs.replicas for rs in s.seen.replicasets) - s.replicas
    surge = max(0 if limits.unavailable else 1, min(limits.surge, beside))
    if not s.others or surge >= limits.surge:
        return own
    return replace(own, surge=surge if isinstance(own.surge, int) else clamp(surge, s.replicas, own.surge, up=True))


def close_stable_window(s: Situation) -> Decision:
    """Show the declared template again, paused, so that Git and the cluster agree. Where a hold needs the brake this
    pause does too: the stable pods that have just come would go again."""
    template = declared(s.deployment.annotations.get(keys.DECLARED), s.record)
    fields = replace(_retreat_fields(s), paused=True)
    if s.tight:
        fields = replace(fields, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
    write = patch(s, s.record, fields, template, {keys.DECLARED: None})
    return quiet("the declared template is shown again", write)


def retreating(s: Situation) -> Decision:
    """One look at a retreat: empty the new ReplicaSet, or go through windows on the stable template."""
    left = sum(rs.replicas for rs in s.others)
    if not s.paused and s.deployment.template == s.record.stable:
        if s.deployment.seen and _turned_back(s, left):
            return close_stable_window(s)
        return quiet("the native controller takes pods of the new version back")
    if s.deployment.template == s.record.stable and keys.DECLARED in s.deployment.annotations:
        return close_stable_window(s)
    if left == 0 and s.paused:
        return _retreated(s)
    message = f"{left} pods of the new version are going"
    if not s.paused:
        return Decision(Reason.RETREATING, message, stable_window(s, s.record), POLL, shown=False)
    ready = sum(p.ready for p in s.stable_pods)
    filled = s.stable is not None and s.stable.replicas > 0  # with none active, the declared version would be refilled
    lost = tuple(p for p in s.seen.pods if p.owner == s.others[0].uid and not p.deleting)
    missed = lost and not _down(s, lost)  # pods that crash are Ready now and then, and serve until old ones do
    if len(s.others) == 1 and filled and (ready >= s.replicas - s.limits.unavailable or not missed):
        return quiet(f"{s.others[0].name} is emptied", Empty(s.others[0].name))
    if not s.record.failed and _down(s, s.stable_pods):
        message = f"no pod of the stable version has been Ready for {s.deadline:.0f} s, there is nothing to go back to"
        return release(s, Reason.NO_STABLE, message)
    stable = s.stable
    if stable and (stable.available >= stable.replicas or s.now - s.record.since > REOPEN) and s.deployment.seen:
        return quiet("a window on the stable template is opened", stable_window(s, s.record))
    return Decision(Reason.RETREATING, message + ", after pods of the stable version have become Ready", wait=POLL)


def _down(s: Situation, pods: tuple[Pod, ...]) -> bool:
    """Whether none of these pods has been Ready for longer than their owner waits for one."""
    since = [max(p.created, p.ready_since) for p in pods]
    return bool(since) and not any(p.ready for p in pods) and s.now - max(since) > s.deadline


def _turned_back(s: Situation, left: int) -> bool:
    """Whether the native controller has done what it can before more stable pods are available."""
    size, available = (s.stable.replicas, s.stable.available) if s.stable else (0, 0)
    full = size + left >= s.replicas + s.in_force.surge
    return left == 0 or size >= s.replicas or (full and left + available <= s.replicas - s.limits.unavailable)


def _retreated(s: Situation) -> Decision:
    if not s.deployment.seen:
        return quiet("waiting until the native controller has seen the pause: it may still act on an open window")
    if s.stable and s.stable.replicas != s.replicas and s.replicas > 0:
        return quiet("the stable version comes back to full size")
    cleared = clear_newer(s)
    if cleared:
        return cleared
    event = Event.REFUSED if s.record.failed else Event.CLEARED
    record = replace(s.record, phase=after(s.record.phase, event), target=0)
    fields = replace(s.record.saved.rolling(), paused=True)
    if event is Event.CLEARED:
        return quiet("no pod of the new version is left, it starts anew", patch(s, record, fields))
    return Decision(Reason.REJECTED, rejected_message(s), patch(s, record, fields))


def rejected_message(s: Situation) -> str:
    """Why the version is out and what to do next."""
    return (
        f"taken back, all pods run the stable version: {s.record.failed}; "
        "deploy another version, or the stable one; to try this one again: "
        f"penstock retry {s.deployment.name} -n {s.deployment.namespace}"
    )


def finish(s: Situation) -> Decision:
    """Every field is the user's again; the native controller completes."""
    phase = after(s.record.phase, Event.PASSED)
    record = replace(s.record, phase=phase, since=s.now, awaiting=False, failed="", note="")
    message = f"all steps passed; {wording.all_get(s.replicas)}"
    return Decision(Reason.FINISHING, message, patch(s, record, s.record.saved.rolling()), POLL)


def complete(s: Situation) -> bool:
    """Whether all pods run the declared version and are available."""
    d = s.deployment
    return d.seen and d.status_updated == d.status_replicas == d.status_available == s.replicas == s.n


def end(s: Situation) -> Decision:
    """The rollout is over: the record goes, and what is left of us follows (see leftovers)."""
    draft = released(s.deployment.managed, s.record, s.record.saved)
    note = previous(s.record.stable, s.now + s.plan.fast_rollback)
    last = replace(draft, label=LEFT, annotations={**draft.annotations, keys.PREVIOUS: note})
    return Decision(Reason.PROMOTED, wording.all_run(s.replicas), Patch(last), POLL)


def release(s: Situation, reason: Reason, message: str) -> Decision:
    """Every field exactly as the user had it, at once. The record stays until their owners have them back too."""
    record = replace(s.record, phase=after(s.record.phase, Event.RELEASED))
    shown = declared(s.deployment.annotations.get(keys.DECLARED), record)
    notes = {keys.REQUEST: None, keys.DECLARED: None}
    return Decision(reason, message, patch(s, record, s.record.saved, shown, notes), POLL)


def leave(s: Situation) -> Decision:
    """The record of a released rollout goes; what is left of us follows (see leftovers)."""
    managed = given_back(s.deployment.managed, s.record.owners)
    draft = Draft(label=LEFT, annotations=dict.fromkeys(keys.OUR_ANNOTATIONS), managed=managed)
    return quiet("the record goes", Patch(draft))


def leftovers(seen: Observation) -> Decision:
    """After the record has gone: our copies on ReplicaSets, the condition, then the label and our name in
    managedFields. The label goes last, so that a crash in between leaves a visible mark to go on from."""
    d = seen.deployment
    for rs in seen.replicasets:
        if rs.marked:
            return quiet(f"our annotations go from {rs.name}", Clean(rs.name))
    if d.condition:
        return quiet("our condition goes", Unmark())
    managed = [entry for entry in d.managed if not ours(entry)] if any(map(ours, d.managed)) else None
    if managed is None and keys.ROLLOUT not in d.labels:
        return Decision(Reason.PROMOTED, "nothing of a rollout is left", shown=False, over=True)
    return quiet("nothing is left of the rollout", Patch(Draft(label=None, managed=managed)))
