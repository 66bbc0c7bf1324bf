"""What each check says at this moment: a pure function of what was gathered.

The order is that of certainty. A failed comparison stands whatever else is known; then what keeps the numbers from
being read; then the numbers. Only the last line of the long way down is a pass.
"""

import math
from collections.abc import Collection

from penstock.core import limits, passing, sentences
from penstock.core.counters import Count, Increments
from penstock.core.evidence import Evidence, Terms, stakes_of
from penstock.core.incident import CALM, Incident
from penstock.core.limits import Breaches
from penstock.core.queries import Limit
from penstock.core.reading import Reading
from penstock.core.verdict import Numbers, State, Verdict

STALE = 150.0
"""Seconds without a new sample, after which what is known is too old to pass on: two scrapes a minute apart."""
ALONE = 20
"""Requests to new pods while old ones have none, from which on there is nothing to compare with."""

Problem = tuple[State, str] | None


def judge(check: str, evidence: Evidence, seen: Increments, terms: Terms, incident: Incident = CALM) -> Verdict:
    """A comparative check's word, after `seen` was weighed."""
    stakes = stakes_of(evidence, terms)
    proof = passing.proof(evidence.passing, stakes) if stakes else 0.0
    state, text = _state(evidence, seen, terms, incident, proof)
    numbers = Numbers(
        evidence=_factor(evidence.peak if state is State.FAIL else evidence.against),
        needed=terms.checks / terms.false_rollbacks,
        proof=_factor(proof),
        proof_needed=1 / terms.false_passes,
        new=evidence.new,
        old=evidence.old,
        spread=evidence.spread.factor,
    )
    if not text and state is State.FAIL:
        text = sentences.against(numbers)
    elif not text and state is State.PASS:
        text = sentences.safe(numbers)
    elif not text and stakes is None:
        text = f"{sentences.against(numbers)}; too little is known of the old pods"
    elif not text and stakes is not None:
        missing = passing.missing(evidence.passing, stakes, math.log(numbers.proof_needed))
        text = sentences.undecided(numbers, missing, stakes.limit)
    return Verdict(check, state, f"{check}: {text}", numbers=numbers)


def _state(evidence: Evidence, seen: Increments, terms: Terms, incident: Incident, proof: float) -> tuple[State, str]:
    """With the words where numbers do not say it."""
    if failed(evidence, terms):
        return State.FAIL, ""
    if problem := _unanswered(evidence, seen) or _incident(incident) or _uncounted(evidence, seen, incident.before):
        return problem
    return (State.PASS if proof >= -math.log(terms.false_passes) else State.TOO_LITTLE), ""


def failed(evidence: Evidence, terms: Terms) -> bool:
    """The release is to be taken back: at once, whatever else is known."""
    needed = math.log(terms.checks / terms.false_rollbacks)
    excess = evidence.new.rate - evidence.old.rate
    return evidence.peak >= needed and excess >= terms.standard.effect


def _unanswered(evidence: Evidence, seen: Increments) -> Problem:
    if seen.trouble:
        return State.UNREACHABLE, seen.trouble
    if not seen.new_pods:
        return State.WAITING, "no new pod was asked yet"
    if seen.warming == seen.new_pods:
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


def _uncounted(evidence: Evidence, seen: Increments, before: Count) -> Problem:
    """Nothing to compare with is no reason to wait only where the old pods are broken: those that are Ready, or were
    well before, are there to be compared with, and are waited for."""
    if not evidence.step_requests:
        beside = f", old pods had {evidence.old.requests:.0f}" if evidence.old.requests else " and none to old ones"
        return State.NO_TRAFFIC, f"no requests to new pods at this step after their warm-up{beside}"
    old = evidence.old
    if evidence.base.requests or old.requests > old.bad or (old.requests and seen.old_ready):
        return None
    if seen.old_ready and not seen.old_seen:
        return State.UNREACHABLE, f"none of {seen.old_pods} old pods answered"
    if evidence.step_requests < ALONE:
        return None
    counts = f"{sentences.counts(evidence.new)} on new pods"
    if seen.old_ready or before.requests > before.bad:
        return State.NO_TRAFFIC, f"{counts}, old pods get no requests to compare with"
    if old.requests:
        return State.NO_CONTROL, f"{counts}, old pods are not Ready and answered none of {old.requests:.0f} requests"
    return State.NO_CONTROL, f"{counts}, no old pod is Ready to compare with"


def judge_limit(check: str, breaches: Breaches, limit: Limit, now: float | None = None) -> Verdict:
    """A limit's word after its last answer; without `now` the caller vouches for its age."""
    state, text = _limit_state(breaches, limit, now)
    numbers = Numbers(evidence=float(breaches.row), needed=float(limit.breaches))
    return Verdict(check, state, f"{check}: {text}", comparative=False, numbers=numbers)


def _limit_state(breaches: Breaches, limit: Limit, now: float | None) -> tuple[State, str]:
    if breaches.trouble:
        return State.UNREACHABLE, breaches.trouble
    if breaches.empty or breaches.value is None:
        return State.NO_SERIES, "the query gives no number"
    if now is not None and now - breaches.time > STALE:
        return State.UNREACHABLE, f"the last number is {now - breaches.time:.0f} s old"
    wanted = f"{breaches.value:g}, wanted {limit.comparison} {limit.number:g}"
    if breaches.row >= limit.breaches:
        return State.FAIL, f"{wanted}, breached {breaches.row} times in a row"
    if not limits.healthy(breaches, limit):
        return State.WAITING, f"{wanted}, breached {breaches.row} of {limit.breaches} times in a row"
    return State.PASS, wanted


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
