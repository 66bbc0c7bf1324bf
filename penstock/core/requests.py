"""What a person asks through the `request` annotation; consumed in the same write that acts on it.

A request names rollout and step. One that is late, for another rollout or another step, does nothing and says so:
a yes to version 2 must never move version 3.
"""

from collections.abc import Callable
from dataclasses import replace

from penstock.core import keys
from penstock.core.decision import Decision, Patch
from penstock.core.plan import Request, request
from penstock.core.reasons import Reason
from penstock.core.record import Record
from penstock.core.rollout import Event, Phase, after
from penstock.core.situation import Situation
from penstock.core.units import AnnotationError, clock
from penstock.core.workloads.deployment import POLL, patch
from penstock.core.workloads.retreat import retreat

CONSUMED = {keys.REQUEST: None}


def requested(s: Situation) -> Decision | None:
    """The decision on a request, or None where there is none."""
    text = s.deployment.annotations.get(keys.REQUEST)
    if text is None:
        return None
    try:
        asked = request(text)
    except AnnotationError as error:
        return ignored(s, str(error))
    if (asked.rollout, asked.step) != (s.record.id, s.record.step) and asked.do != "skip-to":
        return ignored(s, f"{asked.do} was for step {asked.step} of rollout {asked.rollout}")
    if asked.rollout != s.record.id:
        return ignored(s, f"{asked.do} was for rollout {asked.rollout}")
    return ANSWERS[asked.do](s, asked)


def ignored(s: Situation, why: str, place: str = "") -> Decision:
    message = f"the request was ignored: {why}; {place or _place(s)}"
    return _answer(s, Reason.REQUEST_IGNORED, message, s.record)


def _place(s: Situation) -> str:
    """Where the rollout stands; a step is counted only where one is held or opened."""
    match s.record.phase:
        case Phase.PENDING:
            return f"rollout {s.record.id} is before its first step"
        case Phase.RETREATING:
            return f"pods of rollout {s.record.id} are going"
        case Phase.REJECTED:
            return f"rollout {s.record.id} is taken back"
        case _:
            return f"this is step {s.record.step} of rollout {s.record.id}"


def _answer(s: Situation, reason: Reason, message: str, record: Record) -> Decision:
    return Decision(reason, message, patch(s, record, s.deployment.fields, notes=CONSUMED), POLL)


def approve(s: Situation, asked: Request) -> Decision:
    """A yes is taken where one is asked for, as with `kubectl rollout resume`, or will be at this very step."""
    held = s.record.phase is Phase.HOLDING
    wanted = s.record.awaiting or (held and (s.needs_approval(asked.step) or bool(s.record.failed)))
    if not wanted or not (held or s.record.phase is Phase.PENDING) or asked.step in s.record.approved:
        return ignored(s, "nothing waits for an approval")
    record = replace(s.record, approved=(*s.record.approved, asked.step), awaiting=False)
    return _answer(s, Reason.APPROVED, f"step {asked.step} is approved{_still(s)}", record)


def _still(s: Situation) -> str:
    """What stands between the yes and the next step."""
    if s.record.failed or s.record.phase is Phase.PENDING:
        return ""
    if s.available < max(s.n, s.k):
        return "; it goes on when its pods are available and have been judged"
    earliest = s.available_since + s.plan.step_time.min
    return f"; it is still judged until {clock(earliest)}" if s.now < earliest else ""


def abort(s: Situation, asked: Request) -> Decision | None:
    if s.record.phase is Phase.OPENING:
        return None  # the window settles and closes first, in milliseconds; the request is still there then
    if s.record.phase in (Phase.RETREATING, Phase.REJECTED):
        return ignored(s, "the release is taken back already", f"this is rollout {s.record.id}")
    if s.stable is None:
        return ignored(s, "no pods of the former version are left to go back to; deploy it again")
    decision = retreat(s, Reason.ABORTED, "a person took the release back", failed="a person took it back")
    assert isinstance(decision.write, Patch)
    draft = decision.write.draft
    return replace(decision, write=Patch(replace(draft, annotations={**draft.annotations, **CONSUMED})))


def retry(s: Situation, asked: Request) -> Decision:
    if s.record.phase is not Phase.REJECTED:
        return ignored(s, "only a rejected version can be tried again")
    phase = after(s.record.phase, Event.RETRIED)
    record = replace(s.record, phase=phase, step=0, failed="", note="", approved=(), started=0, target=0)
    return _answer(s, Reason.RETRIED, "another try begins", record)


def skip_to(s: Situation, asked: Request) -> Decision:
    if s.record.phase is not Phase.HOLDING:
        return ignored(s, "steps can be skipped only while the rollout is held at one")
    if not s.record.step < asked.step <= len(s.exposures):
        later = ", ".join(map(str, range(s.record.step + 1, len(s.exposures) + 1))) or "none"
        return ignored(s, f"{asked.step} is not a later step (later ones: {later})")
    passed = tuple(range(s.record.step, asked.step))
    record = replace(s.record, step=asked.step, approved=(*s.record.approved, *passed), awaiting=False)
    return _answer(s, Reason.APPROVED, f"a person skips to step {asked.step}", record)


ANSWERS: dict[str, Callable[[Situation, Request], Decision | None]] = {
    "approve": approve,
    "abort": abort,
    "retry": retry,
    "skip-to": skip_to,
}
