"""What each check says at this moment: a pure function of what was gathered.

The order is that of certainty. A failed comparison stands whatever else is known; then what keeps the numbers from
being read; then the numbers. Only the last line of the long way down is a pass.
"""

import math
from collections.abc import Collection
from dataclasses import replace

from penstock.core import limits, passing, sentences
from penstock.core.counters import Increments
from penstock.core.evidence import Evidence, Terms, stakes_of
from penstock.core.incident import CALM, Incident
from penstock.core.limits import Breaches
from penstock.core.queries import Limit
from penstock.core.reading import Reading
from penstock.core.verdict import State, Verdict

STALE = 150.0
"""Seconds without a new sample, after which what is known is too old to pass on: two scrapes a minute apart."""
ALONE = 20
"""Requests to new pods while old ones have none, from which on there is nothing to compare with."""

Problem = tuple[State, str] | None


def judge(check: str, evidence: Evidence, seen: Increments, terms: Terms, incident: Incident = CALM) -> Verdict:
    """A comparative check's word, after `seen` was weighed."""
    stakes = stakes_of(evidence, terms)
    base = Verdict(
        check,
        State.TOO_LITTLE,
        "",
        evidence=_factor(evidence.against),
        needed=terms.checks / terms.false_rollbacks,
        proof=_factor(passing.proof(evidence.passing, stakes)) if stakes else 1.0,
        proof_needed=1 / terms.false_passes,
        new=evidence.new,
        old=evidence.old,
        ratio=evidence.new.rate / evidence.old.rate if evidence.old.bad > 0 else None,
        spread=evidence.spread.factor,
    )
    if failed(evidence, terms):
        at_peak = replace(base, evidence=_factor(evidence.peak))
        return replace(at_peak, state=State.FAIL, sentence=sentences.against(at_peak))
    if problem := _unanswered(evidence, seen) or _incident(incident) or _uncounted(evidence, seen):
        return replace(base, state=problem[0], sentence=f"{check}: {problem[1]}")
    if stakes is None:
        return replace(base, sentence=f"{sentences.against(base)}; too little is known of the old pods")
    if base.proof >= base.proof_needed:
        return replace(base, state=State.PASS, sentence=sentences.safe(base))
    needed = passing.missing(evidence.passing, stakes, math.log(base.proof_needed))
    return replace(base, sentence=sentences.undecided(base, needed, stakes.limit))


def failed(evidence: Evidence, terms: Terms) -> bool:
    """The release is to be taken back: at once, whatever else is known."""
    needed = math.log(terms.checks / terms.false_rollbacks)
    excess = evidence.new.rate - evidence.old.rate
    return evidence.peak >= needed and excess >= terms.standard.effect


def _unanswered(evidence: Evidence, seen: Increments) -> Problem:
    if seen.trouble:
        return State.UNREACHABLE, seen.trouble
    if seen.new_pods and seen.warming == seen.new_pods:
        return State.WAITING, "new pods are warming up"
    known = evidence.new.requests + evidence.old.requests
    if not known and not seen.new_series and not seen.old_series:
        return State.NO_SERIES, "no pod delivers such a metric, neither new nor old ones"
    if seen.silent or not seen.new_seen:
        return State.UNREACHABLE, f"{seen.silent or seen.new_pods} of {seen.new_pods} new pods did not answer"
    if seen.time - seen.sampled > STALE:
        return State.UNREACHABLE, f"the last sample of new pods is {seen.time - seen.sampled:.0f} s old"
    return None


def _incident(incident: Incident) -> Problem:
    if not incident.since:
        return None
    now, before = sentences.percent(incident.rate), sentences.percent(incident.before.rate)
    return State.INCIDENT, f"old pods had {now}, {before} before the rollout: an incident, not the release"


def _uncounted(evidence: Evidence, seen: Increments) -> Problem:
    if not evidence.step_requests:
        old = f", old pods had {evidence.old.requests:.0f}" if evidence.old.requests else " and none to old ones"
        return State.NO_TRAFFIC, f"no requests to new pods at this step after their warm-up{old}"
    if evidence.old.requests or evidence.base.requests:
        return None
    if seen.old_pods and not seen.old_seen:
        return State.UNREACHABLE, f"none of {seen.old_pods} old pods answered"
    if (seen.old or not seen.old_pods) and evidence.step_requests >= ALONE:
        return (
            State.NO_CONTROL,
            f"{sentences.counts(evidence.new)} on new pods, no requests to old pods to compare with",
        )
    return None


def judge_limit(check: str, breaches: Breaches, limit: Limit) -> Verdict:
    """A limit's word after its last answer."""
    base = Verdict(check, State.WAITING, "", comparative=False, evidence=breaches.row, needed=limit.breaches)
    if breaches.trouble:
        return replace(base, state=State.UNREACHABLE, sentence=f"{check}: {breaches.trouble}")
    if breaches.empty or breaches.value is None:
        return replace(base, state=State.NO_SERIES, sentence=f"{check}: the query gives no number")
    wanted = f"{check}: {breaches.value:g}, wanted {limit.comparison} {limit.number:g}"
    if breaches.row >= limit.breaches:
        return replace(base, state=State.FAIL, sentence=f"{wanted}, breached {breaches.row} times in a row")
    if breaches.row or not limits.healthy(breaches, limit):
        return replace(base, sentence=f"{wanted}, breached {breaches.row} of {limit.breaches} times in a row")
    return replace(base, state=State.PASS, sentence=wanted)


def preflight(check: str, reading: Reading, old: Collection[str]) -> Verdict:
    """Whether a comparative check can work, asked of the old pods before the first window."""
    answered = [reading.pods[name] for name in old if name in reading.pods]
    have = sum(bool(counters.all) for counters in answered)
    if reading.trouble:
        state, text = State.UNREACHABLE, reading.trouble
    elif have:
        state, text = State.PASS, f"{have} of {len(old)} old pods deliver it"
    elif answered:
        state, text = State.NO_TRAFFIC, "the old pods answer but have no such metric yet; it may come with traffic"
    else:
        state, text = State.NO_SERIES, "no old pod delivers such a metric"
    return Verdict(check, state, f"{check}: {text}")


def _factor(log: float) -> float:
    return math.exp(min(log, 700.0))
