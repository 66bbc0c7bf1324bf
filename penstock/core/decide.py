"""decide(observation) → Decision: the rules of a rollout, in order. The first that has something to say wins.

Before the phase itself come the rules that end a rollout or put the record right, for these hold in every phase.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from penstock.core import keys, salvage, wording
from penstock.core.checks import Severity, findings
from penstock.core.decision import Align, Decision, Patch
from penstock.core.draft import Draft, released
from penstock.core.holding import bad_annotation, failure, holding, paused_by_user, scaled_to_zero, waiting_for_pods
from penstock.core.judging import preflight
from penstock.core.observation import Observation
from penstock.core.plan import Plan, plan
from penstock.core.reasons import Reason
from penstock.core.record import Record, RecordError, decode, rollout_id, superseded
from penstock.core.release import failed_version
from penstock.core.requests import requested
from penstock.core.rollout import HELD, Phase
from penstock.core.situation import Situation
from penstock.core.units import AnnotationError
from penstock.core.workloads import deployment as workload
from penstock.core.workloads.deployment import POLL, patch, quiet
from penstock.core.workloads.retreat import rejected_message, retreat, retreating

Rule = Callable[[Situation], Decision | None]


def decide(seen: Observation) -> Decision:
    """What to do now about one workload. Pure: the same observation gives the same decision."""
    text = seen.deployment.annotations.get(keys.RECORD)
    if text is None:
        return _taken_away(seen) or workload.leftovers(seen)
    try:
        record = decode(text)
    except RecordError as error:
        return _unreadable(seen, text, error)
    if record.uid != seen.deployment.uid:
        return _foreign(seen, record)
    s = situation(seen, record)
    decision = next(d for rule in RULES if (d := rule(s)) is not None)
    exposed = sum(rs.replicas for rs in s.others)
    return replace(
        decision,
        step=record.step,
        steps=len(s.exposures),
        phase=record.phase,
        exposed=exposed,
        allowed=_allowed(s),
        sentences=_sentences(s, decision),
    )


def _sentences(s: Situation, decision: Decision) -> tuple[str, ...]:
    """What the metric checks say, where they are asked; a decision to take back has the sentence that decided it."""
    asked = s.record.phase in (Phase.PENDING, Phase.HOLDING) and decision.shown and decision.write is None
    return tuple(v.sentence for v in s.verdicts) if asked else ()


def situation(seen: Observation, record: Record) -> Situation:
    """The observation as the rules read it."""
    chosen, problem = _plan(seen)
    return Situation(seen, record, chosen, problem)


def _allowed(s: Situation) -> int:
    if s.record.phase is Phase.FINISHING:
        return s.replicas
    return s.record.target if s.replicas == s.record.replicas else s.k if s.record.target else 0


def _plan(seen: Observation) -> tuple[Plan, str]:
    """The plan, or the defaults together with what is wrong: then nothing is opened."""
    try:
        return plan(seen.deployment.annotations, seen.namespace_annotations), ""
    except AnnotationError as error:
        return Plan(), f"annotation {error}"


def _taken_away(seen: Observation) -> Decision | None:
    """Our label says that the fields in force are ours, and nothing says what the owner's are."""
    d = seen.deployment
    ours = d.fields.paused is True or d.fields.min_ready == keys.BRAKE_READY
    if d.labels.get(keys.ROLLOUT) in (None, salvage.FINISHING) or not ours:
        return None
    copies = [rs.record for rs in seen.replicasets if rs.template == d.template and rs.record]
    text = copies[0] if copies else None
    return _given_up(seen, text, "the record was taken away, so this rollout cannot go on; it is released")


def _unreadable(seen: Observation, text: str, error: RecordError) -> Decision:
    if _out(seen):
        return _given_up(seen, text, f"opted out; {error}, so its fields are put back as far as they are known")
    label = f"kubectl label deployment {seen.deployment.place} {keys.ENABLED}=false"
    return Decision(
        Reason.BAD_RECORD, f"{error}; nothing is changed until a version that can read it runs; to end it: {label}"
    )


def _given_up(seen: Observation, text: str | None, message: str) -> Decision:
    d = seen.deployment
    fields = salvage.owners_fields(text, d.fields)
    draft = Draft(fields, workload.LEFT, dict.fromkeys(keys.OUR_ANNOTATIONS))
    return Decision(Reason.RELEASED, message, Patch(draft), POLL)


def _foreign(seen: Observation, record: Record) -> Decision:
    """A copy of another object, admitted while the webhook was away: that one's fields in force are undone."""
    draft = replace(released(seen.deployment.managed, record, record.saved), label=workload.LEFT)
    return Decision(Reason.RELEASED, "the record is another object's (a backup); its fields are restored", Patch(draft))


