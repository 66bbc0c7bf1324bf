"""Evidence of one comparative check, from the first window of a rollout to its end, through all steps.

Carried and not judged per step: the bound on false rollbacks is per rollout, and what the first pod has shown is
still true at the tenth. It is reset by a new template only.

The tolerance of a look is 2 where fewer than three old pods were compared in it (one pod's luck is then half of the
comparison; facts: 7.2 % false rollbacks at 1.5) and the check's own where there are more. When a rollout takes old
pods away the next looks simply bet against the higher tolerance; the product stays an e-value, since each factor is
fair under its own tolerance and the number of pods is no outcome of their errors (see `mixture`). What was gathered
before keeps its weight, and no part of the 1 % is paid twice, as it would be for two processes side by side.
"""

from dataclasses import dataclass

from penstock.core import mixture, passing, spread
from penstock.core.counters import NONE, Count, Increments
from penstock.core.incident import ENOUGH
from penstock.core.passing import Passing, Stakes
from penstock.core.spread import Spread

FEW_PODS = 3
FEW_TOLERANCE = 2.0
FIRST = 20
"""Old requests beside the rollout that serve as base line where fewer than ENOUGH were counted before it."""


@dataclass(frozen=True)
class Standard:
    """What a kind of check tolerates."""

    tolerance: float
    """New pods may fail so many times as often as old ones."""
    effect: float
    """A difference of rates below it is never a reason to roll back."""


STANDARDS = {"errors": Standard(1.5, 0.005), "slow": Standard(1.25, 0.02)}


@dataclass(frozen=True)
class Terms:
    """What a check is judged by at a step."""

    standard: Standard
    impact: float
    """max-impact: the share of all requests that the next step may break."""
    share: float
    """The next step's share of pods; 1 where it is all."""
    step: int = 0
    checks: int = 1
    """Comparative checks of the rollout, among which the chance of a false rollback is split."""
    false_rollbacks: float = 0.01
    false_passes: float = 0.05


@dataclass(frozen=True)
class Evidence:
    """All that a rollout knows by one check."""

    new: Count = NONE
    old: Count = NONE
    logs: tuple[float, ...] = mixture.START
    """Logs of the likelihood ratios, one per alternative."""
    spread: Spread = spread.START
    against: float = 0.0
    """The log of the evidence against the release, divided by the spread."""
    peak: float = 0.0
    """The highest it has been: the bound holds for it, so a verdict once reached outlives a restart before the
    rollback."""
    passing: Passing = passing.START
    base: Count = NONE
    """The old pods' counts that the next step is measured by."""
    step: int = 0
    step_requests: float = 0.0
    """Requests to new pods at this step."""


def weigh(
    evidence: Evidence,
    seen: Increments,
    terms: Terms,
    *,
    before: Count = NONE,
    calm: bool = True,
    at_step: float | None = None,
) -> Evidence:
    """With what one look has shown. `before`: the old pods' counts before the first window; `calm`: no incident;
    `at_step`: requests to new pods that were counted at this step, where not all were."""
    new, old = total(seen, new=True), total(seen, new=False)
    few = len(seen.old) < FEW_PODS
    tolerance = max(terms.standard.tolerance, FEW_TOLERANCE if few else 0.0)
    logs = mixture.add(evidence.logs, *new, *old, tolerance)
    scattered = spread.scatter(evidence.spread, seen.old)
    against = mixture.log_mean(logs) / scattered.factor
    all_old = evidence.old.plus(*old)
    base = _base(evidence.base, before, all_old)
    stakes = passing.stakes(terms.impact, terms.share, base)
    return Evidence(
        new=evidence.new.plus(*new),
        old=all_old,
        logs=logs,
        spread=scattered,
        against=against,
        peak=max(evidence.peak, against),
        passing=passing.observe(evidence.passing, new, old, stakes, calm=calm),
        base=base,
        step=terms.step,
        step_requests=(new.requests if at_step is None else at_step)
        + (evidence.step_requests if terms.step == evidence.step else 0.0),
    )


def total(seen: Increments, *, new: bool) -> Count:
    """Of all new or old pods."""
    pods = (seen.new if new else seen.old).values()
    return Count(sum([p[0] for p in pods]), sum([p[1] for p in pods]))


def stakes_of(evidence: Evidence, terms: Terms) -> Stakes | None:
    """What is to be ruled out before the next step."""
    return passing.stakes(terms.impact, terms.share, evidence.base)


def _base(base: Count, before: Count, beside: Count) -> Count:
    """What was counted beside the rollout is taken anew at each doubling only: the ratio's bet is then recomputed."""
    if before.requests >= ENOUGH:
        return before
    return beside if beside.requests >= max(FIRST, 2 * base.requests) else base
