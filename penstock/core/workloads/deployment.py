"""How a Deployment is stepped: windows under a brake, holds, and the end; the way back is in `retreat`.

`spec.paused` alone is neither a cap nor safe: un-pausing a default Deployment of ten adds five pods within
milliseconds, and if we die then the release goes to 100 %. So nothing here un-pauses the declared template without
the brake (BRAKE_READY), under which the native controller stops by itself at the clamps, for ever. Measured on
kube-controller-manager 1.37.2, see docs/decisions/0001-brake.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import keys, wording
from penstock.core.decision import Clean, Decision, Delete, Patch, Unmark, Unstall, Write
from penstock.core.draft import Draft, released, stepping
from penstock.core.exposure import clamp, settled, window
from penstock.core.fields import ROLLING, Fields
from penstock.core.gate import previous
from penstock.core.observation import Observation
from penstock.core.ownership import given_back, in_the_way, ours, owners
from penstock.core.reasons import Reason
from penstock.core.record import Record, declared
from penstock.core.rollout import Event, after
from penstock.core.situation import Situation

LEFT = "finishing"
"""Value of our label while only leftovers are to be cleared away."""

POLL = 1.0
"""Seconds between looks while a native controller is at work; watches usually tell us sooner."""


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


def unstall() -> Decision:
    """First of all writes, for Flux fails at once on what it finds."""
    return quiet("nothing is stalled any more", Unstall())


def leftovers(seen: Observation) -> Decision:
    """After the record has gone: our copies on ReplicaSets, the condition, then the label and our name in
    managedFields. The label goes last, so that a crash in between leaves a visible mark to go on from."""
    d = seen.deployment
    if d.stalled:
        return unstall()
    for rs in seen.replicasets:
        if rs.marked:
            return quiet(f"our annotations go from {rs.name}", Clean(rs.name))
    if d.condition:
        return quiet("our condition goes", Unmark())
    managed = [entry for entry in d.managed if not ours(entry)] if any(map(ours, d.managed)) else None
    if managed is None and keys.ROLLOUT not in d.labels:
        return Decision(Reason.PROMOTED, "nothing of a rollout is left", shown=False, over=True)
    return quiet("nothing is left of the rollout", Patch(Draft(label=None, managed=managed)))
