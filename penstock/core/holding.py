"""The hold: pods of a step run, and are judged. The first rule that has something to say wins; when none has, the
step has passed.
"""

from collections.abc import Callable
from dataclasses import replace

from penstock.core import wording
from penstock.core.checks import Finding, Severity, findings
from penstock.core.decision import RESYNC, Decision
from penstock.core.judging import asks, unproven, worse
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.units import clock
from penstock.core.workloads import deployment as workload
from penstock.core.workloads.deployment import patch, quiet
from penstock.core.workloads.retreat import retreat

Rule = Callable[[Situation], Decision | None]


def scaled_to_zero(s: Situation) -> Decision:
    message = "no pods are wanted; it goes on when the workload is scaled up"
    return workload.clear_newer(s) or Decision(Reason.SCALED_TO_ZERO, message)


def paused_by_user(s: Situation) -> Decision:
    name = s.deployment.place
    message = f"paused by its user; it goes on after: kubectl rollout resume deployment {name}"
    return Decision(Reason.PAUSED_BY_USER, message)


def bad_annotation(s: Situation) -> Decision:
    return Decision(Reason.BAD_ANNOTATION, f"{s.problem}; nothing advances until it is corrected")


def failure(s: Situation) -> Decision | None:
    """The verdict of the pod and metric checks where it ends the release, or None."""
    if s.overruled:
        return None
    faults = [f for f in findings(s) if f.severity is Severity.FAIL]
    fault = faults[0] if faults else worse(s)
    return fail(s, fault) if fault else None


def fail(s: Situation, finding: Finding) -> Decision:
    """The release failed: taken back, or held where on-failure is pause."""
    where = f"step {s.record.step} of {len(s.exposures)}"
    if s.plan.on_failure == "rollback":
        message = f"{where}: {finding.message}; the release is taken back"
        return retreat(s, finding.reason, message, failed=f"{where}: {finding.message}")
    if s.record.failed:
        return _held_failed(s)
    approved = tuple(step for step in s.record.approved if step != s.record.step)  # given before it failed
    failed = f"{where}: {finding.message}"
    record = replace(s.record, failed=failed, note=finding.reason, awaiting=True, approved=approved)
    fields = workload.holding_fields(s)
    return replace(
        _held_failed(replace(s, record=record)), write=patch(s, replace(record, phase=Phase.HOLDING), fields)
    )


def _held_failed(s: Situation) -> Decision:
    name = s.deployment.place
    message = (
        f"{s.record.failed}; held (on-failure: pause). Go on: penstock approve {name}; back: penstock abort {name}"
    )
    return Decision(Reason.HELD_FAILED, message)


def holding(s: Situation) -> Decision:
    return next(d for rule in HOLDING if (d := rule(s)) is not None)


def scaled(s: Situation) -> Decision | None:
    """Replicas changed: more new pods than the step means at the new size go, and the step is opened anew."""
    if s.replicas == 0:
        return scaled_to_zero(s)
    promoted = s.stable is not None and s.stable.replicas == 0
    most = s.record.target if s.replicas == s.record.replicas else s.k + 1
    if not promoted and s.n <= most:
        return None
    message = f"{s.n} of {s.replicas} pods run the new version, step {s.record.step} allows {s.k}; it is opened anew"
    return retreat(s, Reason.SCALED, message, restart=True)


def brake_amiss(s: Situation) -> Decision | None:
    """With few replicas the brake stays on while holding; it follows when their number changes."""
    if s.braked == s.tight:
        return None
    return quiet("the brake follows the number of replicas", patch(s, s.record, workload.holding_fields(s)))


