"""How a Deployment goes back: the new ReplicaSet is emptied, or the native controller rolls to the stable template.

Emptying by hand is safe only while enough old pods are Ready: the native controller answers by refilling the old
ReplicaSet. Otherwise the stable template is shown for some milliseconds at a time, within the user's own limits, and
the declared one again between: so Git and the cluster do not visibly disagree, and whenever we die it is paused, or
on its way back.
"""

import json
from dataclasses import replace

from penstock.core import keys
from penstock.core.decision import Decision, Empty, Patch
from penstock.core.exposure import clamp
from penstock.core.fields import Fields
from penstock.core.observation import Pod
from penstock.core.reasons import Reason
from penstock.core.record import Record, declared
from penstock.core.rollout import Event, after
from penstock.core.situation import Situation
from penstock.core.workloads.deployment import POLL, clear_newer, patch, quiet, release

REOPEN = 10.0
"""A retreat whose old pods do not all become Ready opens its next window after so many seconds all the same."""


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
    since = [p.starting_since for p in pods]
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
        f"penstock retry {s.deployment.place}"
    )
