"""The metric checks' part in a rollout: tried before the first window, asked at each step.

In the order of what may be wrong: a comparison that fails takes the release back at once; an incident holds it, for
limits cannot tell one from a bad release; missing data never pass and never fail by themselves.
"""

from dataclasses import replace

from penstock.core.checks import Finding, Severity
from penstock.core.decision import Decision
from penstock.core.queries import Limit
from penstock.core.reasons import Reason
from penstock.core.situation import Situation
from penstock.core.units import clock
from penstock.core.verdict import State, StepVerdict, Together, Verdict, step_verdict
from penstock.core.workloads.deployment import patch, quiet
from penstock.core.workloads.retreat import retreat

FAILED = {"errors": Reason.MORE_ERRORS, "slow": Reason.SLOWER}
"""Reasons of checks that failed; any other is a limit."""

MISSING = {
    State.UNREACHABLE: Reason.UNREACHABLE,
    State.NO_SERIES: Reason.NO_SERIES,
    State.NO_TRAFFIC: Reason.NO_TRAFFIC,
}

IN_WORDS = {
    State.UNREACHABLE: "its source does not answer",
    State.NO_SERIES: "no pod delivers such a metric",
    State.NO_TRAFFIC: "no requests yet",
    State.WAITING: "waiting",
    State.TOO_LITTLE: "too little data",
}


def together(s: Situation) -> StepVerdict:
    """What all checks say. A person who let it go on without data has excused the checks that have had none to this
    day; a limit that asks for new pods was not tried then, and so was not excused."""
    untried = {c.name for c in s.plan.checks if isinstance(c.query, Limit) and c.query.asks_new}
    excused = {c.name for c in s.plan.checks if 0 in s.record.approved} - untried
    return step_verdict([v for v in s.verdicts if not (v.check in excused and never_had_data(v))])


def never_had_data(v: Verdict) -> bool:
    """Whether a check has not counted a single request yet."""
    return v.state in MISSING and not v.numbers.new.requests and not v.numbers.old.requests


def worse(s: Situation) -> Finding | None:
    """The checks that end the release, as a finding like those of the pods."""
    found = together(s)
    if found.together is not Together.ROLLBACK:
        return None
    first = found.because[0]
    return Finding(Severity.FAIL, FAILED.get(first.check, Reason.LIMIT_BREACHED), first.sentence)


def preflight(s: Situation) -> Decision | None:
    """Before anything is replaced every check must find its metric on the old pods."""
    if not s.plan.checks or s.record.started:
        return None
    if any(v.state is State.WAITING for v in s.verdicts):
        return quiet("before step 1: the metric checks are tried on the old pods")
    missing = [v for v in s.verdicts if v.state is not State.PASS]
    if not missing or 0 in s.record.approved or s.plan.on_inconclusive == "advance":
        return None
    message = (
        f"before step 1: no data for {_named(missing)}; it goes on by itself when they come. "
        f"Go on with the checks of pods alone: penstock approve {s.deployment.place}"
    )
    write = None if s.record.awaiting else patch(s, replace(s.record, awaiting=True), s.deployment.fields)
    return Decision(MISSING.get(missing[0].state, Reason.NO_SERIES), message, write)


def unproven(s: Situation, where: str, latest: float) -> Decision | None:
    """Why the checks do not let it go on; None where all pass, or none is configured."""
    found = together(s)
    if found.together is Together.INCIDENT:
        message = f"{where}; pods of the old version fail as well: an incident, not the release. It goes on after it"
        return Decision(Reason.INCIDENT, message)
    if found.together is not Together.WAIT:
        return None
    if s.now < latest:
        reason = next((MISSING[v.state] for v in found.because if v.state in MISSING), Reason.JUDGING)
        what = f"no data for {_named(found.because)}; waiting" if reason is not Reason.JUDGING else "judged"
        return Decision(reason, f"{where}, {what} until {clock(latest)} at the latest", wait=latest - s.now + 0.05)
    return _inconclusive(s, where, found)


def _inconclusive(s: Situation, where: str, found: StepVerdict) -> Decision | None:
    if s.plan.on_inconclusive == "advance" or answered(s):
        return None
    undecided = f"{_named(found.because)} at the end of the longest stay"
    if s.plan.on_inconclusive == "rollback":
        message = f"{where}; no verdict of {undecided}; the release is taken back (on-inconclusive: rollback)"
        return retreat(s, Reason.INCONCLUSIVE, message, failed=f"no verdict of {undecided}")
    ways = f"Go on: penstock approve {s.deployment.place}; back: penstock abort {s.deployment.place}"
    return Decision(Reason.INCONCLUSIVE, f"{where}; no verdict of {undecided}, held. {ways}")


def asks(s: Situation) -> bool:
    """Whether the longest stay is over without a verdict and a person is asked."""
    if s.plan.on_inconclusive != "hold" or s.now < s.latest or answered(s):
        return False
    return together(s).together is Together.WAIT


def answered(s: Situation) -> bool:
    """Whether a person has said yes after being asked this; a yes that was given before is none to missing data."""
    return s.record.step in s.record.approved and s.record.note == Reason.INCONCLUSIVE


def _named(verdicts: tuple[Verdict, ...] | list[Verdict]) -> str:
    return ", ".join(f"{v.check} ({IN_WORDS.get(v.state, v.state)})" for v in verdicts)