def approval_noted(s: Situation) -> Decision | None:
    """`awaiting` tells the webhook that `kubectl rollout resume` means yes; it follows the annotations."""
    failed = bool(s.record.failed and s.record.step not in s.record.approved)
    undecided = asks(s)
    awaiting = s.awaits_approval or failed or undecided
    begins = undecided and s.record.note != Reason.INCONCLUSIVE
    if s.record.awaiting == awaiting and not begins:
        return None
    record = replace(s.record, awaiting=awaiting)
    if begins:
        approved = tuple(step for step in s.record.approved if step != s.record.step)  # given before this was asked
        record = replace(record, note=Reason.INCONCLUSIVE, approved=approved)
    return quiet("whether a person is asked has changed", patch(s, record, s.deployment.fields))


def held_failed(s: Situation) -> Decision | None:
    waits = s.record.failed and s.record.step not in s.record.approved
    return _held_failed(s) if waits else None


def no_steps(s: Situation) -> Decision | None:
    """Scaled down to a size that has none, and no new pod is left."""
    if s.n > 0 or s.exposures or s.record.saved.paused or not s.deployment.seen:
        return None
    return workload.finish(s)


def unreadable(s: Situation) -> Decision | None:
    return bad_annotation(s) if s.problem else None


def growing(s: Situation) -> Decision | None:
    """Fewer new pods than the step means: the next window, once all that run are available."""
    if s.n >= s.k:
        return None
    if s.record.saved.paused:
        return paused_by_user(s)
    if s.n == 0:
        return workload.clear_newer(s) or workload.open_window(s, s.record.step)
    if s.available < s.n:
        return waiting_for_pods(s)
    return workload.brake(s, s.record.step)


def available(s: Situation) -> Decision | None:
    return None if s.available >= s.n else waiting_for_pods(s)


def waiting_for_pods(s: Situation) -> Decision:
    found = findings(s)
    why = f" ({found[0].message})" if found else ""
    message = f"step {s.record.step} of {len(s.exposures)}: waiting until {wording.not_yet(s.n)}"
    due = [p.starting_since + s.deadline for p in s.new_pods if not p.ready]
    due += [p.ready_since + (s.record.saved.min_ready or 0) for p in s.new_pods if p.ready]
    wait = min((moment - s.now + 0.05 for moment in due if moment > s.now), default=RESYNC)
    held = found and found[0].severity is Severity.WAIT  # nothing of ours will change it: people are told by an Event
    return Decision(found[0].reason if held else Reason.WAITING_FOR_PODS, message + why, wait=wait)


def judging(s: Situation) -> Decision | None:
    """The shortest stay, the findings that extend it, the metric checks, the person."""
    found = () if s.overruled else findings(s)
    earliest, latest = s.available_since + s.plan.step_time.min, s.latest
    where = f"step {s.record.step} of {len(s.exposures)}: {wording.run(s.n, s.replicas)}"
    if s.now < earliest:
        return Decision(Reason.JUDGING, f"{where}, judged until {clock(earliest)}", wait=earliest - s.now + 0.05)
    if found and (found[0].severity is Severity.WAIT or s.now < latest):
        wait = max(1.0, latest - s.now + 0.05)
        return Decision(found[0].reason, f"{where}; watched until {clock(latest)}: {found[0].message}", wait=wait)
    unproved = unproven(s, where, latest)
    if unproved:
        return unproved
    if s.awaits_approval:
        name = s.deployment.place
        are = "is" if s.replicas == 1 else "are"
        message = f"{where} and {are} healthy; approval is awaited: penstock approve {name}"
        return Decision(Reason.AWAITING_APPROVAL, message)
    return None


def next_step(s: Situation) -> Decision:
    if not s.deployment.seen:  # finished on the counts of other replicas, it would take pods that are needed (I1)
        return quiet("waiting until the native controller has seen the last change of the Deployment")
    if s.record.saved.paused:
        return paused_by_user(s)
    if s.following is None or s.n >= s.replicas:
        return workload.finish(s)
    return workload.brake(s, s.following)


HOLDING: tuple[Rule, ...] = (
    scaled,
    failure,  # a hard fault ends it at once, no minimum time
    brake_amiss,
    approval_noted,
    held_failed,
    unreadable,
    no_steps,
    growing,
    available,
    judging,
    next_step,
)