def another_leads(s: Situation) -> Decision | None:
    if s.record.epoch > s.seen.epoch:
        message = "another controller has taken over this rollout, or its record was edited; to end it: "
        label = f"kubectl label deployment {s.deployment.place} {keys.ENABLED}=false"
        return opted_out(s) or Decision(Reason.FORMER_LEADER, message + label)
    if 0 < s.record.epoch < s.seen.epoch:  # the new leader's mark comes before anything it does
        draft = replace(patch(s, s.record, s.deployment.fields).draft, label=False)  # a label taken away says something
        return quiet("this controller takes over", Patch(draft))
    return None


def moves_again(s: Situation) -> Decision | None:
    return workload.unstall() if s.deployment.stalled and s.record.phase is not Phase.REJECTED else None


def leaving(s: Situation) -> Decision | None:
    """Released already: nothing else is decided any more."""
    if s.record.phase is not Phase.LEAVING:
        return None
    return misaligned(s) or workload.leave(s)


def owners_word(s: Situation) -> Decision | None:
    """At the end the fields in force are the owner's: what a dead webhook let through is their word, put back never.
    Not a pause together with the brake: so an older webhook holds what it cannot read (see salvage.held)."""
    record, force = s.record, s.deployment.fields
    if record.phase is not Phase.FINISHING:
        return None
    if force.min_ready == keys.BRAKE_READY and s.deployment.template == record.declared:
        return quiet("the brake of another version of Penstock goes", patch(s, record, record.saved.rolling()))
    if force.min_ready == keys.BRAKE_READY:
        force = replace(force, paused=record.saved.paused)
    saved = record.saved.merged(record.saved.rolling(), force)
    if saved == record.saved:
        return None
    return quiet("the owner's fields have changed", patch(s, replace(record, saved=saved), s.deployment.fields))


def _out(seen: Observation) -> bool:
    own = seen.deployment.labels.get(keys.ENABLED)
    return own == "false" or (own != "true" and seen.namespace_labels.get(keys.ENABLED) != "true")


def opted_out(s: Situation) -> Decision | None:
    return _released(s, "opted out; every field is as its owner had it") if _out(s.seen) else None


def _released(s: Situation, message: str) -> Decision:
    failed = failed_version(s.record, s.record.declared, s.replicas, s.deployment.place)
    if failed:
        return workload.release(s, Reason.FAILED_RELEASED, f"{message}; {failed}")
    return workload.release(s, Reason.RELEASED, message)


def lost_label(s: Situation) -> Decision | None:
    """Label removed by hand: while paused it comes back; together with a resume it is the way out that the step
    lock names, and the rest of the fields follows."""
    if keys.ROLLOUT in s.deployment.labels:
        return None
    if s.paused or s.record.phase in (Phase.OPENING, Phase.FINISHING) or s.in_stable_window:
        return quiet("our label is put back", patch(s, s.record, s.deployment.fields))
    resumed = replace(s, record=replace(s.record, saved=replace(s.record.saved, paused=None)))
    message = "released by removing the label; every field is as its owner had it"
    return _released(resumed, message)


def declared_changed(s: Situation) -> Decision | None:
    """The template is not the record's: a revert or a newer version that admission did not see."""
    d, record = s.deployment, s.record
    if d.template == record.declared or (d.template == record.stable and s.in_stable_window):
        return None
    if d.template == record.stable:
        return workload.release(s, Reason.REVERTED, "the stable version was declared again; the rollout is over")
    if record.id == rollout_id(record.uid, record.declared, d.generation - 1):  # made by the very write that stored it
        known = replace(record, declared=d.template, loose=d.loose, sent=record.declared)
        return quiet(
            "another webhook has changed the template after ours; it is the same version", patch(s, known, d.fields)
        )
    fields = d.fields.held(record.saved, d.replicas)
    if record.failed and record.phase in (Phase.RETREATING, Phase.REJECTED) and d.loose == record.loose:
        return quiet("the rejected version, restarted", patch(s, replace(record, declared=d.template), fields))
    newer = superseded(record, d.template, d.loose, record.epoch + int(record.since))
    message = "a newer version was declared; pods of the superseded one go first"
    return Decision(Reason.SUPERSEDED, message, patch(s, newer, fields, notes={keys.DECLARED: None}), POLL)


def stable_unknown(s: Situation) -> Decision | None:
    """Gated in the middle of a native rollout, or the stable version has gone: the one with the most available pods
    is the stable one from now on."""
    gone = s.stable is None or (s.stable.replicas == 0 and s.superseded and not s.record.failed)
    if not gone or s.record.phase is Phase.FINISHING:
        return None
    candidates = [rs for rs in s.seen.replicasets if rs.replicas > 0]
    best = max(candidates, key=lambda rs: (rs.available, rs.ready, rs.created), default=None)
    if best is None and s.replicas == 0:
        return Decision(Reason.SCALED_TO_ZERO, "no pods are wanted; it goes on when the workload is scaled up")
    if best is None or best.template == s.record.declared:
        return workload.release(s, Reason.NO_STABLE, "no other version runs, there is nothing to compare with")
    record = replace(s.record, stable=best.template, revision=best.revision)
    return quiet(f"{best.name} is the stable version", patch(s, record, s.deployment.fields))


