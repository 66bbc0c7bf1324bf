"""What the checks say while they cannot be asked by a fault of ours.

Else people would read the last look's words, or "not asked yet", for as long as it lasts.
"""

from dataclasses import replace

from penstock.core.counters import Increments
from penstock.core.judgement import Bearings, Compared, Judgement, Limited, digest_of
from penstock.core.plan import Check
from penstock.core.queries import Limit
from penstock.core.verdict import State, Verdict

OURS = "an error of ours, see the controller's log"


def troubled(known: Judgement, at: Bearings, words: str, now: float) -> Judgement:
    """Every check unreachable, with what it has gathered; not by the fold, which may be what fails."""
    if known.rollout != at.rollout:
        known = Judgement(at.rollout)
    limits = {c.name: _limited(known, c, words) for c in at.plan.checks if isinstance(c.query, Limit)}
    compared = {c.name: _compared(known, c, words, now) for c in at.plan.checks if c.name not in limits}
    return replace(known, compared=compared, limits=limits)


def _limited(known: Judgement, check: Check, words: str) -> Limited:
    last = known.limits.get(check.name)
    if last is None or last.query != digest_of(check):
        last = Limited(digest_of(check))
    return replace(last, breaches=replace(last.breaches, trouble=words))


def _compared(known: Judgement, check: Check, words: str, now: float) -> Compared:
    ready = Verdict(check.name, State.UNREACHABLE, f"{check.name}: {words}")
    last = known.compared.get(check.name)
    if last is None or last.query != digest_of(check):
        last = Compared(digest_of(check), ready)
    return replace(last, ready=ready, seen=Increments(now, trouble=words))