def misaligned(s: Situation) -> Decision | None:
    """We emptied the new ReplicaSet in the moment in which the replicas became just what the stable one has."""
    active = [rs for rs in s.seen.replicasets if rs.replicas]
    if len(active) != 1 or active[0].replicas != s.replicas or not s.deployment.seen:
        return None
    if active[0].desired in (None, s.replicas):
        return None
    return quiet(f"{active[0].name} says what it has", Align(active[0].name, s.replicas))


def repaused(s: Situation) -> Decision | None:
    """Held, yet not paused: somebody got past the guard while the webhook was dead, or takes each pause out again.
    Against the latter the brake is all that helps: it stops the native controller at the user's own limits."""
    if s.record.phase not in HELD or s.paused:
        return None
    fields = replace(s.deployment.fields, paused=True)
    if s.others:
        fields = replace(fields, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
    message = "somebody resumed a held rollout; it is paused again"
    return Decision(Reason.REPAUSED, message, patch(s, s.record, fields), POLL)


def in_phase(s: Situation) -> Decision:
    return PHASES[s.record.phase](s)


def pending(s: Situation) -> Decision:
    if s.others:
        return retreat(s, Reason.SUPERSEDED, "pods of other versions go before the first step", restart=True)
    if s.replicas == 0:
        return scaled_to_zero(s)
    if s.record.saved.paused:
        return paused_by_user(s)
    cleared = workload.clear_newer(s)
    if cleared:
        return cleared
    if s.problem:
        return bad_annotation(s)
    if not s.exposures:
        return workload.finish(s)
    return preflight(s) or workload.open_window(s, max(1, min(s.record.step, len(s.exposures))))


def braking(s: Situation) -> Decision:
    fault = failure(s)
    if fault:
        return fault
    if s.n == 0 or s.n >= s.k:
        return workload.unbrake(s)  # scaled meanwhile
    if s.available < s.n:
        return waiting_for_pods(s)  # one has fallen since; it may be for long
    if workload.brake_seen(s):
        return workload.open_window(s, s.record.step)
    return quiet(f"step {s.record.step}: waiting until every controller has seen the brake")


def opening(s: Situation) -> Decision:
    if not s.paused and workload.window_settled(s) and workload.outgrown(s):
        message = f"{s.n} of {s.replicas} pods run the new version after a change of replicas; it is opened anew"
        return retreat(s, Reason.SCALED, message, restart=True)
    if s.paused or workload.window_settled(s):
        return workload.close_window(s)
    return quiet(f"step {s.record.step}: the native controller adds pods of the new version")


def finishing(s: Situation) -> Decision:
    if workload.complete(s):
        return workload.end(s)
    if s.record.saved.paused:
        return paused_by_user(s)
    found = [f for f in findings(s) if f.severity is Severity.FAIL]
    if found and s.plan.on_failure == "rollback" and s.stable:
        return retreat(s, found[0].reason, f"{found[0].message}; taken back", failed=found[0].message)
    if found:
        name = s.deployment.place
        message = f"{found[0].message}; not taken back (on-failure: pause). Back: penstock abort {name}"
        return Decision(found[0].reason, message)
    message = f"all steps passed; {wording.all_get(s.replicas)}"
    held = [f for f in findings(s) if f.severity is Severity.WAIT]
    return Decision(held[0].reason, f"{message}: {held[0].message}") if held else Decision(Reason.FINISHING, message)


def rejected(s: Situation) -> Decision:
    if s.others:
        record = replace(s.record, phase=Phase.RETREATING, since=s.now)
        return quiet("pods of a rejected version appeared; they go", patch(s, record, s.deployment.fields))
    if s.replicas == 0:
        return workload.clear_newer(s) or Decision(Reason.REJECTED, rejected_message(s))
    return Decision(Reason.REJECTED, rejected_message(s))


RULES: tuple[Rule, ...] = (
    another_leads,  # a former leader does nothing; a new one leaves its mark first
    moves_again,
    leaving,
    owners_word,  # the owner's last word on each field, before it is put back
    opted_out,  # the owner's word ends everything
    lost_label,
    declared_changed,  # revert, or a newer version
    stable_unknown,
    requested,  # a person's request is consumed, whatever comes of it
    workload.give_back,  # before anything else is written: an apply of the owner must not fail
    misaligned,  # the native controller would not roll, whatever we open
    repaused,
    in_phase,
)

PHASES: Mapping[Phase, Callable[[Situation], Decision]] = {
    Phase.PENDING: pending,
    Phase.BRAKING: braking,
    Phase.OPENING: opening,
    Phase.HOLDING: holding,
    Phase.RETREATING: retreating,
    Phase.REJECTED: rejected,
    Phase.FINISHING: finishing,
    Phase.LEAVING: workload.leave,
}
